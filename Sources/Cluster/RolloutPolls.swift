// Before a register is written: whether a majority of voters would run what it names, and whether
// somebody else is about to write one too.
//
//     asked at n1 ─► poll ─► n1, n3: ready ─► record
//     asked at n2 ─► poll ─► n2: ready; n3: raced ─► refused: another activation is under way
//
// A voter gives its vote on a function to one asker at a time, until it sees the register or the
// time is over. Two majorities share a voter, so of two askers at once one at the most goes on; of
// three, perhaps none, and all hear it. The promise lives in memory alone: if it is lost, two
// registers of one generation may be written, and the larger bytes win everywhere (Docs/decisions
// 0010). It keeps answers honest; safety does not hang on it.

import Suppression

extension Rollout {
    /// An activation that waits for votes.
    struct Poll: Equatable, Sendable {
        let ticket: UInt64
        let question: RolloutPoll
        let proposal: RolloutRequest
        let startedNanos: UInt64
        var ready: Set<NodeID> = []
        /// Who has promised its vote to somebody else.
        var taken: Set<NodeID> = []
    }

    /// A vote that is given.
    struct Promise: Equatable, Sendable {
        let node: NodeID
        let number: UInt64
        let base: UInt64
        let untilNanos: UInt64
    }

    private func generation(of name: String) -> UInt64 { wanted[name]?.generation ?? 0 }

    /// Whether this node's vote on a function is given to somebody.
    private func promise(of name: String, now: UInt64) -> Promise? {
        guard let promise = promises[name], now < promise.untilNanos,
            generation(of: name) <= promise.base
        else { return nil }
        return promise
    }

    mutating func ask(
        _ ticket: UInt64,
        _ name: String,
        _ proposal: RolloutRequest,
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        if let refusal = refusal(name, proposal, now: now) {
            return effects.append(.refuse(ticket: ticket, refusal))
        }
        let question = RolloutPoll(
            number: nextPoll,
            name: name,
            base: generation(of: name),
            digest: proposal.digest
        )
        nextPoll += 1
        polls.append(
            Poll(ticket: ticket, question: question, proposal: proposal, startedNanos: now)
        )
        polls[polls.count - 1].ready.insert(own)
        promises[name] = Promise(
            node: own,
            number: question.number,
            base: question.base,
            untilNanos: now + Limits.promiseNanos
        )
        for slot in voters.slots where peers[slot.node] != nil {
            effects.append(.send(slot.node, .poll(question)))
        }
        count(into: &effects)
    }

    private func refusal(_ name: String, _ proposal: RolloutRequest, now: UInt64) -> RolloutRefusal?
    {
        guard isReady(proposal.digest) else { return .notReady }
        guard promise(of: name, now: now) == nil else { return .raced }
        guard polls.count < Limits.pollsCount else { return .busy }
        if case .serve(let digest) = proposal, let trial = wanted[name]?.activation.trial,
            trial.kind == .shadow, trial.digest == digest
        {
            let count = reports.loosened(name, trial.digest)
            if count > 0 { return .loosens(count) }
        }
        return nil
    }

    /// What this node says to another that wants to activate something.
    mutating func answer(to poll: RolloutPoll, from node: NodeID, now: UInt64) -> RolloutVote {
        guard generation(of: poll.name) <= poll.base else { return .raced }
        if let promise = promise(of: poll.name, now: now), promise.node != node { return .raced }
        guard isReady(poll.digest) else { return .unready }
        promises[poll.name] = Promise(
            node: node,
            number: poll.number,
            base: poll.base,
            untilNanos: now + Limits.promiseNanos
        )
        return .ready
    }

    mutating func voted(
        _ number: UInt64,
        _ vote: RolloutVote,
        by node: NodeID,
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        // Too late is no vote: promises have an end, and this node may have stood still.
        guard let at = polls.firstIndex(where: { $0.question.number == number }),
            now < polls[at].startedNanos + Limits.pollNanos
        else { return }
        switch vote {
        case .unready: return
        case .ready: polls[at].ready.insert(node)
        case .raced: polls[at].taken.insert(node)
        }
        count(into: &effects)
    }

    /// Whoever has a majority behind it is written down; who can have none hears so at once.
    private mutating func count(into effects: inout [RolloutEffect]) {
        var isOver: Set<UInt64> = []
        for poll in polls {
            let name = poll.question.name
            if isMajority(poll.ready), generation(of: name) == poll.question.base {
                isOver.insert(poll.question.number)
                effects.append(
                    .record(
                        ticket: poll.ticket,
                        next(name, poll.proposal),
                        generation: poll.question.base + 1
                    )
                )
            } else if !isMajority(Set(voters.slots.map(\.node)).subtracting(poll.taken))
                || generation(of: name) > poll.question.base
            {
                isOver.insert(poll.question.number)
                release(poll)
                effects.append(.refuse(ticket: poll.ticket, .raced))
            }
        }
        polls.removeAll { isOver.contains($0.question.number) }
    }

    mutating func endPolls(now: UInt64, into effects: inout [RolloutEffect]) {
        for poll in polls where now >= poll.startedNanos + Limits.pollNanos {
            release(poll)
            effects.append(
                .refuse(ticket: poll.ticket, poll.taken.isEmpty ? .noMajority : .raced)
            )
        }
        polls.removeAll { now >= $0.startedNanos + Limits.pollNanos }
    }

    /// What came to nothing needs the own vote no longer.
    private mutating func release(_ poll: Poll) {
        let promise = promises[poll.question.name]
        guard promise?.node == own, promise?.number == poll.question.number else { return }
        promises[poll.question.name] = nil
    }

    /// What the register says next.
    private func next(_ name: String, _ proposal: RolloutRequest) -> Activation {
        let active = wanted[name]?.activation
        switch proposal {
        case .serve(let digest):
            return Activation(
                name: name,
                digest: digest,
                previous: active?.digest == digest ? active?.previous : active?.digest
            )
        case .test(let trial):
            return Activation(
                name: name,
                digest: active?.digest,
                previous: active?.previous,
                trial: trial
            )
        case .endTrial:
            return Activation(name: name, digest: active?.digest, previous: active?.previous)
        }
    }

    func isMajority(_ nodes: Set<NodeID>) -> Bool {
        var mask = SlotMask()
        for (at, slot) in voters.slots.enumerated() where nodes.contains(slot.node) {
            mask.insert(at)
        }
        return voters.isMajority(mask)
    }
}

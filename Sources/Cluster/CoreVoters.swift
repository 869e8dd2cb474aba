// The Core among the voters: a change is proposed, chosen, written, adopted.
//
//     propose(set) ──► prepare, accept ──► chosen ──► the register `voters`, a write like any other
//     register shown ──► adopt: gate, lease and catching up begin anew under it
//
// What happens without anybody's command, each after a moment that differs from node to node:
//
//     a doubted life asks to be bound again      a joint generation ends when all have caught up
//     a value that some accepted and nobody wrote is finished, whoever began it

import Suppression

/// Why an acceptor says no.
public enum Decline: UInt8, Sendable {
    /// It has promised a higher ballot.
    case outbid = 0
    /// That generation is in force already, or a later one.
    case past = 1
    /// Too few other voters have caught up for another slot to begin anew.
    case unready = 2
}

/// What the Core knows for the choice of the next generation.
struct Choosing: Sendable {
    var acceptor: Acceptor
    var proposal: Proposal?
    /// The highest ballot seen.
    var highest = Ballot.none
    /// Answers that wait for the log, with its number.
    var owed: [(sequence: UInt64, to: NodeID, message: Message)] = []
    /// Slots that have said, under the generation in force, that they have caught up.
    var complete = SlotMask()
    /// When this node may propose by itself; nil while there is no reason to.
    var reasonNanos: UInt64?
    /// A peer that spoke under a later generation, and when it is told next how far this node is.
    var ahead: (node: NodeID, tellNanos: UInt64)?
    /// Since when somebody speaks under an earlier generation than this node.
    var laggardNanos: UInt64?
    /// This life has said the register of the generation in force again.
    var hasSaidAgain = false
}

extension Core {
    // MARK: proposing

    /// A command, or a reason of this node's own.
    mutating func propose(
        _ wanted: VoterSet,
        ticket: Ticket?,
        now: Instant,
        into effects: inout [Effect]
    ) {
        guard !hasFailed, choosing.proposal == nil, wanted.generation == voters.generation + 1
        else {
            if let ticket { effects.append(.refuse(ticket, .superseded)) }
            return
        }
        let ballot = Ballot(round: choosing.highest.round + 1, node: own.node)
        choosing.proposal = Proposal(wanted, ticket: ticket, ballot: ballot, now: now.bootNanos)
        choosing.highest = ballot
        sayProposal(now: now, into: &effects)
    }

    private mutating func sayProposal(now: Instant, into effects: inout [Effect]) {
        guard let message = choosing.proposal?.message else { return }
        for slot in voters.slots where slot.node != own.node {
            effects.append(.send(to: slot.node, message))
        }
        if ownSlot != nil { vote(message, from: own.node, now: now, into: &effects) }
    }

    /// Once a tick.
    mutating func driveVoters(now: Instant, into effects: inout [Effect]) {
        takeSeat(into: &effects)
        if let (node, due) = choosing.ahead, now.bootNanos >= due {
            choosing.ahead = (node, now.bootNanos + Limits.laggardPatienceNanos)
            sayHeld(to: node, into: &effects)
        }
        if let ownSlot, isComplete { choosing.complete.insert(ownSlot) }
        guard let proposal = choosing.proposal else {
            return proposeByItself(now: now, into: &effects)
        }
        if now.bootNanos >= proposal.deadlineNanos {
            choosing.proposal = nil
            if let ticket = proposal.ticket { effects.append(.refuse(ticket, .notChosen)) }
        } else if now.bootNanos >= proposal.nextNanos {
            // Lost messages, or another proposer: a higher ballot after a time that differs.
            let jitter = nonces.next().low % Limits.proposalRepeatNanos
            choosing.proposal?.retry(
                above: choosing.highest,
                by: own.node,
                now: now.bootNanos + jitter
            )
            choosing.highest = max(choosing.highest, choosing.proposal?.ballot ?? .none)
            sayProposal(now: now, into: &effects)
        }
    }

    /// What this node wants of the voters without being told; nil for nothing.
    private var ownWish: VoterSet? {
        if let accepted = choosing.acceptor.accepted { return accepted.voters }
        if isDoubted, !isDamaged, let at = voters.slot(of: own.node),
            voters.slots[at].lowestEpoch < own.epoch
        {
            let slot = voters.slots[at]
            let again = Candidate(name: slot.name, origin: own, zone: slot.zone)
            do { return try voters.rebound(at, to: again) } catch { return nil }
        }
        let incoming = voters.incoming
        let isCaughtUp = choosing.complete.intersection(incoming) == incoming
        if isCaughtUp || bugs.has(.jointEndsEarly) { return voters.settled }
        return nil
    }

    private mutating func proposeByItself(now: Instant, into effects: inout [Effect]) {
        guard let wish = ownWish, wish.generation == voters.generation + 1 else {
            return choosing.reasonNanos = nil
        }
        guard let due = choosing.reasonNanos else {
            let turn = UInt64(ownSlot ?? voters.slots.count) + 1
            return choosing.reasonNanos = now.bootNanos + turn * Limits.proposalTurnNanos
        }
        guard now.bootNanos >= due else { return }
        choosing.reasonNanos = now.bootNanos + Limits.proposalNanos
        propose(wish, ticket: nil, now: now, into: &effects)
    }

    private mutating func chosen(
        _ set: VoterSet,
        _ proposal: Proposal,
        now: Instant,
        into effects: inout [Effect]
    ) {
        choosing.proposal = nil
        let dots = write(set, ticket: proposal.ticket, now: now, into: &effects)
        guard let ticket = proposal.ticket else { return }
        guard let dots else {
            // Whoever accepted it writes it later.
            return effects.append(.refuse(ticket, .busy))
        }
        if set == proposal.wanted {
            gate.wait(ticket, for: dots, policy: .strict, now: now, into: &effects)
        } else {
            effects.append(.refuse(ticket, .superseded))
        }
    }

    /// Writes the register of a generation that was chosen; nil when there is no room now.
    private mutating func write(
        _ set: VoterSet,
        ticket: Ticket?,
        now: Instant,
        into effects: inout [Effect]
    ) -> DotRange? {
        guard pending.count < bounds.pendingChangesCount else { return nil }
        let setting = Setting.voters(set)
        let register = Register(
            name: setting.registerName,
            generation: set.generation,
            final: false,
            value: setting.value,
            author: [],
            signature: []
        )
        let drafts = [Draft.register(register)]
        let ticket = ticket ?? Ticket(raw: 0)
        let request = WriteRequest(ticket: ticket, drafts: drafts, policy: .strict)
        return mint(request, now: now, into: &effects)
    }

    // MARK: those who have not heard

    /// A peer spoke under this generation, 0 for none.
    ///
    /// Registers travel as writes, and what everybody holds nobody asks for. A register that came
    /// by a page, from a disk that was lost before its write was held elsewhere, would stay where
    /// it is: its generation without a majority, and the one before too. So it is said again, once
    /// a life, under a write of this node's own.
    mutating func spoke(_ generation: UInt64, now: Instant, into effects: inout [Effect]) {
        guard generation > 0, generation < voters.generation, !choosing.hasSaidAgain else { return }
        guard let since = choosing.laggardNanos else {
            return choosing.laggardNanos = now.bootNanos
        }
        guard now.bootNanos >= since + Limits.laggardPatienceNanos else { return }
        choosing.hasSaidAgain = write(voters, ticket: nil, now: now, into: &effects) != nil
    }

    // MARK: voting

    /// A message of the choice came, perhaps from this node itself.
    mutating func vote(
        _ message: Message,
        from node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        switch message {
        case .prepare(let generation, let ballot):
            guard mayVote(generation, ballot, node, into: &effects) else { return }
            guard choosing.acceptor.prepare(ballot) else {
                return decline(generation, ballot, .outbid, to: node, into: &effects)
            }
            let accepted = choosing.acceptor.accepted
            remember(.promised(generation: generation, ballot, accepted), for: node, &effects)
        case .accept(let ballot, let set):
            guard mayVote(set.generation, ballot, node, into: &effects) else { return }
            guard isReady(for: set) else {
                return decline(set.generation, ballot, .unready, to: node, into: &effects)
            }
            guard choosing.acceptor.accept(ballot, set) else {
                return decline(set.generation, ballot, .outbid, to: node, into: &effects)
            }
            remember(.accepted(generation: set.generation, ballot), for: node, &effects)
        case .promised, .accepted, .declined:
            answered(message, by: node, now: now, into: &effects)
        default: preconditionFailure("no message of the choice")
        }
    }

    /// Whether this node's vote on a generation is worth anything.
    private mutating func mayVote(
        _ generation: UInt64,
        _ ballot: Ballot,
        _ node: NodeID,
        into effects: inout [Effect]
    ) -> Bool {
        guard ownSlot != nil else { return false }
        // A life that was put back from a copy may have voted otherwise and not know it.
        guard !isDoubted || isBoundAsIs || bugs.has(.doubtedLifeVotes) else { return false }
        choosing.highest = max(choosing.highest, ballot)
        if generation <= voters.generation {
            decline(generation, ballot, .past, to: node, into: &effects)
        }
        guard generation == voters.generation + 1 else { return false }
        if choosing.acceptor.generation != generation {
            choosing.acceptor = Acceptor(generation: generation)
        }
        return true
    }

    /// Whether a slot may begin anew: enough others speak for what it may have lost.
    private func isReady(for set: VoterSet) -> Bool {
        let rebound = voters.rebinds(in: set)
        guard !rebound.isEmpty else { return true }
        var seated = freshness.confirmed
        if isSeated, let ownSlot { seated.insert(ownSlot) }
        for slot in rebound { seated.remove(slot) }
        let party = voters.outgoing
        return seated.intersection(party).count >= VoterSet.blocking(party)
    }

    private mutating func remember(
        _ answer: Message,
        for node: NodeID,
        _ effects: inout [Effect]
    ) {
        guard choosing.owed.count < Limits.owedVotesCount else { return }
        persist(OwnNote(.ballot, choosing.acceptor.encoded()), into: &effects)
        if bugs.has(.voteBeforeDisk), node != own.node {
            return effects.append(.send(to: node, answer))
        }
        choosing.owed.append((nextLocalSequence - 1, node, answer))
    }

    private mutating func decline(
        _ generation: UInt64,
        _ ballot: Ballot,
        _ why: Decline,
        to node: NodeID,
        into effects: inout [Effect]
    ) {
        let highest = max(choosing.acceptor.promised, ballot)
        let message = Message.declined(generation: generation, ballot, highest: highest, why)
        if node != own.node { return effects.append(.send(to: node, message)) }
        declined(ballot, highest, why, into: &effects)
    }

    /// The log has everything up to here: what was promised may be said.
    mutating func sayVotes(through: UInt64, now: Instant, into effects: inout [Effect]) {
        guard !choosing.owed.isEmpty else { return }
        let due = choosing.owed.filter { $0.sequence <= through }
        choosing.owed.removeAll { $0.sequence <= through }
        for vote in due {
            if vote.to == own.node {
                answered(vote.message, by: own.node, now: now, into: &effects)
            } else {
                effects.append(.send(to: vote.to, vote.message))
            }
        }
    }

    /// This life turned out to be in doubt: votes that the log does not have yet stay unsaid, and
    /// its own, counted before, finishes nothing.
    mutating func forgetVotes(into effects: inout [Effect]) {
        choosing.owed = []
        guard let proposal = choosing.proposal else { return }
        choosing.proposal = nil
        if let ticket = proposal.ticket { effects.append(.refuse(ticket, .notChosen)) }
    }

    private mutating func answered(
        _ message: Message,
        by node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        let life = node == own.node ? own : spread.peer(node)?.origin
        // What an old disk says now, it may have promised otherwise.
        guard let life, !lives.isDoubted(life), let slot = voters.slot(of: life),
            choosing.proposal != nil
        else { return }
        switch message {
        case .promised(voters.generation + 1, let ballot, let accepted):
            if choosing.proposal?.promised(ballot, accepted, slot: slot, voters) == true {
                sayProposal(now: now, into: &effects)
            }
        case .accepted(voters.generation + 1, let ballot):
            guard choosing.proposal?.accepted(ballot, slot: slot, voters) == true,
                let proposal = choosing.proposal
            else { return }
            chosen(proposal.value, proposal, now: now, into: &effects)
        case .declined(_, let ballot, let highest, let why):
            declined(ballot, highest, why, into: &effects)
        default: break
        }
    }

    private mutating func declined(
        _ ballot: Ballot,
        _ highest: Ballot,
        _ why: Decline,
        into effects: inout [Effect]
    ) {
        choosing.highest = max(choosing.highest, highest)
        guard let proposal = choosing.proposal, proposal.ballot == ballot else { return }
        let refusal: Refusal
        switch why {
        case .outbid: return  // again, under a higher ballot, when its time comes
        case .past: refusal = .superseded
        case .unready: refusal = .unready
        }
        choosing.proposal = nil
        if let ticket = proposal.ticket { effects.append(.refuse(ticket, refusal)) }
    }

    // MARK: adopting

    /// A later generation of the voters: what was said under the one before counts no more.
    mutating func adopt(_ next: VoterSet, now: Instant, into effects: inout [Effect]) {
        guard next.generation > voters.generation, !hasFailed else { return }
        voters = next
        if next.hasFounder(own) { isJoining = false }
        gate.adopt(next, into: &effects)
        freshness.adopt(next)
        asking.reset()
        catchingUp = CatchingUp()
        choosing.complete = SlotMask()
        choosing.reasonNanos = nil
        choosing.owed = []
        choosing.ahead = nil
        choosing.laggardNanos = nil
        choosing.hasSaidAgain = false
        if choosing.acceptor.generation != next.generation + 1 {
            choosing.acceptor = Acceptor(generation: next.generation + 1)
        }
        lives.adopt(next)
        effects.append(.vouch(.void))
        if let proposal = choosing.proposal { overtaken(proposal, now: now, into: &effects) }
        // Their receipts name the generation that they have persisted.
        for node in spread.holders {
            sayHeld(to: node, into: &effects)
        }
    }

    /// Somebody else finished a choice that this node took part in.
    private mutating func overtaken(
        _ proposal: Proposal,
        now: Instant,
        into effects: inout [Effect]
    ) {
        if proposal.wanted == voters {
            // Ours all the same; the same register once more tells the caller when it is durable.
            return chosen(voters, proposal, now: now, into: &effects)
        }
        choosing.proposal = nil
        if let ticket = proposal.ticket { effects.append(.refuse(ticket, .superseded)) }
    }
}

// The simulated network: links that come and go, frames that are late, lost, repeated or overtaken.
//
// A real link is TCP and keeps order; loss, repetition and reordering inside one are harsher than
// that, so what the machines bear here they bear there.

import Suppression

@testable import Cluster

extension World {
    /// Two nodes connect if both run and neither direction is cut; otherwise they try again.
    func connect(_ a: Int, _ b: Int) {
        guard shells[a].isUp, shells[b].isUp else { return }
        if shells[a].links[b] != nil, shells[a].links[b]?.number == shells[b].links[a]?.number {
            return
        }
        guard !cuts[a][b], !cuts[b][a] else {
            timeline.at(now + 100 * millisecond, .connect(a, b))
            return
        }
        guard now >= connecting[min(a, b)][max(a, b)] else { return }
        connecting[min(a, b)][max(a, b)] = now + 5 * millisecond
        let link = nextLink
        nextLink += 1
        // A link that one end lost meanwhile is made again.
        timeline.at(now + 800 * millisecond, .connect(a, b))
        for (one, other) in [(a, b), (b, a)] {
            let delay = shells[one].wire.within(10_000...(2 * millisecond))
            let peer = peer(shells[other])
            timeline.at(now + delay, .linked(one, to: other, link: link, peer))
        }
    }

    private func peer(_ shell: Shell) -> Peer {
        Peer(origin: shell.origin, name: shell.name, zone: shell.zone, holds: .all)
    }

    /// A node learns that its link is gone, unless it has another by now.
    func unlinked(_ shell: Shell, _ other: Int, _ link: Int) {
        guard let known = shell.links[other], known.number == link else { return }
        shell.links[other] = nil
        step(shell, .unlinked(known.node))
        shell.desk?.trust.relinked(known.node)
        repair(shell, .unlinked(known.node))
        timeline.at(now + 20 * millisecond, .connect(shell.index, other))
    }

    /// Both ends lose a link, each in its own time.
    func reset(_ a: Int, _ b: Int) {
        for (one, other) in [(a, b), (b, a)] {
            guard let link = shells[one].links[other] else { continue }
            let delay = shells[one].wire.within(0...(50 * millisecond))
            timeline.at(now + delay, .unlinked(one, to: other, link: link.number))
        }
    }

    /// A Core sends a message.
    func send(_ message: Message, from shell: Shell, to node: NodeID) {
        check(message, of: shell)
        checkVoter(message, of: shell)
        checkDoubt(message, of: shell)
        let from = shell.index
        guard let to = shell.links.firstIndex(where: { $0?.node == node }),
            let link = shell.links[to]?.number
        else { return }
        trace.add(UInt64(to))
        if isHealing { shell.healingBytes += bytesCount(of: message) }
        if cuts[from][to] { return }
        let lossy = !isHealing
        if lossy, shell.wire.thousandths(swarm.lossThousandths) { return }
        let copies = lossy && shell.wire.thousandths(swarm.repeatThousandths) ? 2 : 1
        for _ in 0..<copies {
            var moment = now + shell.wire.within(20_000...(20_000 + swarm.delayMicros * 1_000))
            if !(lossy && swarm.reorders) {
                moment = max(moment, lastArrival[from][to] + 1)
                lastArrival[from][to] = moment
            }
            let frame = shell.wire.thousandths(60) ? recoded(message) : message
            timeline.at(moment, .deliver(to: to, from: from, link: link, frame))
        }
    }

    private func bytesCount(of message: Message) -> Int {
        var bytes: [UInt8] = []
        message.encode(into: &bytes)
        return bytes.count
    }

    /// Through the bytes and back, for some of the frames.
    func recoded(_ message: Message) -> Message {
        var bytes: [UInt8] = []
        message.encode(into: &bytes)
        do {
            let again = try Message(decoding: bytes.span)
            if again != message { ledger.fail("a message reads back as another: \(message)") }
            return again
        } catch {
            ledger.fail("a message cannot be read back: \(message)")
            return message
        }
    }

    /// A frame arrives, if its link still stands at this end.
    func deliver(_ message: Message, from: Int, to shell: Shell, _ link: Int) {
        guard let known = shell.links[from], known.number == link else {
            return waitForLink(message, from: from, to: shell, link)
        }
        if case .changes(let changes) = message, let core = shell.core {
            if changes.contains(where: {
                core.arrived.contains($0.dot) && !core.held.contains($0.dot)
            }) {
                reach(.pendingDuplicate)
            }
        }
        let node = known.node
        step(shell, .received(from: node, message))
        if let core = shell.core, core.isDamaged || core.isJoining {
            shell.desk?.trust.heard(message, from: node, held: core.held)
            shell.desk?.joining.heard(message, from: node, held: core.held)
        }
        if case .repair(let number, let message) = message {
            repair(shell, .received(RepairID(peer: node, number: number), message))
        }
    }

    /// One side of a link may speak before the other has heard that it stands. What repair says
    /// then is in the stream and comes with it; nothing of it is said twice, so lost it would cost
    /// the half minute after which a silent peer is given up. The Core says all again anyway.
    private func waitForLink(_ message: Message, from: Int, to shell: Shell, _ link: Int) {
        guard case .repair = message, shells[from].links[shell.index]?.number == link,
            shell.links[from].map({ $0.number < link }) ?? true
        else { return }
        let action = Action.deliver(to: shell.index, from: from, link: link, message)
        timeline.at(now + millisecond, action)
    }

    /// A node says nothing under a generation before one that it has spoken under, votes only for
    /// what its disk remembers, and vouches for nothing while it is in doubt about itself.
    private func checkVoter(_ message: Message, of shell: Shell) {
        if let generation = message.generation, generation > 0 {
            if generation < shell.saidGeneration {
                ledger.fail("fence: \(shell.name) speaks under \(generation), after a later one")
            }
            shell.saidGeneration = max(shell.saidGeneration, generation)
        }
        let isDoubted = shell.disk.isRestored
        switch message {
        case .confirm:
            if isDoubted { ledger.fail("doubted: \(shell.name) confirms") }
        case .promised(let generation, let ballot, _), .accepted(let generation, let ballot):
            let slot = shell.core?.voters.slots.first { $0.node == shell.disk.node }
            if isDoubted, slot?.lowestEpoch != shell.origin.epoch {
                ledger.fail("doubted: \(shell.name) votes")
            }
            checkVote(generation, ballot, isAccepted: message.isAccepted, shell.disk)
        default: break
        }
    }

    private func checkVote(_ generation: UInt64, _ ballot: Ballot, isAccepted: Bool, _ disk: Disk) {
        guard let note = disk.truth.notes[.ballot] else {
            return ledger.fail("vote: not on the disk")
        }
        do {
            let acceptor = try Acceptor(decoding: note.bytes.span)
            let known = isAccepted ? acceptor.accepted?.ballot : acceptor.promised
            if acceptor.generation == generation, known ?? .none < ballot {
                ledger.fail("vote: not on the disk")
            }
        } catch { ledger.fail("vote: cannot be read back") }
    }

    /// Nobody claims what it does not have.
    private func check(_ message: Message, of shell: Shell) {
        switch message {
        case .receipts(_, let ranges):
            var set = HeldSet()
            for range in ranges { set.insert(range.interval, of: range.origin) }
            ledger.claims(set, shell.disk, "a receipt")
        case .held(_, let set): ledger.claims(set, shell.disk, "held")
        case .confirm(let answer):
            if answer.since == 0 { reach(.toldEverything) }
            ledger.claims(answer.delta, shell.disk, "a confirmation")
        case .changes(let changes):
            for change in changes { ledger.passes(change) }
            if changes.contains(where: { $0.dot.origin != shell.origin }) {
                reach(.gaveFromMemory)
            }
        case .page(let page):
            if !page.isLast { reach(.manyPages) }
            ledger.claims(page.held, shell.disk, "a page")
        case .pull(_, let wanted, _):
            let origins = wanted.entries.map(\.origin)
            if origins.contains(where: { !(shell.core?.spread.isLinked($0) ?? true) }) {
                reach(.pulledWithoutOrigin)
            }
        case .heldHash, .ask, .repair, .rollout, .relay: break
        case .prepare, .promised, .accept, .accepted, .declined, .doubted: break
        }
    }
}

extension Message {
    /// The generation that it is said under; nil where none matters.
    fileprivate var generation: UInt64? {
        switch self {
        case .receipts(let generation, _), .held(let generation, _): generation
        case .confirm(let answer): answer.generation
        default: nil
        }
    }

    fileprivate var isAccepted: Bool {
        if case .accepted = self { true } else { false }
    }
}

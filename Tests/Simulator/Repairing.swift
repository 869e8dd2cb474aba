// Repair in a simulated node: what Runtime/Node/RepairDoor.swift does, without sockets and threads.
//
//     timer, joining ──► order: peers in turn ──► machine ──► frozen sketches, look-ups, merges
//     merges             a few marks at a time through the Core's log, taken when that has them
//
// Its chance and its lane of the network are its own, so that a world without differences happens
// as it would without repair.

import Suppression

@testable import Cluster

/// Peers to compare with, one after the other.
struct RepairOrder {
    var waiting: [NodeID]
    var isForJoining = false
    var current: NodeID?
}

/// What a node keeps for repair, and for its way into the cluster.
struct Desk {
    var machine: Repair
    var joining: Joining
    var orders: [RepairOrder] = []
    /// Marks that the log has no room for yet.
    var merges: [(id: RepairID, rows: [RepairRow])] = []
    /// Marks on their way through the log.
    var storing: [(id: RepairID, through: UInt64)] = []
    /// What proves to a damaged node that its marks are whole.
    var trust: RepairTrust
    var nextNanos: UInt64
}

extension World {
    /// A life begins: whether its marks are those that were written, and what it must still get.
    func openDesk(_ shell: Shell) {
        guard swarm.repairMillis > 0, let core = shell.core else { return }
        let machine = Repair(
            own: shell.disk.node,
            isDamaged: core.isDamaged,
            bugs: SeededBugs(swarm.bugs)
        )
        shell.desk = Desk(
            machine: machine,
            joining: Joining(isJoining: shell.disk.isJoining),
            trust: RepairTrust(held: core.held),
            nextNanos: now + swarm.repairMillis * millisecond
        )
        if core.isDamaged { reach(.damageFound) }
        if core.isJoining { repair(shell, .joining(true)) }
    }

    /// Hands an event to the repair machine and carries out what follows.
    func repair(_ shell: Shell, _ event: RepairEvent) {
        guard shell.isUp, shell.desk != nil else { return }
        var effects: [RepairEffect] = []
        let nanos = shell.instant(now).bootNanos
        shell.desk?.machine.step(event, now: nanos, into: &effects)
        for effect in effects where shell.isUp { carryOut(effect, shell) }
    }

    private func carryOut(_ effect: RepairEffect, _ shell: Shell) {
        let micros = shell.repairWire.within(20...2_000)
        func later(_ event: RepairEvent) {
            let action = Action.repair(shell.index, life: shell.life, event)
            timeline.at(now + micros * 1_000, action)
        }
        switch effect {
        case .freeze:
            timeline.at(now + micros * 1_000, .freeze(shell.index, life: shell.life))
        case .send(let id, let message): send(.repair(id.number, message), of: shell, to: id.peer)
        case .lookUp(let id, let ids, let orChanged):
            later(.found(id, shell.disk.found(ids, orChanged: orChanged)))
        case .list(let id, let partition):
            later(.listed(id, shell.disk.ids(ofPartition: partition)))
        case .merge(let id, let rows):
            shell.desk?.merges.append((id, rows))
            mergeNext(shell)
        case .again: later(.turned)
        case .proved(let node): proved(node, shell)
        case .report(let report): reported(report, shell)
        }
    }

    /// The state merges what the log has, then its sketch is copied: what is proved of a sketch is
    /// proved of the state that pages are read from.
    func freeze(_ shell: Shell) {
        if shell.isDiskFull, !shell.disk.log.isEmpty {
            let later = now + 20 * millisecond
            return timeline.at(later, .freeze(shell.index, life: shell.life))
        }
        checkpointNow(shell)
        let marks = UInt64(shell.disk.truth.marks.count)
        repair(shell, .frozen(shell.disk.written?.sketch, marksCount: marks))
    }

    /// Repair's frames come in their order, and are lost with their link alone.
    private func send(_ message: Message, of shell: Shell, to node: NodeID) {
        let from = shell.index
        guard let to = shell.links.firstIndex(where: { $0?.node == node }),
            let link = shell.links[to]?.number
        else { return }
        var bytes: [UInt8] = []
        message.encode(into: &bytes)
        if isHealing { shell.healingBytes += bytes.count }
        if cuts[from][to] { return }
        let delay = shell.repairWire.within(20_000...(20_000 + swarm.delayMicros * 1_000))
        let moment = max(now + delay, repairArrival[from][to] + 1)
        repairArrival[from][to] = moment
        let frame = shell.repairWire.thousandths(60) ? recoded(message) : message
        timeline.at(moment, .deliver(to: to, from: from, link: link, frame))
    }

    // MARK: marks that came

    /// Marks of one message that go to the log at once: below the smallest bound that seeds draw.
    private static let rowsCount = 8

    private func mergeNext(_ shell: Shell) {
        while shell.isUp, let (id, rows) = shell.desk?.merges.first {
            var effects: [Effect] = []
            let part = Array(rows.prefix(Self.rowsCount))
            guard let through = shell.core?.merge(part, into: &effects) ?? nil else { return }
            if rows.count > part.count {
                shell.desk?.merges[0].rows.removeFirst(part.count)
            } else {
                shell.desk?.merges.removeFirst()
                shell.desk?.storing.append((id, through))
            }
            reach(.marksMended)
            for effect in effects { execute(effect, shell) }
            beginCommit(shell)
        }
    }

    /// What the log has settled is taken; a commit or a checkpoint has made room for more.
    func takeStored(_ shell: Shell) {
        while shell.isUp, let first = shell.desk?.storing.first,
            shell.core?.hasSettled(first.through) ?? false
        {
            shell.desk?.storing.removeFirst()
            repair(shell, .stored(first.id))
        }
        mergeNext(shell)
    }

    // MARK: orders

    /// Once a tick.
    func tickRepair(_ shell: Shell) {
        guard shell.desk != nil else { return }
        repair(shell, .ticked)
        tickJoining(shell)
        if let desk = shell.desk, desk.orders.isEmpty, now >= desk.nextNanos {
            shell.desk?.nextNanos = now + swarm.repairMillis * millisecond
            let others = shells.filter { $0 !== shell }.map(\.disk.node)
            shell.desk?.orders.append(RepairOrder(waiting: others))
        }
        goOnRepairing(shell)
    }

    private func goOnRepairing(_ shell: Shell) {
        while shell.isUp, let desk = shell.desk, !desk.machine.isBusy, let order = desk.orders.first
        {
            guard order.current == nil else { return }
            guard let next = order.waiting.first else {
                shell.desk?.orders.removeFirst()
                continue
            }
            shell.desk?.orders[0].waiting.removeFirst()
            guard shell.links.contains(where: { $0?.node == next }) else {
                if order.isForJoining { compared(next, isWhole: false, shell) }
                continue
            }
            shell.desk?.orders[0].current = next
            shell.desk?.trust.asks(next)
            let limits = Cluster.Limits.self
            let rounds = order.isForJoining ? limits.joinRoundsCount : limits.repairRoundsCount
            repair(shell, .asked(peer: next, isDry: false, roundsCount: rounds))
        }
    }

    private func reported(_ report: RepairReport, _ shell: Shell) {
        guard let order = shell.desk?.orders.first, order.current == report.peer else { return }
        shell.desk?.orders[0].current = nil
        if report.failure == .unreachable { reach(.comparisonCut) }
        if order.isForJoining {
            let isWhole = report.failure == nil && !report.isDoubted
            compared(report.peer, isWhole: isWhole, shell)
        }
        goOnRepairing(shell)
    }

    // MARK: trust

    private func proved(_ node: NodeID, _ shell: Shell) {
        shell.desk?.trust.proved(node)
        let others = shells.filter { $0 !== shell }.map(\.disk.node)
        guard let core = shell.core, core.isDamaged,
            shell.desk?.trust.isOver(core.votersInForce, own: core.own.node, others: others)
                ?? false
        else { return }
        shell.disk.forgetDamage()
        reach(.trustedAgain)
        step(shell, .repaired)
        repair(shell, .damaged(false))
    }

    // MARK: joining

    private func tickJoining(_ shell: Shell) {
        guard let core = shell.core, shell.desk?.joining.isOver == false else { return }
        guard core.isJoining else {
            shell.desk?.joining.end()
            return joined(shell)
        }
        let others = shells.filter { $0 !== shell }.map { other in
            let isLinked = shell.links[other.index]?.node == other.disk.node
            return (node: other.disk.node, isLinked: isLinked)
        }
        let nanos = shell.instant(now).bootNanos
        switch shell.desk?.joining.ticked(held: core.held, others: others, now: nanos) {
        case .compare(let node):
            shell.desk?.orders.append(RepairOrder(waiting: [node], isForJoining: true))
        case .joined:
            reach(.joined)
            step(shell, .joined)
            joined(shell)
        case .rest, nil: break
        }
    }

    private func joined(_ shell: Shell) {
        shell.disk.isJoining = false
        repair(shell, .joining(false))
    }

    private func compared(_ node: NodeID, isWhole: Bool, _ shell: Shell) {
        if !isWhole { reach(.donorFailed) }
        let nanos = shell.instant(now).bootNanos
        shell.desk?.joining.compared(node, isWhole ? .whole : .failed, now: nanos)
    }

    // MARK: what must hold

    /// A node in doubt about its marks, or without them, vouches for nothing and is nobody's donor.
    func checkDoubt(_ message: Message, of shell: Shell) {
        guard let core = shell.core, core.isDamaged || core.isJoining else { return }
        switch message {
        case .confirm: ledger.fail("doubt: \(shell.name) confirms without its marks")
        case .page(let page):
            if page.held.entries.contains(where: { $0.origin.node != shell.disk.node }) {
                ledger.fail("doubt: \(shell.name) is a donor without its marks")
            }
        default: break
        }
    }

    /// What keeps the marks from being equal and trusted; nil when nothing does.
    func marksDifference() -> String? {
        guard swarm.repairMillis > 0 else { return nil }
        for shell in shells {
            guard let core = shell.core, let written = shell.disk.written else {
                return "\(shell.name) is down"
            }
            if core.isDamaged { return "\(shell.name) is damaged" }
            if core.isJoining { return "\(shell.name) joins" }
            if written.sketch.digest != shells[0].disk.written?.sketch.digest {
                return "\(shell.name) and \(shells[0].name) hold different marks"
            }
        }
        return nil
    }

    /// Once all agree: each sketch is the one that a scan gives.
    func checkSketches() {
        for shell in shells {
            guard let written = shell.disk.written else { continue }
            if written.sketch != Written(shell.disk.truth.marks).sketch {
                ledger.fail("sketch: that of \(shell.name) is not what a scan gives")
            }
        }
    }
}

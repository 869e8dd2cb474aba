// Repair on the node loop: what the machine orders is carried out here, a little every turn.
//
//     quell repair, timer ──► order: every peer in turn ──► machine ──► answer with all reports
//     look-ups                one a turn, 256 marks, so that nobody's check waits longer than 1 ms
//     marks that came         through the Core's log, and taken only when that has committed them
//
// A damaged node (its marks are not those that it wrote) gives out no lease. It is trusted again
// when it was found equal to enough others who hold what it holds (Cluster's RepairTrust): then
// what the disk says is written down as right, and the lease of the others counts.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression

/// One `quell repair`, or one round of the background.
struct RepairOrder {
    /// Who waits for the answer; nil for the background.
    let exchange: Exchange?
    let isDry: Bool
    /// Read every own mark again first.
    var isDeep = false
    /// Of a node that joins: twice, and no peer a second time.
    var isForJoining = false
    var audit: Audit?
    /// Peers to compare with, in this order.
    var waiting: [KnownPeer]
    var current: KnownPeer?
    var reports: [(name: String, report: RepairReport)] = []
    /// Marks came in, so peers that were compared before may lack them now.
    var isSecondPass = false
    let all: [KnownPeer]
}

/// What the node loop keeps for repair.
struct RepairDesk {
    var machine: Repair
    var effects: [RepairEffect] = []
    /// Differences are still being read out of cells.
    var isPeeling = false
    /// Look-ups for a turn that has time.
    var reads: [RepairEffect] = []
    /// Marks that the log has no room for yet.
    var merges: [(id: RepairID, rows: [RepairRow])] = []
    /// Marks on their way through the log.
    var storing: [(id: RepairID, through: UInt64)] = []
    var orders: [RepairOrder] = []
    /// What proves to a damaged node that its marks are whole.
    var trust: RepairTrust
    var isDamaged: Bool
    var isAuditing = false
    private let intervalNanos: UInt64
    private var nextNanos: UInt64?

    init(of boot: Boot, isDamaged: Bool, intervalNanos: UInt64) {
        machine = Repair(own: boot.own.node, isDamaged: isDamaged)
        trust = RepairTrust(held: boot.held)
        self.isDamaged = isDamaged
        self.intervalNanos = intervalNanos
    }

    /// Whether the background's time has come; the first is one interval after the node is ready.
    mutating func isDue(isReady: Bool, now: UInt64) -> Bool {
        guard intervalNanos > 0, isReady || nextNanos != nil else { return false }
        let due = nextNanos ?? now + intervalNanos
        nextNanos = due
        guard now >= due else { return false }
        nextNanos = now + intervalNanos
        return true
    }
}

extension NodeLoop {
    /// An event of a link: repair's messages go to its machine, all else to the Core alone.
    func heard(_ event: Event) {
        note(event)
        step(event)
        if desk.isDamaged || !joining.isOver, case .received(let node, let message) = event {
            desk.trust.heard(message, from: node, held: core.held)
            joining.heard(message, from: node, held: core.held)
        }
        switch event {
        case .received(let node, .repair(let number, let message)):
            repair(.received(RepairID(peer: node, number: number), message))
        case .received(let node, .rollout(let message)): rollout(.received(node, message))
        case .linked(let peer):
            desk.trust.relinked(peer.origin.node)
            // A newer link took the place of another; what was said over that may be lost with it.
            repair(.unlinked(peer.origin.node))
            rollout(.linked(peer.origin.node))
        case .unlinked(let node):
            desk.trust.relinked(node)
            repair(.unlinked(node))
            rollout(.unlinked(node))
        default: break
        }
    }

    /// Hands an event to the repair machine and carries out what follows.
    func repair(_ event: RepairEvent) {
        var effects: [RepairEffect] = []
        swap(&effects, &desk.effects)
        effects.removeAll(keepingCapacity: true)
        desk.machine.step(event, now: Clock.bootNanoseconds(), into: &effects)
        for effect in effects { execute(effect) }
        swap(&effects, &desk.effects)
    }

    private func execute(_ effect: RepairEffect) {
        switch effect {
        case .freeze: store.freeze()
        case .send(let id, let message): peers.send(.repair(id.number, message), to: id.peer)
        case .lookUp, .list: desk.reads.append(effect)
        case .merge(let id, let rows): desk.merges.append((id, rows))
        case .again:
            desk.isPeeling = true
            loop.again()
        case .proved(let node): proved(equal: node)
        case .report(let report): reported(report)
        }
    }

    /// A turn's share of the work; true while there is more.
    func repairTurn() {
        mergeNext()
        while let first = desk.storing.first, core.hasSettled(first.through) {
            desk.storing.removeFirst()
            repair(.stored(first.id))
        }
        if desk.isPeeling {
            desk.isPeeling = false
            repair(.turned)
        }
        guard !desk.reads.isEmpty else { return }
        read(desk.reads.removeFirst())
        if !desk.reads.isEmpty { loop.again() }
    }

    private func read(_ effect: RepairEffect) {
        guard let key = catalog.sketchKey else { return }
        do {
            switch effect {
            case .lookUp(let id, let ids, let orChanged):
                let found = try view.marks(withIDs: ids, under: key, orChanged: orChanged)
                repair(.found(id, found))
            case .list(let id, let partition):
                repair(.listed(id, try view.ids(ofPartition: partition, under: key)))
            default: break
            }
        } catch { log.warning("marks for a peer could not be read; the comparison ends", error) }
    }

    private func mergeNext() {
        while let (id, rows) = desk.merges.first {
            guard let through = merge(rows) else { return }
            desk.merges.removeFirst()
            desk.storing.append((id, through))
        }
    }

    /// Every peer that should be equal: not those that left or were ruled out.
    var repairPeers: [KnownPeer] { knownPeers.filter { !$0.state.isGone } }

    /// Once a tick.
    func repairTick() {
        repair(.ticked)
        mergeNext()
        goOnRepairing()
        // A damaged node is never ready, and needs it most.
        let mayBegin = isReady || desk.isDamaged
        if desk.isDue(isReady: mayBegin, now: Clock.bootNanoseconds()), desk.orders.isEmpty {
            let all = repairPeers
            begin(RepairOrder(exchange: nil, isDry: false, waiting: all, all: all))
        }
        metrics.repairDamaged.set(desk.isDamaged ? 1 : 0)
    }

    // MARK: orders

    /// Takes an order; false when too many wait.
    @discardableResult
    func begin(_ order: RepairOrder) -> Bool {
        guard desk.orders.count < Limits.repairOrdersCount else { return false }
        desk.orders.append(order)
        goOnRepairing()
        return true
    }

    private func goOnRepairing() {
        while !desk.machine.isBusy, var order = desk.orders.first {
            guard order.current == nil, !desk.isAuditing else { return }
            if order.isDeep, order.audit == nil {
                desk.isAuditing = true
                return store.audit()
            }
            guard !order.waiting.isEmpty else {
                if passAgain(&order) { continue }
                desk.orders.removeFirst()
                finish(order)
                continue
            }
            let next = order.waiting.removeFirst()
            guard next.isLinked else {
                var report = RepairReport(peer: next.node)
                report.failure = .unreachable
                order.reports.append((next.name, report))
                desk.orders[0] = order
                continue
            }
            order.current = next
            desk.orders[0] = order
            desk.trust.asks(next.node)
            let limit = Cluster.Limits.self
            let rounds = order.isForJoining ? limit.joinRoundsCount : limit.repairRoundsCount
            repair(.asked(peer: next.node, isDry: order.isDry, roundsCount: rounds))
        }
    }

    /// What came from one peer, the peers before it may lack.
    private func passAgain(_ order: inout RepairOrder) -> Bool {
        let pulled = order.reports.dropFirst().contains { $0.report.pulled > 0 }
        guard pulled, !order.isDry, !order.isSecondPass, !order.isForJoining else { return false }
        order.isSecondPass = true
        order.waiting = order.all
        desk.orders[0] = order
        return true
    }

    private func reported(_ report: RepairReport) {
        guard var order = desk.orders.first, let current = order.current else { return }
        order.current = nil
        if let at = order.reports.firstIndex(where: { $0.name == current.name }) {
            order.reports[at].report.join(report)
        } else {
            order.reports.append((current.name, report))
        }
        desk.orders[0] = order
        metrics.repairDifferences.add(report.differences)
        metrics.repairBytes.add(report.bytesSent + report.bytesReceived)
        if report.differences > 0 {
            log.notice(
                "marks were compared",
                [
                    "peer.name": current.name, "repair.differences": "\(report.differences)",
                    "repair.equal": "\(report.isEqual)",
                ]
            )
        }
        goOnRepairing()
    }

    private func finish(_ order: RepairOrder) {
        if order.isForJoining { return order.reports.forEach { compared($0.report) } }
        metrics.repairUnequal.set(order.reports.count { !$0.report.isEqual })
        guard let exchange = order.exchange else { return }
        _ = admin?.complete(exchange) { $0.repaired(order) }
    }

    /// Layer 3 has ended; nil when it could not begin yet, and the next tick asks again.
    func audited(_ audit: Audit?) {
        desk.isAuditing = false
        guard let audit else { return }
        if !desk.orders.isEmpty { desk.orders[0].audit = audit }
        if audit.damagedCount > 0 {
            log.warning(
                "marks have a wrong checksum; they read as suppressed",
                ["marks.damaged": "\(audit.damagedCount)"]
            )
        }
        if !audit.isEqual {
            log.warning("the marks on the disk are not those in memory: no lease")
            desk.isDamaged = true
            desk.trust.begin(held: core.held)
            step(.damaged)
            repair(.damaged(true))
        }
        goOnRepairing()
    }

    // MARK: trust

    private func proved(equal node: NodeID) {
        desk.trust.proved(node)
        let isOfMarks = !identity.damage.isOfState || identity.damage.isOfMarks
        guard desk.isDamaged, isOfMarks else { return }
        let (voters, others) = (core.votersInForce, repairPeers.map(\.node))
        guard desk.trust.isOver(voters, own: identity.nodeID, others: others) else {
            return proveOn()
        }
        desk.isDamaged = false
        store.forgetDamage()
        step(.repaired)
        repair(.damaged(false))
        log.notice("the marks are equal to those of other voters again", [:])
    }

    /// A voter has found this damaged node equal; who asked for that waits for the lease, and the
    /// other voters that it takes need not wait for the background's next round.
    private func proveOn() {
        guard desk.orders.isEmpty else { return }
        let rest = repairPeers.filter { !desk.trust.hasAnswered($0.node) }
        begin(RepairOrder(exchange: nil, isDry: false, waiting: rest, all: rest))
    }
}

extension RepairReport {
    /// The second pass over the same peer.
    fileprivate mutating func join(_ next: RepairReport) {
        isEqual = next.isEqual
        failure = next.failure
        differences += next.differences
        pushed += next.pushed
        pulled += next.pulled
        floorBytes += next.floorBytes
        nanoseconds += next.nanoseconds
        guard next.differences > 0 else { return }
        bytesSent += next.bytesSent
        bytesReceived += next.bytesReceived
        roundTrips += next.roundTrips
    }
}

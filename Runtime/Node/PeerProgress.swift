// What the other nodes are known to hold, for status and metrics; it decides nothing.
//
//     link up ──► nothing is known      receipts, held, confirm ──► known grows
//     heldHash equal to ours ──► all that we hold      link down ──► known stays as it was
//
//     behind(peer)   committed here, and the peer is not known to hold it
//     lacking(peer)  the peer's own writes, which somebody linked holds and we have not committed
//     spread         from the mint of one of our writes until our log and every linked holder
//                    hold it; "hold" comes after "show" there, so it is visible at least as soon
//
// A few of our writes are watched at a time, which bounds the cost of a turn; what is minted while
// so many are under way is not.

import Cluster
import EventLoop
import Storage
import Suppression

/// Held sets of the peers, as far as they told us.
struct PeerProgress {
    private struct Watched {
        let sequence: UInt64
        let mintedNanos: UInt64
    }

    private let own: Origin
    private var known: [NodeID: HeldSet] = [:]
    /// Linked nodes that keep all.
    private var holders: Set<NodeID> = []
    private var watched: [Watched] = []
    /// Writes that this node said to have committed, and that others said of this node's.
    private(set) var receiptsSent = 0
    private(set) var receiptsReceived = 0

    /// Begins with nothing known.
    init(own: Origin) { self.own = own }

    // MARK: what links say

    /// A link to some life of a node came up: what an earlier one held, its disk may have lost.
    mutating func linked(_ node: NodeID, holdsAll: Bool) {
        if known[node] == nil, known.count >= Cluster.Limits.peersCount,
            let stranger = known.keys.first(where: { !holders.contains($0) })
        {
            known[stranger] = nil
        }
        known[node] = HeldSet()
        if holdsAll { holders.insert(node) }
    }

    /// A link went down; what the node held it still holds, as far as anybody knows.
    mutating func unlinked(_ node: NodeID) { holders.remove(node) }

    /// A linked node said something.
    ///
    /// - Parameter held: what this node has committed.
    mutating func heard(_ message: Message, from node: NodeID, held: HeldSet) {
        guard known[node] != nil else { return }
        switch message {
        case .receipts(_, let ranges):
            for range in ranges { known[node]?.insert(range.interval, of: range.origin) }
            receiptsReceived += ranges.reduce(0) { $0 + $1.count }
        case .held(_, let set): known[node]?.formUnion(set)
        case .confirm(let answer): known[node]?.formUnion(answer.delta)
        case .heldHash(let hash):
            if known[node] != held, hash == held.fingerprint() { known[node] = held }
        case .changes, .ask, .pull, .page, .prepare, .promised, .accept, .accepted, .declined,
            .doubted, .repair, .rollout, .relay:
            break
        }
    }

    /// This node said something to a linked one.
    mutating func said(_ message: Message) {
        if case .receipts(_, let ranges) = message {
            receiptsSent += ranges.reduce(0) { $0 + $1.count }
        }
    }

    // MARK: who lacks what

    /// Writes committed here that the node is not known to hold.
    func behind(_ node: NodeID, held: HeldSet) -> Int {
        Int(clamping: held.subtracting(known[node] ?? HeldSet()).count)
    }

    /// Writes that some linked node holds and this one has not committed, by their origin.
    func lacking(held: HeldSet) -> [NodeID: Int] {
        var missing = HeldSet()
        for node in holders {
            if let theirs = known[node] { missing.formUnion(theirs.subtracting(held)) }
        }
        var counts: [NodeID: Int] = [:]
        for entry in missing.entries {
            let count = Int(clamping: missing.only(entry.origin).count)
            counts[entry.origin.node, default: 0] += count
        }
        return counts
    }

    // MARK: how soon

    /// A write was minted or came in; one of our own is watched if there is room.
    mutating func persisted(_ change: Change, now: () -> UInt64) {
        guard change.dot.origin == own, !holders.isEmpty,
            watched.count < Limits.watchedWritesCount
        else { return }
        watched.append(Watched(sequence: change.dot.sequence, mintedNanos: now()))
    }

    /// Our log refused something: what never was cannot be waited for.
    mutating func refused() { watched.removeAll(keepingCapacity: true) }

    /// Whether a turn must look.
    var isWatching: Bool { !watched.isEmpty }

    /// Records each watched write that our log and every linked holder have by now.
    mutating func settle(held: HeldSet, now: UInt64, into spread: Histogram) {
        if holders.isEmpty { return watched.removeAll(keepingCapacity: true) }
        var kept = 0
        for at in watched.indices {
            let one = watched[at]
            let dot = Dot(origin: own, sequence: one.sequence)
            let isSpread =
                held.contains(dot) && holders.allSatisfy { known[$0]?.contains(dot) ?? false }
            if isSpread {
                spread.record(nanoseconds: now - min(now, one.mintedNanos))
            } else {
                watched[kept] = one
                kept += 1
            }
        }
        watched.removeSubrange(kept...)
    }

    /// Age of the oldest of our writes that a linked holder is not known to hold; 0 when none.
    func unseenNanos(now: UInt64) -> UInt64 {
        watched.map(\.mintedNanos).min().map { now - min(now, $0) } ?? 0
    }
}

extension NodeLoop {
    /// What came over a link, before the Core decides upon it.
    func note(_ event: Event) {
        switch event {
        case .linked(let peer):
            progress.linked(peer.origin.node, holdsAll: peer.holds == .all)
        case .unlinked(let node): progress.unlinked(node)
        case .received(let node, let message):
            progress.heard(message, from: node, held: core.held)
        default: break
        }
    }

    /// All other nodes, and voters that nobody has told of yet.
    var knownPeers: [KnownPeer] {
        let rows = memberRows.filter { $0.record.node != identity.nodeID }
        let held = core.held
        let lacking = progress.lacking(held: held)
        let linked = Set(peers.peers.map(\.node))
        let slots = core.votersInForce.slots
        func known(_ node: NodeID, _ name: String, _ row: MemberRow?) -> KnownPeer {
            KnownPeer(
                name: name,
                node: node,
                state: row?.state ?? .unreachable,
                isLinked: linked.contains(node),
                roundTripNanos: row?.roundTripNanos,
                behind: progress.behind(node, held: held),
                lacking: lacking[node] ?? 0,
                isClose: linked.contains(node) || slots.contains { $0.node == node }
            )
        }
        var every = rows.map { known($0.record.node, $0.record.facts.name, $0) }
        for slot in slots where slot.node != identity.nodeID {
            if rows.contains(where: { $0.record.node == slot.node }) { continue }
            every.append(known(slot.node, slot.name, nil))
        }
        return every.sorted { $0.name < $1.name }
    }

    /// Once a turn, after what the peers said.
    func watchSpread() {
        guard progress.isWatching else { return }
        progress.settle(
            held: core.held,
            now: Clock.bootNanoseconds(),
            into: metrics.visible
        )
    }

    /// Own writes, of this life and earlier ones, that no majority of voters is known to hold and
    /// that were answered `local` or whose answer nobody knows any more.
    var owedCount: Int {
        owed = core.owed(of: owed)
        return Int(clamping: owed.count)
    }

    /// The numbers that are worked out when somebody asks.
    func metricsPage() -> [UInt8] {
        metrics.owed.set(owedCount)
        metrics.unseenNanos.set(Int(clamping: progress.unseenNanos(now: now().bootNanos)))
        metrics.receiptsSent.set(progress.receiptsSent)
        metrics.receiptsReceived.set(progress.receiptsReceived)
        return MetricsPage.write(
            node: metrics,
            loops: doors.map(\.metrics),
            peers: knownPeers.filter(\.isClose),
            name: config.name,
            version: Version.number
        )
    }
}

extension Opened {
    /// What earlier lives of this node minted: owed until a majority of voters says it holds it.
    var ownWrites: HeldSet {
        var own = HeldSet()
        for entry in heldSet.entries where entry.origin.node == nodeID {
            own.formUnion(heldSet.only(entry.origin))
        }
        return own
    }
}

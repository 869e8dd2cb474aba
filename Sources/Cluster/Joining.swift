// Joining: what a node that began empty must have before it may answer `allow`, or help another.
//
//     a donor links ──► told(its held set) ──► holding ──all of that is held here──► comparing
//                                                 │                                     │
//                        pulls, page by page; each closed one is on the disk            ▼
//                                            two donors, each compared to the end ──► joined
//
// Until then the node denies whom it knows, calls everybody else unknown, gives nobody pages and
// confirms nothing (Core). The held sets are taken first: what is written later comes by itself,
// and a target that moves with the writes of others is never reached.
//
// The lease alone would keep S2. The comparison is the second proof, of the marks themselves: a
// donor whose index had lost something would give pages without it, and two donors do not lose the
// same. What no linked node gives for a while is not waited for, but it is listed (`missing`).
// A donor that cannot be compared with, ten times in a row, is not waited for either: it may be
// gone, or join itself.

public import Suppression

/// The way of one node into its cluster.
public struct Joining: Sendable {
    /// What the shell does next.
    public enum Step: Equatable, Sendable {
        /// Wait.
        case rest
        /// Compare the marks with this node's, and mend them.
        case compare(NodeID)
        /// Enough others have this node's marks: it is whole.
        case joined
    }

    /// How a comparison ended.
    public enum Outcome: Equatable, Sendable {
        /// To the end, with a node whose marks are sound.
        case whole
        /// Early, or with a node that is in doubt itself.
        case failed
    }

    /// What is shown to people.
    public struct Progress: Equatable, Sendable {
        /// Writes of the target that are held.
        public let held: UInt64
        /// Writes of the target.
        public let of: UInt64
        /// Bytes of pages that came.
        public let bytes: UInt64
        /// Bytes of pages a second, over the last round or two.
        public let bytesPerSecond: UInt64
        /// Nodes that were compared with to the end.
        public let compared: Int

        /// Of the target, rounded down; 100 only when nothing is left.
        public var percent: Int { of == 0 ? 0 : Int(held * 100 / of) }
    }

    fileprivate struct Donor {
        let node: NodeID
        var failures = 0
        var nextNanos: UInt64 = 0
        var isWhole = false

        /// Whether it is still waited for.
        var counts: Bool { isWhole || failures < Limits.joinTriesCount }
    }

    /// Whether this node is a part of the cluster; then nothing here says anything any more.
    public private(set) var isOver: Bool
    private var target = HeldSet()
    private var told: Set<NodeID> = []
    /// Writes of the target that nobody gave: listed, and not waited for.
    public private(set) var missing = HeldSet()
    private var donors: [Donor] = []
    private var compared: NodeID?
    /// Of the target, not held; nil before it was counted.
    private var leftCount: UInt64?
    private var movedNanos: UInt64 = 0
    private var bytes: UInt64 = 0
    private var meter = (nanos: UInt64(0), bytes: UInt64(0), rate: UInt64(0))
    private var said = (percent: -1, nanos: UInt64(0))

    /// - Parameter isJoining: the directory was empty, in this life or an earlier one, and has not
    ///   been found whole since.
    public init(isJoining: Bool) { isOver = !isJoining }

    /// A linked node said something.
    ///
    /// - Parameter held: committed here; a node that holds the same says no more than that.
    public mutating func heard(_ message: Message, from node: NodeID, held: HeldSet) {
        switch message {
        case .held(_, let set): told(set, by: node)
        case .heldHash(let hash) where !told.contains(node) && hash == held.fingerprint():
            told(held, by: node)
        default: break
        }
    }

    /// A linked node said for the first time what it holds.
    mutating func told(_ set: HeldSet, by node: NodeID) {
        guard !isOver, told.insert(node).inserted else { return }
        target.formUnion(set)
    }

    /// So many bytes of pages have come in this life.
    public mutating func took(bytes total: UInt64) { bytes = total }

    /// This node needs no proof: it founded the cluster.
    public mutating func end() { isOver = true }

    /// Looks what is to be done.
    ///
    /// - Parameters:
    ///   - held: committed here.
    ///   - others: every node that is not gone, and whether it is linked.
    public mutating func ticked(
        held: HeldSet,
        others: [(node: NodeID, isLinked: Bool)],
        now: UInt64
    ) -> Step {
        guard !isOver, !told.isEmpty else { return .rest }
        measure(now)
        let left = target.subtracting(held)
        if left.count != leftCount {
            leftCount = left.count
            movedNanos = now
        }
        // A link that is up gives within a moment; what stays away is with nobody who is there.
        let isStuck = now >= movedNanos + Limits.joinPatienceNanos
        guard left.isEmpty || isStuck else { return .rest }
        missing = left
        return compare(others, now)
    }

    private mutating func compare(
        _ others: [(node: NodeID, isLinked: Bool)],
        _ now: UInt64
    ) -> Step {
        donors.removeAll { donor in !others.contains { $0.node == donor.node } }
        for other in others where !donors.contains(where: { $0.node == other.node }) {
            donors.append(Donor(node: other.node))
        }
        guard compared == nil else { return .rest }
        let needed = min(Limits.joinDonorsCount, donors.count(where: \.counts))
        let found = donors.count(where: \.isWhole)
        if found > 0, found >= needed {
            isOver = true
            return .joined
        }
        for at in donors.indices where !donors[at].isWhole && now >= donors[at].nextNanos {
            let isLinked = others.contains { $0.node == donors[at].node && $0.isLinked }
            guard isLinked else {
                donors[at].failed(now)
                continue
            }
            compared = donors[at].node
            return .compare(donors[at].node)
        }
        return .rest
    }

    /// The comparison that was asked for has ended.
    public mutating func compared(_ node: NodeID, _ outcome: Outcome, now: UInt64) {
        guard compared == node else { return }
        compared = nil
        guard let at = donors.firstIndex(where: { $0.node == node }) else { return }
        if outcome == .whole { donors[at].isWhole = true } else { donors[at].failed(now) }
    }

    // MARK: what is shown

    /// How far the node has come; nil when it is through.
    public var progress: Progress? {
        guard !isOver else { return nil }
        return Progress(
            held: leftCount.map { target.count - min($0, target.count) } ?? 0,
            of: target.count,
            bytes: bytes,
            bytesPerSecond: meter.rate,
            compared: donors.count(where: \.isWhole)
        )
    }

    /// The progress, when a line about it is due: at each tenth, and when long nothing was said.
    public mutating func news(now: UInt64) -> Progress? {
        guard let progress, progress.of > 0 else { return nil }
        let isTenth = progress.percent / 10 != said.percent / 10 || said.percent < 0
        guard isTenth || now >= said.nanos + Limits.joinSilenceNanos else { return nil }
        said = (progress.percent, now)
        return progress
    }

    private mutating func measure(_ now: UInt64) {
        if meter.nanos == 0 { meter = (now, bytes, 0) }
        let nanos = now - min(now, meter.nanos)
        guard nanos >= Limits.joinMeterNanos else { return }
        meter = (now, bytes, (bytes - meter.bytes) * 1_000_000_000 / nanos)
    }
}

extension Joining.Donor {
    fileprivate mutating func failed(_ now: UInt64) {
        failures += 1
        nextNanos = now + Limits.joinPauseNanos
    }
}

extension VoterSet {
    /// Whether this node was bound by the first generation: it was there, and empty, when nobody
    /// held anything yet.
    func hasFounder(_ origin: Origin) -> Bool {
        slot(of: origin).map { slots[$0].since == 1 } ?? false
    }
}

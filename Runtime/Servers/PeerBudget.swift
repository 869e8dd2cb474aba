// How many faults a peer may make: the generic cell rate algorithm, one number a peer.
//
//     due = when the peer would be free of debt, had every fault cost one interval
//     a fault at `now` is within the limit while  max(due, now) - now <= (burst - 1) * interval
//     and only such a fault moves `due` one interval on: who is over the limit gains nothing by
//     going on, and loses nothing either
//
// Only faults are counted, never what is in order, so a peer that is over its limit still has every
// valid request served. The table is bounded by two generations: a full young one becomes the old
// one, whose entries are forgotten; an entry that is used moves to the young one.
//
// Source: ITU-T I.371, annex A (virtual scheduling).

/// The faults of peers; a plain value without a clock.
public struct PeerBudget: Sendable {
    private let intervalNanos: UInt64
    private let toleranceNanos: UInt64
    private let generationPeers: Int
    private var young: [PeerKey: UInt64] = [:]
    private var old: [PeerKey: UInt64] = [:]

    /// Peers that are remembered.
    public var peers: Int { young.count + old.count }

    /// The module's limits.
    public init() {
        self.init(
            intervalNanos: Limits.faultNanoseconds,
            burst: Limits.faultsAtOnce,
            peers: Limits.faultPeers
        )
    }

    /// A budget of one's own.
    ///
    /// - Parameters:
    ///   - intervalNanos: nanoseconds in which one fault is forgiven.
    ///   - burst: faults at once, from 1 up.
    ///   - peers: the most that are remembered, from 2 up.
    public init(intervalNanos: UInt64, burst: UInt64, peers: Int) {
        precondition(burst > 0, "a budget allows one fault at least")
        precondition(peers > 1, "a budget has two generations")
        self.intervalNanos = intervalNanos
        toleranceNanos = (burst - 1) * intervalNanos
        generationPeers = peers / 2
    }

    /// Counts a fault.
    ///
    /// - Parameter nanos: of any clock that does not run backwards; an earlier one forgives
    ///   nothing.
    /// - Returns: false if the peer is over its limit.
    public mutating func spend(_ peer: PeerKey, now nanos: UInt64) -> Bool {
        let known = young[peer]
        let due = max(known ?? old[peer] ?? 0, nanos)
        let isWithin = due - nanos <= toleranceNanos
        if known == nil, young.count >= generationPeers {
            swap(&young, &old)
            young.removeAll(keepingCapacity: true)
        }
        young[peer] = isWithin ? due + intervalNanos : due
        return isWithin
    }
}

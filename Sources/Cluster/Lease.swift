// The lease: why `allow` can be trusted.
//
// A voter that answers a nonce says "this is all that I had committed when I answered". Once this
// node shows all of it to its checks, every write that was durable on that voter before the nonce
// was sent is visible here. From a majority of slots the *oldest* of their send times is what the
// node can vouch for: any write durable before it sits on a majority, two majorities share a slot,
// so some confirmation contained it (S2). Time is CLOCK_BOOTTIME, which also counts while a machine
// sleeps.

public import Suppression

/// Proof of freshness, as of a moment.
public struct Lease: Equatable, Sendable {
    /// Everything durable before this moment (CLOCK_BOOTTIME, nanoseconds) is shown; nil: no proof.
    public let asOfNanos: UInt64?
    /// The voters generation that the confirmations were given under.
    public let generation: UInt64

    /// Vouches for everything before a moment.
    public init(asOfNanos: UInt64, generation: UInt64) {
        self.asOfNanos = asOfNanos
        self.generation = generation
    }

    private init() {
        asOfNanos = nil
        generation = 0
    }

    /// Proves nothing.
    public static let void = Lease()

    /// Age of the proof; nil when there is none.
    public func stalenessNanos(now bootNanos: UInt64) -> UInt64? {
        guard let asOfNanos else { return nil }
        return bootNanos > asOfNanos ? bootNanos - asOfNanos : 0
    }

    /// Whether `allow` may be answered now.
    ///
    /// - Parameters:
    ///   - bootNanos: read after the last byte of the request arrived.
    ///   - boundNanos: S, the staleness bound.
    public func permitsAllow(now bootNanos: UInt64, boundNanos: UInt64) -> Bool {
        guard let age = stalenessNanos(now: bootNanos) else { return false }
        return age <= boundNanos
    }
}

/// Collects confirmations and says what this node can vouch for.
public struct Freshness: Sendable {
    private var voters: VoterSet
    /// Per slot, the send time of the newest nonce whose answer is wholly shown; nil for none.
    private var confirmedNanos: [UInt64?]
    private let bugs: SeededBugs

    /// Begins with nothing confirmed.
    public init(voters: VoterSet, bugs: SeededBugs = SeededBugs()) {
        self.voters = voters
        self.bugs = bugs
        confirmedNanos = Array(repeating: nil, count: voters.slots.count)
    }

    /// A voter's answer to a nonce is wholly shown here.
    ///
    /// - Parameters:
    ///   - voter: who answered, in which life.
    ///   - generation: under which it answered; another than ours counts for nothing.
    ///   - sentNanos: when the nonce left this node.
    public mutating func confirmed(by voter: Origin, generation: UInt64, sentNanos: UInt64) {
        guard generation == voters.generation, let slot = voters.slot(of: voter) else { return }
        confirmedNanos[slot] = max(confirmedNanos[slot] ?? 0, sentNanos)
    }

    /// Forgets every confirmation: after a restore, an epoch change, a new generation.
    public mutating func adopt(_ voters: VoterSet) {
        self = Freshness(voters: voters, bugs: bugs)
    }

    /// Forgets what a node confirmed: it is another life now.
    public mutating func forget(_ node: NodeID) {
        for slot in voters.slots.indices where voters.slots[slot].node == node {
            confirmedNanos[slot] = nil
        }
    }

    /// The slots that have confirmed under the generation in force.
    var confirmed: SlotMask {
        var mask = SlotMask()
        for slot in confirmedNanos.indices where confirmedNanos[slot] != nil { mask.insert(slot) }
        return mask
    }

    /// The best lease that the confirmations allow: of each party the oldest send time of its
    /// freshest majority, and of two parties the older.
    public var lease: Lease {
        guard voters.isMajority(confirmed) else { return .void }
        var asOf = UInt64.max
        for party in voters.parties {
            let times = confirmedNanos.indices.filter(party.contains)
                .compactMap { confirmedNanos[$0] }.sorted(by: >)
            let majority = VoterSet.majority(of: party)
            asOf = min(asOf, times[bugs.has(.asOfNewest) ? 0 : majority - 1])
        }
        return Lease(asOfNanos: asOf, generation: voters.generation)
    }
}

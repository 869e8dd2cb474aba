// Who is in the cluster and who answers: SWIM with Lifeguard's rules and what they still lacked.
//
//     ticked, received, linked, heard, refused ──► Membership ──► send, dial, forget, keep, turned
//
// Sources: Das, Gupta, Motivala, "SWIM" (DSN 2002); Lifeguard (arXiv 1707.00788). In this file lie
// the table and the links; MembershipProbes.swift asks who answers, MembershipBeliefs.swift decides
// what is believed, MembershipNews.swift tells it. What is added to the papers:
//
//     - whoever tells something older than what is known here gets that as an answer, so that no
//       stale word, good or bad, stays unanswered (memberlist issue 311);
//     - a live stream proves life, so that lost packets accuse nobody whom we hear all the time;
//     - a refused connection accuses at once, once: no process listens there;
//     - tables are compared by hash with every probe, and told where they differ;
//     - so is what both have committed: that difference is the Core's, over the link;
//     - an unreachable member is pinged for ever, and nothing of it is forgotten.
//
// Failure detection routes, and does nothing else: no acknowledgment, lease or voter depends on it.

public import Suppression

/// What the shell must do.
public enum MemberEffect: Equatable, Sendable {
    /// Send a packet now, once; if it cannot be sent, drop it.
    case send(to: NodeID, MemberPacket)
    /// Keep this address linked.
    case dial(String)
    /// Dial it no more.
    case forget(String)
    /// Write the book to disk; a later one replaces it.
    case keep(MemberBook)
    /// A member, perhaps this node, is believed to be something else now. For logs.
    case turned(NodeID, from: MemberState, to: MemberState)
    /// A member's hash of what it has committed. For the Core, as if its link had said it.
    case holds(NodeID, UInt64)
}

/// What a node has counted since its start.
public struct MemberCounts: Equatable, Sendable {
    /// Probes begun, and those that nobody answered.
    public var probes: UInt64 = 0
    /// See `probes`.
    public var failedProbes: UInt64 = 0
    /// Suspicions that this node began because it got no answer itself.
    public var suspicions: UInt64 = 0
    /// Accusations against this node that it took back.
    public var refutations: UInt64 = 0
    /// Members that turned unreachable here.
    public var deaths: UInt64 = 0
    /// Members that came back from that.
    public var revivals: UInt64 = 0
    /// Records that were not believed: a jump of the incarnation, or no room.
    public var refusedRecords: UInt64 = 0
}

/// A member with what this node knows of it besides.
struct Member: Sendable {
    var record: MemberRecord
    var suspicion: Suspicion?
    var flaps = Flaps()
    var isLinked = false
    var isDialed = false
    /// A refusal has accused it, and it has not been linked since.
    var hasRefused = false
    /// When something came from it the last time.
    var heardNanos: UInt64?
    /// When something came over its stream the last time.
    var streamNanos: UInt64?
    var roundTripNanos: UInt64?
}

/// The machine; a plain value.
public struct Membership: Sendable {
    /// What this node says of itself.
    public internal(set) var own: MemberRecord
    /// See `MemberCounts`.
    public internal(set) var counts = MemberCounts()

    /// Over what this node has committed, as of the last tick; nil says nothing of it.
    var held: UInt64?
    var table: [NodeID: Member] = [:]
    /// The members that packets can reach, in the order in which they are probed: shuffled anew in
    /// each round (SWIM, 4.3). All of them, unless there are too many (MembershipLinks.swift).
    var ring: [NodeID] = []
    var ringAt = 0
    var suspects: [NodeID] = []
    var rumors = Rumors()
    var health = LocalHealth()
    var chance: Chance
    var probe: Probe?
    var relayed: [RelayedProbe] = []
    /// The smoothed round trip to all; stands in for a member that was never measured, as in a
    /// crowd of a thousand most are.
    var usualTripNanos: UInt64?
    var lastNumber: UInt32 = 0
    var probeDueNanos: UInt64 = 0
    var newsDueNanos: UInt64 = 0
    var tableDueNanos: UInt64 = 0
    var tableAt = 0
    var lastTickNanos: UInt64?
    var sharesOfOthers: UInt64 = 0
    var owesBook = true
    var bookDueNanos: UInt64 = 0
    var dialedCount = 0
    /// Whom to keep linked where not everybody can be; nil while everybody is.
    var wanted: Set<NodeID>?
    var voters: Set<NodeID> = []
    var owesLinks = false
    var linksDueNanos: UInt64 = 0
    var booked: [MemberRecord]

    /// Begins a life.
    ///
    /// - Parameters:
    ///   - own: this node.
    ///   - book: what the life before knew; nil if there was none, or none that can be read.
    ///   - seed: any number that is not the same in all nodes.
    public init(own: MemberFacts, book: MemberBook?, seed: UInt64) {
        self.own = MemberRecord(own, incarnation: (book?.incarnation ?? 0) + 1)
        booked = book?.records ?? []
        chance = Chance(seed: seed)
    }

    // MARK: what is known

    /// All members but this node, by id.
    public var members: [MemberRecord] {
        table.values.map(\.record).sorted { $0.node < $1.node }
    }

    /// What this node believes of a member; nil for a stranger.
    ///
    /// A stream that speaks proves life, whatever is told; farewells are believed all the same.
    public func state(of node: NodeID, now: UInt64) -> MemberState? {
        if node == own.node { return own.state }
        guard let member = table[node] else { return nil }
        let state = member.record.state
        guard state.isAccusation, member.isLinked, isFresh(member.streamNanos, now)
        else { return state }
        return .alive
    }

    /// The smoothed round trip of packets; nil before the first.
    public func roundTripNanos(of node: NodeID) -> UInt64? { table[node]?.roundTripNanos }

    /// How often a member came back too often to be trusted now.
    public func isUnstable(_ node: NodeID, now: UInt64) -> Bool {
        table[node]?.flaps.isUnstable(now: now) ?? false
    }

    /// 0 while this node hears well, at most 8 (Lifeguard, IV.A).
    public var localHealth: Int { health.score }

    /// Over the whole table; equal tables have equal hashes.
    public var hash: UInt64 { sharesOfOthers ^ own.share }

    /// Members that are alive or suspect, and this node.
    var liveCount: Int {
        1 + table.values.count { $0.record.state == .alive || $0.record.state == .suspect }
    }

    func isFresh(_ nanos: UInt64?, _ now: UInt64) -> Bool {
        guard let nanos else { return false }
        return nanos + Limits.lifeNanos >= now
    }

    /// The hash of what this node has committed, for pings and acks from now on.
    public mutating func adopt(held: UInt64) { self.held = held }

    // MARK: links

    /// A link to a life of a node came up: it lives, and each side tells the other its table.
    public mutating func linked(
        _ facts: MemberFacts,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        guard facts.node != own.node else { return }
        if table[facts.node] == nil {
            insert(MemberRecord(facts, incarnation: 0), now: now, into: &effects)
        }
        table[facts.node]?.isLinked = true
        owesLinks = true
        table[facts.node]?.hasRefused = false
        table[facts.node]?.heardNanos = now
        table[facts.node]?.streamNanos = now
        tellTable(to: facts.node, into: &effects)
    }

    /// The link went down; that alone accuses nobody.
    public mutating func unlinked(_ node: NodeID) {
        table[node]?.isLinked = false
        owesLinks = true
    }

    /// Something came over a member's stream.
    public mutating func heard(from node: NodeID, now: UInt64) {
        table[node]?.heardNanos = now
        table[node]?.streamNanos = now
    }

    /// A dialed address refused: nobody listens there, so whoever lived there is suspect now.
    ///
    /// Once a member and link: where a wall refuses and the member takes the suspicion back through
    /// others, the next refusals say nothing.
    public mutating func refused(
        address: String,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        for node in ring {
            guard let member = table[node], member.record.facts.address == address,
                !member.isLinked, !member.hasRefused, !member.record.state.isGone,
                member.record.state != .unreachable
            else { continue }
            table[node]?.hasRefused = true
            accuse(node, isCertain: true, now: now, into: &effects)
        }
    }

    // MARK: farewells

    /// This node leaves: the others hear it from itself, and do not wait for it.
    public mutating func leave(into effects: inout [MemberEffect]) {
        guard !own.state.isGone else { return }
        own.incarnation += 1
        turnOwn(to: .left, into: &effects)
    }

    /// An operator rules a member out, for ever.
    ///
    /// - Returns: false if it is not known, or is this node.
    public mutating func evict(
        _ node: NodeID,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) -> Bool {
        guard var record = table[node]?.record else { return false }
        record.incarnation = max(record.incarnation, 1)
        record.state = .evicted
        record.accuser = nil
        believe(record, now: now, into: &effects)
        return true
    }
}

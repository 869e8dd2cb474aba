// A member as nodes tell each other of it, and which of two tellings wins.
//
//     alive ──► suspect ──► unreachable       told by anybody; a higher incarnation takes it back
//       └─────────────────► left              told by the node itself
//       └─────────────────► evicted           told by an operator; for ever
//
// Tellings are ordered, evicted first, then by incarnation, then by state as above. The larger one
// wins, so it does not matter in which order, or how often, they come (SWIM, 4.2). Only the node
// itself raises its incarnation: that is how it takes a suspicion back. Unreachable never means
// forgotten: the member stays in the table, keeps its voter slot and what it is owed (DESIGN 7).

public import Suppression

/// How a member is.
public enum MemberState: UInt8, CaseIterable, Sendable {
    /// It answers, or nobody says otherwise.
    case alive
    /// Somebody got no answer; it may still take that back.
    case suspect
    /// It took nothing back in time. Only routing follows from that.
    case unreachable
    /// It said farewell.
    case left
    /// An operator ruled it out, for ever.
    case evicted

    /// The word in status and members (DESIGN 10.5).
    public var name: String {
        switch self {
        case .alive: "alive"
        case .suspect: "suspect"
        case .unreachable: "unreachable"
        case .left: "left"
        case .evicted: "evicted"
        }
    }

    /// It will not come back by itself.
    public var isGone: Bool { self == .left || self == .evicted }

    /// Somebody got no answer from it.
    public var isAccusation: Bool { self == .suspect || self == .unreachable }
}

/// Who and where a member is.
public struct MemberFacts: Equatable, Sendable {
    /// The node and its life.
    public let origin: Origin
    /// The operator's word for it.
    public let name: String
    /// The failure domain.
    public let zone: String
    /// The larger failure domain.
    public let region: String
    /// Where others reach it, `host:port`.
    public let address: String
    /// What it keeps.
    public let holds: Holding

    /// Describes a node.
    public init(
        origin: Origin,
        name: String,
        zone: String,
        region: String,
        address: String,
        holds: Holding
    ) {
        self.origin = origin
        self.name = name
        self.zone = zone
        self.region = region
        self.address = address
        self.holds = holds
    }

    /// The node.
    public var node: NodeID { origin.node }
}

/// One telling about a member.
public struct MemberRecord: Equatable, Sendable {
    /// Who and where; as of the incarnation.
    public var facts: MemberFacts
    /// Raised by the node itself, at each start and to take an accusation back; 0 while only a link
    /// has told of it.
    public var incarnation: UInt64
    /// What is told.
    public var state: MemberState
    /// Who accuses; nil unless `state` is an accusation.
    public var accuser: NodeID?

    /// A telling.
    public init(
        _ facts: MemberFacts,
        incarnation: UInt64,
        state: MemberState = .alive,
        accuser: NodeID? = nil
    ) {
        precondition(state.isAccusation == (accuser != nil), "an accusation has an accuser")
        self.facts = facts
        self.incarnation = incarnation
        self.state = state
        self.accuser = accuser
    }

    /// The member.
    public var node: NodeID { facts.node }

    /// True if this says more than the other about the same member: a total order.
    public func overrides(_ other: MemberRecord) -> Bool {
        let (mine, theirs) = (state == .evicted, other.state == .evicted)
        if mine != theirs { return mine }
        if mine { return false }
        if incarnation != other.incarnation { return incarnation > other.incarnation }
        return state.rawValue > other.state.rawValue
    }

    /// The same accusation, or its end, from one more voice.
    func accusing(_ state: MemberState, by accuser: NodeID) -> MemberRecord {
        MemberRecord(facts, incarnation: incarnation, state: state, accuser: accuser)
    }

    /// Its share of the hash over a table. Suspicions come and go within seconds and are told by
    /// rumor, so they do not count: otherwise each would make everybody compare tables.
    var share: UInt64 {
        guard incarnation > 0 else { return 0 }
        let kind: UInt64 = state == .suspect ? 0 : UInt64(state.rawValue)
        return mixed(mixed(node.raw) ^ (incarnation &* 8 &+ kind))
    }
}

/// Chance from a seed (SplitMix64, Steele et al. 2014), so that a run can be replayed.
struct Chance: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    /// A number below `count`, which is above 0.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}

/// Spreads the bits of a number evenly (the finish of SplitMix64).
func mixed(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
}

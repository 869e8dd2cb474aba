// The voters: the fixed, explicitly changed set whose fsync counts.
//
// A voter is a slot, not a name: it binds a name to one node id and a lowest valid epoch (DESIGN
// 6). A node that comes back empty under its old name is another node, and what it says counts for
// nothing until a new generation binds it. Majorities are counted over slots, each slot once.

public import Suppression

/// One seat among the voters.
public struct VoterSlot: Equatable, Sendable {
    /// The operator's word for the seat, such as `n1`.
    public let name: String
    /// The only node that may speak for it.
    public let node: NodeID
    /// Lives of that node before this one count for nothing.
    public let lowestEpoch: Epoch
    /// Where it stands; a quorum spans two zones where the voters do.
    public let zone: String

    /// Binds a seat.
    public init(name: String, node: NodeID, lowestEpoch: Epoch, zone: String) {
        self.name = name
        self.node = node
        self.lowestEpoch = lowestEpoch
        self.zone = zone
    }
}

/// A set of slots, one bit each.
public struct SlotMask: Equatable, Sendable {
    /// Bit i is slot i.
    public var bits: UInt8 = 0

    /// No slot.
    public init() {}

    /// Adds a slot.
    public mutating func insert(_ slot: Int) { bits |= 1 << UInt8(slot) }

    /// Whether the slot is in.
    public func contains(_ slot: Int) -> Bool { bits & (1 << UInt8(slot)) != 0 }

    /// How many slots are in.
    public var count: Int { bits.nonzeroBitCount }
}

/// One generation of the voters.
public struct VoterSet: Equatable, Sendable {
    /// Counts the explicit changes of the set; 1 is the bootstrap.
    public let generation: UInt64
    /// 1, 3 or 5 seats.
    public let slots: [VoterSlot]

    /// A set with its generation.
    public init(generation: UInt64, slots: [VoterSlot]) {
        precondition(slots.count <= Limits.votersCount)
        self.generation = generation
        self.slots = slots
    }

    /// More than half of the slots. Two majorities share a slot, which is why a majority lease sees
    /// every majority write: |receipts| + |confirmations| > |V| (DESIGN 6).
    public var majority: Int { slots.count / 2 + 1 }

    /// The slot that this life of this node speaks for; nil for a stranger or an outdated life.
    public func slot(of origin: Origin) -> Int? {
        slots.firstIndex { $0.node == origin.node && $0.lowestEpoch <= origin.epoch }
    }

    /// Whether these slots make a write durable: a majority, in two zones where the voters span
    /// two.
    public func isQuorum(_ mask: SlotMask) -> Bool {
        guard !slots.isEmpty, mask.count >= majority else { return false }
        let zones = Set(slots.map(\.zone))
        guard zones.count > 1 else { return true }
        return Set(slots.indices.filter(mask.contains).map { slots[$0].zone }).count > 1
    }
}

// The voters: the fixed, explicitly changed set whose fsync counts.
//
// A voter is a slot, not a name: it binds a name to one node id and a lowest valid epoch (DESIGN
// 6). A node that comes back empty under its old name is another node, and what it says counts for
// nothing until a new generation binds it. Majorities are counted over slots, each slot once.
//
//     generation g            n1  n2  n3                       one party
//     generation g + 1        n1  n2  n3  +n4  +n5   (joint)   two: {n1 n2 n3} and all five
//     generation g + 2        n1  n2  n3   n4   n5             one party
//
// A joint generation needs a majority of both its parties for everything: to make a write durable,
// to hold a lease, to choose the next generation (joint consensus, Ongaro and Ousterhout, USENIX
// ATC 2014, section 6).

public import Suppression

/// One seat among the voters.
public struct VoterSlot: Equatable, Sendable {
    /// To which party of a joint generation a slot belongs; numbers as on disk.
    public enum Side: UInt8, Sendable {
        /// To both; every slot of a generation that is not joint.
        case staying = 0
        /// Only to the party that goes.
        case leaving = 1
        /// Only to the party that comes.
        case joining = 2
    }

    /// The operator's word for the seat, such as `n1`.
    public let name: String
    /// The only node that may speak for it.
    public let node: NodeID
    /// Lives of that node before this one count for nothing.
    public let lowestEpoch: Epoch
    /// Where it stands; a quorum spans two zones where the voters do.
    public let zone: String
    /// The generation that made this binding; above 1 its node begins as a learner.
    public let since: UInt64
    /// Its party in a joint generation.
    public let side: Side

    /// Binds a seat.
    public init(
        name: String,
        node: NodeID,
        lowestEpoch: Epoch,
        zone: String,
        since: UInt64 = 1,
        side: Side = .staying
    ) {
        self.name = name
        self.node = node
        self.lowestEpoch = lowestEpoch
        self.zone = zone
        self.since = since
        self.side = side
    }

    /// The same binding in another party.
    func on(_ side: Side) -> VoterSlot {
        VoterSlot(
            name: name,
            node: node,
            lowestEpoch: lowestEpoch,
            zone: zone,
            since: since,
            side: side
        )
    }
}

/// A set of slots, one bit each.
public struct SlotMask: Equatable, Sendable {
    /// Bit i is slot i.
    public var bits: UInt16 = 0

    /// No slot.
    public init() {}

    /// Adds a slot.
    public mutating func insert(_ slot: Int) { bits |= 1 << UInt16(slot) }

    /// Takes a slot out.
    public mutating func remove(_ slot: Int) { bits &= ~(1 << UInt16(slot)) }

    /// Whether the slot is in.
    public func contains(_ slot: Int) -> Bool { bits & (1 << UInt16(slot)) != 0 }

    /// How many slots are in.
    public var count: Int { bits.nonzeroBitCount }

    /// The slots in both.
    public func intersection(_ other: SlotMask) -> SlotMask {
        var mask = SlotMask()
        mask.bits = bits & other.bits
        return mask
    }
}

/// One generation of the voters.
public struct VoterSet: Equatable, Sendable {
    /// Counts the explicit changes of the set; 1 is the bootstrap, 0 nobody's.
    public let generation: UInt64
    /// 1, 3 or 5 seats; of a joint generation the seats of both parties.
    public let slots: [VoterSlot]

    /// A set with its generation.
    public init(generation: UInt64, slots: [VoterSlot]) {
        precondition(slots.count <= Limits.jointSlotsCount)
        self.generation = generation
        self.slots = slots
    }

    /// Whether two parties must agree.
    public var isJoint: Bool { slots.contains { $0.side != .staying } }

    /// The party of the generation before; all slots where it is not joint.
    public var outgoing: SlotMask { mask { $0.side != .joining } }

    /// The party of the generation after; all slots where it is not joint.
    public var incoming: SlotMask { mask { $0.side != .leaving } }

    /// The parties whose majorities count: one, or two.
    public var parties: [SlotMask] { isJoint ? [outgoing, incoming] : [outgoing] }

    private func mask(_ isIn: (VoterSlot) -> Bool) -> SlotMask {
        var mask = SlotMask()
        for slot in slots.indices where isIn(slots[slot]) { mask.insert(slot) }
        return mask
    }

    /// More than half of a party. Two majorities share a slot, which is why a majority lease sees
    /// every majority write: |receipts| + |confirmations| > |V| (DESIGN 6).
    public static func majority(of party: SlotMask) -> Int { party.count / 2 + 1 }

    /// Slots of a party of which one is in every majority: |V| - majority + 1 (DESIGN 6).
    public static func blocking(_ party: SlotMask) -> Int { party.count - majority(of: party) + 1 }

    /// The slot that this life of this node speaks for; nil for a stranger or an outdated life.
    public func slot(of origin: Origin) -> Int? {
        slots.firstIndex { $0.node == origin.node && $0.lowestEpoch <= origin.epoch }
    }

    /// The slot that a node is bound to, in whichever life.
    public func slot(of node: NodeID) -> Int? { slots.firstIndex { $0.node == node } }

    /// Whether these slots make a write durable: a majority of each party, in two zones where the
    /// party spans two.
    public func isQuorum(_ mask: SlotMask) -> Bool {
        guard isMajority(mask) else { return false }
        return parties.allSatisfy { party in
            zones(party) < 2 || zones(party.intersection(mask)) > 1
        }
    }

    /// Whether these slots are a majority of each party.
    public func isMajority(_ mask: SlotMask) -> Bool {
        !slots.isEmpty
            && parties.allSatisfy {
                $0.intersection(mask).count >= VoterSet.majority(of: $0)
            }
    }

    private func zones(_ mask: SlotMask) -> Int {
        Set(slots.indices.filter(mask.contains).map { slots[$0].zone }).count
    }
}

extension VoterSet {
    /// Appends generation u64 | count u8 | slots.
    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: generation)
        out.append(UInt8(slots.count))
        for slot in slots {
            out.append(field: Array(slot.name.utf8))
            out.append(bigEndian: slot.node.raw)
            out.append(bigEndian: slot.lowestEpoch.raw)
            out.append(field: Array(slot.zone.utf8))
            out.append(bigEndian: slot.since)
            out.append(slot.side.rawValue)
        }
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let generation = try cursor.u64(bytes)
        let count = Int(try cursor.u8(bytes))
        guard count <= Limits.jointSlotsCount else { throw .malformed }
        var slots: [VoterSlot] = []
        for _ in 0..<count {
            let name = try cursor.name(bytes)
            let node = NodeID(raw: try cursor.u64(bytes))
            let epoch = Epoch(raw: try cursor.u64(bytes))
            let zone = try cursor.name(bytes)
            let since = try cursor.u64(bytes)
            guard let side = VoterSlot.Side(rawValue: try cursor.u8(bytes)), since <= generation,
                !slots.contains(where: { $0.node == node || $0.name == name })
            else { throw .malformed }
            let slot = VoterSlot(
                name: name,
                node: node,
                lowestEpoch: epoch,
                zone: zone,
                since: since,
                side: side
            )
            slots.append(slot)
        }
        self.init(generation: generation, slots: slots)
    }
}

// What is owed: writes that are not yet on a majority of the voters.
//
// A write answered `local` is on fewer disks than that, and can be lost with them (DESIGN 1). This
// is the gate's own knowledge, read and never changed: a write is off the list once some quorum of
// slots holds it. After a restart a node asks the same of everything that its earlier lives minted,
// and the voters' held sets answer as soon as the links are up (DESIGN 5).

public import Suppression

extension Core {
    /// Those of the named writes that no majority of voters is known to hold.
    public func owed(of writes: HeldSet) -> HeldSet { gate.owed(of: writes) }
}

extension AckGate {
    /// Those of the named writes that no quorum of slots is known to hold.
    ///
    /// Five slots have 32 masks, twice as many while they change 1,024; it is asked when somebody
    /// looks, and is over as soon as nothing is left.
    func owed(of writes: HeldSet) -> HeldSet {
        var rest = writes
        for bits in 0..<(1 << voters.slots.count) where !rest.isEmpty {
            var mask = SlotMask()
            for slot in voters.slots.indices where bits & (1 << slot) != 0 { mask.insert(slot) }
            guard voters.isQuorum(mask) else { continue }
            var common = rest
            for slot in voters.slots.indices where mask.contains(slot) && !common.isEmpty {
                common = common.intersection(heldBySlot[slot])
            }
            rest = rest.subtracting(common)
        }
        return rest
    }
}

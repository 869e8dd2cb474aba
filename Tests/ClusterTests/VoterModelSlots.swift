// Why a voter is a slot (DESIGN 6): three voters, one opt-out X from somebody else, one wiped disk.
//
//     n1, n2, n3 vote; n2's disk is wiped once and comes back empty
//     generation 0 binds the old n2, generation 1 its empty successor
//     X is acknowledged when the gate has receipts of two slots
//     broken: two slots confirm a lease without X after that
//
// Receipts travel as long as they like. The rules are switches, so that each can be left out:
//
//     binding      a slot is a name, or an id bound by a generation
//     donors       how many other voters an empty one copies from before it confirms
//     fence        copies count only from voters that have persisted generation 1
//     sameGeneration  the gate counts receipts of one generation only

/// The switches.
struct SlotRule {
    var isBoundByID = true
    var donorsCount = 2
    var isFenced = true
    var isSameGeneration = true
}

/// The state, bit by bit:
///
///      0-2  n1, n2, n3 hold X           9  n2 speaks under generation 1
///      3-4  n1, n3 are in generation 1  10-21  receipts sent, 4 a slot: id * 2 + generation
///      5    n2 was wiped                22-33  receipts that reached the gate
///      6    n2 may confirm again        34     X is acknowledged
///      7-8  n2 has copied n1, n3        35-40  confirmed without X, 2 a slot: generation
struct SlotModel: SmallModel {
    let rule: SlotRule

    /// n2 is full: nothing was wiped yet.
    let start: UInt64 = 1 << 6

    private func generation(_ slot: Int, _ s: UInt64) -> Int {
        Int(s >> [3, 9, 4][slot] & 1)
    }

    private func receipt(_ slot: Int, _ s: UInt64) -> Int {
        let id = slot == 1 ? Int(s >> 5 & 1) : 0
        return slot * 4 + id * 2 + generation(slot, s)
    }

    func steps(from s: UInt64, into steps: inout [ModelStep]) {
        for slot in 0..<3 {
            let sent: UInt64 = 1 << UInt64(10 + receipt(slot, s))
            let holds = s >> UInt64(slot) & 1 == 1
            if !holds {
                steps.append(ModelStep(to: s | 1 << UInt64(slot) | sent, code: slot))
            } else if s & sent == 0 {
                steps.append(ModelStep(to: s | sent, code: 3 + slot))
            }
        }
        let arriving = (s >> 10 & 0xfff) & ~(s >> 22 & 0xfff)
        for receipt in 0..<12 where arriving >> UInt64(receipt) & 1 == 1 {
            steps.append(ModelStep(to: s | 1 << UInt64(22 + receipt), code: 100 + receipt))
        }
        if s >> 34 & 1 == 0 {
            if isDurable(s >> 22 & 0xfff) { steps.append(ModelStep(to: s | 1 << 34, code: 6)) }
        } else {
            for slot in 0..<3 where s >> UInt64(slot) & 1 == 0 && (slot != 1 || s >> 6 & 1 == 1) {
                let bit: UInt64 = 1 << UInt64(35 + slot * 2 + generation(slot, s))
                if s & bit == 0 { steps.append(ModelStep(to: s | bit, code: 10 + slot)) }
            }
        }
        learn(s, into: &steps)
    }

    /// n2 is wiped, bound again, and copies.
    private func learn(_ s: UInt64, into steps: inout [ModelStep]) {
        if s >> 5 & 1 == 0 {
            var wiped = s & ~(1 << 1 | 1 << 6 | 0b11 << 7 | 1 << 9) | 1 << 5
            if rule.isBoundByID {
                wiped |= 1 << 9
            } else if rule.donorsCount == 0 {
                wiped |= 1 << 6
            }
            return steps.append(ModelStep(to: wiped, code: 20))
        }
        let isEverywhere = s >> 3 & 0b11 == 0b11
        if rule.isBoundByID {
            for other in 0..<2 where s >> UInt64(3 + other) & 1 == 0 {
                steps.append(ModelStep(to: s | 1 << UInt64(3 + other), code: 21 + other))
            }
        }
        guard s >> 6 & 1 == 0 else { return }
        for other in 0..<2 where s >> UInt64(7 + other) & 1 == 0 {
            if rule.isFenced && !isEverywhere { continue }
            let has = s >> UInt64(2 * other) & 1
            steps.append(ModelStep(to: s | has << 1 | 1 << UInt64(7 + other), code: 23 + other))
        }
        if (s >> 7 & 0b11).nonzeroBitCount >= rule.donorsCount, !rule.isBoundByID || isEverywhere {
            steps.append(ModelStep(to: s | 1 << 6, code: 25))
        }
    }

    private func isDurable(_ got: UInt64) -> Bool {
        func slots(_ counts: (_ slot: Int, _ id: Int, _ generation: Int) -> Bool) -> Int {
            (0..<3).count { slot in
                (0..<4).contains { one in
                    got >> UInt64(slot * 4 + one) & 1 == 1 && counts(slot, one / 2, one % 2)
                }
            }
        }
        guard rule.isBoundByID, rule.isSameGeneration else { return slots { _, _, _ in true } >= 2 }
        return (0..<2).contains { generation in
            // A slot's receipt counts from the id that this generation binds.
            slots { slot, id, of in of == generation && (slot != 1 || id == generation) } >= 2
        }
    }

    func isBroken(_ s: UInt64) -> Bool {
        let confirmed = s >> 35
        let either = (0..<3).count { confirmed >> UInt64($0 * 2) & 0b11 != 0 }
        if !rule.isBoundByID, either >= 2 { return true }
        return (0..<2).contains { generation in
            (0..<3).count { confirmed >> UInt64($0 * 2 + generation) & 1 == 1 } >= 2
        }
    }

    /// The wiped voter confirms again, and X is acknowledged.
    func isDone(_ s: UInt64) -> Bool { s >> 34 & 1 == 1 && s >> 5 & 0b11 == 0b11 }

    func verdict(_ s: UInt64) -> String {
        let slots = (0..<3).filter { s >> UInt64(35 + $0 * 2) & 0b11 != 0 }
        return "=> a lease without X by slots " + slots.map { "n\($0 + 1)" }.joined(separator: " ")
    }

    func words(_ code: Int) -> String {
        switch code {
        case 0..<3: "n\(code + 1) commits X and sends its receipt"
        case 3..<6: "n\(code - 2) sends its receipt again"
        case 6: "X IS ACKNOWLEDGED"
        case 10..<13: "n\(code - 9) confirms a lease without X"
        case 20: "n2's disk is WIPED"
        case 21, 22: "n\(2 * code - 41) persists generation 1, which binds the empty n2"
        case 23, 24: "the empty n2 copies what n\(2 * code - 45) holds"
        case 25: "n2 may confirm again"
        default:
            "the gate gets a receipt of slot n\((code - 100) / 4 + 1), "
                + "id \((code - 100) % 4 / 2), generation \((code - 100) % 2)"
        }
    }
}

// What is owed: writes that no quorum of voters is known to hold, by intervals and over zones.

import Suppression
import Testing

@testable import Cluster

private func node(_ n: UInt64, _ epoch: UInt64 = 10) -> Origin {
    Origin(node: NodeID(raw: n), epoch: Epoch(raw: epoch))
}

private func voters(_ zones: [String]) -> VoterSet {
    VoterSet(
        generation: 1,
        slots: zones.indices.map {
            VoterSlot(
                name: "n\($0 + 1)",
                node: NodeID(raw: UInt64($0) + 1),
                lowestEpoch: Epoch(raw: 10),
                zone: zones[$0]
            )
        }
    )
}

private func held(_ ranges: ClosedRange<UInt64>..., of origin: Origin = node(1)) -> HeldSet {
    var set = HeldSet()
    for range in ranges {
        set.insert(
            SequenceInterval(first: range.lowerBound, last: range.upperBound),
            of: origin
        )
    }
    return set
}

private func gate(_ zones: [String], own: HeldSet, _ others: [UInt64: HeldSet]) -> AckGate {
    var gate = AckGate(own: node(1), voters: voters(zones), held: own)
    var effects: [Effect] = []
    for (n, set) in others {
        gate.stored(set, by: node(n), generation: 1, into: &effects)
    }
    return gate
}

@Suite struct OwingTests {
    @Test("what any two of three hold is not owed, the rest is, by intervals")
    func three() {
        let gate = gate(
            ["z1", "z2", "z3"],
            own: held(1...10),
            [2: held(1...4), 3: held(3...3, 6...7, 20...30)]
        )
        #expect(gate.owed(of: held(1...10)) == held(5...5, 8...10))
        // The two others decide without us.
        #expect(gate.owed(of: held(20...30)) == held(20...30))
        #expect(gate.owed(of: HeldSet()).isEmpty)
    }

    @Test("of five, three hold it; two and a stranger do not")
    func five() {
        var gate = gate(
            ["z1", "z2", "z3", "z4", "z5"],
            own: held(1...9),
            [2: held(1...3), 5: held(2...9)]
        )
        #expect(gate.owed(of: held(1...9)) == held(1...1, 4...9))
        var effects: [Effect] = []
        gate.stored(held(1...9), by: node(6), generation: 1, into: &effects)
        gate.stored(held(1...9), by: node(3), generation: 2, into: &effects)
        #expect(gate.owed(of: held(1...9)) == held(1...1, 4...9))
    }

    @Test("two in one zone are no majority where the voters span two")
    func zones() {
        let gate = gate(["z1", "z1", "z2"], own: held(1...2), [2: held(1...2), 3: held(2...2)])
        #expect(gate.owed(of: held(1...2)) == held(1...1))
    }

    @Test("a voter alone owes nothing; one that has no voters yet owes all")
    func alone() {
        #expect(gate(["z1"], own: held(1...5), [:]).owed(of: held(1...5)).isEmpty)
        #expect(gate([], own: held(1...5), [:]).owed(of: held(1...5)) == held(1...5))
    }
}

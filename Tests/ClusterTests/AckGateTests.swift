// The gate and the lease with three voters: who counts, once, under which generation, and what the
// deadline does.

import Cluster
import Suppression
import Testing

private func node(_ n: UInt64, _ epoch: UInt64 = 10) -> Origin {
    Origin(node: NodeID(raw: n), epoch: Epoch(raw: epoch))
}

private func three(zones: [String] = ["z1", "z2", "z3"], generation: UInt64 = 1) -> VoterSet {
    VoterSet(
        generation: generation,
        slots: (1...3).map {
            VoterSlot(
                name: "n\($0)",
                node: NodeID(raw: UInt64($0)),
                lowestEpoch: Epoch(raw: 10),
                zone: zones[$0 - 1]
            )
        }
    )
}

/// n1 stays, n2 and n3 go, n4 and n5 come.
private func joint(zones: [String] = ["z1", "z2", "z3", "z4", "z5"]) -> VoterSet {
    let sides: [VoterSlot.Side] = [.staying, .leaving, .leaving, .joining, .joining]
    return VoterSet(
        generation: 1,
        slots: sides.enumerated().map { n, side in
            VoterSlot(
                name: "n\(n + 1)",
                node: NodeID(raw: UInt64(n + 1)),
                lowestEpoch: Epoch(raw: 10),
                zone: zones[n],
                side: side
            )
        }
    )
}

private let one = SequenceInterval(first: 1, last: 1)
private let dots = DotRange(origin: node(1), interval: one)

private func at(_ millis: UInt64) -> Instant {
    Instant(bootNanos: millis * 1_000_000, wallMillis: millis)
}

private struct Gate {
    var gate: AckGate
    var effects: [Effect] = []

    init(_ voters: VoterSet = three(), policy: Policy = .available) {
        gate = AckGate(own: node(1), voters: voters, held: HeldSet())
        gate.wait(Ticket(raw: 1), for: dots, policy: policy, now: at(0), into: &effects)
    }

    mutating func stored(by voter: Origin, generation: UInt64 = 1) -> [Effect] {
        effects.removeAll()
        gate.stored(one, of: node(1), by: voter, generation: generation, into: &effects)
        return effects
    }

    mutating func tick(_ millis: UInt64, alone: Bool = false) -> [Effect] {
        effects.removeAll()
        gate.tick(now: at(millis), isAlone: alone, into: &effects)
        return effects
    }
}

private let yes: [Effect] = [.acknowledge(Ticket(raw: 1), .quorum, dots)]
private let localYes: [Effect] = [.acknowledge(Ticket(raw: 1), .local, dots)]
private let no: [Effect] = [.refuse(Ticket(raw: 1), .notDurable)]

@Suite struct AckGateTests {
    @Test("acknowledges at the second of three, in any order, own disk or not, exactly once")
    func majority() {
        for (a, b) in [(1, 2), (2, 1), (2, 3), (3, 1)] as [(UInt64, UInt64)] {
            var gate = Gate()
            #expect(gate.stored(by: node(a)).isEmpty)
            #expect(gate.stored(by: node(b)) == yes)
            for n in 1...3 as ClosedRange<UInt64> { #expect(gate.stored(by: node(n)).isEmpty) }
            #expect(gate.tick(10_000).isEmpty)
        }
    }

    @Test("one voter counts once, however often it says so")
    func onceASlot() {
        var gate = Gate()
        for _ in 0..<5 { #expect(gate.stored(by: node(2)).isEmpty) }
    }

    @Test("an older life, a stranger and another generation count for no slot")
    func wrongVoters() {
        var gate = Gate()
        #expect(gate.stored(by: node(1)).isEmpty)
        #expect(gate.stored(by: node(2, 9)).isEmpty)
        #expect(gate.stored(by: node(7)).isEmpty)
        #expect(gate.stored(by: node(3), generation: 2).isEmpty)
        #expect(gate.stored(by: node(3)) == yes)
    }

    @Test("a majority inside one zone is not enough where the voters span two")
    func zones() {
        var gate = Gate(three(zones: ["z1", "z1", "z2"]))
        #expect(gate.stored(by: node(1)).isEmpty)
        #expect(gate.stored(by: node(2)).isEmpty)
        #expect(gate.stored(by: node(3)) == yes)
        var flat = Gate(three(zones: ["z1", "z1", "z1"]))
        #expect(flat.stored(by: node(1)).isEmpty)
        #expect(flat.stored(by: node(2)) == yes)
    }

    @Test(
        "past the deadline, available: local once here and on one more node, alone only when alone"
    )
    func available() {
        var gate = Gate()
        _ = gate.stored(by: node(1))
        #expect(gate.tick(1_999).isEmpty)
        #expect(gate.tick(2_000) == no)
        var edge = Gate()
        _ = edge.stored(by: node(1))
        _ = edge.stored(by: node(7))
        #expect(edge.tick(2_000) == localYes)
        var alone = Gate()
        _ = alone.stored(by: node(1))
        #expect(alone.tick(2_000, alone: true) == localYes)
        var nothing = Gate()
        #expect(nothing.tick(2_000, alone: true) == no)
    }

    @Test("past the deadline, strict: no")
    func strict() {
        var gate = Gate(policy: .strict)
        _ = gate.stored(by: node(1))
        _ = gate.stored(by: node(7))
        #expect(gate.tick(2_000) == no)
    }

    @Test("a latched gate never says yes again")
    func latch() {
        var gate = Gate()
        _ = gate.stored(by: node(2))
        gate.effects.removeAll()
        gate.gate.latch(into: &gate.effects)
        #expect(gate.effects == [.refuse(Ticket(raw: 1), .failed)])
        #expect(gate.stored(by: node(3)).isEmpty)
        gate.gate.wait(
            Ticket(raw: 2),
            for: dots,
            policy: .available,
            now: at(0),
            into: &gate.effects
        )
        #expect(gate.effects == [.refuse(Ticket(raw: 2), .failed)])
    }
}

@Suite struct JointTests {
    @Test("a write needs a majority of both parties")
    func gate() {
        var old = Gate(joint())
        #expect(old.stored(by: node(2)).isEmpty)
        #expect(old.stored(by: node(3)).isEmpty, "two of the old party alone")
        #expect(old.stored(by: node(4)).isEmpty, "and one of the new one")
        #expect(old.stored(by: node(5)) == yes)
        var fresh = Gate(joint())
        #expect(fresh.stored(by: node(4)).isEmpty)
        #expect(fresh.stored(by: node(5)).isEmpty, "two of the new party alone")
        #expect(fresh.stored(by: node(1)).isEmpty, "n1 counts for both, and one of three is none")
        #expect(fresh.stored(by: node(3)) == yes)
    }

    @Test("each party that spans two zones needs two")
    func zones() {
        var gate = Gate(joint(zones: ["z1", "z2", "z2", "z1", "z3"]))
        #expect(gate.stored(by: node(1)).isEmpty)
        #expect(gate.stored(by: node(4)).isEmpty)
        #expect(gate.stored(by: node(2)).isEmpty, "n1 and n4 of the new party share a zone")
        #expect(gate.stored(by: node(5)) == yes)
    }

    @Test("a lease needs a majority of both parties, and is as old as the older")
    func lease() {
        var freshness = Freshness(voters: joint())
        freshness.confirmed(by: node(1), generation: 1, sentNanos: 900)
        freshness.confirmed(by: node(2), generation: 1, sentNanos: 800)
        #expect(freshness.lease == .void)
        freshness.confirmed(by: node(4), generation: 1, sentNanos: 300)
        #expect(freshness.lease.asOfNanos == 300)
        freshness.confirmed(by: node(5), generation: 1, sentNanos: 850)
        #expect(freshness.lease.asOfNanos == 800)
        var fresh = Freshness(voters: joint())
        fresh.confirmed(by: node(4), generation: 1, sentNanos: 1)
        fresh.confirmed(by: node(5), generation: 1, sentNanos: 1)
        #expect(fresh.lease == .void, "the new party alone")
    }
}

@Suite struct LeaseTests {
    @Test("vouches as of the oldest nonce of the freshest majority, never the newest")
    func oldest() {
        var freshness = Freshness(voters: three())
        #expect(freshness.lease == .void)
        freshness.confirmed(by: node(1), generation: 1, sentNanos: 900)
        #expect(freshness.lease == .void)
        freshness.confirmed(by: node(2), generation: 1, sentNanos: 300)
        #expect(freshness.lease.asOfNanos == 300)
        freshness.confirmed(by: node(3), generation: 1, sentNanos: 500)
        #expect(freshness.lease.asOfNanos == 500)
        freshness.confirmed(by: node(3), generation: 1, sentNanos: 100)
        #expect(freshness.lease.asOfNanos == 500)
    }

    @Test("strangers, older lives and other generations confirm nothing")
    func wrongVoters() {
        var freshness = Freshness(voters: three())
        freshness.confirmed(by: node(1), generation: 1, sentNanos: 1)
        freshness.confirmed(by: node(2, 9), generation: 1, sentNanos: 1)
        freshness.confirmed(by: node(9), generation: 1, sentNanos: 1)
        freshness.confirmed(by: node(3), generation: 2, sentNanos: 1)
        #expect(freshness.lease == .void)
    }

    @Test("permits allow up to the bound and not a nanosecond longer; a void lease never")
    func bound() {
        let lease = Lease(asOfNanos: 1_000, generation: 1)
        #expect(lease.permitsAllow(now: 1_060, boundNanos: 60))
        #expect(!lease.permitsAllow(now: 1_061, boundNanos: 60))
        #expect(!Lease.void.permitsAllow(now: 0, boundNanos: .max))
    }

    @Test("any majority of receipts and any majority of confirmations share a slot")
    func intersection() {
        for size in [1, 3, 5] {
            let slots = (0..<size).map {
                VoterSlot(
                    name: "n",
                    node: NodeID(raw: UInt64($0 + 1)),
                    lowestEpoch: Epoch(raw: 0),
                    zone: "z"
                )
            }
            let voters = VoterSet(generation: 1, slots: slots)
            #expect(2 * VoterSet.majority(of: voters.outgoing) > size)
        }
    }
}

@Suite struct SettingTests {
    @Test("every setting reads back from its register")
    func roundTrip() throws {
        let tenant = TenantID(raw: 5)
        let settings: [Setting] = [
            .tenant(tenant, name: "demo", sealedPepper: [1, 2]),
            .stream(tenant, StreamID(raw: 3), name: "marketing", streamClass: .transactional),
            .topic(tenant, StreamID(raw: 3), TopicID(raw: 4), name: "news"),
            .key(tenant, name: "worker", hash: [9], scopes: [.check, .link]),
            .tokenKey(tenant, id: 7, createdSeconds: 9, sealedMaster: [1]),
            .admin(publicKey: [0xab], hash: [2]), .clusterSecret(sealed: [3]),
            .voters(three()),
        ]
        var names = Set<[UInt8]>()
        for setting in settings {
            names.insert(setting.registerName)
            let register = Register(
                name: setting.registerName,
                generation: 1,
                final: false,
                value: setting.value,
                author: [],
                signature: []
            )
            #expect(try Setting(register) == setting)
        }
        #expect(names.count == settings.count)
        let later = Register(
            name: Array("quota/1".utf8),
            generation: 1,
            final: false,
            value: [],
            author: [],
            signature: []
        )
        #expect(try Setting(later) == nil)
    }

    @Test("scope words read back; an unknown word is refused, not ignored")
    func scopes() {
        #expect(KeyScopes(words: KeyScopes.all.words) == .all)
        #expect(KeyScopes(words: ["check", "chekc"]) == nil)
        #expect(KeyScopes(words: []) == nil)
    }
}

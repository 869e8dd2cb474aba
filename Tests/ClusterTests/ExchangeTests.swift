// When held sets are compared, and when a write that others hold and this node misses is pulled.

import Suppression
import Testing

@testable import Cluster

private let me = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 10))
private let origin = Origin(node: NodeID(raw: 2), epoch: Epoch(raw: 10))
private let donor = Origin(node: NodeID(raw: 3), epoch: Epoch(raw: 10))
private let other = Origin(node: NodeID(raw: 4), epoch: Epoch(raw: 10))

/// A node linked to an origin that it does not hear, to a donor that does, and to one more.
private struct Stage {
    private var core: Core

    init() {
        let slots = [me, origin, donor].map { voter in
            VoterSlot(
                name: "n\(voter.node.raw)",
                node: voter.node,
                lowestEpoch: voter.epoch,
                zone: "z\(voter.node.raw)"
            )
        }
        core = Core(
            Boot(
                own: me,
                voters: VoterSet(generation: 1, slots: slots),
                held: HeldSet(),
                nextLocalSequence: 1
            )
        )
        for peer in [origin, donor, other] {
            let name = "n\(peer.node.raw)"
            _ = step(.linked(Peer(origin: peer, name: name, zone: "z", holds: .all)), 0)
        }
    }

    private mutating func step(_ event: Event, _ millis: UInt64) -> [Effect] {
        var effects: [Effect] = []
        let now = Instant(bootNanos: millis * 1_000_000, wallMillis: 1_700_000_000_000 + millis)
        core.step(event, now: now, into: &effects)
        return effects
    }

    /// A tick; answers how many peers are told what is held here.
    mutating func told(at millis: UInt64) -> Int {
        step(.ticked, millis).count { if case .send(_, .heldHash) = $0 { true } else { false } }
    }

    /// A peer names the origin's writes up to one; answers what is pulled from it.
    mutating func named(_ last: UInt64, by peer: Origin, at millis: UInt64) -> [HeldSet] {
        var held = HeldSet()
        if last > 0 { held.insert(SequenceInterval(first: 1, last: last), of: origin) }
        let heard = step(.received(from: peer.node, .held(generation: 1, held)), millis)
        return heard.compactMap {
            if case .send(peer.node, .pull(_, let wanted, _)) = $0 { wanted } else { nil }
        }
    }
}

private func writes(_ interval: ClosedRange<UInt64>) -> HeldSet {
    var set = HeldSet()
    set.insert(
        SequenceInterval(first: interval.lowerBound, last: interval.upperBound),
        of: origin
    )
    return set
}

@Suite struct ExchangeTests {
    @Test("a write of a linked origin is given its moment, and pulled in the next round")
    func patience() {
        var stage = Stage()
        #expect(stage.named(1, by: donor, at: 1_000).isEmpty)
        #expect(stage.named(1, by: donor, at: 1_100).isEmpty)
        #expect(stage.named(1, by: donor, at: 1_200) == [writes(1...1)])
    }

    @Test("a tick that comes a hair early still begins its round; one in between does not")
    func earlyTick() {
        var stage = Stage()
        #expect(stage.told(at: 1_000) == 3)
        #expect(stage.told(at: 1_100) == 0)
        #expect(stage.told(at: 1_199) == 3)
        #expect(stage.told(at: 1_300) == 0)
        #expect(stage.told(at: 1_398) == 3)
    }

    @Test("a write that appears just behind another waits for its own moment, and no longer")
    func ownMoment() {
        var stage = Stage()
        #expect(stage.named(1, by: donor, at: 1_000).isEmpty)
        #expect(stage.named(2, by: donor, at: 1_060).isEmpty)
        // The second has waited for 140 ms, 10 too few.
        #expect(stage.named(2, by: donor, at: 1_200) == [writes(1...1)])
        var late = Stage()
        #expect(late.named(1, by: donor, at: 1_000).isEmpty)
        #expect(late.named(2, by: donor, at: 1_060).isEmpty)
        #expect(late.named(2, by: donor, at: 1_260) == [writes(1...2)])
    }

    @Test("a peer that lacks the write too, answering between two rounds, does not put it off")
    func notPutOff() {
        var stage = Stage()
        #expect(stage.named(1, by: donor, at: 1_000).isEmpty)
        #expect(stage.named(0, by: other, at: 1_190).isEmpty)
        #expect(stage.named(1, by: donor, at: 1_200) == [writes(1...1)])
    }

    @Test("what is missing for long is remembered, and pulled as soon as a peer names it")
    func remembered() {
        var stage = Stage()
        #expect(stage.named(1, by: donor, at: 1_000).isEmpty)
        #expect(stage.named(1, by: donor, at: 9_000) == [writes(1...1)])
    }

    @Test("more moments than are told apart become one; nothing is forgotten")
    func manyMoments() {
        var exchange = Exchange()
        let count = UInt64(Limits.doubtsCount) + 4
        func overdue(_ last: UInt64, at millis: UInt64) -> HeldSet {
            let now = millis * 1_000_000
            return exchange.overdue(writes(1...last), arrived: HeldSet(), now: now) { _ in true }
        }
        for n in 1...count { _ = overdue(n, at: 30 * n) }
        #expect(overdue(count, at: 30 * count + 200) == writes(1...count))
    }
}

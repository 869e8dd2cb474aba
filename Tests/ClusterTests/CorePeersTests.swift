// The Core beside two other voters: who may acknowledge, and what this node shows by then.

import Cluster
import Suppression
import Testing

private let me = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 10))
private let others = [2, 3].map { Origin(node: NodeID(raw: $0), epoch: Epoch(raw: 10)) }
private let optOut = Draft.suppress(
    MarkKey(
        person: Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 2)),
        scope: .tenant,
        reason: .unsubscribe
    ),
    source: .oneClick,
    expiresSeconds: 0
)

private func at(_ millis: UInt64) -> Instant {
    Instant(bootNanos: millis * 1_000_000, wallMillis: 1_700_000_000_000 + millis)
}

/// This node, a voter of three, linked to both others.
private struct Stage {
    private(set) var core: Core

    init() {
        let slots = ([me] + others).map { origin in
            VoterSlot(
                name: "n\(origin.node.raw)",
                node: origin.node,
                lowestEpoch: origin.epoch,
                zone: "z\(origin.node.raw)"
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
        for origin in others {
            let name = "n\(origin.node.raw)"
            _ = step(.linked(Peer(origin: origin, name: name, zone: "z", holds: .all)))
        }
    }

    mutating func step(_ event: Event, _ millis: UInt64 = 0) -> [Effect] {
        var effects: [Effect] = []
        core.step(event, now: at(millis), into: &effects)
        return effects
    }

    mutating func ask() -> [Effect] {
        step(
            .requested(
                WriteRequest(ticket: Ticket(raw: 1), drafts: [optOut], policy: .available)
            )
        )
    }

    mutating func receipt(from peer: Int, _ millis: UInt64 = 0) -> [Effect] {
        let interval = SequenceInterval(first: 1, last: 1)
        let message = Message.receipts(
            generation: 1,
            [DotRange(origin: me, interval: interval)]
        )
        return step(.received(from: others[peer].node, message), millis)
    }
}

private enum Word: Equatable { case show, acknowledge, vouch, send, other }

private func words(_ effects: [Effect]) -> [Word] {
    effects.map {
        switch $0 {
        case .show: .show
        case .acknowledge: .acknowledge
        case .vouch: .vouch
        case .send: .send
        default: .other
        }
    }
}

@Suite struct CorePeersTests {
    @Test(
        "two receipts of others acknowledge before our own commit, and only once it is shown here"
    )
    func shownBeforeAcknowledged() {
        var stage = Stage()
        _ = stage.ask()
        #expect(!words(stage.receipt(from: 0)).contains(.acknowledge))
        let said = words(stage.receipt(from: 1))
        #expect(said.filter { $0 == .show || $0 == .acknowledge } == [.show, .acknowledge])
        // The commit shows it no second time, and nobody is answered twice.
        let later = words(stage.step(.committed(through: 1)))
        #expect(!later.contains(.show) && !later.contains(.acknowledge))
    }

    @Test("a write goes to the peers before it goes to the own log")
    func peersFirst() {
        var stage = Stage()
        let effects = stage.ask()
        let sends = effects.indices.filter { if case .send = effects[$0] { true } else { false } }
        let persists = effects.indices.filter {
            if case .persist = effects[$0] { true } else { false }
        }
        #expect(sends.count == 2 && persists.count == 1)
        #expect((sends.last ?? .max) < (persists.first ?? 0))
    }

    @Test("a linked peer that says nothing counts as out of reach, one that speaks does not")
    func silence() {
        for speaks in [false, true] {
            var stage = Stage()
            _ = stage.ask()
            _ = stage.step(.committed(through: 1))
            if speaks { _ = stage.step(.received(from: others[0].node, .heldHash(1)), 1_500) }
            let said = stage.step(.ticked, 2_001)
            let isLocal = said.contains {
                if case .acknowledge(_, .local, _) = $0 { true } else { false }
            }
            #expect(isLocal != speaks, "alone it says local; beside a living peer it says no")
        }
    }

    @Test("a node without voters founds them, counts slots that were not there, and acknowledges")
    func founding() {
        var core = Core(
            Boot(
                own: me,
                voters: VoterSet(generation: 0, slots: []),
                held: HeldSet(),
                nextLocalSequence: 1
            )
        )
        var effects: [Effect] = []
        let peer = Peer(origin: others[1], name: "n3", zone: "z3", holds: .all)
        core.step(.linked(peer), now: at(0), into: &effects)
        let request = WriteRequest(ticket: Ticket(raw: 1), drafts: [optOut], policy: .strict)
        core.step(.requested(request), now: at(0), into: &effects)
        core.step(.committed(through: 1), now: at(0), into: &effects)
        #expect(!words(effects).contains(.acknowledge), "nobody votes yet")
        let slots = ([me] + others).map { origin in
            VoterSlot(
                name: "n\(origin.node.raw)",
                node: origin.node,
                lowestEpoch: origin.epoch,
                zone: "z\(origin.node.raw)"
            )
        }
        core.step(
            .voters(VoterSet(generation: 1, slots: slots)),
            now: at(0),
            into: &effects
        )
        #expect(!words(effects).contains(.acknowledge), "one of three")
        var held = HeldSet()
        held.insert(SequenceInterval(first: 1, last: 1), of: me)
        let message = Message.held(generation: 1, held)
        core.step(.received(from: others[1].node, message), now: at(0), into: &effects)
        #expect(words(effects).contains(.acknowledge))
    }

    @Test("a later generation of the voters voids the lease and counts receipts anew")
    func generation() {
        var stage = Stage()
        _ = stage.ask()
        _ = stage.receipt(from: 0)
        let slots = ([me] + others).map { origin in
            VoterSlot(
                name: "n\(origin.node.raw)",
                node: origin.node,
                lowestEpoch: origin.epoch,
                zone: "z\(origin.node.raw)"
            )
        }
        let said = stage.step(.voters(VoterSet(generation: 2, slots: slots)))
        #expect(said.contains(.vouch(.void)))
        #expect(!words(stage.receipt(from: 1)).contains(.acknowledge), "of generation 1")
        #expect(words(stage.step(.voters(VoterSet(generation: 1, slots: [])))).isEmpty)
    }
}

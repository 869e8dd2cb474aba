// The Core as a story: what was asked, what was committed, what was answered, in which order.

import Cluster
import Suppression
import Testing

private let me = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 10))
private let key = MarkKey(
    person: Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 2)),
    scope: .tenant,
    reason: .unsubscribe
)
private let optOut = Draft.suppress(key, source: .oneClick, expiresSeconds: 0)

private func alone() -> VoterSet {
    VoterSet(
        generation: 1,
        slots: [VoterSlot(name: "n1", node: me.node, lowestEpoch: me.epoch, zone: "z1")]
    )
}

private func at(_ millis: UInt64) -> Instant {
    Instant(bootNanos: millis * 1_000_000, wallMillis: 1_700_000_000_000 + millis)
}

private func ticket(_ n: UInt64) -> Ticket { Ticket(raw: n) }

/// Drives a Core and keeps what it said.
private struct Stage {
    var core: Core
    var effects: [Effect] = []

    init(voters: VoterSet = alone(), next: UInt64 = 1) {
        core = Core(Boot(own: me, voters: voters, held: HeldSet(), nextLocalSequence: next))
    }

    /// Steps and returns only what this step said.
    mutating func step(_ event: Event, _ millis: UInt64 = 0) -> [Effect] {
        effects.removeAll(keepingCapacity: true)
        core.step(event, now: at(millis), into: &effects)
        return effects
    }

    mutating func ask(
        _ n: UInt64,
        _ drafts: [Draft] = [optOut],
        stamp: RequestStamp? = nil,
        remembered: RememberedRequest? = nil,
        isUndone: Bool = false
    ) -> [Effect] {
        step(
            .requested(
                WriteRequest(
                    ticket: ticket(n),
                    drafts: drafts,
                    policy: .available,
                    stamp: stamp,
                    remembered: remembered,
                    isUndone: isUndone
                )
            )
        )
    }
}

private func answers(_ effects: [Effect]) -> [Effect] {
    effects.filter {
        switch $0 {
        case .acknowledge, .refuse: true
        default: false
        }
    }
}

private func dots(_ first: UInt64, _ last: UInt64) -> DotRange {
    DotRange(origin: me, interval: SequenceInterval(first: first, last: last))
}

@Suite struct CoreTests {
    @Test("acknowledges after the commit, never before, and shows before it acknowledges")
    func order() {
        var stage = Stage()
        let asked = stage.ask(1)
        #expect(answers(asked).isEmpty)
        guard case .persist(sequence: 1, let change) = asked.first else {
            Issue.record("nothing was handed to the log")
            return
        }
        #expect(change.dot == dots(1, 1).dot(0))
        #expect(
            stage.step(.committed(through: 1)) == [
                .show(sequence: 1, change), .acknowledge(ticket(1), .quorum, dots(1, 1)),
            ]
        )
        #expect(stage.step(.committed(through: 1)).isEmpty)
    }

    @Test("a commit answers exactly those whose last dot it holds")
    func batches() {
        var stage = Stage()
        _ = stage.ask(1, [optOut, optOut])
        _ = stage.ask(2)
        #expect(answers(stage.step(.committed(through: 1))).isEmpty)
        #expect(
            answers(stage.step(.committed(through: 3))) == [
                .acknowledge(ticket(1), .quorum, dots(1, 2)),
                .acknowledge(ticket(2), .quorum, dots(3, 3)),
            ]
        )
    }

    @Test("suppressing what is suppressed mints a dot of its own every time")
    func mintsAlways() {
        var stage = Stage()
        _ = stage.ask(1)
        _ = stage.step(.committed(through: 1))
        _ = stage.ask(2)
        #expect(
            answers(stage.step(.committed(through: 2))) == [
                .acknowledge(ticket(2), .quorum, dots(2, 2))
            ]
        )
    }

    @Test(
        "no space in the log: the caller is told at once, the number is spent, the next one works"
    )
    func full() {
        var stage = Stage()
        _ = stage.ask(1)
        _ = stage.ask(2)
        #expect(answers(stage.step(.refused(first: 1, last: 1))) == [.refuse(ticket(1), .full)])
        #expect(
            answers(stage.step(.committed(through: 2))) == [
                .acknowledge(ticket(2), .quorum, dots(2, 2))
            ]
        )
        #expect(!stage.core.held.contains(dots(1, 1).dot(0)))
    }

    @Test(
        "a failed disk ends everything: leases void, all refused, nothing acknowledged afterwards"
    )
    func failed() {
        var stage = Stage()
        _ = stage.ask(1)
        #expect(stage.step(.failed) == [.vouch(.void), .refuse(ticket(1), .failed), .halt])
        #expect(stage.step(.committed(through: 1)).isEmpty)
        #expect(stage.ask(2) == [.refuse(ticket(2), .failed)])
        #expect(stage.step(.ticked, 5).isEmpty)
    }

    @Test("the same idempotency key gets the same dot, in flight and afterwards; another body 422")
    func idempotency() {
        var stage = Stage()
        let stamp = RequestStamp(id: Recipient(high: 9, low: 9), body: 1)
        _ = stage.ask(1, stamp: stamp)
        let known = stage.core.request(stamp.id)
        #expect(stage.ask(2, stamp: stamp, remembered: known).isEmpty)
        #expect(
            answers(stage.step(.committed(through: 1))) == [
                .acknowledge(ticket(1), .quorum, dots(1, 1)),
                .acknowledge(ticket(2), .quorum, dots(1, 1)),
            ]
        )
        #expect(
            stage.ask(3, stamp: stamp, remembered: known) == [
                .acknowledge(ticket(3), .quorum, dots(1, 1))
            ]
        )
        let other = RequestStamp(id: stamp.id, body: 2)
        #expect(
            stage.ask(4, stamp: other, remembered: known) == [.refuse(ticket(4), .otherBody)]
        )
        _ = stage.ask(5, stamp: stamp, remembered: known, isUndone: true)
        #expect(
            answers(stage.step(.committed(through: 2))) == [
                .acknowledge(ticket(5), .quorum, dots(2, 2))
            ]
        )
    }

    @Test(
        "memory forgets an idempotency key once the checkpoint has it, and when the log refused it"
    )
    func forgets() {
        var stage = Stage()
        let stamp = RequestStamp(id: Recipient(high: 9, low: 9), body: 1)
        _ = stage.ask(1, stamp: stamp)
        _ = stage.step(.committed(through: 1))
        #expect(stage.core.request(stamp.id) != nil)
        _ = stage.step(.checkpointed(through: 1))
        #expect(stage.core.request(stamp.id) == nil)
        let second = RequestStamp(id: Recipient(high: 8, low: 8), body: 1)
        _ = stage.ask(2, stamp: second)
        _ = stage.step(.refused(first: 2, last: 2))
        #expect(stage.core.request(second.id) == nil)
    }

    @Test("a consent is refused for a dot that this node does not hold, committed")
    func unobserved() {
        var stage = Stage()
        let future = Draft.consent(key, covers: [dots(1, 1).dot(0)], evidence: [])
        #expect(stage.ask(1, [future]) == [.refuse(ticket(1), .unobserved)])
        _ = stage.ask(2)
        #expect(stage.ask(3, [future]) == [.refuse(ticket(3), .unobserved)])
        _ = stage.step(.committed(through: 1))
        #expect(answers(stage.ask(4, [future])).isEmpty)
        #expect(stage.ask(5, [.consent(key, covers: [], evidence: [])]).count == 1)
    }

    @Test("a full gate refuses, and mints nothing for the refused")
    func busy() {
        var stage = Stage()
        for n in 0..<UInt64(Limits.waitingWritesCount) { _ = stage.ask(n) }
        #expect(stage.ask(99_999) == [.refuse(ticket(99_999), .busy)])
        #expect(stage.core.waitingCount == Limits.waitingWritesCount)
    }

    @Test("a single voter vouches for itself at every tick")
    func vouches() {
        var stage = Stage()
        #expect(
            stage.step(.ticked, 70) == [.vouch(Lease(asOfNanos: 70_000_000, generation: 1))]
        )
    }

    @Test("a restored or damaged voter vouches for nothing, and still takes opt-outs")
    func restored() {
        var stage = Stage()
        stage.core = Core(
            Boot(
                own: me,
                voters: alone(),
                held: HeldSet(),
                nextLocalSequence: 1,
                isRestored: true
            )
        )
        #expect(stage.step(.ticked, 70) == [.vouch(.void)])
        _ = stage.ask(1)
        #expect(answers(stage.step(.committed(through: 1))).count == 1)
    }

    @Test("local sequence numbers go on from where the disk stands")
    func resumes() {
        var stage = Stage(next: 42)
        guard case .persist(sequence: 42, _) = stage.ask(1).first else {
            Issue.record("the sequence restarted")
            return
        }
    }
}

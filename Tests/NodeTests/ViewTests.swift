// What a serving loop may answer, and when it must not: the last lines before S2, on a real store.

import Cluster
import EventLoop
import Foundation
import Storage
import Suppression
import Synchronization
import Testing

@testable import Node

private let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 2))
private let key = MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
private let query = Query(
    person: person,
    stream: StreamID(raw: 3),
    topic: TopicID(raw: 4),
    streamClass: .marketing
)
private let second: UInt64 = 1_000_000_000
private let bound = 60 * second

private func at(_ seconds: UInt64) -> Instant {
    Instant(bootNanos: seconds * second, wallMillis: 1_700_000_000_000)
}

private func optOut(_ sequence: UInt64) -> Change {
    let origin = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 1))
    let dot = Dot(origin: origin, sequence: sequence)
    let time = HybridTime(raw: 1_700_000_000_000 << 16)
    return Change(
        dot: dot,
        time: time,
        body: .suppress(key, SuppressingDot(dot: dot, time: time, source: .oneClick))
    )
}

/// A store in a directory of its own, and a loop for the door.
private final class Ground {
    let directory: String
    let opened: Opened
    let loop: Loop
    let door: LoopDoor
    let keeper: MarkKeeper

    init() throws {
        directory = NSTemporaryDirectory() + "quell-view-\(UUID().uuidString)"
        opened = try Store.open(directory: directory) { _ in }
        keeper = MarkKeeper(filter: opened.filter)
        loop = try Loop()
        door = LoopDoor(mailbox: try Mailbox(loop: loop, bound: 2))
    }

    func view() throws -> View {
        View(
            reader: try opened.store.reader(),
            shared: keeper.published.reader(),
            door: door,
            boundNanos: bound
        )
    }

    /// As the node loop does: memory first, then the loop.
    func show(_ sequence: UInt64, _ change: Change, _ view: inout View) {
        keeper.insert(change)
        view.show(sequence, change)
    }

    func end() throws {
        door.mailbox.close()
        loop.close()
        _ = opened.store.close(deadlineMillis: 1_000)
        try FileManager.default.removeItem(atPath: directory)
    }
}

@Suite struct ViewTests {
    @Test("allow needs a lease within the bound; without one nobody unknown is allowed")
    func lease() throws {
        let ground = try Ground()
        var view = try ground.view()
        #expect(view.verdict(query, now: at(100)) == .unknown)
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        #expect(view.verdict(query, now: at(100)) == .allow)
        #expect(view.verdict(query, now: at(160)) == .allow)
        #expect(view.verdict(query, now: at(161)) == .unknown)
        view.vouch(.void)
        #expect(view.verdict(query, now: at(100)) == .unknown)
        view.close()
        try ground.end()
    }

    @Test("a known suppression denies with or without a lease, from the overlay or the state")
    func deny() throws {
        let ground = try Ground()
        var view = try ground.view()
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        ground.show(1, optOut(1), &view)
        #expect(view.verdict(query, now: at(100)).decision == .deny)
        view.vouch(.void)
        #expect(view.verdict(query, now: at(999)).decision == .deny)
        view.close()
        try ground.end()
    }

    @Test("a loop that has not drained its mailbox denies what the node loop has shown")
    func memoryFirst() throws {
        let ground = try Ground()
        var view = try ground.view()
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        #expect(view.decide(query, now: at(100)) == .allow)
        ground.keeper.insert(optOut(1))
        #expect(view.decide(query, now: at(100)) == .deny)
        #expect(view.verdict(query, now: at(100)) == Verdict(decision: .deny))
        view.close()
        try ground.end()
    }

    @Test("a consent lifts, a later opt-out denies again, both through the marks")
    func lifted() throws {
        let ground = try Ground()
        var view = try ground.view()
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        let first = optOut(1)
        ground.show(1, first, &view)
        let consent = Change(
            dot: optOut(2).dot,
            time: first.time,
            body: .consent(key, covers: [first.dot], evidence: [])
        )
        ground.show(2, consent, &view)
        #expect(view.decide(query, now: at(100)) == .allow)
        ground.show(3, optOut(3), &view)
        #expect(view.decide(query, now: at(100)) == .deny)
        #expect(view.verdict(query, now: at(100)).reason == .unsubscribe)
        view.close()
        try ground.end()
    }

    @Test("an import that only the shared memory has denies a person whose consent covered another")
    func recent() throws {
        let ground = try Ground()
        var view = try ground.view()
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        let first = optOut(1)
        ground.show(1, first, &view)
        let consent = Change(
            dot: optOut(2).dot,
            time: first.time,
            body: .consent(key, covers: [first.dot], evidence: [])
        )
        ground.show(2, consent, &view)
        #expect(view.decide(query, now: at(100)) == .allow)
        view.endTurn()
        try ground.keeper.insertRecent(3, optOut(3))
        #expect(view.decide(query, now: at(100)) == .deny)
        // A checkpoint that has not reached it keeps the generation, one that has drops it.
        ground.keeper.checkpointed(through: 2)
        view.endTurn()
        #expect(view.decide(query, now: at(100)) == .deny)
        ground.keeper.checkpointed(through: 3)
        #expect(view.decide(query, now: at(100)) == .deny, "the turn keeps what it took")
        view.endTurn()
        #expect(view.decide(query, now: at(100)) == .allow, "the state would deny it now")
        view.close()
        try ground.end()
    }

    @Test("a change that did not fit into the mailbox voids the lease until the state has it")
    func missed() throws {
        let ground = try Ground()
        var view = try ground.view()
        view.vouch(Lease(asOfNanos: 100 * second, generation: 1))
        let change = optOut(1)
        ground.door.show([.show(sequence: 1, change)])
        #expect(ground.door.missedThrough.load(ordering: .relaxed) == 0)
        let later = (2...4 as ClosedRange<UInt64>).map { LoopMessage.show(sequence: $0, change) }
        ground.door.show(later + [.vouch(Lease(asOfNanos: 101 * second, generation: 1))])
        #expect(ground.door.missedThrough.load(ordering: .relaxed) == 4)
        var arrived: [LoopMessage] = []
        ground.door.mailbox.drain(into: &arrived)
        #expect(arrived.count == 2, "what was missed is followed by nothing of that turn")
        #expect(view.verdict(query, now: at(100)) == .unknown)
        ground.door.missedThrough.store(0, ordering: .relaxed)
        #expect(view.verdict(query, now: at(100)) == .allow)
        view.close()
        try ground.end()
    }
}

@Suite struct MetricTests {
    @Test("a duration falls into the first bucket whose bound is not below it")
    func buckets() {
        let cases: [(UInt64, Int)] = [
            (0, 0), (1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2), (4_000, 2), (4_001, 3),
            (1_000_000, 10), (UInt64.max / 2, Histogram.bucketsCount),
        ]
        for (nanos, bucket) in cases {
            let histogram = Histogram()
            histogram.record(nanoseconds: nanos)
            let found = (0...Histogram.bucketsCount).first { histogram.count(inBucket: $0) == 1 }
            #expect(found == bucket, "\(nanos) ns")
        }
    }

    @Test("the page has every metric once, and buckets that only grow")
    func page() {
        let loops = [LoopMetrics(), LoopMetrics()]
        loops[0].checkAnswer.record(nanoseconds: 3_000, times: 5)
        loops[1].checkAnswer.record(nanoseconds: 900, times: 2)
        let bytes = MetricsPage.write(
            node: NodeMetrics(),
            loops: loops,
            peers: [],
            name: "n",
            version: "1"
        )
        let text = String(decoding: bytes, as: UTF8.self)
        for name in MetricName.allCases {
            let types = text.components(separatedBy: "# TYPE \(name.rawValue) ").count - 1
            #expect(types == 1, "\(name.rawValue)")
        }
        #expect(text.contains("quell_check_answer_seconds_bucket{le=\"1e-06\"} 2\n"))
        #expect(text.contains("quell_check_answer_seconds_bucket{le=\"4e-06\"} 7\n"))
        #expect(text.contains("quell_check_answer_seconds_bucket{le=\"+Inf\"} 7\n"))
        #expect(text.contains("quell_check_answer_seconds_count 7\n"))
    }
}

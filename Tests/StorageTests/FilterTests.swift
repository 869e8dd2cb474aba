// The recipient filter: it may deny a stranger once in 10^8, and must never lose anybody.

import Foundation
import Suppression
import Testing

@testable import Storage

private let stream = StreamID(raw: 5)
private let topic = TopicID(raw: 9)

private func query(_ n: UInt64, _ streamClass: StreamClass = .marketing) -> Query {
    Query(person: person(n), stream: stream, topic: topic, streamClass: streamClass)
}

private func mark(_ n: UInt64, _ scope: Scope, _ reason: Reason = .unsubscribe) -> MarkKey {
    MarkKey(person: person(n), scope: scope, reason: reason)
}

private let scopes = [
    Scope(stream: stream, topic: topic), Scope(stream: stream, topic: .any), Scope.tenant,
]

@Suite struct FilterTests {
    @Test("whoever was inserted is denied, at any load up to the last slot; strangers are absent")
    func neverForgets() throws {
        let filter = try RecipientFilter(lineCount: 1_000)
        for n in 1...16_000 as ClosedRange<UInt64> {
            #expect(filter.insert(mark(n, scopes[0]), asks: false) == .plain)
            if n == 12_000 { #expect(filter.isNearlyFull == false && filter.isCrowded) }
        }
        #expect(filter.count == 16_000 && filter.isNearlyFull)
        for n in 1...16_000 as ClosedRange<UInt64> { #expect(filter.probe(query(n)) == .denied) }
        #expect(filter.insert(mark(16_001, scopes[0]), asks: false) == .overflowed)
        // Full: what is not found may be what did not fit.
        #expect(filter.probe(query(99_999)) == .ask)
        #expect(filter.hasSeen(person(99_999), scopes[0]))

        let roomy = try RecipientFilter(lineCount: 2_000)
        for n in 1...16_000 as ClosedRange<UInt64> { roomy.insert(mark(n, scopes[0]), asks: false) }
        var strangers = 0
        for n in 20_001...220_000 as ClosedRange<UInt64> where roomy.probe(query(n)) != .absent {
            strangers += 1
        }
        #expect(strangers <= 2, "200,000 strangers at 3e-8 each")
    }

    @Test("a mark of any of the three scopes is found, one of another stream or topic is not")
    func scopeRules() throws {
        let filter = try RecipientFilter(lineCount: 64)
        for (n, scope) in scopes.enumerated() {
            filter.insert(mark(UInt64(n + 1), scope), asks: false)
            #expect(filter.probe(query(UInt64(n + 1))) == .denied)
        }
        filter.insert(mark(7, Scope(stream: stream, topic: TopicID(raw: 8))), asks: false)
        filter.insert(mark(7, Scope(stream: StreamID(raw: 6), topic: .any)), asks: false)
        #expect(filter.probe(query(7)) == .absent)
        #expect(filter.hasSeen(person(7), Scope(stream: StreamID(raw: 6), topic: .any)))
        #expect(!filter.hasSeen(person(7), scopes[0]))
    }

    @Test("only reasons that stop transactional mail deny it; all deny marketing")
    func classRules() throws {
        let filter = try RecipientFilter(lineCount: 64)
        for (n, reason) in Reason.known.enumerated() {
            let n = UInt64(n + 1)
            filter.insert(mark(n, scopes[0], reason), asks: false)
            #expect(filter.probe(query(n)) == .denied)
            let expected: FilterAnswer = reason.blocks(.transactional) ? .denied : .absent
            #expect(filter.probe(query(n, .transactional)) == expected)
        }
    }

    @Test("`ask` is never taken back, and a plain mark beside it still denies")
    func ask() throws {
        let filter = try RecipientFilter(lineCount: 64)
        #expect(filter.insert(mark(1, scopes[0]), asks: true) == .asks)
        #expect(filter.insert(mark(1, scopes[0]), asks: false) == .asks)
        #expect(filter.probe(query(1)) == .ask)
        filter.insert(mark(1, scopes[2]), asks: false)
        #expect(filter.probe(query(1)) == .denied)
        #expect(filter.insert(mark(1, scopes[2]), asks: true) == .asks)
        #expect(filter.probe(query(1)) == .ask)
        #expect(filter.count == 2)
    }

    @Test("two threads that insert the same people at once make no duplicate and lose nobody")
    func twoWriters() throws {
        let filter = try RecipientFilter(lineCount: 4_096)
        let done = DispatchGroup()
        for _ in 0..<2 {
            let thread = Thread {
                for n in 1...40_000 as ClosedRange<UInt64> {
                    filter.insert(mark(n, scopes[0]), asks: n % 7 == 0)
                }
                done.leave()
            }
            done.enter()
            thread.start()
        }
        done.wait()
        #expect(filter.count == 40_000)
        for n in 1...40_000 as ClosedRange<UInt64> {
            #expect(filter.probe(query(n)) == (n % 7 == 0 ? .ask : .denied))
        }
    }
}

@Suite(.serialized) struct ScanTests {
    private let sketchKey = SketchKey(k0: 1, k1: 2)

    private func open(_ scratch: Scratch, _ recorder: Recorder = Recorder()) throws -> Opened {
        try Store.open(directory: scratch.path, options: lazyOptions, sink: recorder.sink)
    }

    /// Suppressions of 1...count, every third one lifted, in one log batch each.
    private func changes(_ count: UInt64, from first: UInt64 = 1) -> [Change] {
        var changes: [Change] = []
        for n in first..<(first + count) {
            changes.append(suppress(n, dot(UInt64(changes.count) + first)))
            guard n % 3 == 0 else { continue }
            let covers = [changes[changes.count - 1].dot]
            changes.append(consent(n, dot(UInt64(changes.count) + first), covers: covers))
        }
        return changes
    }

    private func store(_ changes: [Change], _ opened: Opened, _ recorder: Recorder) throws {
        let first = opened.nextLocalSequence
        #expect(opened.store.append(LogBatch(firstSequence: first, changes: changes)))
        try #require(recorder.waitCommitted(first + UInt64(changes.count) - 1))
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(first + UInt64(changes.count) - 1))
    }

    @Test("the digest kept along the way, the scan's and one under a late key are the same")
    func digests() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let early = try open(scratch, recorder)
        #expect(early.digest == nil)
        early.store.adopt(sketchKey)
        let all = changes(3_000)
        try store(all, early, recorder)
        _ = early.store.close(deadlineMillis: 10_000)
        let last = recorder.all.compactMap {
            if case .checkpointed(_, _, let digest, _) = $0 { digest } else { nil }
        }.last

        let again = try open(scratch)
        #expect(again.damage.isEmpty)
        #expect(again.digest == last)
        #expect(again.marksCount == 3_000)
        for n in 1...3_000 as ClosedRange<UInt64> {
            #expect(again.filter.probe(query(n)) == (n % 3 == 0 ? .ask : .denied))
        }
        _ = again.store.close(deadlineMillis: 0)

        // Another directory, the same changes in another order, the key only afterwards.
        let other = try Scratch()
        let late = Recorder()
        let second = try open(other, late)
        try store(all.reversed(), second, late)
        second.store.adopt(sketchKey)
        let isSame = late.wait {
            if case .checkpointed(_, _, let digest?, _) = $0 {
                digest == again.digest
            } else {
                false
            }
        }
        #expect(isSame)
        _ = second.store.close(deadlineMillis: 0)
    }

    @Test("a mark deleted by a foreign tool while the node is stopped is noticed, for ever")
    func foreignDelete() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try open(scratch, recorder)
        opened.store.adopt(sketchKey)
        try store(changes(50), opened, recorder)
        _ = opened.store.close(deadlineMillis: 10_000)
        do {
            let raw = try Opening.begin(scratch.path, lazyOptions)
            var encoded: [UInt8] = []
            key(7).encode(into: &encoded)
            let transaction = try WriteTransaction(raw.state.environment)
            try #require(try transaction.delete(encoded, in: raw.state.tables.marks))
            try transaction.commit()
        }
        for _ in 0..<2 {
            let damaged = try open(scratch)
            #expect(damaged.damage.isUnequal)
            _ = damaged.store.close(deadlineMillis: 10_000)
        }
    }

    @Test("a run across several slices leaves what change after change would have left")
    func runs() throws {
        let scratch = try Scratch()
        let opening = try Opening.begin(scratch.path, lazyOptions)
        // Each person twice, far apart, so that keys repeat across the run.
        let all = changes(4_000) + (1...4_000).map { suppress($0, dot($0 + 100_000)) }
        let logged = all.enumerated().map {
            LoggedChange(sequence: UInt64($0.offset) + 1, change: $0.element)
        }
        var run = Checkpoint(opening.state, watermark: 0, held: HeldSet(), wallMillis: { 1 })
        run.sliceCount = 1_000
        try run.adopt(sketchKey)
        try run.merge(logged[...], through: UInt64(logged.count))
        #expect(all.allSatisfy { run.held.contains($0.dot) })

        let other = try Opening.begin(try Scratch().path, lazyOptions)
        var single = Checkpoint(other.state, watermark: 0, held: HeldSet(), wallMillis: { 1 })
        try single.adopt(sketchKey)
        for at in stride(from: 0, to: logged.count, by: 2_000) {
            let batch = logged[at..<min(at + 2_000, logged.count)]
            try single.merge(batch, through: batch[batch.endIndex - 1].sequence)
        }
        #expect(run.digest == single.digest && run.digest != MarkDigest())
        #expect(run.held == single.held && run.watermark == single.watermark)
        let index = try Snapshot(opening.state.environment).count(opening.state.tables.index)
        #expect(index == all.count)
    }

    @Test("a run that is stopped leaves the watermark; repeating it changes nothing twice")
    func stoppedRun() throws {
        let scratch = try Scratch()
        let opening = try Opening.begin(scratch.path, lazyOptions)
        var checkpoint = Checkpoint(
            opening.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 1 }
        )
        checkpoint.sliceCount = 1_000
        try checkpoint.adopt(sketchKey)
        let logged = changes(4_000).enumerated().map {
            LoggedChange(sequence: UInt64($0.offset) + 1, change: $0.element)
        }
        for slices in [1, 4, 7] {
            var asked = 0
            let isDone = try checkpoint.merge(logged[...], through: UInt64(logged.count)) {
                asked += 1
                return asked > slices
            }
            #expect(!isDone)
            #expect(checkpoint.watermark == 0 && !checkpoint.held.contains(logged[0].change.dot))
        }
        try checkpoint.merge(logged[...], through: UInt64(logged.count))
        var scan = MarkScan(filter: nil, key: sketchKey)
        _ = try scan.page(Snapshot(opening.state.environment), opening.state.tables.marks)
        #expect(checkpoint.digest == scan.digest)
        #expect(checkpoint.watermark == UInt64(logged.count))
    }

    @Test("a list leaves the marks that its people one by one would, on disk and in an overlay")
    func lists() throws {
        let people = (1...3_000).map { person($0).recipient }
        let scope = key(1).scope
        var changes: [Change] = []
        for (at, start) in stride(from: 0, to: 3_000, by: 1_000).enumerated() {
            let list = SuppressionList(
                tenant: TenantID(raw: 7),
                scope: scope,
                reason: .unsubscribe,
                source: .imported,
                recipients: Array(people[start..<(start + 1_000)])
            )
            let own = dot(UInt64(at) + 1)
            changes.append(Change(dot: own, time: HybridTime(raw: 1), body: .list(list)))
        }
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try open(scratch, recorder)
        opened.store.adopt(sketchKey)
        var overlay = Overlay()
        for (at, change) in changes.enumerated() {
            let isTaken = overlay.insert(UInt64(at) + 1, change)
            #expect(isTaken)
        }
        #expect(overlay.count == 3_000)
        #expect(overlay.mark(key(2_999)) == changes[2].mark(998))
        try store(changes, opened, recorder)
        overlay.drop(through: 2)
        #expect(overlay.count == 1_000 && overlay.mark(key(1)) == nil)
        do {
            var reader = try opened.store.reader()
            try reader.renew()
            #expect(try reader.marksCount() == 3_000)
            #expect(try reader.mark(key(2_999)) == .present(changes[2].mark(998)))
            guard case .list(let found)? = try reader.target(of: dot(2)) else {
                Issue.record("the index does not lead back to the list")
                return
            }
            #expect(found.recipients == Array(people[1_000..<2_000]))
        }
        _ = opened.store.close(deadlineMillis: 10_000)
        let again = try open(scratch)
        #expect(again.damage.isEmpty && again.marksCount == 3_000)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("a larger filter gets every mark, page by page, while others are written")
    func fill() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        var options = lazyOptions
        options.scanPageCount = 500
        let opened = try Store.open(
            directory: scratch.path,
            options: options,
            sink: recorder.sink
        )
        let first = changes(3_200)
        try store(first, opened, recorder)
        let larger = try RecipientFilter(lineCount: 16_384)
        opened.store.fill(larger, through: UInt64(first.count) + 1)
        #expect(larger.count == 0, "change \(first.count + 1) is not in the state yet")
        let next = suppress(500_000, dot(UInt64(first.count) + 1))
        let batch = LogBatch(firstSequence: UInt64(first.count) + 1, changes: [next])
        #expect(opened.store.append(batch))
        try #require(recorder.waitCommitted(batch.firstSequence))
        opened.store.requestCheckpoint()
        try #require(recorder.wait { $0 == .filled })
        for n in 1...3_200 as ClosedRange<UInt64> {
            #expect(larger.probe(query(n)) == (n % 3 == 0 ? .ask : .denied))
        }
        #expect(larger.probe(query(500_000)) == .denied)
        _ = opened.store.close(deadlineMillis: 0)
    }
}

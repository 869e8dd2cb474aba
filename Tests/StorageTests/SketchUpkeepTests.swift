// The sketch beside the marks: at any time it is what a walk over the marks would give.

import Foundation
import Suppression
import Testing

@testable import Storage

@Suite(.serialized) struct SketchUpkeepTests {
    private let sketchKey = SketchKey(k0: 11, k1: 12)

    private func scanned(_ state: StateFile) throws -> Sketch {
        var scan = MarkScan(filter: nil, key: sketchKey, collectsIDs: true)
        _ = try scan.page(Snapshot(state.environment), state.tables.marks)
        var sketch = Sketch()
        sketch.toggle(scan.ids)
        #expect(sketch.digest == scan.digest)
        return sketch
    }

    /// A write of a kind and about people that the dice choose.
    private func write(_ at: UInt64, _ dice: inout Seeded) -> Change {
        let n = UInt64.random(in: 1...200, using: &dice)
        let own = dot(at, node: UInt64.random(in: 1...3, using: &dice))
        switch UInt8.random(in: 0..<10, using: &dice) {
        case 0..<5: return suppress(n, own)
        case 5..<7:
            let seen = UInt64.random(in: 1...at, using: &dice)
            return consent(n, own, covers: [dot(seen, node: seen % 3 + 1)])
        case 7..<9:
            let people = (0..<20).map { person((n + $0) % 400 + 1).recipient }
            let list = SuppressionList(
                tenant: TenantID(raw: 7),
                scope: Scope(stream: StreamID(raw: 5), topic: .any),
                reason: .manual,
                source: .imported,
                recipients: people
            )
            return Change(dot: own, time: HybridTime(raw: at), body: .list(list))
        default:
            let mark = suppress(n, own).mark(0)
            return .note(.merged(Merged(.mark(key(n), mark), dots: [own])))
        }
    }

    @Test("kept along the way or recomputed, during the walk or behind it: the same cells")
    func upkeep() throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            let opening = try Opening.begin(try Scratch().path, lazyOptions)
            var checkpoint = Checkpoint(
                opening.state,
                watermark: 0,
                held: HeldSet(),
                wallMillis: { 1 }
            )
            checkpoint.sliceCount = 64
            var dice = Seeded(state: seed)
            var sequence: UInt64 = 0
            func batch(_ count: Int) -> [LoggedChange] {
                (0..<count).map { _ in
                    sequence += 1
                    return LoggedChange(sequence: sequence, change: write(sequence, &dice))
                }
            }
            try checkpoint.merge(batch(300)[...], through: sequence)
            #expect(checkpoint.tally.sketch == nil, "no key yet")
            try checkpoint.adopt(sketchKey)
            var pages = 0
            while try checkpoint.walk(limit: 9) {
                pages += 1
                #expect(checkpoint.tally.sketch == nil, "not all marks are in it")
                if pages % 4 == 0 { try checkpoint.merge(batch(5)[...], through: sequence) }
            }
            #expect(pages > 10)
            #expect(try checkpoint.tally.sketch == scanned(opening.state), "seed \(seed)")
            for count in [1, 40, 3_000, 7] {
                try checkpoint.merge(batch(count)[...], through: sequence)
                #expect(try checkpoint.tally.sketch == scanned(opening.state), "seed \(seed)")
            }
            #expect(checkpoint.tally.sketch?.digest == checkpoint.digest)
        }
    }

    @Test("a commit that the disk refuses leaves no trace in the cells")
    func refused() throws {
        let opening = try Opening.begin(try Scratch().path, lazyOptions)
        var checkpoint = Checkpoint(
            opening.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 1 }
        )
        try checkpoint.adopt(sketchKey)
        _ = try checkpoint.walk(limit: 10)
        let logged = (1...2_000).map { LoggedChange(sequence: $0, change: suppress($0, dot($0))) }
        try checkpoint.merge(logged[..<100], through: 100)
        let before = checkpoint.tally.sketch
        let fault = try WriteFault(opening.state.environment, path: "/dev/full", flags: O_RDWR)
        #expect(throws: StorageError.full) {
            try checkpoint.merge(logged[100...], through: 2_000)
        }
        fault.restore()
        #expect(checkpoint.tally.sketch == before && before != nil)
        try checkpoint.merge(logged[100...], through: 2_000)
        #expect(try checkpoint.tally.sketch == scanned(opening.state))
    }

    @Test("a frozen copy shows what was committed before it, and nothing later")
    func frozen() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        opened.store.adopt(sketchKey)
        #expect(opened.store.append(optOuts(1...500)))
        try #require(recorder.waitCommitted(500))
        opened.store.freeze()
        func copies() -> [Sketch] {
            recorder.all.compactMap {
                if case .frozen(let sketch?, marks: _) = $0 { sketch } else { nil }
            }
        }
        // The first may come before the walk of an empty table is behind it: ask until it is.
        for _ in 0..<100 where copies().isEmpty {
            let seen = recorder.all.count { if case .frozen = $0 { true } else { false } }
            opened.store.freeze()
            try #require(
                recorder.wait { _ in
                    recorder.all.count { if case .frozen = $0 { true } else { false } } > seen
                }
            )
        }
        let first = try #require(copies().first)
        #expect(try first == scanned(opened.state))
        #expect(opened.store.append(optOuts(501...900)))
        try #require(recorder.waitCommitted(900))
        opened.store.freeze()
        try #require(recorder.wait { if case .frozen(_, marks: 900) = $0 { true } else { false } })
        let last = try #require(copies().last)
        #expect(try last == scanned(opened.state))
        #expect(first != last && copies().first == first)
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("what was found is reported, what was written keeps the doubt until repair takes it back")
    func doubt() throws {
        let scratch = try Scratch()
        func open(_ recorder: Recorder = Recorder()) throws -> Opened {
            try Store.open(directory: scratch.path, options: lazyOptions, sink: recorder.sink)
        }
        let healthy = try open()
        healthy.store.adopt(sketchKey)
        #expect(healthy.store.append(optOuts(1...60)))
        _ = healthy.store.close(deadlineMillis: 10_000)
        do {
            let raw = try Opening.begin(scratch.path, lazyOptions)
            let transaction = try WriteTransaction(raw.state.environment)
            for n in [7, 8, 9] as [UInt64] {
                var encoded: [UInt8] = []
                key(n).encode(into: &encoded)
                try #require(try transaction.delete(encoded, in: raw.state.tables.marks))
            }
            try transaction.commit()
        }
        let damaged = try open()
        #expect(damaged.damage.isUnequal && damaged.damage.isOfMarks)
        #expect(try damaged.digest == scanned(damaged.state).digest)
        // Later writes go on top of both.
        #expect(damaged.store.append(optOuts(61...80)))
        _ = damaged.store.close(deadlineMillis: 10_000)

        let recorder = Recorder()
        let again = try open(recorder)
        #expect(again.damage.isUnequal)
        #expect(try again.digest == scanned(again.state).digest)
        again.store.forgetDamage()
        again.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(again.watermark))
        _ = again.store.close(deadlineMillis: 10_000)
        let trusted = try open()
        #expect(trusted.damage.isEmpty)
        _ = trusted.store.close(deadlineMillis: 0)
    }

    @Test("an audit reads every mark again, while others are written, and finds what is wrong")
    func audit() throws {
        let scratch = try Scratch()
        let opening = try Opening.begin(scratch.path, lazyOptions)
        var checkpoint = Checkpoint(
            opening.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 1 }
        )
        let isEarly = checkpoint.tally.beginAudit()
        #expect(!isEarly, "there is no sketch yet")
        try checkpoint.adopt(sketchKey)
        var dice = Seeded(state: 5)
        var sequence: UInt64 = 0
        func write(_ count: Int) throws {
            let logged = (0..<count).map { _ in
                sequence += 1
                return LoggedChange(sequence: sequence, change: self.write(sequence, &dice))
            }
            try checkpoint.merge(logged[...], through: sequence)
        }
        func audited() throws -> Audit? {
            let hasBegun = checkpoint.tally.beginAudit()
            #expect(hasBegun)
            while try checkpoint.walk(limit: 13) { try write(3) }
            defer { checkpoint.tally.audit = nil }
            return checkpoint.tally.audit
        }
        try write(200)
        while try checkpoint.walk(limit: 50) {}
        #expect(try audited() == Audit(damagedCount: 0, isEqual: true))

        // Someone else's hand while we run.
        do {
            let transaction = try WriteTransaction(opening.state.environment)
            var deletedCount = 0
            for n in 1...400 as ClosedRange<UInt64> where deletedCount == 0 {
                var gone: [UInt8] = []
                key(n).encode(into: &gone)
                deletedCount += try transaction.delete(gone, in: opening.state.tables.marks) ? 1 : 0
            }
            #expect(deletedCount == 1)
            try transaction.commit()
        }
        let found = try audited()
        #expect(found?.isEqual == false)
        #expect(try checkpoint.tally.sketch == scanned(opening.state), "the disk is what counts")
        #expect(checkpoint.tally.isDoubted, "and what was written keeps its say")
        #expect(try audited() == Audit(damagedCount: 0, isEqual: true))
    }

    @Test("an audit counts the marks whose checksum is wrong")
    func checksums() throws {
        let scratch = try Scratch()
        let first = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        first.store.adopt(sketchKey)
        #expect(first.store.append(optOuts(1...30)))
        _ = first.store.close(deadlineMillis: 10_000)
        for n in [4, 9] as [UInt64] {
            var encoded: [UInt8] = []
            key(n).encode(into: &encoded)
            #expect(try corrupt(scratch.file("state.mdb"), after: encoded + [1], skipping: 30) > 0)
        }
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        // It is refused while the sketch is rebuilt behind the start; whoever wants it asks again.
        for _ in 0..<5_000 where !recorder.all.contains(.audited(found)) {
            let count = recorder.all.count
            opened.store.audit()
            try #require(recorder.wait { _ in recorder.all.count > count })
            if recorder.all.last == .audited(nil) { usleep(2_000) }
        }
        #expect(recorder.all.contains(.audited(found)))
        _ = opened.store.close(deadlineMillis: 0)
    }

    private var found: Audit { Audit(damagedCount: 2, isEqual: true) }
}

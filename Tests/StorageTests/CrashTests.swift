// What survives: commits without checkpoint, trims, refusals, and the start after each.
//
// A crash is a store that closes with deadline 0: what was committed lies in the log, nothing was
// merged. Real kill -9 and power cuts are Live tests.

import Foundation
import Suppression
import Testing

@testable import Storage

@Suite(.serialized) struct CrashTests {
    @Test("every committed change is there after a crash, merged before open returns")
    func replay() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let first = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(first.created)
        #expect(first.restored == nil)
        #expect(first.nextLocalSequence == 1)
        #expect(first.store.append(optOuts(1...500)))
        #expect(
            first.store.append(
                LogBatch(firstSequence: 501, changes: [consent(1, dot(501), covers: [dot(1)])])
            )
        )
        try #require(recorder.waitCommitted(501))
        #expect(!first.store.close(deadlineMillis: 0))
        #expect(!recorder.all.contains { if case .checkpointed = $0 { true } else { false } })

        let second = try Store.open(directory: scratch.path, sink: Recorder().sink)
        #expect(!second.created)
        #expect(second.restored == nil)
        #expect(second.damage.isEmpty)
        #expect(second.watermark == 501)
        #expect(second.nextLocalSequence == 502)
        #expect(second.marksCount == 500)
        #expect(second.heldSet.entries.count == 1)
        #expect(second.heldSet.entries.first?.intervals == [SequenceInterval(first: 1, last: 501)])
        #expect(try !second.suppresses(1))
        for n in 2...UInt64(500) { #expect(try second.suppresses(n)) }
        #expect(second.store.close(deadlineMillis: 10_000))
    }

    @Test("trim the log empty, restart, append, crash, restart: nothing lost")
    func sequencesGoOnAboveTheWatermark() throws {
        let scratch = try Scratch()
        var recorder = Recorder()
        let first = try Store.open(directory: scratch.path, sink: recorder.sink)
        #expect(first.store.append(optOuts(1...100)))
        #expect(first.store.close(deadlineMillis: 10_000))

        recorder = Recorder()
        let second = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(try second.log.extremes() == nil)
        #expect(second.nextLocalSequence == 101)
        #expect(second.store.append(optOuts(101...150)))
        try #require(recorder.waitCommitted(150))
        #expect(!second.store.close(deadlineMillis: 0))

        let third = try Store.open(directory: scratch.path, sink: Recorder().sink)
        #expect(third.restored == nil)
        #expect(third.watermark == 150)
        for n in 1...UInt64(150) { #expect(try third.suppresses(n)) }
        #expect(third.store.close(deadlineMillis: 10_000))
    }

    @Test("a checkpoint raises the watermark, shows the marks and trims the log while running")
    func checkpointing() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        var reader = try opened.store.reader()
        try reader.renew()
        #expect(reader.watermark == 0)
        #expect(opened.store.append(optOuts(1...10)))
        try #require(recorder.waitCommitted(10))
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(10))
        #expect(try reader.mark(key(3)) == .absent, "a snapshot does not move by itself")
        try reader.renew()
        #expect(reader.watermark == 10)
        #expect(try reader.marksCount() == 10)
        #expect(
            try reader.mark(key(3))
                == .present(
                    Mark(
                        SuppressingDot(
                            dot: dot(3),
                            time: HybridTime(raw: 3 << 16),
                            source: .oneClick
                        )
                    )
                )
        )
        #expect(try reader.target(of: dot(3)) == .mark(key(3)))
        #expect(try reader.target(of: dot(11)) == nil)
        #expect(opened.store.close(deadlineMillis: 10_000))
    }

    @Test("commits are in order, exactly once, never above the bound")
    func groupCommit() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(directory: scratch.path, sink: recorder.sink)
        var next: UInt64 = 1
        var size: UInt64 = 1
        while next <= 5_000 {
            #expect(opened.store.append(optOuts(next...(next + size - 1))))
            next += size
            size = size * 7 % 1_013 + 1
        }
        try #require(recorder.waitCommitted(next - 1))
        var through: UInt64 = 0
        for event in recorder.all {
            guard case .committed(let reached, let count, _) = event else { continue }
            #expect(count <= Limits.commitChangesCount)
            #expect(reached == through + UInt64(count))
            through = reached
        }
        #expect(through == next - 1)
        #expect(opened.store.close(deadlineMillis: 10_000))
        #expect(!opened.store.append(optOuts(next...next)), "a closed store takes nothing")
    }

    @Test("the queue has a bound and says so")
    func bound() throws {
        let queue = try LogQueue()
        var next: UInt64 = 1
        while queue.append(optOuts(next...(next + 999))) { next += 1_000 }
        #expect(next - 1 == 132_000)
    }

    @Test("a full disk refuses what is in hand, keeps what was stored, and goes on when it can")
    func fullDisk() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(opened.store.append(optOuts(1...5)))
        try #require(recorder.waitCommitted(5))
        let fault = try WriteFault(opened.log.environment, path: "/dev/full", flags: O_RDWR)
        #expect(opened.store.append(optOuts(6...9)))
        try #require(recorder.wait { $0 == .refused(sequences: 6...9, .full) })
        fault.restore()
        #expect(opened.store.append(optOuts(10...12)))
        try #require(recorder.waitCommitted(12))
        #expect(try !opened.suppresses(10), "not checkpointed yet")
        _ = opened.store.close(deadlineMillis: 0)

        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        #expect(again.restored == nil, "the gap is written down: \(again.restored ?? "")")
        #expect(again.damage.isEmpty)
        #expect(again.nextLocalSequence == 13)
        for n in 1...UInt64(12) { #expect(try again.suppresses(n) == !(6...9).contains(n)) }
        #expect(!again.heldSet.contains(dot(6)))
        #expect(again.store.close(deadlineMillis: 10_000))
    }

    @Test("a log whose map is full refuses, keeps what it has, and goes on in a larger map")
    func fullMap() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        var options = lazyOptions
        options.logMapBytes = 1 << 20
        let opened = try Store.open(directory: scratch.path, options: options, sink: recorder.sink)
        var next: UInt64 = 1
        do {
            // An old snapshot keeps trimmed pages from being used again, so the map does fill.
            let pin = try Snapshot(opened.log.environment)
            while !recorder.isRefused, next < 100_000 {
                try #require(opened.store.append(optOuts(next...(next + 99))))
                next += 100
                try #require(recorder.waitAnswered(next - 1))
            }
            #expect(try pin.count(opened.log.tables.log) == 0)
        }
        #expect(recorder.isRefused)
        let stored = next - 101
        _ = opened.store.close(deadlineMillis: 10_000)
        let again = try Store.open(directory: scratch.path, sink: recorder.sink)
        #expect(again.restored == nil)
        #expect(again.nextLocalSequence == stored + 1)
        for n in 1...(stored + 100) { #expect(try again.suppresses(n) == (n <= stored)) }
        #expect(again.store.close(deadlineMillis: 10_000))
    }

    @Test("on a disk that is really full writes are shed, reads go on, and room ends it all")
    func fullFileSystem() throws {
        let scratch = try Scratch()
        guard try run("/bin/mount", "-t", "tmpfs", "-o", "size=24m", "none", scratch.path) == 0
        else {
            print("SKIPPED: mounting a small tmpfs is not permitted here")
            return
        }
        defer {
            do { _ = try run("/bin/umount", scratch.path) } catch { print("still mounted") }
        }
        try Data(count: 21 << 20).write(to: URL(fileURLWithPath: scratch.file("ballast")))
        let directory = scratch.file("data")
        let recorder = Recorder()
        let opened = try Store.open(directory: directory, sink: recorder.sink)
        var next: UInt64 = 1
        while !recorder.isRefused, next < 200_000 {
            try #require(opened.store.append(optOuts(next...(next + 99))))
            next += 100
            try #require(recorder.waitAnswered(next - 1))
        }
        #expect(recorder.isRefused)
        var reader = try opened.store.reader()
        try reader.renew()
        #expect(try reader.marksCount() <= Int(next))
        reader.reset()
        try FileManager.default.removeItem(atPath: scratch.file("ballast"))
        #expect(opened.store.append(optOuts(next...next)))
        try #require(recorder.waitCommitted(next))
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(next))
        try reader.renew()
        for event in recorder.all {
            guard case .refused(let numbers, _) = event else { continue }
            for n in numbers { #expect(try reader.mark(key(n)) == .absent) }
        }
        for n in 1...next where !recorder.refused.contains(n) {
            #expect(try reader.mark(key(n)) != .absent)
        }
        _ = consume reader
        _ = opened.store.close(deadlineMillis: 10_000)
    }

    @Test("a checkpoint without room waits, and reads the log when there is room")
    func fullState() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        let fault = try WriteFault(
            opened.state.environment,
            path: "/dev/full",
            flags: O_RDWR
        )
        #expect(opened.store.append(optOuts(1...5_000)))
        try #require(recorder.waitCommitted(5_000))
        opened.store.requestCheckpoint()
        try #require(recorder.wait { $0 == .checkpointRefused(.full) })
        fault.restore()
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(5_000))
        for n in 1...UInt64(5_000) { #expect(try opened.suppresses(n)) }
        #expect(opened.store.close(deadlineMillis: 10_000))
    }

    @Test("any other error latches: one failed, then nothing, and nothing acknowledged is lost")
    func latch() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(opened.store.append(optOuts(1...5)))
        try #require(recorder.waitCommitted(5))
        let fault = try WriteFault(
            opened.log.environment,
            path: scratch.file("log.mdb"),
            flags: O_RDONLY
        )
        #expect(opened.store.append(optOuts(6...9)))
        try #require(recorder.waitFailed())
        fault.restore()
        #expect(!opened.store.append(optOuts(10...12)), "a healthy disk does not lift the latch")
        opened.store.requestCheckpoint()
        #expect(!opened.store.close(deadlineMillis: 10_000))
        if case .failed = recorder.all.last {} else { Issue.record("failed is the last event") }
        #expect(recorder.all.count == 2)

        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        for n in 1...UInt64(5) { #expect(try again.suppresses(n)) }
        #expect(again.store.close(deadlineMillis: 10_000))
    }

    @Test("replaying the same records twice changes no mark, register or held set")
    func idempotent() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let changes = [
            suppress(1, dot(1)), suppress(1, dot(2)), consent(1, dot(3), covers: [dot(1)]),
            register("a", dot(4), generation: 2, value: "x"),
        ]
        func logged(from first: UInt64) -> [LoggedChange] {
            changes.enumerated().map {
                LoggedChange(sequence: first + UInt64($0.offset), change: $0.element)
            }
        }
        var checkpoint = Checkpoint(
            opened.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 0 }
        )
        try checkpoint.merge(logged(from: 1)[...], through: 4)
        let held = checkpoint.held
        var reader = try opened.store.reader()
        try reader.renew()
        let once = try reader.mark(key(1))
        try checkpoint.merge(logged(from: 5)[...], through: 8)
        try reader.renew()
        #expect(try reader.mark(key(1)) == once)
        #expect(checkpoint.held == held)
        var damage = Damage()
        #expect(try opened.state.registers(&damage).count == 1)
        #expect(damage.isEmpty)
        #expect(try reader.evidence(of: dot(3)) == [1, 2, 3])
        _ = opened.store.close(deadlineMillis: 0)
    }
}

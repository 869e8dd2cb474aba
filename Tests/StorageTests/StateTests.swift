// What the state says: damage, overlay and snapshot as one, registers, requests, foreign tools.

import Foundation
import Suppression
import Testing

@testable import Storage

/// `#expect` of a mutating call; the macro cannot hold one.
private func require(
    _ condition: Bool,
    at location: SourceLocation = #_sourceLocation
) {
    #expect(condition, sourceLocation: location)
}

@Suite(.serialized) struct StateTests {
    @Test("a flipped byte in a mark reads as suppressed, is kept, and later changes lie beside it")
    func damagedMark() throws {
        let scratch = try Scratch()
        let first = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let changes = [suppress(1, dot(1)), consent(1, dot(2), covers: [dot(1)])]
        #expect(first.store.append(LogBatch(firstSequence: 1, changes: changes)))
        #expect(first.store.close(deadlineMillis: 10_000))
        var encoded: [UInt8] = []
        key(1).encode(into: &encoded)
        // The key, then the mark: version, |U| = 0, |C| = 1.
        let found = try corrupt(
            scratch.file("state.mdb"),
            after: encoded + [1, 0, 0, 0, 1],
            skipping: 3
        )
        #expect(found > 0)

        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        var reader = try opened.store.reader()
        try reader.renew()
        #expect(try reader.mark(key(1)) == .damaged)
        var seen: [Mark?] = []
        try reader.forEachMark(of: person(1)) { _, mark in seen.append(mark) }
        #expect(seen == [nil])
        var overlay = Overlay()
        require(overlay.insert(3, consent(1, dot(3), covers: [dot(2)])))
        seen = []
        try reader.forEachMark(of: person(1), under: overlay) { _, mark in seen.append(mark) }
        #expect(seen == [nil], "no consent lifts what cannot be read")

        #expect(
            opened.store.append(
                LogBatch(firstSequence: 3, changes: [suppress(1, dot(3))])
            )
        )
        try #require(recorder.waitCommitted(3))
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(3))
        try reader.renew()
        #expect(try reader.mark(key(1)) == .damaged)
        var buffer = Unsealed()
        let aside = try Snapshot(opened.state.environment).read(
            encoded,
            in: opened.state.tables.aside,
            into: &buffer
        )
        #expect(aside == .intact)
        #expect(decodedMark(buffer)?.suppressions.map(\.dot) == [dot(3)])
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a flipped byte in the log costs that record alone, and the directory is in doubt")
    func damagedRecord() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let first = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(first.store.append(optOuts(1...3)))
        try #require(recorder.waitCommitted(3))
        _ = first.store.close(deadlineMillis: 0)
        var encoded: [UInt8] = []
        suppress(2, dot(2)).encode(into: &encoded)
        #expect(try corrupt(scratch.file("log.mdb"), after: Array(encoded.dropLast(4))) > 0)

        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        #expect(opened.damage.logRecords == 1)
        #expect(opened.restored != nil)
        #expect(try opened.suppresses(1))
        #expect(try !opened.suppresses(2))
        #expect(try opened.suppresses(3))
        #expect(!opened.heldSet.contains(dot(2)), "not held: a peer that has it will be asked")
        #expect(opened.nextLocalSequence == 4)
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try Store.open(directory: scratch.path, sink: recorder.sink)
        #expect(again.restored != nil, "the log is trimmed, the doubt stays")
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("overlay over snapshot equals the plain merge, whatever the order of checkpoints")
    func overlayEqualsMerge() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        var random = Seeded(state: 42)
        var checkpoint = Checkpoint(
            opened.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 0 }
        )
        var reader = try opened.store.reader()
        var overlay = Overlay()
        var plain: [MarkKey: Mark] = [:]
        var waiting: [LoggedChange] = []
        try reader.renew()
        for sequence in 1...UInt64(600) {
            let n = UInt64.random(in: 1...6, using: &random)
            let own = dot(sequence, node: UInt64.random(in: 1...3, using: &random))
            let covers = (plain[key(n)]?.suppressions ?? []).map(\.dot)
            let lifts = !covers.isEmpty && Bool.random(using: &random)
            let change = lifts ? consent(n, own, covers: covers) : suppress(n, own)
            plain[key(n), default: Mark()].merge(change.mark(0))
            require(overlay.insert(sequence, change))
            waiting.append(LoggedChange(sequence: sequence, change: change))
            if UInt64.random(in: 0..<4, using: &random) == 0 {
                let count = Int.random(in: 1...waiting.count, using: &random)
                try checkpoint.merge(waiting.prefix(count), through: waiting[count - 1].sequence)
                waiting.removeFirst(count)
            }
            if Bool.random(using: &random) {
                try reader.renew()
                overlay.drop(through: reader.watermark)
            }
            #expect(overlay.count == Int(sequence - reader.watermark) || !waiting.isEmpty)
            for n in 1...UInt64(6) {
                var seen: [MarkKey: Mark?] = [:]
                try reader.forEachMark(of: person(n), under: overlay) { seen[$0] = $1 }
                #expect(seen == (plain[key(n)].map { [key(n): $0] } ?? [:]))
                let single = plain[key(n)].map { StoredMark.present($0) } ?? .absent
                #expect(try reader.mark(key(n), under: overlay) == single)
            }
        }
        try checkpoint.merge(waiting[...], through: 600)
        try reader.renew()
        overlay.drop(through: reader.watermark)
        #expect(overlay.count == 0)
        for n in 1...UInt64(6) {
            #expect(overlay.mark(key(n)) == nil)
            #expect(try reader.mark(key(n)) == plain[key(n)].map { .present($0) } ?? .absent)
        }
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test(
        "one seek walks a person's marks in key order, snapshot and overlay together, nobody else's"
    )
    func walk() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        var reader = try opened.store.reader()
        var overlay = Overlay()
        var all: [MarkKey] = []
        var stored: [LoggedChange] = []
        for sequence in 1...UInt64(40) {
            let scope = Scope(
                stream: StreamID(raw: UInt32(sequence * 37 % 11)),
                topic: TopicID(raw: 1)
            )
            let someone = sequence % 4 == 0 ? person(9) : person(8)
            let mark = MarkKey(person: someone, scope: scope, reason: Reason(raw: UInt8(sequence)))
            let own = dot(sequence)
            let time = HybridTime(raw: 1)
            let change = Change(
                dot: own,
                time: time,
                body: .suppress(mark, SuppressingDot(dot: own, time: time, source: .api))
            )
            if sequence <= 20 {
                stored.append(LoggedChange(sequence: sequence, change: change))
            } else {
                require(overlay.insert(sequence, change))
            }
            if someone == person(8) { all.append(mark) }
        }
        var checkpoint = Checkpoint(
            opened.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { 0 }
        )
        try checkpoint.merge(stored[...], through: 20)
        try reader.renew()
        var seen: [MarkKey] = []
        try reader.forEachMark(of: person(8), under: overlay) { key, _ in seen.append(key) }
        #expect(seen == all.sorted())
        #expect(seen.count == 30)
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("the overlay counts, warns at half, sheds at full and refuses at its bound")
    func overlayBounds() {
        var overlay = Overlay()
        var sequence: UInt64 = 0
        func fill(to count: Int) {
            while overlay.count < count {
                sequence += 1
                require(overlay.insert(sequence, suppress(sequence % 10, dot(sequence))))
            }
        }
        fill(to: Limits.overlayHalfCount - 1)
        #expect(!overlay.isHalfFull)
        fill(to: Limits.overlayHalfCount)
        #expect(overlay.isHalfFull && !overlay.isFull)
        fill(to: Limits.overlayFullCount)
        #expect(overlay.isFull)
        fill(to: Limits.overlayBoundCount)
        require(!overlay.insert(sequence + 1, suppress(77, dot(sequence + 1))))
        #expect(overlay.mark(key(77)) == nil)
        overlay.drop(through: sequence - 5)
        #expect(overlay.count == 5)
        #expect(overlay.mark(key((sequence - 5) % 10)) == nil)
        #expect(overlay.mark(key(sequence % 10)) != nil)
    }

    @Test("the winning register is kept, across starts and whatever the order")
    func registers() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let changes = [
            register("k/1", dot(1), generation: 2, value: "second"),
            register("k/1", dot(2), generation: 1, value: "first"),
            register("k/2", dot(3), generation: 1, final: true, value: "revoked"),
            register("k/2", dot(4), generation: 9, value: "alive"),
            register("", dot(5), generation: 1, value: "nameless"),
        ]
        #expect(opened.store.append(LogBatch(firstSequence: 1, changes: changes)))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        #expect(
            again.registers.map { String(decoding: $0.value, as: UTF8.self) }
                == ["second", "revoked"]
        )
        #expect(again.heldSet.contains(dot(5)))
        var reader = try again.store.reader()
        try reader.renew()
        #expect(try reader.target(of: dot(2)) == .register(name: Array("k/1".utf8)))
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("a change of a newer kind is kept whole under its dot")
    func opaque() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let change = Change(
            dot: dot(1),
            time: HybridTime(raw: 5),
            body: .opaque(kind: 77, [9, 8, 7])
        )
        #expect(opened.store.append(LogBatch(firstSequence: 1, changes: [change])))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        var reader = try again.store.reader()
        try reader.renew()
        guard case .opaque(let bytes)? = try reader.target(of: dot(1)) else {
            Issue.record("no bytes")
            return
        }
        #expect(try Change(decoding: bytes.span) == change)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("idempotency keys are remembered for 24 hours, then forgotten; the latest dot counts")
    func requests() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        func stamp(_ n: UInt64) -> RequestStamp {
            RequestStamp(id: Recipient(high: n, low: n), body: n * 100)
        }
        func logged(_ sequence: UInt64, _ n: UInt64) -> [LoggedChange] {
            let change = suppress(n, dot(sequence), request: stamp(n))
            return [LoggedChange(sequence: sequence, change: change)]
        }
        let clock = Clock(now: 1_000_000_000_000)
        var checkpoint = Checkpoint(
            opened.state,
            watermark: 0,
            held: HeldSet(),
            wallMillis: { clock.read() }
        )
        var reader = try opened.store.reader()
        try checkpoint.merge(logged(1, 1)[...], through: 1)
        clock.advance(Limits.requestMemoryMillis / 2)
        try checkpoint.merge(logged(2, 2)[...], through: 2)
        try checkpoint.merge(logged(3, 1)[...], through: 3)
        try reader.renew()
        #expect(try reader.request(stamp(1).id)?.dot == dot(3))
        #expect(try reader.request(stamp(1).id)?.body == 100)
        clock.advance(Limits.requestMemoryMillis / 2 + 1)
        try checkpoint.merge([][...], through: 3)
        try reader.renew()
        #expect(try reader.request(stamp(1).id)?.dot == dot(3), "its time began again")
        #expect(try reader.request(stamp(2).id) != nil)
        clock.advance(Limits.requestMemoryMillis / 2)
        try checkpoint.merge([][...], through: 3)
        try reader.renew()
        #expect(try reader.request(stamp(1).id) == nil)
        #expect(try reader.request(stamp(2).id) == nil)
        let left = try Snapshot(opened.state.environment).count(
            opened.state.tables.requestsByTime
        )
        #expect(left == 0)
        var overlay = Overlay()
        require(overlay.insert(4, suppress(5, dot(4), request: stamp(5))))
        #expect(try reader.request(stamp(5).id, under: overlay)?.dot == dot(4))
        overlay.drop(through: 4)
        #expect(try reader.request(stamp(5).id, under: overlay) == nil)
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a foreign tool sees the keys of section 4 in the named database marks")
    func foreignTool() throws {
        let tool = "/usr/bin/mdb_dump"
        guard FileManager.default.isExecutableFile(atPath: tool) else {
            print("SKIPPED: \(tool) is absent; install lmdb-utils")
            return
        }
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        #expect(opened.store.append(optOuts(1...20)))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let dump = Process()
        let output = Pipe()
        dump.executableURL = URL(fileURLWithPath: tool)
        dump.arguments = ["-n", "-s", "marks", scratch.file("state.mdb")]
        dump.standardOutput = output
        try dump.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        dump.waitUntilExit()
        #expect(dump.terminationStatus == 0)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix(" ") }.map { $0.dropFirst() }
        let keys = stride(from: 0, to: rows.count, by: 2).map { String(rows[$0]) }
        let expected = (1...UInt64(20)).map { n in
            var bytes: [UInt8] = []
            key(n).encode(into: &bytes)
            return bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        #expect(keys == expected.sorted())
    }
}

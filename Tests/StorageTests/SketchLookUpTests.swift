// From ids back to marks: among tenants, after changes, past damage.

import Suppression
import Testing

@testable import Storage

@Suite(.serialized) struct SketchLookUpTests {
    private let sketchKey = SketchKey(k0: 21, k1: 22)

    private func id(_ key: MarkKey, _ mark: Mark) -> UInt64 {
        var bytes: [UInt8] = []
        key.encode(into: &bytes)
        mark.encode(into: &bytes)
        return MarkDigest.id(record: bytes.span, count: bytes.count, hash: sketchKey.hash)
    }

    /// The same person's key in another tenant: the same leading bits.
    private func key(_ n: UInt64, tenant: UInt64) -> MarkKey {
        MarkKey(
            person: Person(tenant: TenantID(raw: tenant), recipient: person(n).recipient),
            scope: Scope(stream: StreamID(raw: 5), topic: .any),
            reason: .unsubscribe
        )
    }

    private func change(_ key: MarkKey, _ dot: Dot) -> Change {
        let time = HybridTime(raw: dot.sequence << 16)
        let suppression = SuppressingDot(dot: dot, time: time, source: .oneClick)
        return Change(dot: dot, time: time, body: .suppress(key, suppression))
    }

    private func opened(_ scratch: Scratch, _ changes: [Change]) throws -> Opened {
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        let first = opened.nextLocalSequence
        let last = first + UInt64(changes.count) - 1
        guard !changes.isEmpty else { return opened }
        #expect(opened.store.append(LogBatch(firstSequence: first, changes: changes)))
        try #require(recorder.waitCommitted(last))
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(last))
        return opened
    }

    @Test("an id leads to its mark in whichever tenant, and to nothing once the mark has changed")
    func lookUp() throws {
        let scratch = try Scratch()
        let tenants: [UInt64] = [1, 7, 9, .max]
        var changes: [Change] = []
        for n in 1...40 as ClosedRange<UInt64> {
            let key = key(n, tenant: tenants[Int(n % 4)])
            changes.append(change(key, dot(n)))
        }
        // Person 3 in a second tenant: two marks with the same leading bits.
        changes.append(change(key(3, tenant: 7), dot(41)))
        let opened = try opened(scratch, changes)
        var reader = try opened.store.reader()
        try reader.renew()
        #expect(try reader.tenantsWithMarks() == tenants)
        for one in changes {
            let wanted = id(one.markKey(0), one.mark(0))
            let found = try reader.marks(withIDs: [wanted], under: sketchKey)
            let expected = SketchedMark(id: wanted, key: one.markKey(0), mark: one.mark(0))
            #expect(found == [expected])
        }
        let ids = changes.map { id($0.markKey(0), $0.mark(0)) }
        let all = try reader.marks(withIDs: ids + [42, .max], under: sketchKey, orChanged: false)
        #expect(Set(all.map(\.id)) == Set(ids) && all.count == ids.count)

        // Another content under the first key: its old id stands for what it has become.
        let gone = id(changes[0].markKey(0), change(changes[0].markKey(0), dot(99)).mark(0))
        #expect(try reader.marks(withIDs: [gone], under: sketchKey).isEmpty)
        let become = try reader.marks(withIDs: [gone], under: sketchKey, orChanged: true)
        #expect(become.map(\.key) == [changes[0].markKey(0)])
        #expect(become.map(\.mark) == [changes[0].mark(0)])

        var byPartition: Set<UInt64> = []
        for partition in Set(ids.map(Sketch.partition)) {
            let some = try reader.ids(ofPartition: partition, under: sketchKey)
            #expect(some.allSatisfy { Sketch.partition(of: $0) == partition })
            byPartition.formUnion(some)
        }
        #expect(byPartition == Set(ids))
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a mark whose checksum fails is given to nobody, but its id is among the partition's")
    func damaged() throws {
        let scratch = try Scratch()
        let one = change(key(5, tenant: 7), dot(5))
        let healthy = try opened(scratch, [one, change(key(6, tenant: 7), dot(6))])
        _ = healthy.store.close(deadlineMillis: 10_000)
        var encoded: [UInt8] = []
        one.markKey(0).encode(into: &encoded)
        // Behind version, counts, kind and dot: within the time stamp.
        #expect(
            try corrupt(scratch.file("state.mdb"), after: encoded + [1, 0, 1, 0, 0], skipping: 29)
                > 0
        )
        let again = try opened(scratch, [])
        var reader = try again.store.reader()
        try reader.renew()
        let partition = Sketch.partition(of: id(one.markKey(0), one.mark(0)))
        let ids = try reader.ids(ofPartition: partition, under: sketchKey)
        #expect(ids.count == 1)
        #expect(try reader.marks(withIDs: ids, under: sketchKey, orChanged: true).isEmpty)
        _ = again.store.close(deadlineMillis: 0)
    }
}

// What a pull leaves in the log: merged states, and behind them what they make held.

import Suppression
import Testing

@testable import Storage

/// A mark as another node had it, and the writes that led to it.
private func merged(_ n: UInt64, _ mark: Mark, _ dots: [Dot]) -> Change {
    .note(.merged(Merged(.mark(key(n), mark), dots: dots)))
}

private func holds(_ dots: [Dot]) -> Change {
    var set = HeldSet()
    for dot in dots { set.insert(dot) }
    return .note(.holds(set))
}

private func mark(_ dot: Dot) -> Mark {
    Mark(SuppressingDot(dot: dot, time: HybridTime(raw: 1), source: .oneClick))
}

@Suite(.serialized) struct MergedTests {
    @Test("a pulled mark merges with what is there, gets its index entries, and holds nothing yet")
    func merges() throws {
        let scratch = try Scratch()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let far = [dot(7, node: 9), dot(8, node: 9)]
        let changes = [suppress(1, dot(1)), merged(1, mark(far[1]), far)]
        #expect(opened.store.append(LogBatch(firstSequence: 1, changes: changes)))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        var reader = try again.store.reader()
        try reader.renew()
        guard case .present(let both) = try reader.mark(key(1)) else {
            Issue.record("no mark")
            return
        }
        #expect(both.suppressions.map(\.dot) == [dot(1), far[1]])
        for dot in far {
            let target = try reader.target(of: dot)
            #expect(target == .mark(key(1)))
            #expect(!again.heldSet.contains(dot))
        }
        #expect(try reader.target(of: .none) == nil)
        let query = Query(
            person: person(1),
            stream: key(1).scope.stream,
            topic: key(1).scope.topic,
            streamClass: .marketing
        )
        #expect(again.filter.probe(query) != .absent)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("the record behind all pages makes their writes held; a replay does the same")
    func replays() throws {
        let scratch = try Scratch()
        let far = [dot(3, node: 9), dot(4, node: 9), dot(5, node: 8)]
        let written = register("r", far[2], generation: 4, value: "v")
        let register = try #require(written.register)
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: Recorder().sink
        )
        let changes = [
            merged(1, mark(far[0]), [far[0]]), merged(2, Mark(covering: [far[1]]), [far[1]]),
            .note(.merged(Merged(.register(register), dots: [far[2]]))), holds(far),
        ]
        #expect(opened.store.append(LogBatch(firstSequence: 1, changes: changes)))
        // Nothing is checkpointed: the next start replays the log.
        _ = opened.store.close(deadlineMillis: 0)
        let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
        #expect(far.allSatisfy(again.heldSet.contains))
        #expect(again.heldSet.count == 3)
        #expect(again.registers == [register])
        #expect(again.nextLocalSequence == 5)
        #expect(again.damage.isEmpty)
        var reader = try again.store.reader()
        try reader.renew()
        #expect(try reader.mark(key(2)) == .present(Mark(covering: [far[1]])))
        #expect(try reader.target(of: far[2]) == .register(name: register.name))
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("a mark that names a list's write leaves that a list, in whichever order they come")
    func lists() throws {
        let people = (1...3).map { person($0).recipient }
        let one = key(1)
        let list = SuppressionList(
            tenant: one.person.tenant,
            scope: one.scope,
            reason: one.reason,
            source: .imported,
            recipients: people
        )
        let far = dot(3, node: 9)
        let written = Change(dot: far, time: HybridTime(raw: 1), body: .list(list))
        let mended = merged(1, mark(far), [far])
        for batches in [
            [[written], [mended]], [[mended], [written]], [[mended, written, mended]],
        ] {
            let scratch = try Scratch()
            var first: UInt64 = 1
            for batch in batches {
                let opened = try Store.open(directory: scratch.path, sink: Recorder().sink)
                #expect(opened.store.append(LogBatch(firstSequence: first, changes: batch)))
                first += UInt64(batch.count)
                #expect(opened.store.close(deadlineMillis: 10_000))
            }
            let again = try Store.open(directory: scratch.path, sink: Recorder().sink)
            var reader = try again.store.reader()
            try reader.renew()
            guard case .whole? = try reader.target(of: far) else {
                Issue.record("the list became a mark")
                return
            }
            _ = again.store.close(deadlineMillis: 0)
        }
    }
}

// In which format a directory is written, who may raise it, and who refuses it then.

import Suppression
import Testing

@testable import Storage

@Suite(.serialized) struct FormatTests {
    private func open(
        _ scratch: Scratch,
        _ recorder: Recorder = Recorder(),
        as format: UInt64 = Format.newest
    ) throws -> Opened {
        var options = lazyOptions
        options.format = format
        return try Store.open(directory: scratch.path, options: options, sink: recorder.sink)
    }

    /// What a pull brought, in the form that the format in force gives it.
    private func pulled(_ n: UInt64) -> Change {
        let own = dot(n)
        guard case .suppress(let key, let suppression) = suppress(n, own).body else {
            preconditionFailure("a suppression")
        }
        return .note(.merged(Merged(.mark(key, Mark(suppression)), dots: [own])))
    }

    private func append(_ opened: Opened, _ recorder: Recorder, _ change: Change, at: UInt64) throws
    {
        #expect(opened.store.append(LogBatch(firstSequence: at, changes: [change])))
        try #require(recorder.waitCommitted(at))
    }

    /// The first byte of the merged state in each record of a log, behind dot, time and request.
    private func forms(_ scratch: Scratch) throws -> [UInt8] {
        let opening = try Opening.begin(scratch.path, lazyOptions)
        let snapshot = try Snapshot(opening.log.environment)
        let cursor = try snapshot.cursor(opening.log.tables.log)
        var forms: [UInt8] = []
        let take = { (_: Span<UInt8>, value: Span<UInt8>) in forms.append(value[35]) }
        var found = try cursor.first(take)
        while found { found = try cursor.next(take) }
        return forms
    }

    /// Raises one of the two files, as a life that ends in between leaves them.
    private func raise(_ file: StoreFile, of opened: Opened) throws {
        let environment = file == .log ? opened.log.environment : opened.state.environment
        let meta = file == .log ? opened.log.tables.meta : opened.state.tables.meta
        let transaction = try WriteTransaction(environment)
        try transaction.set(.format, to: Format.newest, in: meta)
        try transaction.commit()
    }

    @Test("a directory begins in the format before the newest, and stays there until it is raised")
    func first() throws {
        let scratch = try Scratch()
        for _ in 0..<3 {
            let opened = try open(scratch)
            #expect(opened.format == Format.newest - 1)
            _ = opened.store.close(deadlineMillis: 0)
        }
        let before = try open(scratch, as: Format.newest - 1)
        #expect(before.format == Format.newest - 1)
        _ = before.store.close(deadlineMillis: 0)
    }

    @Test("raising writes the number into both files, then the new layout, and stays")
    func raised() throws {
        let scratch = try Scratch()
        let recorder = Recorder()
        let opened = try open(scratch, recorder)
        let first = opened.nextLocalSequence
        try append(opened, recorder, pulled(1), at: first)
        opened.store.raise(to: Format.newest)
        for file in [StoreFile.state, .log] {
            try #require(recorder.wait { $0 == .raised(file: file, Format.newest) })
        }
        try append(opened, recorder, pulled(2), at: first + 1)
        _ = opened.store.close(deadlineMillis: 0)
        #expect(try forms(scratch) == [1, 3])
        let again = try open(scratch)
        #expect(again.format == Format.newest)
        #expect(again.marksCount == 2, "both layouts are read back")
        #expect(again.damage.isEmpty)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("the version before refuses what was raised, in either file, with both numbers")
    func refused() throws {
        for file in [StoreFile.state, .log] {
            let scratch = try Scratch()
            let opened = try open(scratch)
            try raise(file, of: opened)
            _ = opened.store.close(deadlineMillis: 0)
            let refusal = StorageError.newerFormat(
                found: UInt32(Format.newest),
                supported: UInt32(Format.newest - 1)
            )
            #expect(throws: refusal) { try open(scratch, as: Format.newest - 1) }
            // A life that ended between the two files: raised once more by the next.
            let recorder = Recorder()
            let again = try open(scratch, recorder)
            #expect(again.format == Format.newest - 1)
            again.store.raise(to: Format.newest)
            try #require(recorder.wait { $0 == .raised(file: .state, Format.newest) })
            try #require(recorder.wait { $0 == .raised(file: .log, Format.newest) })
            _ = again.store.close(deadlineMillis: 0)
        }
    }

    @Test("what is two behind is refused, and nothing is written")
    func tooOld() throws {
        let scratch = try Scratch()
        let opened = try open(scratch)
        _ = opened.store.close(deadlineMillis: 0)
        let refusal = StorageError.olderFormat(
            found: UInt32(Format.newest - 1),
            supported: UInt32(Format.newest + 1)
        )
        #expect(throws: refusal) { try open(scratch, as: Format.newest + 1) }
        #expect(refusal.description.contains("\(Format.newest - 1)"))
        #expect(refusal.description.contains("\(Format.newest + 1)"))
        #expect(try open(scratch).format == Format.newest - 1)
    }

    @Test("a directory that began empty joins until it is said to be whole")
    func joining() throws {
        let scratch = try Scratch()
        for _ in 0..<2 {
            let opened = try open(scratch)
            #expect(opened.isJoining)
            _ = opened.store.close(deadlineMillis: 0)
        }
        let recorder = Recorder()
        let opened = try open(scratch, recorder)
        opened.store.joined()
        opened.store.requestCheckpoint()
        try #require(recorder.waitCheckpointed(opened.watermark))
        _ = opened.store.close(deadlineMillis: 10_000)
        let again = try open(scratch)
        #expect(!again.isJoining)
        _ = again.store.close(deadlineMillis: 0)
    }
}

// Who may open a directory, and which directories count as restored.

import Foundation
import Suppression
import Testing

@testable import Storage

@Suite(.serialized) struct OpeningTests {
    private func open(_ scratch: Scratch) throws -> Opened {
        try Store.open(directory: scratch.path, options: lazyOptions, sink: Recorder().sink)
    }

    /// A directory with ten opt-outs: checkpointed and trimmed, or only in the log.
    private func filled(_ scratch: Scratch, checkpointed: Bool) throws {
        let recorder = Recorder()
        let opened = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        let first = opened.nextLocalSequence
        #expect(opened.store.append(optOuts(first...(first + 9))))
        try #require(recorder.waitCommitted(first + 9))
        #expect(opened.store.close(deadlineMillis: checkpointed ? 10_000 : 0) == checkpointed)
    }

    private func copy(_ scratch: Scratch, _ name: String, to: String) throws {
        try FileManager.default.copyItem(atPath: scratch.file(name), toPath: scratch.file(to))
    }

    private func replace(_ scratch: Scratch, _ name: String, with other: String) throws {
        try FileManager.default.removeItem(atPath: scratch.file(name))
        try copy(scratch, other, to: name)
    }

    @Test("the node id stays, the epoch is new at each start and its counter rises")
    func epochs() throws {
        let scratch = try Scratch()
        var epochs: Set<Epoch> = []
        var nodes: Set<NodeID> = []
        for counter in 1...UInt32(4) {
            let opened = try open(scratch)
            #expect(opened.epoch.counter == counter)
            #expect(opened.created == (counter == 1))
            #expect(opened.restored == nil)
            epochs.insert(opened.epoch)
            nodes.insert(opened.nodeID)
            _ = opened.store.close(deadlineMillis: 0)
        }
        #expect(epochs.count == 4)
        #expect(nodes.count == 1)
    }

    @Test("a restored copy repeats the counter but not the epoch")
    func copiedDirectory() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        for name in ["state.mdb", "log.mdb"] { try copy(scratch, name, to: name + ".copy") }
        let first = try open(scratch)
        _ = first.store.close(deadlineMillis: 0)
        for name in ["state.mdb", "log.mdb"] {
            try replace(scratch, name, with: name + ".copy")
        }
        let second = try open(scratch)
        #expect(second.epoch.counter == first.epoch.counter)
        #expect(second.epoch != first.epoch)
        _ = second.store.close(deadlineMillis: 0)
    }

    @Test("a second owner is refused with the pid of the first, until that has closed")
    func secondOwner() throws {
        let scratch = try Scratch()
        let opened = try open(scratch)
        let refusal = StorageError.inUse(path: scratch.path, pid: getpid())
        #expect(throws: refusal) { try open(scratch) }
        #expect(refusal.description.contains("process \(getpid())"))
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a directory without the write bit, a file, and a missing parent are refused")
    func unusable() throws {
        let scratch = try Scratch()
        try #require(unsafe chmod(scratch.path, 0o500) == 0)
        #expect(throws: StorageError.readOnly(path: scratch.path)) { try open(scratch) }
        try #require(unsafe chmod(scratch.path, 0o700) == 0)
        try Data().write(to: URL(fileURLWithPath: scratch.file("f")))
        #expect(throws: StorageError.self) {
            try Store.open(directory: scratch.file("f"), sink: Recorder().sink)
        }
        #expect(throws: StorageError.self) {
            try Store.open(directory: scratch.file("no/such"), sink: Recorder().sink)
        }
    }

    @Test("network file systems are refused by their magic number, local ones are not")
    func networkFileSystems() {
        #expect(OwnerLock.remoteFileSystem(0x6969) == "NFS")
        #expect(OwnerLock.remoteFileSystem(0xFF53_4D42) == "CIFS")
        #expect(OwnerLock.remoteFileSystem(0xEF53) == nil)
    }

    @Test("files are readable by their owner alone")
    func modes() throws {
        let scratch = try Scratch()
        let opened = try open(scratch)
        for name in ["state.mdb", "log.mdb", "owner.lock"] {
            var about = stat()
            #expect(unsafe stat(scratch.file(name), &about) == 0)
            #expect(about.st_mode & 0o777 == 0o600, "\(name)")
        }
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a newer format is refused with both numbers, and nothing is written")
    func newerFormat() throws {
        let scratch = try Scratch()
        let opened = try open(scratch)
        let transaction = try WriteTransaction(opened.log.environment)
        try transaction.set(.format, to: 9, in: opened.log.tables.meta)
        try transaction.commit()
        _ = opened.store.close(deadlineMillis: 0)
        let before = try Data(contentsOf: URL(fileURLWithPath: scratch.file("state.mdb")))
        let refusal = StorageError.newerFormat(found: 9, supported: 2)
        #expect(throws: refusal) { try open(scratch) }
        #expect(refusal.description.contains("9"))
        #expect(refusal.description.contains("2"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.file("state.mdb"))) == before)
    }

    @Test("a file that is no database is named, not overwritten")
    func garbage() throws {
        let scratch = try Scratch()
        let path = scratch.file("state.mdb")
        let bytes = Data(repeating: 0x5A, count: 8_192)
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(throws: StorageError.self) { try open(scratch) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }

    @Test("without state.mdb the directory is restored, keeps its node id, and stays in doubt")
    func missingState() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: false)
        let node = try open(scratch)
        _ = node.store.close(deadlineMillis: 0)
        try FileManager.default.removeItem(atPath: scratch.file("state.mdb"))
        for _ in 0..<2 {
            let opened = try open(scratch)
            #expect(opened.restored == "state.mdb was missing")
            #expect(!opened.created)
            #expect(opened.nodeID == node.nodeID)
            #expect(try opened.suppresses(1), "the log was replayed all the same")
            _ = opened.store.close(deadlineMillis: 0)
        }
    }

    @Test("without log.mdb the directory is restored, and its doubt can be taken back")
    func missingLog() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        try FileManager.default.removeItem(atPath: scratch.file("log.mdb"))
        let opened = try open(scratch)
        #expect(opened.restored == "log.mdb was missing")
        #expect(opened.nextLocalSequence == 11)
        let note = Change.note(.own(OwnNote(.doubt, [])))
        #expect(opened.store.append(LogBatch(firstSequence: 11, changes: [note])))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try open(scratch)
        #expect(again.restored == nil)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("files that are copies say so from then on, until the node's doubt is taken back")
    func copied() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        let path = scratch.file("state.mdb")
        try FileManager.default.copyItem(atPath: path, toPath: path + ".copy")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: path + ".copy", toPath: path)
        for _ in 1...2 {
            let opened = try open(scratch)
            #expect(opened.isCopied && opened.restored == nil)
            _ = opened.store.close(deadlineMillis: 10_000)
        }
        let opened = try open(scratch)
        let note = Change.note(.own(OwnNote(.doubt, [])))
        let batch = LogBatch(firstSequence: opened.nextLocalSequence, changes: [note])
        #expect(opened.store.append(batch))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try open(scratch)
        #expect(!again.isCopied)
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("a start that doubts its directory does not lose the doubt to what the log still says")
    func doubtOutlivesReplay() throws {
        let scratch = try Scratch()
        func append(_ doubt: String, _ opened: Opened, checkpointed: Bool) throws {
            let note = Change.note(.own(OwnNote(.doubt, Array(doubt.utf8))))
            let first = opened.nextLocalSequence
            #expect(opened.store.append(LogBatch(firstSequence: first, changes: [note])))
            #expect(
                opened.store.close(deadlineMillis: checkpointed ? 10_000 : 0) == checkpointed
            )
        }
        try append("a peer knows more", try open(scratch), checkpointed: true)
        let recorder = Recorder()
        let doubting = try Store.open(
            directory: scratch.path,
            options: lazyOptions,
            sink: recorder.sink
        )
        let first = doubting.nextLocalSequence
        let taken = Change.note(.own(OwnNote(.doubt, [])))
        #expect(doubting.store.append(LogBatch(firstSequence: first, changes: [taken])))
        try #require(recorder.waitCommitted(first))
        #expect(!doubting.store.close(deadlineMillis: 0), "the log still has it")
        for _ in 1...2 {
            let opened = try open(scratch)
            #expect(opened.restored == "a peer knows more", "it was there when this life began")
            _ = opened.store.close(deadlineMillis: 10_000)
        }
    }

    @Test("what a node remembers of itself is there after a start, the newest of each kind")
    func notes() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        let opened = try open(scratch)
        let changes = [
            Change.note(.own(OwnNote(.ballot, [1]))), .note(.own(OwnNote(.seat, [2]))),
            .note(.own(OwnNote(.ballot, [3]))),
            .note(.own(OwnNote(.doubt, Array("a peer".utf8)))),
        ]
        let batch = LogBatch(firstSequence: opened.nextLocalSequence, changes: changes)
        #expect(opened.store.append(batch))
        #expect(opened.store.close(deadlineMillis: 10_000))
        let again = try open(scratch)
        #expect(again.notes == [OwnNote(.ballot, [3]), OwnNote(.seat, [2])])
        #expect(again.restored == "a peer")
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("a log of another store is set aside, not replayed")
    func foreignLog() throws {
        let ours = try Scratch()
        let theirs = try Scratch()
        try filled(ours, checkpointed: true)
        try filled(theirs, checkpointed: false)
        try FileManager.default.removeItem(atPath: ours.file("log.mdb"))
        try FileManager.default.copyItem(
            atPath: theirs.file("log.mdb"),
            toPath: ours.file("log.mdb")
        )
        let opened = try open(ours)
        #expect(opened.restored?.hasPrefix("log.mdb belongs to another store") == true)
        #expect(opened.watermark == 10)
        let names = try FileManager.default.contentsOfDirectory(atPath: ours.path)
        #expect(names.contains { $0.hasPrefix("log.mdb.of-") })
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("an older state beside a log that was trimmed past it is restored")
    func olderState() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        try copy(scratch, "state.mdb", to: "old")
        try filled(scratch, checkpointed: true)
        try replace(scratch, "state.mdb", with: "old")
        let opened = try open(scratch)
        #expect(opened.restored != nil)
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a watermark below what the log has deleted is restored, in one life as well")
    func trimmedPastWatermark() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        let opened = try open(scratch)
        let state = try WriteTransaction(opened.state.environment)
        try state.set(.watermark, to: 3, in: opened.state.tables.meta)
        try state.commit()
        _ = opened.store.close(deadlineMillis: 0)
        let again = try open(scratch)
        #expect(again.restored == "state.mdb ends at 3, log.mdb was trimmed to 10")
        _ = again.store.close(deadlineMillis: 0)
    }

    @Test("an older log beside a state from a later start is restored")
    func olderLog() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: true)
        try copy(scratch, "log.mdb", to: "old")
        try filled(scratch, checkpointed: true)
        try filled(scratch, checkpointed: true)
        try replace(scratch, "log.mdb", with: "old")
        let opened = try open(scratch)
        #expect(opened.restored == "log.mdb and state.mdb come from different starts")
        _ = opened.store.close(deadlineMillis: 0)
    }

    @Test("a first log key above watermark + 1 is restored, and the hole is counted")
    func firstKey() throws {
        let scratch = try Scratch()
        try filled(scratch, checkpointed: false)
        let opened = try open(scratch)  // replays; put the watermark back as if it had not
        let state = try WriteTransaction(opened.state.environment)
        try state.set(.watermark, to: 0, in: opened.state.tables.meta)
        try state.commit()
        let log = try WriteTransaction(opened.log.environment)
        var first: [UInt8] = []
        first.append(bigEndian: UInt64(1))
        #expect(try log.delete(first, in: opened.log.tables.log))
        try log.commit()
        _ = opened.store.close(deadlineMillis: 0)
        let again = try open(scratch)
        #expect(again.restored == "state.mdb ends at 0, log.mdb begins at 2")
        #expect(again.damage.logRecords == 1)
        _ = again.store.close(deadlineMillis: 0)
    }
}

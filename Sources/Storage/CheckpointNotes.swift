// What the state keeps beside the marks, read at the start: the member book and the digest.
//
// The member book is bytes of the shell's, sealed with a checksum like every value here; the store
// does not read them. Each is a transaction of its own, made by the checkpointer's thread.

internal import Suppression

extension Checkpoint {
    /// Keeps the member book: bytes of the shell's, which the store does not read.
    ///
    /// Here, because this thread waits for the disk anyway and the node loop must not; and in the
    /// state, because a book of its own would be one more file to copy, check and leave behind.
    func keep(members: [UInt8]) throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        try transaction.put(
            Record(key: MetaName.members.key, value: members),
            in: tables.meta
        )
        try transaction.commit()
    }

    /// From now on the state is written in this format.
    func raise(to format: UInt64) throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        try transaction.set(.format, to: format, in: tables.meta)
        try transaction.commit()
    }

    /// The marks are whole, for this life and the next.
    func joined() throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        try transaction.set(.joining, to: 0, in: tables.meta)
        try transaction.commit()
    }
}

extension StateFile {
    /// The sketch key and the digest that were written last; nil before a key was adopted.
    func writtenDigest() throws(StorageError) -> (key: SketchKey, MarkDigest)? {
        let transaction = try WriteTransaction(environment)
        guard let key = try transaction.sketchKey(in: tables.meta) else { return nil }
        return (key, try transaction.digest(in: tables.meta))
    }

    /// The member book as it was kept last; nil if there is none, or it is damaged: a node finds
    /// its cluster again by `--join`, so this never keeps it from starting.
    func memberBook() throws(StorageError) -> [UInt8]? {
        var buffer = Unsealed()
        let found = try Snapshot(environment).read(
            MetaName.members.key,
            in: tables.meta,
            into: &buffer
        )
        return found == .intact ? buffer.value : nil
    }
}

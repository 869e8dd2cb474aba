// The start of a data directory: is it new, is it ours, was a part of it put back from a copy?
//
// Restored is not refused: the data are read and the store says why it doubts them, so that the
// node can join as a learner (DESIGN 6). The doubt stays written down until the cluster has taken
// the node back in. What is compared, and what each comparison finds:
//
//     store ids          the files of two directories were mixed
//     a missing file     nothing can be known about what it held
//     first log key      above watermark + 1: the state is older than the log
//     trimmed            above the watermark: the same, with a log trimmed empty
//     epochs             one file comes from another life than the other
//
//     born               the files are not those that were written: copies, perhaps old ones
//
// A copy of the whole directory looks consistent in itself, and nobody can tell a copy of today
// from one of last week; so copies are told by the file system's own numbers (inode and birth),
// which no copy has. What a snapshot of the whole disk brings back, the memory of peers finds
// (DESIGN 5, Identity).
//
// Order of writing: at creation the log first, with epoch 0 until everything else is there, because
// a log of epoch 0 has never seen a write. At each start the state first, remembering what epoch
// the log showed, then the log; a crash in between leaves the log one life behind, which the memory
// explains.

internal import CLMDB
internal import Glibc
internal import Suppression

/// Both environments, open and known to belong together.
struct Opening {
    let state: StateFile
    let log: LogFile
    let nodeID: NodeID
    let epoch: Epoch
    let created: Bool
    /// The first reason to doubt the directory, written down already.
    let restored: String?
    /// The files are copies of those that were written.
    let isCopied: Bool
    /// The state began empty, and nobody has found it whole since.
    let isJoining: Bool
    /// What each file is written in.
    let formats: Formats
    let watermark: UInt64
}

/// The formats of the two files; they differ when a life ended between raising one and the other.
struct Formats {
    let state: UInt64
    let log: UInt64
}

/// What one environment says about itself.
private struct Identity {
    let storeID: UInt64
    let nodeID: UInt64
    let epoch: UInt64
    let format: UInt64
}

extension Opening {
    static let stateFile = "state.mdb"
    static let logFile = "log.mdb"

    /// Locks the directory, opens both files and begins a life.
    static func begin(_ directory: String, _ options: StoreOptions) throws(StorageError) -> Opening
    {
        let owner = try OwnerLock(directory: directory)
        let state = try Environment(
            path: directory + "/" + stateFile,
            mapBytes: options.stateMapBytes,
            owner: owner
        )
        var log = try openLog(directory, options, owner)
        let stateIdentity = try identity(state, options)
        var logIdentity = try identity(log, options)
        var doubt: String?

        if let ours = stateIdentity, let theirs = logIdentity, ours.storeID != theirs.storeID {
            let aside = logFile + ".of-\(String(theirs.storeID, radix: 16))"
            try setAside(directory, log, as: aside)
            log = try openLog(directory, options, owner)
            logIdentity = nil
            doubt = "log.mdb belongs to another store; it now lies in \(aside)"
        }
        let created = stateIdentity == nil && (logIdentity == nil || logIdentity?.epoch == 0)
        if stateIdentity == nil && !created { doubt = doubt ?? "state.mdb was missing" }
        if stateIdentity != nil && logIdentity == nil { doubt = doubt ?? "log.mdb was missing" }

        let life = try nextLife(after: stateIdentity, logIdentity, directory, options)
        let logFormat = logIdentity?.format ?? life.format

        let files = Files(
            state: StateFile(
                environment: state,
                tables: StateTables(try state.tables(StateTables.names))
            ),
            log: LogFile(environment: log, tables: LogTables(try log.tables(LogTables.names)))
        )
        if logIdentity == nil {
            try files.writeLog(life, epoch: 0, format: logFormat)
        }
        let watermark = try files.writeState(
            life,
            state: stateIdentity,
            log: logIdentity,
            doubt: &doubt
        )
        try files.writeLog(life, epoch: life.epoch, format: logFormat)
        try flush(directory: directory)
        let isCopied = try files.writeBirth(directory)
        let isJoining = try files.isJoining()
        return Opening(
            state: files.state,
            log: files.log,
            nodeID: NodeID(raw: life.nodeID),
            epoch: Epoch(raw: life.epoch),
            created: created,
            restored: doubt,
            isCopied: isCopied,
            isJoining: isJoining,
            formats: Formats(state: life.format, log: logFormat),
            watermark: watermark
        )
    }

    /// The life that begins now.
    private static func nextLife(
        after state: Identity?,
        _ log: Identity?,
        _ directory: String,
        _ options: StoreOptions
    ) throws(StorageError) -> Identity {
        let known = state ?? log
        let storeID = try randomBits()
        let nodeID = try randomBits() | 1  // never 0, which names no node
        let counter = Epoch(raw: max(state?.epoch ?? 0, log?.epoch ?? 0)).counter
        guard counter < .max else {
            throw .unsupported("\(directory) was started 2^32 times: let the node join as empty")
        }
        let random = UInt32(truncatingIfNeeded: try randomBits())
        return Identity(
            storeID: known?.storeID ?? storeID,
            nodeID: known?.nodeID ?? nodeID,
            epoch: Epoch(counter: counter + 1, random: random).raw,
            format: known?.format ?? Format.first(under: options.format)
        )
    }

    private static func openLog(
        _ directory: String,
        _ options: StoreOptions,
        _ owner: OwnerLock
    ) throws(StorageError) -> Environment {
        try Environment(
            path: directory + "/" + logFile,
            mapBytes: options.logMapBytes,
            owner: owner
        )
    }

    /// Renames a log that is not ours; its bytes stay for whoever mixed the files.
    private static func setAside(
        _ directory: String,
        _ log: Environment,
        as name: String
    ) throws(StorageError) {
        let path = directory + "/" + logFile
        guard unsafe rename(path, directory + "/" + name) == 0 else {
            throw systemError("rename", path: path)
        }
        guard unsafe unlink(path + "-lock") == 0 || errno == ENOENT else {
            throw systemError("unlink", path: path + "-lock")
        }
    }

    /// What a file says about itself, read before anything is written into it; nil when it was only
    /// just created.
    private static func identity(
        _ environment: Environment,
        _ options: StoreOptions
    ) throws(StorageError) -> Identity? {
        let transaction = try WriteTransaction(environment)
        let meta = try transaction.table("meta")
        guard let format = try transaction.number(.format, in: meta) else { return nil }
        try Format.admit(format, newest: options.format)
        guard let storeID = try transaction.number(.storeID, in: meta),
            let nodeID = try transaction.number(.nodeID, in: meta),
            let epoch = try transaction.number(.epoch, in: meta)
        else { throw .corrupt("the data directory has lost its identity") }
        return Identity(storeID: storeID, nodeID: nodeID, epoch: epoch, format: format)
    }
}

/// Both files while a life begins.
private struct Files {
    let state: StateFile
    let log: LogFile

    /// Writes an identity into the log.
    func writeLog(_ life: Identity, epoch: UInt64, format: UInt64) throws(StorageError) {
        let transaction = try WriteTransaction(log.environment)
        let identity = Identity(
            storeID: life.storeID,
            nodeID: life.nodeID,
            epoch: epoch,
            format: format
        )
        try put(identity, transaction, log.tables.meta)
        try transaction.commit()
    }

    /// Compares state and log, then writes the new life and the doubt, if any, into the state.
    func writeState(
        _ life: Identity,
        state before: Identity?,
        log logBefore: Identity?,
        doubt: inout String?
    ) throws(StorageError) -> UInt64 {
        let meta = state.tables.meta
        let transaction = try WriteTransaction(state.environment)
        let watermark = try transaction.number(.watermark, in: meta) ?? 0
        let logEpoch = logBefore?.epoch ?? 0
        if let before, logBefore != nil, logEpoch != before.epoch,
            try logEpoch != transaction.number(.logEpoch, in: meta)
        {
            doubt = doubt ?? "log.mdb and state.mdb come from different starts"
        }
        let trimmed = try log.trimmedThrough()
        if trimmed > watermark {
            doubt = doubt ?? "state.mdb ends at \(watermark), log.mdb was trimmed to \(trimmed)"
        }
        if let first = try log.extremes()?.lowerBound, first > watermark + 1 {
            doubt = doubt ?? "state.mdb ends at \(watermark), log.mdb begins at \(first)"
        }
        // An older doubt stays the reason until the cluster has taken the node back in.
        doubt = try transaction.text(.restored, in: meta) ?? doubt
        try put(life, transaction, meta)
        try transaction.set(.logEpoch, to: logEpoch, in: meta)
        try transaction.set(.watermark, to: watermark, in: meta)
        if let doubt { try transaction.set(.restored, to: doubt, in: meta) }
        if before == nil { try transaction.set(.joining, to: 1, in: meta) }
        try transaction.commit()
        return watermark
    }

    /// Whether the state has still to be found whole.
    func isJoining() throws(StorageError) -> Bool {
        let transaction = try WriteTransaction(state.environment)
        return try transaction.number(.joining, in: state.tables.meta) == 1
    }

    /// Compares the files with those that were written, and remembers these.
    func writeBirth(_ directory: String) throws(StorageError) -> Bool {
        let born =
            try birth(directory + "/" + Opening.stateFile) + " "
            + birth(directory + "/" + Opening.logFile)
        let meta = state.tables.meta
        let transaction = try WriteTransaction(state.environment)
        var isCopied = try transaction.number(.copied, in: meta) == 1
        if let before = try transaction.text(.born, in: meta), before != born {
            isCopied = true
            try transaction.set(.copied, to: 1, in: meta)
        }
        try transaction.set(.born, to: born, in: meta)
        try transaction.commit()
        return isCopied
    }

    private func birth(_ path: String) throws(StorageError) -> String {
        var inode: UInt64 = 0
        var nanoseconds: UInt64 = 0
        guard unsafe quell_file_birth(path, &inode, &nanoseconds) == 0 else {
            throw systemError("statx", path: path)
        }
        return String(inode, radix: 16) + "@" + String(nanoseconds, radix: 16)
    }

    private func put(
        _ identity: Identity,
        _ transaction: borrowing WriteTransaction,
        _ meta: Table
    ) throws(StorageError) {
        try transaction.set(.format, to: identity.format, in: meta)
        try transaction.set(.storeID, to: identity.storeID, in: meta)
        try transaction.set(.nodeID, to: identity.nodeID, in: meta)
        try transaction.set(.epoch, to: identity.epoch, in: meta)
    }
}

extension LogFile {
    /// The highest number ever deleted, 0 when none was.
    func trimmedThrough() throws(StorageError) -> UInt64 {
        var buffer = Unsealed()
        let found = try Snapshot(environment).read(
            MetaName.trimmed.key,
            in: tables.meta,
            into: &buffer
        )
        return try metaNumber(found, buffer, .trimmed) ?? 0
    }

    /// The first and the last number in the log; nil when it is empty.
    func extremes() throws(StorageError) -> ClosedRange<UInt64>? {
        var keys: [UInt64] = []
        let collect = { (key: Span<UInt8>, _: Span<UInt8>) in
            var at = ByteCursor()
            do { keys.append(try at.u64(key)) } catch { keys.append(0) }  // no key of ours
        }
        let snapshot = try Snapshot(environment)
        let cursor = try snapshot.cursor(tables.log)
        guard try cursor.first(collect), try cursor.last(collect) else { return nil }
        return keys[0]...keys[1]
    }
}

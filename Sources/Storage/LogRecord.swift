// What lies in the table `log`, and reading it back.
//
//     key    local sequence u64
//     value  a change (its first byte is a version, never 0)                     | checksum
//     value  0 u8 | last sequence u64: a gap, numbers refused by a full disk     | checksum
//
// Gaps are written down, so the log has no holes: the first key is at most watermark + 1 and each
// key follows the one before. A hole therefore means that someone took records away (DESIGN 5).

internal import CLMDB
internal import Suppression

extension Record {
    /// A change under its sequence number.
    mutating func set(_ change: Change, at sequence: UInt64, format: UInt64) {
        begin { $0.append(bigEndian: sequence) }
        seal { change.encode(into: &$0, isBrief: format >= Format.brief) }
    }

    /// Numbers that were refused.
    mutating func set(gap numbers: ClosedRange<UInt64>) {
        begin { $0.append(bigEndian: numbers.lowerBound) }
        seal {
            $0.append(0)
            $0.append(bigEndian: numbers.upperBound)
        }
    }
}

/// Some records of the log, read back.
struct LogPage {
    /// Changes in order.
    var changes: [LoggedChange] = []
    /// Every number up to here has been read or is known to be missing.
    var through: UInt64
    /// Records whose checksum or layout is wrong.
    var damagedCount = 0
    /// Numbers that no record accounts for.
    var missingCount: UInt64 = 0
    /// Records that cannot be read back, whatever became of them.
    var lostCount: Int { damagedCount + Int(clamping: missingCount) }
    /// Marks that the changes touch.
    var marksCount: Int { changes.reduce(0) { $0 + $1.change.markCount } }
    /// Bytes read so far.
    var bytes = 0
    /// Whether the log ends here.
    var isLast = false

    private mutating func take(_ key: Span<UInt8>, _ value: Span<UInt8>, _ buffer: inout Unsealed) {
        var cursor = ByteCursor()
        bytes += value.count
        do {
            let sequence = try cursor.u64(key)
            guard sequence > through else {
                damagedCount += 1
                return
            }
            missingCount += sequence - through - 1
            through = sequence
            try buffer.open(key: key, value: value)
            cursor = buffer.cursor
            if try cursor.u8(buffer.bytes.span) == 0 {
                through = max(through, try cursor.u64(buffer.bytes.span))
                return
            }
            let change = try Change(decoding: buffer.value.span)
            changes.append(LoggedChange(sequence: sequence, change: change))
        } catch {
            damagedCount += 1  // the number is spent, what it said is gone; the store says so
        }
    }

    /// Reads up to a checkpoint's worth of records above `after`.
    static func read(
        _ log: LogFile,
        after: UInt64
    ) throws(StorageError) -> LogPage {
        var page = LogPage(through: after)
        var buffer = Unsealed()
        var key: [UInt8] = []
        key.append(bigEndian: after + 1)
        let snapshot = try Snapshot(log.environment)
        let cursor = try snapshot.cursor(log.tables.log)
        var found = try cursor.seek(key) { page.take($0, $1, &buffer) }
        while found, page.changes.count < Limits.checkpointChangesCount,
            page.bytes < Limits.handoverBytes
        {
            found = try cursor.next { page.take($0, $1, &buffer) }
        }
        page.isLast = !found
        return page
    }
}

/// A short read transaction of its own, for the storage threads and the start.
@safe struct Snapshot: ~Copyable {
    private let raw: OpaquePointer
    private let environment: Environment

    /// Begins at the last commit.
    init(_ environment: Environment) throws(StorageError) {
        var begun: OpaquePointer?
        let code = unsafe mdb_txn_begin(environment.raw, nil, UInt32(MDB_RDONLY), &begun)
        try check(code, "mdb_txn_begin")
        guard let raw = unsafe begun else { throw .other(call: "mdb_txn_begin", code: 0) }
        unsafe self.raw = raw
        self.environment = environment
    }

    deinit { unsafe mdb_txn_abort(raw) }

    /// Looks a key up and opens its seal.
    func read(
        _ key: [UInt8],
        in table: Table,
        into unsealed: inout Unsealed
    ) throws(StorageError) -> Found {
        try unsafe lookUp(key, in: table, of: raw, into: &unsealed)
    }

    /// Begins a walk over a table.
    func cursor(_ table: Table) throws(StorageError) -> Cursor { try unsafe Cursor(raw, table) }

    /// Keys in a table.
    func count(_ table: Table) throws(StorageError) -> Int {
        try unsafe entryCount(table, of: raw)
    }
}

/// Keys in a table, as LMDB counts them.
func entryCount(_ table: Table, of transaction: OpaquePointer) throws(StorageError) -> Int {
    var about = MDB_stat()
    try check(unsafe mdb_stat(transaction, table.dbi, &about), "mdb_stat")
    return Int(about.ms_entries)
}

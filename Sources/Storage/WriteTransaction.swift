// One atomic group of writes. Ends in `commit`, or is undone when it goes out of scope.

internal import CLMDB
internal import Glibc
internal import Suppression

/// A write transaction; LMDB allows one at a time per environment and blocks the second.
///
/// It holds no reference, or `discard` below would not compile: whoever begins one keeps the
/// environment for as long, as the store's threads do.
@safe struct WriteTransaction: ~Copyable {
    private let raw: OpaquePointer

    /// Begins; waits while another thread writes to the same environment.
    init(_ environment: Environment) throws(StorageError) {
        var begun: OpaquePointer?
        try check(unsafe mdb_txn_begin(environment.raw, nil, 0, &begun), "mdb_txn_begin")
        guard let raw = unsafe begun else { throw .other(call: "mdb_txn_begin", code: 0) }
        unsafe self.raw = raw
    }

    /// Makes everything durable: returns after both flushes of the device.
    ///
    /// A file system that fills up in the middle of a write answers with a short count and no
    /// error, for which LMDB has only EIO (mdb_page_flush, mdb.c). A device that fails sets errno,
    /// so the two can be told apart: a full disk must not end the node.
    consuming func commit() throws(StorageError) {
        errno = 0
        let code = unsafe mdb_txn_commit(raw)  // LMDB frees the handle either way
        let cause = errno
        discard self
        if code == EIO, cause == 0 { throw .full }
        try check(code, "mdb_txn_commit")
    }

    deinit { unsafe mdb_txn_abort(raw) }

    /// Opens a named database, creating it when missing.
    func table(_ name: String) throws(StorageError) -> Table {
        var dbi: MDB_dbi = 0
        try check(unsafe mdb_dbi_open(raw, name, UInt32(MDB_CREATE), &dbi), "mdb_dbi_open")
        return Table(dbi: dbi)
    }

    /// Stores a sealed record, replacing what lay under its key.
    ///
    /// - Parameter appending: the key is above all others of the table; fills pages densely.
    func put(
        _ record: borrowing Record,
        in table: Table,
        appending: Bool = false
    ) throws(StorageError) {
        try check(store(record, in: table, appending ? UInt32(MDB_APPEND) : 0), "mdb_put")
    }

    /// Stores a sealed record, unless something lies under its key already.
    func putIfAbsent(_ record: borrowing Record, in table: Table) throws(StorageError) {
        let code = store(record, in: table, UInt32(MDB_NOOVERWRITE))
        if code == MDB_KEYEXIST { return }
        try check(code, "mdb_put")
    }

    private func store(_ record: borrowing Record, in table: Table, _ flags: UInt32) -> Int32 {
        let keyCount = record.keyCount
        return unsafe record.bytes.withUnsafeBytes { bytes -> Int32 in
            let whole = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            var key = unsafe MDB_val(mv_size: keyCount, mv_data: whole)
            var value = unsafe MDB_val(
                mv_size: bytes.count - keyCount,
                mv_data: whole?.advanced(by: keyCount)
            )
            return unsafe mdb_put(raw, table.dbi, &key, &value, flags)
        }
    }

    /// Removes a key; false when it was not there.
    @discardableResult
    func delete(_ key: [UInt8], in table: Table) throws(StorageError) -> Bool {
        let code = unsafe key.withUnsafeBytes { bytes -> Int32 in
            var wanted = unsafe MDB_val(bytes)
            return unsafe mdb_del(raw, table.dbi, &wanted, nil)
        }
        if code == MDB_NOTFOUND { return false }
        try check(code, "mdb_del")
        return true
    }

    /// Looks a key up and opens its seal.
    func read(
        _ key: [UInt8],
        in table: Table,
        into unsealed: inout Unsealed
    ) throws(StorageError) -> Found {
        try unsafe lookUp(key, in: table, of: raw, into: &unsealed)
    }

    /// Begins a walk over a table.
    func cursor(_ table: Table) throws(StorageError) -> Cursor {
        try unsafe Cursor(raw, table)
    }
}

/// What a look-up found.
enum Found {
    /// No such key.
    case absent
    /// The value is in the buffer.
    case intact
    /// Something is there and its checksum is wrong.
    case damaged
}

/// Looks a key up in any kind of transaction.
func lookUp(
    _ key: [UInt8],
    in table: Table,
    of transaction: OpaquePointer,
    into unsealed: inout Unsealed
) throws(StorageError) -> Found {
    var value = unsafe MDB_val()
    let code = unsafe key.withUnsafeBytes { bytes -> Int32 in
        var wanted = unsafe MDB_val(bytes)
        return unsafe mdb_get(transaction, table.dbi, &wanted, &value)
    }
    if code == MDB_NOTFOUND { return .absent }
    try check(code, "mdb_get")
    do {
        let stored = unsafe UnsafeBufferPointer(value)
        try unsealed.open(key: key.span, value: unsafe stored.span)
        return .intact
    } catch {
        return .damaged  // truncated, malformed, corrupt: all the same to a reader
    }
}

/// A position in one table, valid until its transaction ends.
@safe struct Cursor: ~Copyable {
    private let raw: OpaquePointer

    /// Opens in a transaction that must outlive the cursor.
    init(_ transaction: OpaquePointer, _ table: Table) throws(StorageError) {
        var opened: OpaquePointer?
        let code = unsafe mdb_cursor_open(transaction, table.dbi, &opened)
        try check(code, "mdb_cursor_open")
        guard let raw = unsafe opened else { throw .other(call: "mdb_cursor_open", code: 0) }
        unsafe self.raw = raw
    }

    deinit { unsafe mdb_cursor_close(raw) }

    /// Moves to the first key, and returns whether there is one.
    func first(_ body: (Span<UInt8>, Span<UInt8>) -> Void) throws(StorageError) -> Bool {
        try move(MDB_FIRST, body)
    }

    /// Moves to the next key.
    func next(_ body: (Span<UInt8>, Span<UInt8>) -> Void) throws(StorageError) -> Bool {
        try move(MDB_NEXT, body)
    }

    /// Moves to the last key.
    func last(_ body: (Span<UInt8>, Span<UInt8>) -> Void) throws(StorageError) -> Bool {
        try move(MDB_LAST, body)
    }

    /// Moves to the first key at or above `key`.
    func seek(
        _ key: [UInt8],
        _ body: (Span<UInt8>, Span<UInt8>) -> Void
    ) throws(StorageError) -> Bool {
        var found = unsafe MDB_val()
        var value = unsafe MDB_val()
        let code = unsafe key.withUnsafeBytes { bytes -> Int32 in
            unsafe found = MDB_val(bytes)
            return unsafe mdb_cursor_get(raw, &found, &value, MDB_SET_RANGE)
        }
        return try unsafe deliver(code, found, value, body)
    }

    /// Deletes where the cursor stands; `next` then gives the one after.
    func delete() throws(StorageError) {
        try check(unsafe mdb_cursor_del(raw, 0), "mdb_cursor_del")
    }

    private func move(
        _ operation: MDB_cursor_op,
        _ body: (Span<UInt8>, Span<UInt8>) -> Void
    ) throws(StorageError) -> Bool {
        var key = unsafe MDB_val()
        var value = unsafe MDB_val()
        let code = unsafe mdb_cursor_get(raw, &key, &value, operation)
        return try unsafe deliver(code, key, value, body)
    }

    private func deliver(
        _ code: Int32,
        _ key: MDB_val,
        _ value: MDB_val,
        _ body: (Span<UInt8>, Span<UInt8>) -> Void
    ) throws(StorageError) -> Bool {
        if code == MDB_NOTFOUND { return false }
        try check(code, "mdb_cursor_get")
        let keyBytes = unsafe UnsafeBufferPointer(key)
        let valueBytes = unsafe UnsafeBufferPointer(value)
        body(unsafe keyBytes.span, unsafe valueBytes.span)
        return true
    }
}

extension MDB_val {
    /// Names bytes that must stay where they are during the call.
    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.init(
            mv_size: bytes.count,
            mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        )
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The bytes that LMDB points at, valid until the transaction ends or writes.
    init(_ value: MDB_val) {
        unsafe self.init(
            start: value.mv_data?.assumingMemoryBound(to: UInt8.self),
            count: value.mv_size
        )
    }
}

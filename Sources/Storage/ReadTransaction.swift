// The check path: one pooled snapshot per loop, renewed every turn.
//
// A renewed transaction sees the last commit and costs no system call. Its cursor is reused, keys
// are built on the stack and compared where LMDB's map has them, so a person without marks costs
// one seek and no allocation. What is found is copied out of the map by decoding: nothing of it
// outlives a call. A snapshot that is kept makes the file grow and answers with old news; hence
// every turn, and `reset` before a long sleep.

internal import CLMDB
public import Suppression

/// A mark as it lies on the disk.
public enum StoredMark: Equatable, Sendable {
    /// Nobody wrote this key.
    case absent
    /// Decoded, checksum right.
    case present(Mark)
    /// Something is there that cannot be read: it suppresses.
    case damaged
}

/// A loop's own view of the state. Stays on one thread at a time.
@safe public struct ReadTransaction: ~Copyable {
    private let raw: OpaquePointer
    private let cursor: OpaquePointer
    private let environment: Environment
    private let tables: StateTables
    private var isLive = false
    /// Reused, so that a turn does not allocate.
    private var buffer = Unsealed()
    private let watermarkKey = MetaName.watermark.key

    /// Everything up to here shows in the snapshot.
    public private(set) var watermark: UInt64 = 0

    /// Begins, and sleeps until `renew`.
    init(_ state: StateFile) throws(StorageError) {
        var begun: OpaquePointer?
        let code = unsafe mdb_txn_begin(
            state.environment.raw,
            nil,
            UInt32(MDB_RDONLY),
            &begun
        )
        try check(code, "mdb_txn_begin")
        guard let raw = unsafe begun else { throw .other(call: "mdb_txn_begin", code: 0) }
        var opened: OpaquePointer?
        let opening = unsafe mdb_cursor_open(raw, state.tables.marks.dbi, &opened)
        guard opening == 0, let cursor = unsafe opened else {
            unsafe mdb_txn_abort(raw)
            try check(opening, "mdb_cursor_open")
            throw .other(call: "mdb_cursor_open", code: 0)
        }
        unsafe mdb_txn_reset(raw)
        unsafe self.raw = raw
        unsafe self.cursor = cursor
        environment = state.environment
        tables = state.tables
    }

    deinit {
        unsafe mdb_cursor_close(cursor)
        unsafe mdb_txn_abort(raw)
    }

    /// Moves to the last commit, giving up the snapshot before.
    public mutating func renew() throws(StorageError) {
        reset()
        try check(unsafe mdb_txn_renew(raw), "mdb_txn_renew")
        isLive = true
        try check(unsafe mdb_cursor_renew(raw, cursor), "mdb_cursor_renew")
        let found = try unsafe lookUp(watermarkKey, in: tables.meta, of: raw, into: &buffer)
        watermark = try metaNumber(found, buffer, .watermark) ?? 0
    }

    /// Gives the snapshot up, so that its pages can be used again; `renew` before the next read.
    public mutating func reset() {
        guard isLive else { return }
        unsafe mdb_txn_reset(raw)
        isLive = false
    }

    /// Calls `body` with every stored mark of a person, in key order; nil for a damaged one.
    ///
    /// The overlay is not part of it: a verdict must use `forEachMark(of:under:_:)`.
    public func forEachMark(
        of person: Person,
        _ body: (MarkKey, Mark?) -> Void
    ) throws(StorageError) {
        precondition(isLive, "renew before reading")
        var prefix: PersonPrefix = [
            person.tenant.raw.bigEndian, person.recipient.high.bigEndian,
            person.recipient.low.bigEndian,
        ]
        var key = unsafe MDB_val()
        var value = unsafe MDB_val()
        var code = unsafe withUnsafeMutableBytes(of: &prefix) { bytes -> Int32 in
            unsafe key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
            return unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
        }
        while code == 0 {
            let keyBytes = unsafe UnsafeBufferPointer<UInt8>(key)
            let stored = unsafe keyBytes.span
            guard person.starts(stored) else { return }
            let valueBytes = unsafe UnsafeBufferPointer<UInt8>(value)
            deliver(stored, unsafe valueBytes.span, person, body)
            code = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
        }
        if code == MDB_NOTFOUND { return }
        try check(code, "mdb_cursor_get")
    }

    /// Calls `body` with some marks of a tenant in key order; nil for a damaged one.
    ///
    /// - Parameters:
    ///   - last: begins behind this key; nil for the tenant's first.
    ///   - limit: fewer calls than this mean that there are no more.
    public func forEachMark(
        of tenant: TenantID,
        after last: MarkKey?,
        limit: Int,
        _ body: (MarkKey, Mark?) -> Void
    ) throws(StorageError) {
        precondition(isLive, "renew before reading")
        var start: [UInt8] = []
        if let last { last.encode(into: &start) } else { start.append(bigEndian: tenant.raw) }
        var key = unsafe MDB_val()
        var value = unsafe MDB_val()
        var code = unsafe start.withUnsafeBytes { bytes -> Int32 in
            unsafe key = MDB_val(bytes)
            return unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
        }
        var count = 0
        while code == 0, count < limit {
            let keyBytes = unsafe UnsafeBufferPointer<UInt8>(key)
            let stored = unsafe keyBytes.span
            guard stored.count >= 8, stored.word(at: 0) == tenant.raw else { return }
            let person =
                stored.count >= MarkKey.personBytes
                ? Recipient(high: stored.word(at: 8), low: stored.word(at: 16))
                : Recipient(high: 0, low: 0)
            let valueBytes = unsafe UnsafeBufferPointer<UInt8>(value)
            deliver(
                stored,
                unsafe valueBytes.span,
                Person(tenant: tenant, recipient: person)
            ) { found, mark in
                guard found != last else { return }
                count += 1
                body(found, mark)
            }
            code = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
        }
        if code == MDB_NOTFOUND { return }
        try check(code, "mdb_cursor_get")
    }

    /// Calls `body` with entries of `marks` as they lie there, from a key on, until it says false.
    func walkMarks(
        from start: [UInt8],
        _ body: (Span<UInt8>, Span<UInt8>) -> Bool
    ) throws(StorageError) {
        precondition(isLive, "renew before reading")
        var key = unsafe MDB_val()
        var value = unsafe MDB_val()
        var code = unsafe start.withUnsafeBytes { bytes -> Int32 in
            unsafe key = MDB_val(bytes)
            return unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
        }
        while code == 0 {
            let keyBytes = unsafe UnsafeBufferPointer<UInt8>(key)
            let valueBytes = unsafe UnsafeBufferPointer<UInt8>(value)
            guard body(unsafe keyBytes.span, unsafe valueBytes.span) else { return }
            code = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
        }
        if code == MDB_NOTFOUND { return }
        try check(code, "mdb_cursor_get")
    }

    private func deliver(
        _ key: Span<UInt8>,
        _ value: Span<UInt8>,
        _ person: Person,
        _ body: (MarkKey, Mark?) -> Void
    ) {
        var decoded: MarkKey?
        do {
            let known = try MarkKey(decoding: key)
            decoded = known
            body(known, try Mark(unsealing: value, under: key))
        } catch {
            // A key of the wrong length could have meant any scope: deny the widest.
            let unreadable = MarkKey(person: person, scope: .tenant, reason: Reason(raw: 0))
            body(decoded ?? unreadable, nil)
        }
    }

    /// One stored mark, without the overlay.
    public func mark(_ key: MarkKey) throws(StorageError) -> StoredMark {
        var encoded: [UInt8] = []
        key.encode(into: &encoded)
        var buffer = Unsealed()
        switch try read(encoded, in: tables.marks, into: &buffer) {
        case .absent: return .absent
        case .damaged: return .damaged
        case .intact: return decodedMark(buffer).map { .present($0) } ?? .damaged
        }
    }

    /// What an idempotency key was answered with; nil when not known, or forgotten.
    public func request(_ id: Recipient) throws(StorageError) -> RememberedRequest? {
        var buffer = Unsealed()
        let found = try read(id.key, in: tables.requests, into: &buffer)
        return found == .intact ? RememberedRequest(buffer) : nil
    }

    /// Where a write went; nil when this snapshot does not have it.
    public func target(of dot: Dot) throws(StorageError) -> DotTarget? {
        var buffer = Unsealed()
        switch try read(dot.key, in: tables.index, into: &buffer) {
        case .absent: return nil
        case .damaged: return .damaged
        case .intact: return DotTarget(buffer)
        }
    }

    /// The evidence that came with a consent; nil when there is none that can be read.
    public func evidence(of dot: Dot) throws(StorageError) -> [UInt8]? {
        var buffer = Unsealed()
        let found = try read(dot.key, in: tables.evidence, into: &buffer)
        return found == .intact ? buffer.value : nil
    }

    /// Every write that the snapshot holds; origins whose entry is damaged are left out.
    public func heldSet() throws(StorageError) -> HeldSet {
        precondition(isLive, "renew before reading")
        var held = HeldSet()
        var buffer = Unsealed()
        let walk = try unsafe Cursor(raw, tables.held)
        let take = { (key: Span<UInt8>, value: Span<UInt8>) in
            do { try buffer.open(key: key, value: value) } catch { return }
            guard let (origin, intervals) = decodedIntervals(buffer) else { return }
            for interval in intervals { held.insert(interval, of: origin) }
        }
        var found = try walk.first(take)
        while found { found = try walk.next(take) }
        return held
    }

    /// A register by name; nil when there is none that can be read.
    public func register(_ name: [UInt8]) throws(StorageError) -> Register? {
        var buffer = Unsealed()
        let found = try read(name, in: tables.registers, into: &buffer)
        return found == .intact ? decodedRegister(buffer) : nil
    }

    /// Keys in `marks`, lifted ones included.
    public func marksCount() throws(StorageError) -> Int {
        precondition(isLive, "renew before reading")
        return try unsafe entryCount(tables.marks, of: raw)
    }

    private func read(
        _ key: [UInt8],
        in table: Table,
        into buffer: inout Unsealed
    ) throws(StorageError) -> Found {
        precondition(isLive, "renew before reading")
        return try unsafe lookUp(key, in: table, of: raw, into: &buffer)
    }
}

@available(*, unavailable)
extension ReadTransaction: Sendable {}

/// The 24 bytes that start each of a person's keys, as three words that are big-endian in memory.
private typealias PersonPrefix = InlineArray<3, UInt64>

extension Person {
    /// Whether a key is one of this person's.
    fileprivate func starts(_ key: Span<UInt8>) -> Bool {
        guard key.count >= MarkKey.personBytes else { return false }
        return key.word(at: 0) == tenant.raw && key.word(at: 8) == recipient.high
            && key.word(at: 16) == recipient.low
    }
}

extension Span<UInt8> {
    fileprivate func word(at offset: Int) -> UInt64 {
        var word: UInt64 = 0
        for i in offset..<(offset + 8) { word = word << 8 | UInt64(self[i]) }
        return word
    }
}

extension Dot {
    /// The 24 bytes, as a key of their own.
    var key: [UInt8] {
        var key: [UInt8] = []
        encode(into: &key)
        return key
    }
}

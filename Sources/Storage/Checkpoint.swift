// One checkpoint: a batch of the log becomes marks, index, held sets, registers and remembered requests,
// and the watermark rises, all in one transaction.
//
// So the watermark is exact: what lies at or below it is in the tables, what lies above is not, and a
// crash anywhere in between leaves the old state and a log to replay. Keys are visited in order, which
// spares LMDB half of its page look-ups.
//
// Damage. A stored mark whose checksum fails is left as it is, because it reads as suppressed and its
// bytes are evidence; overwriting it with what one change says would forget what it may have said. What
// arrives for its key meanwhile is collected in `aside`, and repair joins both (DESIGN 7). A damaged
// register is replaced by the next write of its name: nobody can use it until then, and a setting that
// could never be written again would be worse. Held sets are kept in memory and written whole, so a
// damaged one is replaced as well; the start has reported it.

internal import Suppression

/// Merges batches of the log into the state.
struct Checkpoint {
    private let environment: Environment
    private let tables: StateTables
    private let wallMillis: @Sendable () -> UInt64
    private var record = Record()
    private var buffer = Unsealed()

    /// Merged up to here.
    private(set) var watermark: UInt64
    /// What the tables show.
    private(set) var held: HeldSet
    /// What was found broken on the way.
    private(set) var damage = Damage()

    /// Goes on after `watermark`.
    init(
        _ state: StateFile,
        watermark: UInt64,
        held: HeldSet,
        wallMillis: @escaping @Sendable () -> UInt64
    ) {
        environment = state.environment
        tables = state.tables
        self.watermark = watermark
        self.held = held
        self.wallMillis = wallMillis
    }

    /// Merges changes that follow the watermark, in order.
    ///
    /// - Parameters:
    ///   - through: the watermark to write, at least the last change's number.
    ///   - lost: records of the log that could not be read back on the way.
    /// - Throws: `.full`, with nothing changed; anything else latches.
    mutating func merge(
        _ changes: ArraySlice<LoggedChange>,
        through: UInt64,
        lost: Int = 0
    ) throws(StorageError) {
        precondition(through >= watermark, "the watermark only rises")
        var held = self.held
        var damage = self.damage
        let transaction = try WriteTransaction(environment)
        try mergeMarks(changes, transaction, &damage)
        try mergeIndex(changes, transaction)
        let now = wallMillis()
        for entry in changes {
            held.insert(entry.change.dot)
            if case .register(let register) = entry.change.body {
                try merge(register, transaction, &damage)
            }
            if case .consent(_, _, let evidence) = entry.change.body {
                record.begin { entry.change.dot.encode(into: &$0) }
                record.seal { $0.append(contentsOf: evidence) }
                try transaction.put(record, in: tables.evidence)
            }
            if let request = entry.change.request {
                try remember(request, of: entry.change, at: now, transaction)
            }
        }
        try forgetRequests(before: now, transaction)
        try writeHeld(held, transaction)
        try transaction.set(.watermark, to: through, in: tables.meta)
        if lost > 0 {
            damage.logRecords += lost
            let before = try transaction.number(.lost, in: tables.meta) ?? 0
            try transaction.set(.lost, to: before + UInt64(lost), in: tables.meta)
            try transaction.set(
                .restored, to: "\(lost) records of log.mdb could not be read back", in: tables.meta)
        }
        try transaction.commit()
        self.held = held
        self.damage = damage
        watermark = through
    }

    private mutating func mergeMarks(
        _ changes: ArraySlice<LoggedChange>,
        _ transaction: borrowing WriteTransaction,
        _ damage: inout Damage
    ) throws(StorageError) {
        var arrived: [(key: MarkKey, mark: Mark)] = changes.compactMap { $0.change.mark }
        arrived.sort { $0.key < $1.key }
        var at = 0
        while at < arrived.count {
            let key = arrived[at].key
            var mark = arrived[at].mark
            at += 1
            while at < arrived.count, arrived[at].key == key {
                mark.merge(arrived[at].mark)
                at += 1
            }
            var encoded: [UInt8] = []
            key.encode(into: &encoded)
            if try !merge(mark, under: encoded, in: tables.marks, transaction) {
                damage.marks += 1
                // Damaged as well? Then what arrives now is all that can still be kept.
                if try !merge(mark, under: encoded, in: tables.aside, transaction) {
                    try put(mark, under: encoded, in: tables.aside, transaction)
                }
            }
        }
    }

    /// Merges into one stored mark; false when that is damaged, which leaves it untouched.
    private mutating func merge(
        _ mark: Mark,
        under key: [UInt8],
        in table: Table,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) -> Bool {
        switch try transaction.read(key, in: table, into: &buffer) {
        case .damaged: return false
        case .absent: try put(mark, under: key, in: table, transaction)
        case .intact:
            guard let stored = decodedMark(buffer) else { return false }
            var merged = stored
            merged.merge(mark)
            if merged != stored { try put(merged, under: key, in: table, transaction) }
        }
        return true
    }

    private mutating func put(
        _ mark: Mark,
        under key: [UInt8],
        in table: Table,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        record.begin { $0.append(contentsOf: key) }
        record.seal { mark.encode(into: &$0) }
        try transaction.put(record, in: table)
    }

    private mutating func mergeIndex(
        _ changes: ArraySlice<LoggedChange>,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        for entry in changes.sorted(by: { $0.change.dot < $1.change.dot }) {
            record.begin { entry.change.dot.encode(into: &$0) }
            record.seal { DotTarget(of: entry.change).encode(into: &$0) }
            try transaction.put(record, in: tables.index)
        }
    }

    private mutating func merge(
        _ register: Register,
        _ transaction: borrowing WriteTransaction,
        _ damage: inout Damage
    ) throws(StorageError) {
        // LMDB has no empty keys, and no author of ours makes an empty name.
        guard !register.name.isEmpty else { return }
        switch try transaction.read(register.name, in: tables.registers, into: &buffer) {
        case .absent: break
        case .damaged: damage.registers += 1
        case .intact:
            if let stored = decodedRegister(buffer) {
                guard register.wins(over: stored) else { return }
            } else {
                damage.registers += 1
            }
        }
        record.begin { $0.append(contentsOf: register.name) }
        record.seal { register.encode(into: &$0) }
        try transaction.put(record, in: tables.registers)
    }

    private mutating func remember(
        _ request: RequestStamp,
        of change: Change,
        at now: UInt64,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        let key = request.id.key
        if case .intact = try transaction.read(key, in: tables.requests, into: &buffer),
            let before = RememberedRequest(buffer)
        {
            try transaction.delete(
                timeKey(before.millis, request.id), in: tables.requestsByTime)
        }
        let answer = RememberedRequest(dot: change.dot, body: request.body, millis: now)
        record.begin { $0 = key }
        record.seal { answer.encode(into: &$0) }
        try transaction.put(record, in: tables.requests)
        record.begin { $0 = timeKey(now, request.id) }
        record.seal { _ in }
        try transaction.put(record, in: tables.requestsByTime)
    }

    /// Forgets idempotency keys past their time, oldest first, a bounded number at once.
    private mutating func forgetRequests(
        before now: UInt64,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        guard now > Limits.requestMemoryMillis else { return }
        let oldest = now - Limits.requestMemoryMillis
        var old: [(millis: UInt64, id: Recipient)] = []
        do {
            let cursor = try transaction.cursor(tables.requestsByTime)
            let take = { (key: Span<UInt8>, _: Span<UInt8>) in
                var at = ByteCursor()
                do {
                    let millis = try at.u64(key)
                    let id = Recipient(high: try at.u64(key), low: try at.u64(key))
                    old.append((millis, id))
                } catch { old.append((.max, Recipient(high: 0, low: 0))) }  // no key of ours
            }
            var found = try cursor.first(take)
            while found, let last = old.last, last.millis < oldest,
                old.count < Limits.forgetRequestsCount
            {
                found = try cursor.next(take)
            }
        }
        for entry in old where entry.millis < oldest {
            try transaction.delete(timeKey(entry.millis, entry.id), in: tables.requestsByTime)
            guard case .intact = try transaction.read(
                entry.id.key, in: tables.requests, into: &buffer),
                RememberedRequest(buffer)?.millis == entry.millis
            else { continue }
            try transaction.delete(entry.id.key, in: tables.requests)
        }
    }

    private mutating func writeHeld(
        _ held: HeldSet,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        for entry in held.entries where !self.held.entries.contains(entry) {
            record.begin {
                $0.append(bigEndian: entry.origin.node.raw)
                $0.append(bigEndian: entry.origin.epoch.raw)
            }
            record.seal { out in
                for interval in entry.intervals {
                    out.append(bigEndian: interval.first)
                    out.append(bigEndian: interval.last)
                }
            }
            try transaction.put(record, in: tables.held)
        }
    }

    /// Takes the doubt of the start back: the cluster has admitted this node again.
    func forgetRestored() throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        try transaction.delete(MetaName.restored.key, in: tables.meta)
        try transaction.delete(MetaName.lost.key, in: tables.meta)
        try transaction.commit()
    }
}

/// The key under which a request's age is found.
private func timeKey(_ millis: UInt64, _ id: Recipient) -> [UInt8] {
    var key: [UInt8] = []
    key.append(bigEndian: millis)
    key.append(contentsOf: id.key)
    return key
}

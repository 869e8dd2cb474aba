// One checkpoint: a batch of the log becomes marks, index, held sets, registers and remembered
// requests, and the watermark rises, all in one transaction.
//
// So the watermark is exact: what lies at or below it is in the tables, what lies above is not, and
// a crash anywhere in between leaves the old state and a log to replay. Keys are visited in order,
// which spares LMDB half of its page look-ups.
//
// Damage. A stored mark whose checksum fails is left as it is, because it reads as suppressed and
// its bytes are evidence; overwriting it with what one change says would forget what it may have
// said. What arrives for its key meanwhile is collected in `aside`, and repair joins both (DESIGN
// 7). A damaged register is replaced by the next write of its name: nobody can use it until then,
// and a setting that could never be written again would be worse. Held sets are kept in memory and
// written whole, so a damaged one is replaced as well; the start has reported it.

internal import Suppression

/// Merges batches of the log into the state.
struct Checkpoint {
    /// Where the change of a key lies in what is merged.
    private struct Place {
        let key: MarkKey
        let at: Int32
        /// Which of the change's marks.
        let nth: Int32
    }

    let environment: Environment
    let tables: StateTables
    private let wallMillis: @Sendable () -> UInt64
    var record = Record()
    var buffer = Unsealed()
    /// For tests: marks or index entries of a run in one transaction.
    var sliceCount = Limits.runSliceCount

    /// What all marks amount to, by digest and sketch.
    var tally: MarkTally
    /// The same, of all that was committed; nil before the cluster's secret is known.
    var digest: MarkDigest? { tally.digest }
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
        digest: (key: SketchKey, MarkDigest)? = nil,
        wallMillis: @escaping @Sendable () -> UInt64
    ) {
        tally = MarkTally(digest?.key, written: digest?.1)
        environment = state.environment
        tables = state.tables
        self.watermark = watermark
        self.held = held
        self.wallMillis = wallMillis
    }

    /// Merges changes that follow the watermark, in order.
    ///
    /// Few go in one transaction. Many are a *run*: their marks are sorted as a whole and go in
    /// slices of the key space, so that each page of the tree is written once a run and not once
    /// every few thousand changes; the watermark rises with the last transaction. A crash in
    /// between leaves marks that the replay merges again, which changes nothing.
    ///
    /// - Parameters:
    ///   - through: the watermark to write, at least the last change's number.
    ///   - lost: records of the log that could not be read back on the way.
    ///   - stops: asked between the slices of a run; true leaves the rest to the next start.
    /// - Returns: false when it was stopped.
    /// - Throws: `.full`, with the watermark where it was; anything else latches.
    @discardableResult
    mutating func merge(
        _ changes: ArraySlice<LoggedChange>,
        through: UInt64,
        lost: Int = 0,
        stops: () -> Bool = { false }
    ) throws(StorageError) -> Bool {
        precondition(through >= watermark, "the watermark only rises")
        var order: [Place] = []
        order.reserveCapacity(changes.reduce(0) { $0 + $1.change.markCount })
        for at in changes.indices {
            for nth in 0..<changes[at].change.markCount {
                let key = changes[at].change.markKey(nth)
                order.append(Place(key: key, at: Int32(at), nth: Int32(nth)))
            }
        }
        order.sort { $0.key < $1.key }
        let isRun = max(changes.count, order.count) > Limits.checkpointChangesCount
        if isRun {
            guard try mergeRun(changes, order, stops) else { return false }
        }
        try finish(changes, isRun ? nil : order, through: through, lost: lost)
        return true
    }

    /// Merges the marks of a run and their index entries; false when stopped.
    private mutating func mergeRun(
        _ changes: ArraySlice<LoggedChange>,
        _ order: [Place],
        _ stops: () -> Bool
    ) throws(StorageError) -> Bool {
        var rest = order[...]
        while !rest.isEmpty {
            if stops() { return false }
            var slice = rest.prefix(sliceCount)
            // All changes of one key in one slice, or its stored mark would be read twice.
            while slice.endIndex < rest.endIndex,
                rest[slice.endIndex].key == rest[slice.endIndex - 1].key
            {
                slice = rest[slice.startIndex...slice.endIndex]
            }
            rest = rest[slice.endIndex...]
            var damage = self.damage
            var toggles = tally.toggles
            let transaction = try WriteTransaction(environment)
            try mergeMarks(changes, slice, transaction, &damage, &toggles)
            try write(toggles, transaction)
            try transaction.commit()
            self.damage = damage
            tally.apply(&toggles)
        }
        var unindexed = changes
        while !unindexed.isEmpty {
            if stops() { return false }
            let slice = unindexed.prefix(sliceCount)
            unindexed = unindexed.dropFirst(slice.count)
            let transaction = try WriteTransaction(environment)
            try mergeIndex(slice, transaction)
            try transaction.commit()
        }
        return true
    }

    /// The transaction that raises the watermark, with the marks of a small batch; nil when a run
    /// has merged them.
    private mutating func finish(
        _ changes: ArraySlice<LoggedChange>,
        _ order: [Place]?,
        through: UInt64,
        lost: Int
    ) throws(StorageError) {
        var held = self.held
        var damage = self.damage
        var toggles = tally.toggles
        let transaction = try WriteTransaction(environment)
        if let order {
            try mergeMarks(changes, order[...], transaction, &damage, &toggles)
            try mergeIndex(changes, transaction)
            try write(toggles, transaction)
        }
        let now = wallMillis()
        for entry in changes {
            switch entry.change.body {
            case .merged: break  // held once the set that comes with the last page says so
            case .holds(let set): held.formUnion(set)
            case .own(let note): try write(note, transaction)
            case .suppress, .consent, .register, .list, .opaque: held.insert(entry.change.dot)
            }
            if let register = entry.change.register {
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
        if lost > 0 { try write(lost: lost, transaction, &damage) }
        try transaction.commit()
        self.held = held
        self.damage = damage
        tally.apply(&toggles)
        watermark = through
    }

    private func write(
        lost: Int,
        _ transaction: borrowing WriteTransaction,
        _ damage: inout Damage
    ) throws(StorageError) {
        damage.logRecords += lost
        let before = try transaction.number(.lost, in: tables.meta) ?? 0
        try transaction.set(.lost, to: before + UInt64(lost), in: tables.meta)
        try transaction.set(
            .restored,
            to: "\(lost) records of log.mdb could not be read back",
            in: tables.meta
        )
    }

    private func write(
        _ toggles: MarkToggles,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        guard let written = tally.written(after: toggles) else { return }
        try transaction.set(written, in: tables.meta)
    }

    private mutating func mergeMarks(
        _ changes: ArraySlice<LoggedChange>,
        _ order: ArraySlice<Place>,
        _ transaction: borrowing WriteTransaction,
        _ damage: inout Damage,
        _ toggles: inout MarkToggles
    ) throws(StorageError) {
        var at = order.startIndex
        while at < order.endIndex {
            let key = order[at].key
            var mark = Mark()
            while at < order.endIndex, order[at].key == key {
                mark.merge(changes[Int(order[at].at)].change.mark(Int(order[at].nth)))
                at += 1
            }
            var encoded: [UInt8] = []
            key.encode(into: &encoded)
            if try !merge(mark, under: encoded, in: tables.marks, transaction, &toggles) {
                damage.marks += 1
                // Damaged as well? Then what arrives now is all that can still be kept.
                var apart = MarkToggles()
                if try !merge(mark, under: encoded, in: tables.aside, transaction, &apart) {
                    try put(mark, under: encoded, in: tables.aside, transaction, &apart)
                }
            }
        }
    }

    /// Merges into one stored mark; false when that is damaged, which leaves it untouched.
    private mutating func merge(
        _ mark: Mark,
        under key: [UInt8],
        in table: Table,
        _ transaction: borrowing WriteTransaction,
        _ toggles: inout MarkToggles
    ) throws(StorageError) -> Bool {
        switch try transaction.read(key, in: table, into: &buffer) {
        case .damaged: return false
        case .absent: try put(mark, under: key, in: table, transaction, &toggles)
        case .intact:
            guard let stored = decodedMark(buffer) else { return false }
            var merged = stored
            merged.merge(mark)
            guard merged != stored else { return true }
            toggles.add(buffer.bytes.span, count: buffer.bytes.count)
            try put(merged, under: key, in: table, transaction, &toggles)
        }
        return true
    }

    private mutating func put(
        _ mark: Mark,
        under key: [UInt8],
        in table: Table,
        _ transaction: borrowing WriteTransaction,
        _ toggles: inout MarkToggles
    ) throws(StorageError) {
        record.begin { $0.append(contentsOf: key) }
        record.seal { mark.encode(into: &$0) }
        try transaction.put(record, in: table)
        toggles.add(record.bytes.span, count: record.bytes.count - 8)
    }

    private mutating func mergeIndex(
        _ changes: ArraySlice<LoggedChange>,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        var order: [(dot: Dot, at: Int)] = []
        for at in changes.indices {
            for dot in changes[at].change.indexedDots { order.append((dot, at)) }
        }
        order.sort { $0.dot < $1.dot }
        for (dot, at) in order {
            guard let target = DotTarget(of: changes[at].change) else { continue }
            record.begin { dot.encode(into: &$0) }
            record.seal { target.encode(into: &$0) }
            // A mark may name a write that is a list: that leads to all its marks, and who was led
            // to one of them alone would take the write for held without the others.
            if case .merged = changes[at].change.body {
                try transaction.putIfAbsent(record, in: tables.index)
            } else {
                try transaction.put(record, in: tables.index)
            }
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

    /// What the node remembers of itself, the newest of each kind. With its doubt goes what the
    /// start found: the cluster has taken the node back in.
    private func write(
        _ note: OwnNote,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        let name = MetaName(note.kind)
        guard note.bytes.isEmpty else {
            return try transaction.put(Record(key: name.key, value: note.bytes), in: tables.meta)
        }
        try transaction.delete(name.key, in: tables.meta)
        guard note.kind == .doubt else { return }
        try transaction.delete(MetaName.lost.key, in: tables.meta)
        try transaction.delete(MetaName.copied.key, in: tables.meta)
    }
}

// The store: two files, two threads, and the promise that "committed" means it.
//
//     append --> LogQueue --> LogWriter --> log.mdb          acknowledge here
//                                |
//                             Handover --> Checkpointer --> state.mdb --> readers
//
// Appends of an event log commit in 0.5 ms whatever the size of the data; random keys in a B-tree
// of 10 M marks take 27 ms for 256 (DESIGN 5). So a write is acknowledged from the log and shows in
// the marks later, and every loop bridges the time between with its overlay.

public import Suppression
internal import Synchronization

/// How a store is opened. The defaults are the ones for production.
public struct StoreOptions: Sendable {
    /// Address space for `state.mdb`, the hard bound of its size.
    public var stateMapBytes = Limits.stateMapBytes
    /// Address space for `log.mdb`, the hard bound of its size.
    public var logMapBytes = Limits.logMapBytes
    /// Wall clock in milliseconds, for forgetting idempotency keys.
    public var wallMillis: @Sendable () -> UInt64 = { wallClockMillis() }
    /// The newest format that this version reads and, once it is told to, writes.
    public var format = Format.newest
    /// Lines of the smallest recipient filter.
    public var filterLines = Limits.filterLinesCount
    /// For tests: how long changes gather before a checkpoint.
    var lingerMillis = Limits.checkpointLingerMillis
    /// For tests: marks that are read for a larger filter at once.
    var scanPageCount = Limits.scanPageCount

    /// The defaults.
    public init() {}
}

/// What the start found.
public struct Opened: Sendable {
    /// The running store.
    public let store: Store
    /// This node, the same for the life of the directory.
    public let nodeID: NodeID
    /// This life; never seen before.
    public let epoch: Epoch
    /// The directory was empty.
    public let created: Bool
    /// Why the directory counts as restored; nil when it does not.
    public let restored: String?
    /// The files are copies, perhaps old ones, of those that this node wrote.
    public let isCopied: Bool
    /// The directory began empty, in this life or an earlier one, and was not found whole since.
    public let isJoining: Bool
    /// The format in which both files are written.
    public let format: UInt64
    /// What this node remembers of itself, but for its doubt.
    public let notes: [OwnNote]
    /// Every write committed here.
    public let heldSet: HeldSet
    /// Every readable register.
    public let registers: [Register]
    /// The member book as `keep` left it; nil if there is none that can be read.
    public let members: [UInt8]?
    /// Everything up to here shows in the marks; the log has been replayed.
    public let watermark: UInt64
    /// The number of the next change to append.
    public let nextLocalSequence: UInt64
    /// Keys in `marks`.
    public let marksCount: Int
    /// What all marks amount to, as found; nil before the cluster's sketch key was adopted.
    public let digest: MarkDigest?
    /// Every mark's fingerprint.
    public let filter: RecipientFilter
    /// What was broken.
    public let damage: Damage
}

/// An open data directory with its two threads.
public final class Store: Sendable {
    /// What a running store has, and a closed one has given up.
    private struct Running: ~Copyable {
        let state: StateFile
        let log: LogFile
        let writer: Worker
        let checkpointer: Worker

        /// The writer first, so that all it commits can still be checkpointed.
        consuming func end(
            _ handover: Handover,
            deadline: UInt64
        ) -> (state: StateFile, log: LogFile) {
            let files = (state, log)
            writer.join()
            handover.close(deadline: deadline)
            checkpointer.join()
            return files
        }
    }

    let queue: LogQueue
    let handover: Handover
    private let outlet: Outlet
    private let running: Mutex<Running?>

    private init(
        _ opening: Opening,
        _ checkpoint: Checkpoint,
        _ options: StoreOptions,
        _ sink: @escaping @Sendable (StoreEvent) -> Void
    ) throws(StorageError) {
        let queue = try LogQueue()
        let handover = try Handover(
            committedThrough: checkpoint.watermark,
            lingerMillis: options.lingerMillis
        )
        let outlet = Outlet(sink)
        let (state, log, format) = (opening.state, opening.log, opening.formats.log)
        let lastStored = checkpoint.watermark
        let writer = try Worker {
            var writer = LogWriter(
                log,
                format: format,
                queue: queue,
                handover: handover,
                outlet: outlet,
                lastStored: lastStored
            )
            writer.run()
        }
        let checkpointer: Worker
        let scanPageCount = options.scanPageCount
        do {
            checkpointer = try Worker {
                var checkpointer = Checkpointer(
                    checkpoint,
                    state: state,
                    log: log,
                    queue: queue,
                    handover: handover,
                    outlet: outlet,
                    scanPageCount: scanPageCount
                )
                checkpointer.run()
            }
        } catch {
            queue.close()
            writer.join()
            throw error
        }
        self.queue = queue
        self.handover = handover
        self.outlet = outlet
        running = Mutex(
            Running(state: state, log: log, writer: writer, checkpointer: checkpointer)
        )
        queue.trim(through: checkpoint.watermark, now: false)
    }

    deinit { _ = close(deadlineMillis: 0) }

    /// Opens a data directory, creating it when missing, and replays its log.
    ///
    /// The new epoch is on the disk before this returns.
    /// - Parameters:
    ///   - directory: its last component is created when missing.
    ///   - sink: gets the events, from storage threads, one at a time; must not block or close.
    public static func open(
        directory: String,
        options: StoreOptions = StoreOptions(),
        sink: @escaping @Sendable (StoreEvent) -> Void
    ) throws(StorageError) -> Opened {
        let opening = try Opening.begin(directory, options)
        let (held, damagedOrigins) = try opening.state.heldSet()
        let written = try opening.state.writtenDigest()
        var checkpoint = Checkpoint(
            opening.state,
            watermark: opening.watermark,
            held: held,
            digest: written,
            wallMillis: options.wallMillis
        )
        var isDone = false
        while !isDone {
            let page = try LogPage.read(opening.log, after: checkpoint.watermark)
            isDone = page.isLast
            if page.through == checkpoint.watermark, page.lostCount == 0 { continue }
            try checkpoint.merge(page.changes[...], through: page.through, lost: page.lostCount)
        }
        var damage = checkpoint.damage
        damage.heldOrigins = damagedOrigins
        let registers = try opening.state.registers(&damage)
        let members = try opening.state.memberBook()
        let (filter, found) = try opening.state.scan(key: written?.key, options.filterLines)
        checkpoint.tally.found(found.digest)
        damage.isUnequal = found.strangeCount > 0 || checkpoint.tally.isDoubted
        var restored = opening.restored
        if damage.logRecords > 0 {
            restored = restored ?? "\(damage.logRecords) records of log.mdb could not be read back"
        }
        if damagedOrigins > 0 {
            restored = restored ?? "the held sets of \(damagedOrigins) origins are damaged"
        }
        // What the log said of a doubt before this start does not take this start's back.
        if let restored { try opening.state.write(doubt: restored) }
        let (notes, areWhole) = try opening.state.notes()
        if !areWhole { restored = restored ?? "what this node promised as a voter is damaged" }
        let store = try Store(opening, checkpoint, options, sink)
        return Opened(
            store: store,
            nodeID: opening.nodeID,
            epoch: opening.epoch,
            created: opening.created,
            restored: restored,
            isCopied: opening.isCopied,
            isJoining: opening.isJoining,
            format: min(opening.formats.state, opening.formats.log),
            notes: notes,
            heldSet: checkpoint.held,
            registers: registers,
            members: members,
            watermark: checkpoint.watermark,
            nextLocalSequence: checkpoint.watermark + 1,
            marksCount: try Snapshot(opening.state.environment).count(opening.state.tables.marks),
            digest: checkpoint.digest,
            filter: filter,
            damage: damage
        )
    }

    /// Queues changes for the log; never waits. One thread only, numbers rising.
    ///
    /// - Returns: false when the queue is at its bound or the store has closed or failed; nothing
    ///   of the batch was taken.
    public func append(_ batch: LogBatch) -> Bool { outlet.isOpen && queue.append(batch) }

    /// A view of the state for one loop.
    ///
    /// It keeps the files open and locked: loops end before the next process may open them.
    public func reader() throws(StorageError) -> ReadTransaction {
        guard let files else { throw .unsupported("the store is closed: open it again") }
        return try ReadTransaction(files.state)
    }

    /// Both files while the store runs.
    var files: (state: StateFile, log: LogFile)? {
        running.withLock { running in
            switch running {
            case .some(let running): (running.state, running.log)
            case .none: nil
            }
        }
    }

    /// Checkpoints and trims without the usual linger; answered by `checkpointed`, in any case.
    public func requestCheckpoint() { handover.hurry() }

    /// Keeps the digest of the marks under this key from now on; known keys change nothing.
    ///
    /// Answered by `checkpointed`.
    public func adopt(_ key: SketchKey) { handover.adopt(key) }

    /// Keeps the member book for the next life; nothing answers, and nothing waits for it.
    public func keep(members: [UInt8]) { handover.keep(members: members) }

    /// Fills a filter with every mark; answered by `filled`. One at a time.
    ///
    /// Every change above `sequence` must reach the filter by another way.
    public func fill(_ filter: RecipientFilter, through sequence: UInt64) {
        handover.fill(filter, through: sequence)
    }

    /// Takes back `Damage.isUnequal`, once repair has found the marks equal to those of others.
    public func forgetDamage() { handover.forgetDamage() }

    /// Writes down that the marks are whole: the next life need not join again.
    public func joined() { handover.joined() }

    /// Reads every mark again, in pages beside other work, verifies its checksum and compares the
    /// whole with the sketch in memory; answered by `audited`.
    public func audit() { handover.audit() }

    /// Checkpoints what is committed, then answers with `frozen`: a copy of the sketch that no
    /// later write changes.
    public func freeze() { handover.freeze() }

    /// Commits what is queued, checkpoints to the log's end, trims it, ends both threads and, once
    /// no reader is left, gives the directory up.
    ///
    /// - Parameter deadlineMillis: after this time what is left stays in the log; 0 commits what is
    ///   queued and checkpoints nothing.
    /// - Returns: true when the log is empty.
    public func close(deadlineMillis: UInt64) -> Bool {
        let deadline = monotonicNanoseconds() + deadlineMillis * 1_000_000
        guard let running = running.withLock({ $0.take() }) else { return false }
        queue.close()
        let (state, log) = running.end(handover, deadline: deadline)
        guard outlet.isOpen else { return false }
        do throws(StorageError) {
            let shown = try Snapshot(state.environment).watermark(state.tables)
            try log.trimAll(through: shown, before: deadline)
            return try log.extremes() == nil
        } catch {
            outlet.send(.failed(error))
            return false
        }
    }
}

extension StateFile {
    /// What the state says it holds, and how many origins are unreadable.
    func heldSet() throws(StorageError) -> (HeldSet, damagedCount: Int) {
        var held = HeldSet()
        let damaged = try forEachValue(tables.held) { buffer in
            guard let (origin, intervals) = decodedIntervals(buffer) else { return false }
            for interval in intervals { held.insert(interval, of: origin) }
            return true
        }
        return (held, damaged)
    }

    /// Reads every mark, into a filter of at least so many lines.
    func scan(
        key: SketchKey?,
        _ lines: Int
    ) throws(StorageError) -> (RecipientFilter, MarkScan) {
        let snapshot = try Snapshot(environment)
        let filter = try RecipientFilter(
            marks: try snapshot.count(tables.marks),
            atLeast: lines
        )
        var scan = MarkScan(filter: filter, key: key)
        _ = try scan.page(snapshot, tables.marks)
        return (filter, scan)
    }

    /// What the node remembers of itself; false when some of it is damaged.
    func notes() throws(StorageError) -> ([OwnNote], areWhole: Bool) {
        var notes: [OwnNote] = []
        var areWhole = true
        var buffer = Unsealed()
        let snapshot = try Snapshot(environment)
        for kind in [OwnNote.Kind.ballot, .seat] {
            switch try snapshot.read(MetaName(kind).key, in: tables.meta, into: &buffer) {
            case .absent: break
            case .intact: notes.append(OwnNote(kind, Array(buffer.value)))
            case .damaged: areWhole = false
            }
        }
        return (notes, areWhole)
    }

    /// Writes down why the directory counts as restored.
    func write(doubt: String) throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        try transaction.set(.restored, to: doubt, in: tables.meta)
        try transaction.commit()
    }

    /// Every readable register.
    func registers(_ damage: inout Damage) throws(StorageError) -> [Register] {
        var registers: [Register] = []
        damage.registers += try forEachValue(tables.registers) { buffer in
            guard let register = decodedRegister(buffer) else { return false }
            registers.append(register)
            return true
        }
        return registers
    }

    /// Opens the seal of every value of a table; returns how many are damaged.
    private func forEachValue(
        _ table: Table,
        _ body: (Unsealed) -> Bool
    ) throws(StorageError) -> Int {
        var damagedCount = 0
        var buffer = Unsealed()
        let take = { (key: Span<UInt8>, value: Span<UInt8>) in
            do {
                try buffer.open(key: key, value: value)
                if !body(buffer) { damagedCount += 1 }
            } catch {
                damagedCount += 1
            }
        }
        let snapshot = try Snapshot(environment)
        let cursor = try snapshot.cursor(table)
        var found = try cursor.first(take)
        while found { found = try cursor.next(take) }
        return damagedCount
    }
}

extension Snapshot {
    /// Changes up to here show in the marks.
    func watermark(_ tables: StateTables) throws(StorageError) -> UInt64 {
        var buffer = Unsealed()
        let found = try read(MetaName.watermark.key, in: tables.meta, into: &buffer)
        return try metaNumber(found, buffer, .watermark) ?? 0
    }
}

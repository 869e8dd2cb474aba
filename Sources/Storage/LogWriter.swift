// The log writer: the thread whose commits are what "stored" means.
//
//     node loop --append--> queue --swap--> one commit --+--> Outlet: committed
//                                                        +--> Handover: to the checkpointer
//
// Group commit: it commits at once when idle; what arrives while a commit is in flight makes the
// next. Two arrays are swapped, so appending never waits for the disk, and the bell rings only when
// the queue was empty (reference/performance.md 3).
//
// A full disk refuses the transaction in hand: LMDB has written no meta page, so its pages belong
// to nobody and a later commit writes each of them anew. That holds even when the flush said ENOSPC
// and the kernel dropped the pages. After EIO the same reasoning would have to trust a device that
// has just failed, so every other code latches, and whatever is still queued is never answered.

internal import Suppression
internal import Synchronization

/// Changes on their way to the log writer.
final class LogQueue: Sendable {
    struct Work {
        var batches: [LogBatch] = []
        var count = 0
        var trimThrough: UInt64 = 0
        var trimsNow = false
        var isTried = false
        var format: UInt64?
        var closed = false
    }

    private let work = Mutex(Work())
    private let bell: Bell

    /// An empty queue.
    init() throws(StorageError) { bell = try Bell() }

    /// Takes a batch; false when closed or at the bound.
    func append(_ batch: LogBatch) -> Bool {
        let wasEmpty = work.withLock { work -> Bool? in
            guard !work.closed, work.count < Limits.logQueueCount else { return nil }
            let wasEmpty = work.batches.isEmpty
            work.batches.append(batch)
            work.count += batch.changes.count
            return wasEmpty
        }
        guard let wasEmpty else { return false }
        if wasEmpty { bell.ring() }
        return true
    }

    /// Records up to here may be deleted.
    ///
    /// - Parameter now: even if that takes a commit of its own.
    func trim(through sequence: UInt64, now: Bool) {
        work.withLock { work in
            work.trimThrough = max(work.trimThrough, sequence)
            if now { work.trimsNow = true }
        }
        bell.ring()
    }

    /// Asks for a commit even if nothing is queued.
    func tryCommit() {
        work.withLock { $0.isTried = true }
        bell.ring()
    }

    /// Asks to write this format from now on.
    func raise(to format: UInt64) {
        work.withLock { $0.format = format }
        bell.ring()
    }

    /// Takes nothing more.
    func close() {
        work.withLock { $0.closed = true }
        bell.ring()
    }

    /// Swaps the queued batches for the caller's empty array.
    func take(into batches: inout [LogBatch]) -> Taken {
        batches.removeAll(keepingCapacity: true)
        return work.withLock { work in
            swap(&work.batches, &batches)
            work.count = 0
            defer {
                work.trimsNow = false
                work.isTried = false
            }
            return Taken(
                trimThrough: work.trimThrough,
                trimsNow: work.trimsNow,
                isTried: work.isTried,
                format: work.format.take(),
                closed: work.closed
            )
        }
    }

    /// What is to be done besides the batches.
    struct Taken {
        let trimThrough: UInt64
        let trimsNow: Bool
        let isTried: Bool
        let format: UInt64?
        let closed: Bool
    }

    /// Sleeps until something was queued; false when only the time was up.
    func wait(millis: Int32) -> Bool { bell.wait(millis: millis) }
}

/// Writes the log. Lives on its own thread.
struct LogWriter {
    private let log: LogFile
    private let queue: LogQueue
    private let handover: Handover
    private let outlet: Outlet
    /// The highest number that a record accounts for.
    private var lastStored: UInt64
    /// What the file says that it is written in.
    private var format: UInt64
    private var trimmed: UInt64 = 0
    private var group: [LoggedChange] = []
    private var record = Record()

    /// Prepares a writer that goes on after `lastStored`.
    init(
        _ log: LogFile,
        format: UInt64,
        queue: LogQueue,
        handover: Handover,
        outlet: Outlet,
        lastStored: UInt64
    ) {
        self.log = log
        self.format = format
        self.queue = queue
        self.handover = handover
        self.outlet = outlet
        self.lastStored = lastStored
    }

    /// Commits what is appended until the queue closes or the disk fails.
    mutating func run() {
        var batches: [LogBatch] = []
        var rested = false
        while outlet.isOpen {
            let next = queue.take(into: &batches)
            if !batches.isEmpty { commitAll(batches, trimThrough: next.trimThrough) }
            if next.isTried { tryCommit() }
            if let format = next.format { raise(to: format) }
            if trimmed < next.trimThrough, next.trimsNow || rested {
                trimAll(through: next.trimThrough)
            }
            rested = false
            if !batches.isEmpty { continue }
            if next.closed { return }
            let backlog = trimmed < next.trimThrough
            rested = !queue.wait(millis: backlog ? Limits.trimIdleMillis : -1)
        }
    }

    private mutating func commitAll(_ batches: [LogBatch], trimThrough: UInt64) {
        var batch = 0
        var change = 0
        while batch < batches.count, outlet.isOpen {
            group.removeAll(keepingCapacity: true)
            var bytes = 0
            while batch < batches.count, group.count < Limits.commitChangesCount,
                bytes < Limits.commitBytes
            {
                let next = batches[batch].changes[change]
                let sequence = batches[batch].firstSequence + UInt64(change)
                group.append(LoggedChange(sequence: sequence, change: next))
                bytes += next.approximateBytes
                change += 1
                if change == batches[batch].changes.count {
                    batch += 1
                    change = 0
                }
            }
            commitGroup(bytes: bytes, trimThrough: trimThrough)
        }
    }

    private mutating func commitGroup(bytes: Int, trimThrough: UInt64) {
        guard let first = group.first?.sequence, let last = group.last?.sequence else { return }
        let began = monotonicNanoseconds()
        do throws(StorageError) {
            let transaction = try WriteTransaction(log.environment)
            var expected = lastStored + 1
            for entry in group {
                precondition(entry.sequence >= expected, "local sequences rise")
                if entry.sequence > expected {
                    record.set(gap: expected...(entry.sequence - 1))
                    try transaction.put(record, in: log.tables.log, appending: true)
                }
                record.set(entry.change, at: entry.sequence, format: format)
                try transaction.put(record, in: log.tables.log, appending: true)
                expected = entry.sequence + 1
            }
            let reached = try log.trim(through: trimThrough, in: transaction)
            try transaction.commit()
            lastStored = last
            trimmed = max(trimmed, reached)
        } catch {
            outlet.send(error.latches ? .failed(error) : .refused(sequences: first...last, error))
            return
        }
        handover.reached(last)
        outlet.send(
            .committed(
                through: last,
                count: group.count,
                nanoseconds: monotonicNanoseconds() - began
            )
        )
        handover.add(group, bytes: bytes)
    }

    /// The number first, then records that only a version which knows it can read.
    private mutating func raise(to next: UInt64) {
        do throws(StorageError) {
            let transaction = try WriteTransaction(log.environment)
            try transaction.set(.format, to: next, in: log.tables.meta)
            try transaction.commit()
            format = next
            outlet.send(.raised(file: .log, next))
        } catch {
            // A full disk: whoever asked asks again.
            if error.latches { outlet.send(.failed(error)) }
        }
    }

    /// Writes a number that is there already: as many new pages as a small batch needs.
    private func tryCommit() {
        do throws(StorageError) {
            let transaction = try WriteTransaction(log.environment)
            // The number of the file, not of this life: it must never fall.
            let kept = try transaction.number(.trimmed, in: log.tables.meta) ?? 0
            try transaction.set(.trimmed, to: kept, in: log.tables.meta)
            try transaction.commit()
            outlet.send(.writable)
        } catch {
            // Full as before, and the next trial says so too.
            if error.latches { outlet.send(.failed(error)) }
        }
    }

    private mutating func trimAll(through sequence: UInt64) {
        do throws(StorageError) {
            while trimmed < sequence {
                let transaction = try WriteTransaction(log.environment)
                trimmed = max(trimmed, try log.trim(through: sequence, in: transaction))
                try transaction.commit()
            }
        } catch {
            // A full disk leaves the backlog for the next idle moment; the rest ends this life.
            if error.latches { outlet.send(.failed(error)) }
        }
    }
}

extension Store {
    /// Tries a commit that says nothing new, after the log has refused one for want of space.
    ///
    /// Answered by `writable` or, when the disk has failed, by `failed`; by nothing while it is
    /// full.
    public func tryLog() { queue.tryCommit() }

    /// Writes this format from now on, in both files; the version before reads them no more.
    ///
    /// Each answers with `raised`; a file whose disk is full does not, and is asked again.
    public func raise(to format: UInt64) {
        queue.raise(to: format)
        handover.raise(to: format)
    }
}

extension LogFile {
    /// Deletes some of the records at or below `sequence`.
    ///
    /// - Returns: up to where nothing is left to delete.
    func trim(
        through sequence: UInt64,
        in transaction: borrowing WriteTransaction
    ) throws(StorageError) -> UInt64 {
        guard sequence > 0 else { return 0 }
        var deleted: UInt64 = 0
        var reached = sequence
        do {
            let cursor = try transaction.cursor(tables.log)
            for count in 0...Limits.trimRecordsCount {
                var key: UInt64 = .max
                let found = try cursor.first { bytes, _ in
                    var at = ByteCursor()
                    do { key = try at.u64(bytes) } catch { key = 0 }  // no key of ours: goes too
                }
                guard found, key <= sequence else { break }
                guard count < Limits.trimRecordsCount else {
                    reached = deleted
                    break
                }
                try cursor.delete()
                deleted = max(deleted, key)
            }
        }
        if deleted > 0 { try transaction.set(.trimmed, to: deleted, in: tables.meta) }
        return reached
    }

    /// Deletes all records at or below `sequence`, or as many as the time allows.
    func trimAll(through sequence: UInt64, before deadline: UInt64) throws(StorageError) {
        var trimmed: UInt64 = 0
        while trimmed < sequence, monotonicNanoseconds() < deadline {
            let transaction = try WriteTransaction(environment)
            trimmed = try trim(through: sequence, in: transaction)
            try transaction.commit()
        }
    }
}

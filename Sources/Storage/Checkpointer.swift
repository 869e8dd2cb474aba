// The checkpointer: the thread that turns the log into marks, behind everyone's back.
//
// It gets committed changes by hand-over in memory. When more wait than the hand-over may hold, it is
// *behind*: the log writer goes on without it, and it reads the log until it has caught up. The same
// path serves a full disk (what it held in memory is in the log anyway) and the replay at the start.
// Changes gather for a moment first, because its commits and the log writer's share one disk.

internal import Suppression
internal import Synchronization

/// Changes on their way from the log writer to the checkpointer.
final class Handover: Sendable {
    private struct Work {
        var changes: [LoggedChange] = []
        var bytes = 0
        var since: UInt64 = 0
        var committedThrough: UInt64
        var isBehind = false
        var isUrgent = false
        var forgetsRestored = false
        /// When to stop even unfinished, once the store closes.
        var deadline: UInt64?
    }

    /// What the checkpointer does next.
    enum Step {
        /// Nothing is due.
        case sleep(millis: Int32)
        /// Merge what was taken, or read the log when behind.
        case merge(behind: Bool, urgent: Bool)
        /// Take the doubt of the start back.
        case forgetRestored
        /// The store closes.
        case end
    }

    private let work: Mutex<Work>
    private let lingerNanoseconds: UInt64
    private let bell: Bell

    /// Nothing waits; the state shows all up to `committedThrough`.
    init(committedThrough: UInt64, lingerMillis: UInt64) throws(StorageError) {
        work = Mutex(Work(committedThrough: committedThrough))
        lingerNanoseconds = lingerMillis * 1_000_000
        bell = try Bell()
    }

    /// Hands over what one commit stored.
    func add(_ group: [LoggedChange], bytes: Int) {
        let rings = work.withLock { work -> Bool in
            if let last = group.last { work.committedThrough = last.sequence }
            if work.isBehind { return false }
            let before = work.changes.count
            guard before + group.count <= Limits.handoverCount,
                work.bytes + bytes <= Limits.handoverBytes
            else {
                work.isBehind = true
                return true
            }
            if before == 0 { work.since = monotonicNanoseconds() }
            work.changes.append(contentsOf: group)
            work.bytes += bytes
            let eager = Limits.checkpointEagerCount
            return before == 0 || (before < eager && work.changes.count >= eager)
        }
        if rings { bell.ring() }
    }

    /// Asks for a checkpoint without linger.
    func hurry() {
        work.withLock { $0.isUrgent = true }
        bell.ring()
    }

    /// Asks to take the doubt of the start back.
    func forgetRestored() {
        work.withLock { $0.forgetsRestored = true }
        bell.ring()
    }

    /// Asks to finish, and to stop at the deadline in any case.
    func close(deadline: UInt64) {
        work.withLock { $0.deadline = deadline }
        bell.ring()
    }

    /// Decides the next step; for a merge, swaps the changes for the caller's empty array.
    func next(into changes: inout [LoggedChange]) -> Step {
        changes.removeAll(keepingCapacity: true)
        return work.withLock { work in
            let now = monotonicNanoseconds()
            if let deadline = work.deadline, now >= deadline { return .end }
            if work.forgetsRestored {
                work.forgetsRestored = false
                return .forgetRestored
            }
            let urgent = work.isUrgent
            let hasWork = work.isBehind || !work.changes.isEmpty
            if !hasWork, work.deadline != nil { return .end }
            guard hasWork || urgent else { return .sleep(millis: -1) }
            let due = work.since + lingerNanoseconds
            let isEager = work.changes.count >= Limits.checkpointEagerCount
            if !urgent, !work.isBehind, !isEager, work.deadline == nil, now < due {
                return .sleep(millis: Int32(clamping: (due - now) / 1_000_000 + 1))
            }
            swap(&work.changes, &changes)
            work.bytes = 0
            work.isUrgent = false
            return .merge(behind: work.isBehind, urgent: urgent)
        }
    }

    /// Says how far the state has come; true while the log holds more than was handed over.
    func isStillBehind(at watermark: UInt64) -> Bool {
        work.withLock { work in
            if watermark >= work.committedThrough { work.isBehind = false }
            return work.isBehind
        }
    }

    /// Drops what waits: the log will be read instead.
    func fallBehind() {
        work.withLock { work in
            work.isBehind = true
            work.changes.removeAll()
            work.bytes = 0
        }
    }

    /// Whether the time to close has come.
    var isPastDeadline: Bool {
        work.withLock { work in work.deadline.map { monotonicNanoseconds() >= $0 } ?? false }
    }

    /// Sleeps until something happens.
    func wait(millis: Int32) { _ = bell.wait(millis: millis) }
}

/// Merges the log into the state. Lives on its own thread.
struct Checkpointer {
    private var checkpoint: Checkpoint
    private let state: StateFile
    private let log: LogFile
    private let queue: LogQueue
    private let handover: Handover
    private let outlet: Outlet
    private var isStalled = false

    /// Prepares a checkpointer that goes on where `checkpoint` is.
    init(
        _ checkpoint: Checkpoint,
        state: StateFile,
        log: LogFile,
        queue: LogQueue,
        handover: Handover,
        outlet: Outlet
    ) {
        self.checkpoint = checkpoint
        self.state = state
        self.log = log
        self.queue = queue
        self.handover = handover
        self.outlet = outlet
    }

    /// Merges what is handed over until the store closes or the disk fails.
    mutating func run() {
        var changes: [LoggedChange] = []
        while outlet.isOpen {
            do throws(StorageError) {
                switch handover.next(into: &changes) {
                case .end: return
                case .sleep(let millis): handover.wait(millis: millis)
                case .forgetRestored: try checkpoint.forgetRestored()
                case .merge(let behind, let urgent):
                    try mergeAll(changes[...])
                    if behind { try catchUp() }
                    if changes.isEmpty, urgent { try report(since: monotonicNanoseconds()) }
                    queue.trim(through: checkpoint.watermark, now: urgent)
                }
                isStalled = false
            } catch {
                stall(error)
            }
        }
    }

    private mutating func mergeAll(_ changes: ArraySlice<LoggedChange>) throws(StorageError) {
        // Reading the log may have overtaken what was handed over.
        var rest = changes.drop { $0.sequence <= checkpoint.watermark }
        while let last = rest.prefix(Limits.checkpointChangesCount).last, !handover.isPastDeadline {
            let began = monotonicNanoseconds()
            let batch = rest.prefix(Limits.checkpointChangesCount)
            try checkpoint.merge(batch, through: last.sequence)
            rest = rest.dropFirst(batch.count)
            try report(since: began)
        }
    }

    private mutating func catchUp() throws(StorageError) {
        while handover.isStillBehind(at: checkpoint.watermark), !handover.isPastDeadline {
            let began = monotonicNanoseconds()
            let page = try LogPage.read(log, after: checkpoint.watermark)
            try checkpoint.merge(page.changes[...], through: page.through, lost: page.lostCount)
            try report(since: began)
            if page.isLast, page.changes.isEmpty { return }
        }
    }

    private func report(since began: UInt64) throws(StorageError) {
        let marks = try Snapshot(state.environment).count(state.tables.marks)
        outlet.send(
            .checkpointed(
                through: checkpoint.watermark, marks: marks,
                nanoseconds: monotonicNanoseconds() - began))
    }

    private mutating func stall(_ error: StorageError) {
        guard !error.latches else { return outlet.send(.failed(error)) }
        handover.fallBehind()
        if !isStalled { outlet.send(.checkpointRefused(error)) }
        isStalled = true
        handover.wait(millis: Int32(Limits.checkpointRetryMillis))
    }
}

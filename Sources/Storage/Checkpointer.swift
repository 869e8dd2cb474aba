// The checkpointer: the thread that turns the log into marks, behind everyone's back.
//
// It gets committed changes by hand-over in memory. When more wait than the hand-over may hold, it
// is *behind*: the log writer goes on without it, and it reads the log until it has caught up. The
// same path serves a full disk (what it held in memory is in the log anyway) and the replay at the
// start. Changes gather for a moment first, because its commits and the log writer's share one
// disk.

internal import CLMDB
internal import Suppression
internal import Synchronization

/// Changes on their way from the log writer to the checkpointer.
final class Handover: Sendable {
    private struct Work {
        var changes: [LoggedChange] = []
        var bytes = 0
        var since: UInt64 = 0
        /// Until when changes may gather after the last merge, unless many do.
        var restUntil: UInt64 = 0
        var committedThrough: UInt64
        var isBehind = false
        var isUrgent = false
        var forgetsDamage = false
        var audits = false
        /// Copies of the sketch that were asked for.
        var freezesCount = 0
        var sketchKey: SketchKey?
        var members: [UInt8]?
        var fill: Fill?
        /// When to stop even unfinished, once the store closes.
        var deadline: UInt64?
    }

    /// A filter to be filled from the marks.
    struct Fill {
        let filter: RecipientFilter
        /// What was shown before the filter got every change; the marks must have it.
        let through: UInt64
    }

    /// What the checkpointer does next.
    enum Step {
        /// Nothing is due.
        case sleep(millis: Int32)
        /// Merge what was taken, or read the log when behind.
        case merge(behind: Bool, urgent: Bool)
        /// The marks are what they should be.
        case forgetDamage
        /// Read every mark again.
        case audit
        /// Take the cluster's sketch key.
        case adopt(SketchKey)
        /// Keep the member book.
        case keep(members: [UInt8])
        /// Begin to fill a filter.
        case fill(Fill)
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

    /// Says that a commit has returned. Before anyone else hears of it, so that whoever then asks
    /// for a checkpoint gets one that shows it.
    func reached(_ sequence: UInt64) {
        work.withLock { $0.committedThrough = sequence }
    }

    /// Hands over what that commit stored.
    func add(_ group: [LoggedChange], bytes: Int) {
        let rings = work.withLock { work -> Bool in
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

    /// Says that a merge took this long until now: the disk and a core are the log writer's for a
    /// multiple of it.
    func merged(nanoseconds: UInt64) {
        let rest = min(
            nanoseconds * Limits.checkpointRestFactor,
            Limits.checkpointRestMillis * 1_000_000
        )
        work.withLock { $0.restUntil = monotonicNanoseconds() + rest }
    }

    /// Asks for a checkpoint without linger.
    func hurry() {
        work.withLock { $0.isUrgent = true }
        bell.ring()
    }

    /// Asks to take back that the marks are not what was written.
    func forgetDamage() {
        work.withLock { $0.forgetsDamage = true }
        bell.ring()
    }

    /// Asks to read every mark again.
    func audit() {
        work.withLock { $0.audits = true }
        bell.ring()
    }

    /// Asks for a copy of the sketch that shows what is committed.
    func freeze() {
        work.withLock {
            $0.isUrgent = true
            $0.freezesCount += 1
        }
        bell.ring()
    }

    /// How many copies of the sketch are due after a checkpoint that was urgent.
    func takeFreezes() -> Int {
        work.withLock { work in
            defer { work.freezesCount = 0 }
            return work.freezesCount
        }
    }

    /// Asks to keep the digest under this key.
    func adopt(_ key: SketchKey) {
        work.withLock { $0.sketchKey = key }
        bell.ring()
    }

    /// Asks to keep the member book; a later one replaces an earlier one that still waits.
    func keep(members: [UInt8]) {
        work.withLock { $0.members = members }
        bell.ring()
    }

    /// Asks to fill a filter; one at a time.
    func fill(_ filter: RecipientFilter, through sequence: UInt64) {
        work.withLock { $0.fill = Fill(filter: filter, through: sequence) }
        bell.ring()
    }

    /// Asks to finish, and to stop at the deadline in any case.
    func close(deadline: UInt64) {
        work.withLock { $0.deadline = deadline }
        bell.ring()
    }

    /// Decides the next step; for a merge, swaps the changes for the caller's empty array.
    ///
    /// - Parameter watermark: what the state shows now.
    func next(at watermark: UInt64, into changes: inout [LoggedChange]) -> Step {
        changes.removeAll(keepingCapacity: true)
        return work.withLock { work in
            let now = monotonicNanoseconds()
            if let deadline = work.deadline, now >= deadline { return .end }
            if work.forgetsDamage {
                work.forgetsDamage = false
                return .forgetDamage
            }
            if work.audits {
                work.audits = false
                return .audit
            }
            if let key = work.sketchKey.take() { return .adopt(key) }
            if let members = work.members.take() { return .keep(members: members) }
            if let fill = work.fill.take() { return .fill(fill) }
            let hasWork = work.isBehind || !work.changes.isEmpty
            // Committed and not handed over yet: the bell rings in a moment.
            let urgent = work.isUrgent && (hasWork || watermark >= work.committedThrough)
            if !hasWork, work.deadline != nil { return .end }
            guard hasWork || urgent else { return .sleep(millis: -1) }
            let due = max(work.since + lingerNanoseconds, work.restUntil)
            let isEager = work.changes.count >= Limits.checkpointEagerCount
            if !urgent, !work.isBehind, !isEager, work.deadline == nil, now < due {
                return .sleep(millis: Int32(clamping: (due - now) / 1_000_000 + 1))
            }
            swap(&work.changes, &changes)
            work.bytes = 0
            // What was committed before the request and is handed over after it is asked for too.
            let reached = changes.last.map { max($0.sequence, watermark) } ?? watermark
            if work.isBehind || reached >= work.committedThrough { work.isUrgent = false }
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
    private let scanPageCount: Int
    private var isStalled = false
    private var owesMemory = false
    private var fill: (Handover.Fill, MarkScan)?

    /// Prepares a checkpointer that goes on where `checkpoint` is.
    init(
        _ checkpoint: Checkpoint,
        state: StateFile,
        log: LogFile,
        queue: LogQueue,
        handover: Handover,
        outlet: Outlet,
        scanPageCount: Int
    ) {
        self.scanPageCount = scanPageCount
        self.checkpoint = checkpoint
        self.state = state
        self.log = log
        self.queue = queue
        self.handover = handover
        self.outlet = outlet
    }

    /// Merges what is handed over until the store closes or the disk fails.
    mutating func run() {
        yieldToOthers()
        var changes: [LoggedChange] = []
        while outlet.isOpen {
            do throws(StorageError) {
                switch handover.next(at: checkpoint.watermark, into: &changes) {
                case .end: return
                case .sleep(let millis):
                    if try readMarks() { continue }
                    if owesMemory {
                        // What an import borrowed, here and in the loops, goes back to the system;
                        // glibc would keep it for the next one.
                        malloc_trim(0)
                        owesMemory = false
                    }
                    handover.wait(millis: millis)
                case .forgetDamage: try checkpoint.forgetDamage()
                case .audit: if !checkpoint.tally.beginAudit() { outlet.send(.audited(nil)) }
                case .adopt(let key):
                    try checkpoint.adopt(key)
                    try report(since: monotonicNanoseconds())
                case .keep(let members): try checkpoint.keep(members: members)
                case .fill(let next): fill = (next, MarkScan(filter: next.filter, key: nil))
                case .merge(let behind, let urgent):
                    let began = monotonicNanoseconds()
                    try mergeAll(changes[...])
                    handover.merged(nanoseconds: monotonicNanoseconds() - began)
                    if behind { try catchUp() }
                    if changes.isEmpty, urgent { try report(since: monotonicNanoseconds()) }
                    if urgent { try giveSketch() }
                    queue.trim(through: checkpoint.watermark, now: urgent)
                    _ = try readMarks()
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
        while !rest.isEmpty, !handover.isPastDeadline {
            var marks = 0
            let run = rest.prefix { entry in
                defer { marks += entry.change.markCount }
                return marks < Limits.runChangesCount
            }
            rest = rest.dropFirst(run.count)
            try merge(run, through: run[run.endIndex - 1].sequence)
        }
    }

    /// Reads the log, a run at a time, until nothing is left that was not handed over.
    private mutating func catchUp() throws(StorageError) {
        while handover.isStillBehind(at: checkpoint.watermark), !handover.isPastDeadline {
            var run: [LoggedChange] = []
            var page = try LogPage.read(log, after: checkpoint.watermark)
            var lost = page.lostCount
            run.append(contentsOf: page.changes)
            var marks = page.marksCount
            while !page.isLast, max(run.count, marks) < Limits.runChangesCount,
                !handover.isPastDeadline
            {
                page = try LogPage.read(log, after: page.through)
                lost += page.lostCount
                marks += page.marksCount
                run.append(contentsOf: page.changes)
            }
            guard !handover.isPastDeadline else { return }
            try merge(run[...], through: page.through, lost: lost)
            queue.trim(through: checkpoint.watermark, now: false)
            if page.isLast, run.isEmpty { return }
        }
    }

    private mutating func merge(
        _ changes: ArraySlice<LoggedChange>,
        through: UInt64,
        lost: Int = 0
    ) throws(StorageError) {
        let began = monotonicNanoseconds()
        let handover = handover
        let isDone = try checkpoint.merge(changes, through: through, lost: lost) {
            handover.isPastDeadline
        }
        if isDone { try report(since: began) }
        if changes.count > Limits.checkpointEagerCount { owesMemory = true }
    }

    /// Reads some marks into the filter that is being filled; false when there is none to fill, or
    /// the marks are not there yet.
    private mutating func fillPage() throws(StorageError) -> Bool {
        guard let (wanted, _) = fill, checkpoint.watermark >= wanted.through else { return false }
        let hasMore = try fill?.1.page(
            Snapshot(state.environment),
            state.tables.marks,
            limit: scanPageCount
        )
        if hasMore == true { return true }
        fill = nil
        outlet.send(.filled)
        return false
    }

    /// Reads some marks for whoever waits for them; false when nobody does.
    private mutating func readMarks() throws(StorageError) -> Bool {
        let isFilling = try fillPage()
        let isWalking = try checkpoint.walk(limit: scanPageCount / 4)
        if let audit = checkpoint.tally.audit.take() { outlet.send(.audited(audit)) }
        return isWalking || isFilling
    }

    private func giveSketch() throws(StorageError) {
        for _ in 0..<handover.takeFreezes() {
            let marks = try Snapshot(state.environment).count(state.tables.marks)
            outlet.send(.frozen(checkpoint.tally.sketch, marks: marks))
        }
    }

    private func report(since began: UInt64) throws(StorageError) {
        let marks = try Snapshot(state.environment).count(state.tables.marks)
        outlet.send(
            .checkpointed(
                through: checkpoint.watermark,
                marks: marks,
                digest: checkpoint.digest,
                nanoseconds: monotonicNanoseconds() - began
            )
        )
    }

    private mutating func stall(_ error: StorageError) {
        guard !error.latches else { return outlet.send(.failed(error)) }
        handover.fallBehind()
        if !isStalled { outlet.send(.checkpointRefused(error)) }
        isStalled = true
        handover.wait(millis: Int32(Limits.checkpointRetryMillis))
    }
}

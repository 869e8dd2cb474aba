// The checkpointer: the thread that turns the log into marks, behind everyone's back.
//
// It gets committed changes by hand-over in memory. When more wait than the hand-over may hold, it
// is *behind*: the log writer goes on without it, and it reads the log until it has caught up. The
// same path serves a full disk (what it held in memory is in the log anyway) and the replay at the
// start. Changes gather for a moment first, because its commits and the log writer's share one
// disk.

internal import CLMDB
internal import Suppression

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
                case .joined: try checkpoint.joined()
                case .raise(let format):
                    try checkpoint.raise(to: format)
                    outlet.send(.raised(file: .state, format))
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
        // Opt-outs that came singly borrow little, and at their peak would pay for it every second.
        let marks = changes.reduce(0) { $0 + $1.change.markCount }
        if marks > 2 * Limits.checkpointEagerCount { owesMemory = true }
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

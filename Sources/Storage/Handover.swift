// What the log writer leaves for the checkpointer, and when the checkpointer takes it.
//
//     reached(n)     a commit has returned
//     add(changes)   ... and this is what it stored
//     next()         take all of it: when it has gathered for a moment, when it is much, when the
//                    merge before is paid off with rest, or at once when somebody asked
//
// A request is answered by the merge that shows all that was committed when it came; between
// `reached` and `add` that may be more than has been handed over.

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
        /// What was committed when the latest request came, and must be shown to answer it.
        var urgentThrough: UInt64 = 0
        var forgetsDamage = false
        var hasJoined = false
        var format: UInt64?
        var audits = false
        /// Copies of the sketch that were asked for.
        var freezesCount = 0
        /// Those of them that the merge under way answers; what is asked for during it waits for
        /// the next, which shows what was committed meanwhile.
        var freezesDue = 0
        var sketchKey: SketchKey?
        var members: [UInt8]?
        var fill: Fill?
        /// When to stop even unfinished, once the store closes.
        var deadline: UInt64?

        mutating func beUrgent() {
            isUrgent = true
            urgentThrough = committedThrough
        }
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
        /// The marks are whole.
        case joined
        /// Write this format from now on.
        case raise(UInt64)
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
        work.withLock { $0.beUrgent() }
        bell.ring()
    }

    /// Asks to take back that the marks are not what was written.
    func forgetDamage() {
        work.withLock { $0.forgetsDamage = true }
        bell.ring()
    }

    /// Asks to write down that the marks are whole.
    func joined() {
        work.withLock { $0.hasJoined = true }
        bell.ring()
    }

    /// Asks to write this format from now on.
    func raise(to format: UInt64) {
        work.withLock { $0.format = format }
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
            $0.beUrgent()
            $0.freezesCount += 1
        }
        bell.ring()
    }

    /// How many copies of the sketch are due after a checkpoint that was urgent.
    func takeFreezes() -> Int {
        work.withLock { work in
            defer { work.freezesDue = 0 }
            return work.freezesDue
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
            if work.hasJoined {
                work.hasJoined = false
                return .joined
            }
            if let format = work.format.take() { return .raise(format) }
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
            // What a request asked for may be committed and not handed over yet: then it waits on.
            let reached = changes.last.map { max($0.sequence, watermark) } ?? watermark
            let isAnswered = urgent && (work.isBehind || reached >= work.urgentThrough)
            if isAnswered {
                work.isUrgent = false
                work.freezesDue += work.freezesCount
                work.freezesCount = 0
            }
            return .merge(behind: work.isBehind, urgent: isAnswered)
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
            // The merge that failed answered nobody.
            work.freezesCount += work.freezesDue
            work.freezesDue = 0
            if work.freezesCount > 0 { work.isUrgent = true }
        }
    }

    /// Whether the time to close has come.
    var isPastDeadline: Bool {
        work.withLock { work in work.deadline.map { monotonicNanoseconds() >= $0 } ?? false }
    }

    /// Sleeps until something happens.
    func wait(millis: Int32) { _ = bell.wait(millis: millis) }
}

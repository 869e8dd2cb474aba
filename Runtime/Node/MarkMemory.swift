// What all loops read of the marks without a look-up, and the one writer that keeps it.
//
//     filter    every mark ever committed here      RecipientFilter; answers most checks
//     recent    imported marks, state not yet there    the same kind of table, short-lived
//
// The node loop inserts each change when its commit returns, before it posts it to the loops and
// long before it acknowledges, so whoever has heard of an opt-out finds it here on any loop.
//
// An import of millions would drown the loops' overlays. Above a quarter of an overlay its changes
// go into `recent` alone: the filter denies them as any other mark, and where the filter says
// "ask", for a person whose consent once covered something, `recent` denies what neither state nor
// overlay show yet. There are two generations: one is being checkpointed, the other takes what
// comes in.
//
// Order within a turn: take this memory, then renew the snapshot. A generation is dropped when the
// state has it, so a loop with an older snapshot must still hold the generation.

import EventLoop
import Storage
import Suppression

/// One published state of the memory; the tables inside go on growing.
final class MarkMemory: Sendable {
    let filter: RecipientFilter
    /// What the running checkpoint writes.
    let older: RecipientFilter?
    /// What comes after it.
    let newer: RecipientFilter?

    init(filter: RecipientFilter, older: RecipientFilter? = nil, newer: RecipientFilter? = nil) {
        self.filter = filter
        self.older = older
        self.newer = newer
    }

    /// Whether an import that the state may not show yet suppressed this person here.
    func hasSeenRecently(_ key: MarkKey) -> Bool {
        (older?.hasSeen(key.person, key.scope) ?? false)
            || (newer?.hasSeen(key.person, key.scope) ?? false)
    }

    /// Whether an import that the state may not show yet stands against the message.
    ///
    /// A table that overflowed cannot tell, and denies.
    func deniesRecently(_ query: Query) -> Bool {
        if let older, older.probe(query) != .absent { return true }
        if let newer, newer.probe(query) != .absent { return true }
        return false
    }
}

/// The one writer of the memory; the node loop's own.
final class MarkKeeper {
    let published: Published<MarkMemory>
    private var memory: MarkMemory
    /// A larger filter that is being filled; every change goes into both.
    private var successor: RecipientFilter?
    private var olderThrough: UInt64 = 0
    private var newerThrough: UInt64 = 0
    /// Tables that a larger one could not be made for are not tried again at every change.
    private var mayGrow = true

    init(filter: RecipientFilter) {
        memory = MarkMemory(filter: filter)
        published = Published(memory)
    }

    /// Bytes of the tables, for the metric.
    var bytes: Int {
        [memory.filter, memory.older, memory.newer, successor].reduce(0) { $0 + ($1?.bytes ?? 0) }
    }

    /// Whether imports should wait.
    var isNearlyFull: Bool { memory.filter.isNearlyFull }

    /// Makes a committed change known, before any loop hears of it.
    func insert(_ change: Change) {
        let asks = change.asksMarks
        for n in 0..<change.markCount {
            let key = change.markKey(n)
            memory.filter.insert(key, asks: asks)
            successor?.insert(key, asks: asks)
        }
    }

    /// Makes a change known that no overlay will show.
    func insertRecent(_ sequence: UInt64, _ change: Change) throws(StorageError) {
        if memory.newer == nil {
            let lines = Limits.recentChangesCount / RecipientFilter.slotsPerLine * 3
            publish(
                MarkMemory(
                    filter: memory.filter,
                    older: memory.older,
                    newer: try RecipientFilter(lineCount: lines)
                )
            )
        }
        for n in 0..<change.markCount { memory.newer?.insert(change.markKey(n), asks: false) }
        newerThrough = sequence
    }

    /// The state shows everything up to here.
    func checkpointed(through sequence: UInt64) {
        if memory.older == nil || sequence >= olderThrough {
            guard memory.older != nil || memory.newer != nil else { return }
            let shown = memory.newer != nil && sequence >= newerThrough
            olderThrough = newerThrough
            publish(
                MarkMemory(filter: memory.filter, older: shown ? nil : memory.newer, newer: nil)
            )
        }
    }

    /// Begins a larger filter when this one is crowded.
    ///
    /// - Parameter shown: every change up to here was inserted before this call.
    /// - Returns: what the store must fill; nil when nothing is to be done.
    func grow(shown sequence: UInt64) -> RecipientFilter? {
        guard mayGrow, successor == nil, memory.filter.isCrowded else { return nil }
        do {
            let larger = try RecipientFilter(lineCount: memory.filter.successorLineCount)
            successor = larger
            return larger
        } catch {
            // No memory: the present table goes on, and past its last slot every check asks LMDB.
            mayGrow = false
            return nil
        }
    }

    /// The larger filter has every mark.
    func filled() {
        guard let successor else { return }
        self.successor = nil
        publish(MarkMemory(filter: successor, older: memory.older, newer: memory.newer))
    }

    /// Frees what every loop has passed; once a tick.
    func reclaim() { published.reclaim() }

    private func publish(_ next: MarkMemory) {
        memory = next
        published.publish(next)
    }
}

/// Imported marks that the log has and the state does not show yet.
struct ImportBacklog {
    private var waiting = 0
    private var changes: [(sequence: UInt64, count: Int)] = []

    /// Whether lists must wait for the checkpointer.
    var isFull: Bool { waiting >= Limits.recentChangesCount }

    mutating func persist(_ sequence: UInt64, _ change: Change) {
        guard change.isImport else { return }
        waiting += change.markCount
        changes.append((sequence, change.markCount))
    }

    mutating func checkpointed(through sequence: UInt64) {
        let shown = changes.prefix { $0.sequence <= sequence }
        waiting -= shown.reduce(0) { $0 + $1.count }
        changes.removeFirst(shown.count)
    }
}

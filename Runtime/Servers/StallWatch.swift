// Whether a reader reads: bytes wait for it, and from one look to the next none has left.

/// What is known of one connection's reader; a plain value.
struct StallWatch {
    private var deadline = UInt64.max
    private var queuedBefore = 0

    /// After a write.
    ///
    /// - Parameters:
    ///   - queued: bytes that wait for the reader now.
    ///   - limit: when it has stalled if it takes nothing from now on.
    mutating func wrote(queued: Int, limit: UInt64) {
        guard queued > 0, deadline == .max else { return }
        queuedBefore = queued
        deadline = limit
    }

    /// Nothing waits any more.
    mutating func drained() { deadline = .max }

    /// Looks again: true if the reader has taken nothing until its limit.
    mutating func hasStalled(queued: Int, now: UInt64, limit: UInt64) -> Bool {
        if queued == 0 {
            deadline = .max
        } else if queued < queuedBefore {
            deadline = limit
        }
        queuedBefore = queued
        return now > deadline
    }
}

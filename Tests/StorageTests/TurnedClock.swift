// Time as these tests see it: it moves when a test says so.

import Synchronization

/// A wall clock that a test turns.
final class Clock: Sendable {
    private let now: Atomic<UInt64>
    init(now: UInt64) { self.now = Atomic(now) }
    func read() -> UInt64 { now.load(ordering: .relaxed) }
    func advance(_ millis: UInt64) { now.add(millis, ordering: .relaxed) }
}

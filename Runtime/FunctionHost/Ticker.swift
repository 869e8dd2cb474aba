// The clock of deadlines: a thread of its own that moves the engine's epoch.
//
// It cannot be a timer of a loop, since a loop that runs a guest runs nothing else. While there are
// calls it ticks every millisecond; after a second without one it looks only every 10 ms whether
// there are any again. The caller tells it nothing but a number that it bumps anyway, so a call
// pays one relaxed store; the price is that the first call after a rest may overrun by one such
// look.

import Foundation
import Synchronization

/// Calls begun by one loop; written there, read by the ticker.
final class CallCount: Sendable {
    private let value = Atomic<UInt64>(0)

    /// One writer, so no read-modify-write.
    func bump() {
        value.store(value.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    var now: UInt64 { value.load(ordering: .relaxed) }
}

/// The thread and what it watches.
final class Ticker: Sendable {
    private let engine: Engine
    private let counts = Mutex<[CallCount]>([])
    private let isStopped = Atomic<Bool>(false)

    init(_ engine: Engine) { self.engine = engine }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "epoch"
        thread.start()
    }

    /// Ends the thread at its next look.
    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// A loop's count, watched from now on.
    func watch() -> CallCount {
        let count = CallCount()
        counts.withLock { $0.append(count) }
        return count
    }

    private func run() {
        var seen: UInt64 = 0
        var quietTicks = Limits.busyTicksCount
        while !isStopped.load(ordering: .relaxed) {
            let isIdle = quietTicks >= Limits.busyTicksCount
            let millis = isIdle ? Limits.idleTickMillis : Limits.tickMillis
            // Interrupted by a signal it wakes early, which ends calls no sooner than one tick.
            usleep(UInt32(millis * 1_000))
            engine.tick()
            let calls = counts.withLock { $0.reduce(0) { $0 &+ $1.now } }
            quietTicks = calls == seen ? min(quietTicks + 1, Limits.busyTicksCount) : 0
            seen = calls
        }
    }
}

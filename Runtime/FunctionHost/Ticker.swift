// The clock of deadlines: a thread of its own that moves an engine's epoch, for as long as there is
// the engine. An engine without one cannot be had, since its guests could run for ever.
//
// It cannot be a timer of a loop, since a loop that runs a guest runs nothing else. While there are
// calls it ticks every millisecond; after a second without one it looks only every 10 ms whether
// there are any again. The caller tells it nothing but a number that it bumps anyway, so a call
// pays one relaxed store; the price is that the first call after a rest may overrun by one such
// look.

import CWasmtime
import Foundation
import Synchronization

/// Calls begun by one guest; written on its thread, read by the ticker.
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
    private let engine: Shared
    private let counts = Mutex<[CallCount]>([])
    private let isStopped = Atomic<Bool>(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    /// Starts ticking; whoever deletes the engine calls `stop` before.
    init(_ engine: Shared) {
        self.engine = engine
        let thread = Thread {
            // From inside: before it has begun a name goes nowhere.
            Thread.current.name = "epoch"
            self.run()
        }
        thread.start()
    }

    /// Ends the thread, which takes one look, and waits for that.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        hasEnded.wait()
    }

    /// A guest's count, watched from now on.
    func watch() -> CallCount {
        let count = CallCount()
        counts.withLock { $0.append(count) }
        return count
    }

    /// The guest has gone.
    func forget(_ count: CallCount) {
        counts.withLock { $0.removeAll { $0 === count } }
    }

    private func run() {
        var seen: UInt64 = 0
        var quietTicks = Limits.busyTicksCount
        while !isStopped.load(ordering: .relaxed) {
            let isIdle = quietTicks >= Limits.busyTicksCount
            let millis = isIdle ? Limits.idleTickMillis : Limits.tickMillis
            // Woken early by a signal it ends calls no sooner than one tick.
            usleep(UInt32(millis * 1_000))
            unsafe wasmtime_engine_increment_epoch(engine.pointer)
            let calls = counts.withLock { $0.reduce(0) { $0 &+ $1.now } }
            quietTicks = calls == seen ? min(quietTicks + 1, Limits.busyTicksCount) : 0
            seen = calls
        }
        hasEnded.signal()
    }
}

// Counters and histograms that any loop may bump and the admin listener may read, without a lock.
//
// Relaxed atomics: a scrape sees each number whole, not all of them at one instant, which is what
// Prometheus expects. Buckets double from 1 us to 16.8 s, so that one set of bounds serves a check
// and a disk stall alike, and finding the bucket is one count of leading zeros.

import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)

    /// Starts at 0.
    public init() {}

    /// Adds; any thread.
    public func add(_ amount: UInt64 = 1) {
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The number now; any thread.
    public var total: UInt64 { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let value = Atomic<Int>(0)

    /// Starts at 0.
    public init() {}

    /// Replaces the number; any thread.
    public func set(_ number: Int) { value.store(number, ordering: .relaxed) }

    /// The number now; any thread.
    public var now: Int { value.load(ordering: .relaxed) }
}

/// Durations in doubling buckets.
public final class Histogram: Sendable {
    /// Finite buckets; bucket i holds durations up to 2^i microseconds.
    public static let bucketsCount = 25

    private let buckets = InlineArray<26, Atomic<UInt64>> { _ in Atomic<UInt64>(0) }
    private let sumNanos = Atomic<UInt64>(0)

    /// Starts empty.
    public init() {}

    /// Counts one duration; any thread.
    public func record(nanoseconds: UInt64) { record(nanoseconds: nanoseconds, times: 1) }

    /// Counts `times` durations that were measured as one, such as the checks of one batch.
    public func record(nanoseconds: UInt64, times: UInt64) {
        let micros = (nanoseconds + 999) / 1_000
        let exact = micros <= 1 ? 0 : UInt64.bitWidth - (micros - 1).leadingZeroBitCount
        buckets[min(exact, Histogram.bucketsCount)].wrappingAdd(times, ordering: .relaxed)
        sumNanos.wrappingAdd(nanoseconds &* times, ordering: .relaxed)
    }

    /// Durations in bucket i; the last one holds all that is longer than every bound.
    public func count(inBucket i: Int) -> UInt64 { buckets[i].load(ordering: .relaxed) }

    /// The sum of all durations, in seconds.
    public var sumSeconds: Double {
        Double(sumNanos.load(ordering: .relaxed)) / 1_000_000_000
    }
}

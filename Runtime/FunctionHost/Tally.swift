// What is known about a version while it serves: numbers that any loop bumps and anybody reads, and
// the last lines that it logged.

import Synchronization

/// Counts of one version, all loops together.
public final class Tally: Sendable {
    private let begun = Atomic<UInt64>(0)
    private let failed = InlineArray<8, Atomic<UInt64>> { _ in Atomic<UInt64>(0) }
    private let overruledCount = Atomic<UInt64>(0)
    private let openings = Atomic<UInt64>(0)
    private let comparedCount = Atomic<UInt64>(0)
    private let differingCount = Atomic<UInt64>(0)
    private let loosenedCount = Atomic<UInt64>(0)
    private let nanos = Atomic<UInt64>(0)
    private let last = Atomic<UInt8>(.max)

    init() {}

    /// Counts an answered call and how long it took.
    public func answered(nanoseconds: UInt64) {
        begun.wrappingAdd(1, ordering: .relaxed)
        nanos.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// Counts a call that had to be answered otherwise.
    public func failed(_ failure: CallFailure) {
        begun.wrappingAdd(1, ordering: .relaxed)
        failed[Int(failure.rawValue)].wrappingAdd(1, ordering: .relaxed)
        // Why it is not asked says less than why it failed.
        if failure != .breakerOpen { last.store(failure.rawValue, ordering: .relaxed) }
    }

    /// Counts allows about messages that the host does not allow.
    public func overruled(_ times: Int) {
        if times > 0 { overruledCount.wrappingAdd(UInt64(times), ordering: .relaxed) }
    }

    /// Counts a breaker that has opened on one loop.
    public func opened() { openings.wrappingAdd(1, ordering: .relaxed) }

    /// Counts answers of a shadow beside those that were given.
    ///
    /// - Parameters:
    ///   - times: answers compared.
    ///   - differing: of them others.
    ///   - loosened: of them allows where the given one denies.
    public func compared(_ times: Int, differing: Int, loosened: Int) {
        comparedCount.wrappingAdd(UInt64(times), ordering: .relaxed)
        if differing > 0 { differingCount.wrappingAdd(UInt64(differing), ordering: .relaxed) }
        if loosened > 0 { loosenedCount.wrappingAdd(UInt64(loosened), ordering: .relaxed) }
    }

    /// Calls, failed ones too.
    public var calls: UInt64 { begun.load(ordering: .relaxed) }
    /// Seconds that answered calls took in all.
    public var seconds: Double { Double(nanos.load(ordering: .relaxed)) / 1_000_000_000 }
    /// Allows that the host did not follow.
    public var overruled: UInt64 { overruledCount.load(ordering: .relaxed) }
    /// Breakers that have opened.
    public var openedCount: UInt64 { openings.load(ordering: .relaxed) }
    /// Answers compared with those that were given.
    public var comparedTotal: UInt64 { comparedCount.load(ordering: .relaxed) }
    /// Of them others.
    public var differing: UInt64 { differingCount.load(ordering: .relaxed) }
    /// Of them allows where the given one denies.
    public var loosened: UInt64 { loosenedCount.load(ordering: .relaxed) }
    /// Calls that were made and failed.
    public var failedCount: UInt64 {
        CallFailure.allCases.reduce(0) { $1 == .breakerOpen ? $0 : $0 + failures($1) }
    }
    /// Calls that failed in this way.
    public func failures(_ failure: CallFailure) -> UInt64 {
        failed[Int(failure.rawValue)].load(ordering: .relaxed)
    }

    /// How the latest failed call failed; nil while none has.
    public var lastFailure: CallFailure? { CallFailure(rawValue: last.load(ordering: .relaxed)) }
}

/// The last lines that a version logged, all loops together.
public final class LogRing: Sendable {
    private let kept = Mutex<[String]>([])

    init() {}

    /// Keeps a line; control characters are shown, not written, and it is cut to its bound.
    func append(_ level: Int32, _ bytes: some Collection<UInt8>) {
        let text = String(decoding: bytes.prefix(Limits.logLineBytes), as: UTF8.self)
        let shown = text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7f
                ? scalar.escaped(asASCII: true) : "\(scalar)"
        }
        kept.withLock { lines in
            if lines.count == Limits.logLinesCount { lines.removeFirst() }
            lines.append("\(level) \(shown.joined())")
        }
    }

    /// Oldest first.
    public var lines: [String] { kept.withLock { $0 } }
}

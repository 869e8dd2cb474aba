// A circuit breaker: when something keeps failing, stop asking for a while, then try it once.
//
//     closed ── 3 failures in a row, or 5 and 2 % of 10 s ──► open for 5 s
//     open   ── time is over ──► trial: one call at a time ── 20 good ones ──► closed
//                                   └── a failure ──► open for twice as long, 60 s at most
//
// Open means that the caller goes straight to what it would do after a failure. (M. Nygard, Release
// It!, chapter 5.)

/// One breaker, for one version of one function on one loop.
public struct Breaker: Equatable, Sendable {
    private enum State: Equatable, Sendable {
        case closed
        case open(untilNanos: UInt64)
        case trial(good: Int)
    }

    private var state = State.closed
    private var openNanos = Limits.breakerOpenNanos
    private var failuresInARow = 0
    private var windowNanos: UInt64 = 0
    private var calls = 0
    private var failures = 0

    /// Closed.
    public init() {}

    /// Whether the thing is not to be asked for a while.
    public var isOpen: Bool {
        if case .open = state { true } else { false }
    }

    /// Whether the thing may be asked now.
    public mutating func permits(now: UInt64) -> Bool {
        guard case .open(let until) = state else { return true }
        guard now >= until else { return false }
        state = .trial(good: 0)
        return true
    }

    /// A call had an answer.
    public mutating func succeeded(now: UInt64) {
        failuresInARow = 0
        switch state {
        case .trial(let good) where good + 1 >= Limits.breakerTrialCount: self = Breaker()
        case .trial(let good): state = .trial(good: good + 1)
        case .closed, .open: count(now)
        }
    }

    /// A call had none.
    public mutating func failed(now: UInt64) {
        failuresInARow += 1
        count(now)
        failures += 1
        switch state {
        case .trial:
            openNanos = min(openNanos * 2, Limits.breakerLongestNanos)
            open(now)
        case .closed:
            let isOften =
                failures >= Limits.breakerFailuresCount
                && failures * 100 >= calls * Limits.breakerPercent
            if failuresInARow >= Limits.breakerRunCount || isOften { open(now) }
        case .open: break
        }
    }

    private mutating func open(_ now: UInt64) {
        state = .open(untilNanos: now + openNanos)
        failuresInARow = 0
        (calls, failures) = (0, 0)
    }

    private mutating func count(_ now: UInt64) {
        if now >= windowNanos + Limits.breakerWindowNanos {
            windowNanos = now
            (calls, failures) = (0, 0)
        }
        calls += 1
    }
}

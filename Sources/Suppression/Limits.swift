// Every bound of this module in one place: unit in the name, derivation beside it.

/// Bounds of the vocabulary itself; both disk and wire rely on them.
public enum Limits {
    /// Origins that one mark may name: each life of each node that wrote this very key. A key
    /// written by 32 nodes over 16 restarts each is far beyond any real one; past it a decoder
    /// calls damage.
    public static let markOriginsCount = 512
    /// Bytes of a change on disk or wire: the largest is a register whose value is a function's
    /// manifest (16 KiB); a consent's evidence and dots stay far below.
    public static let changeBytes = 65_536
    /// People whom one list suppresses: with times 24 KB, well below `changeBytes`; what one turn
    /// of an import reads twice over.
    public static let listPeopleCount = 1_024
    /// Bytes of evidence that a consent may carry: a few short JSON fields.
    public static let evidenceBytes = 4_096
    /// Dots that one consent may name: as many as one mark can hold.
    public static let consentDotsCount = markOriginsCount
    /// Bytes of a register's name: "stream/" + two ids in hex + a human name of 64 bytes.
    public static let registerNameBytes = 256
    /// Writes that one merged mark may stand for in a page: with the largest mark (39 KB) and 24
    /// bytes each, the record stays below `changeBytes`. A key with more is sent again.
    public static let mergedDotsCount = 512
    /// Seconds past its expiry during which a dot still suppresses, for clocks that disagree.
    public static let expirySlackSeconds: UInt64 = 60
    /// Intervals of one origin in a held set; more means a peer feeds us garbage, not gaps.
    public static let heldIntervalsCount = 65_536
    /// Milliseconds that an idempotency key is remembered: 24 hours (DESIGN 4).
    public static let requestMemoryMillis: UInt64 = 86_400_000
    /// Failures in a row that open a breaker: one is chance, three are a fault.
    public static let breakerRunCount = 3
    /// Failures in one window that open it, if they are also `breakerPercent` of the calls.
    public static let breakerFailuresCount = 5
    /// Percent of the calls of a window that may fail.
    public static let breakerPercent = 2
    /// Nanoseconds of one window.
    public static let breakerWindowNanos: UInt64 = 10_000_000_000
    /// Nanoseconds that a breaker stays open the first time.
    public static let breakerOpenNanos: UInt64 = 5_000_000_000
    /// Nanoseconds that it stays open at most: what a person takes to look.
    public static let breakerLongestNanos: UInt64 = 60_000_000_000
    /// Good calls after which a trial is over.
    public static let breakerTrialCount = 20
}

// Bounds of a node's way into its cluster.

extension Limits {
    /// Nodes with which a joiner is compared before it is ready, where there are so many: of two
    /// donors that lost something, not the same is lost (DESIGN 7).
    public static let joinDonorsCount = 2
    /// Comparisons that fail in a row before a donor is not waited for: with the pause between them
    /// ten seconds, in which a node that was only started again is back.
    public static let joinTriesCount = 10
    /// Nanoseconds between two tries with one donor.
    public static let joinPauseNanos: UInt64 = 1_000_000_000
    /// Nanoseconds without any progress after which what is left of the target counts as missing:
    /// five times what a page may take before the next donor is asked.
    public static let joinPatienceNanos: UInt64 = 10_000_000_000
    /// Conversations with one donor: the first mends, the second proves. Under a constant load no
    /// two frozen sketches are equal, and more rounds would find only what is under way.
    public static let joinRoundsCount = 2
    /// Nanoseconds between two readings of the rate that is shown.
    public static let joinMeterNanos: UInt64 = 500_000_000
    /// Nanoseconds after which the log says again how far the node is, though no tenth was passed.
    public static let joinSilenceNanos: UInt64 = 10_000_000_000

    /// Bytes of pages that a node takes in a second, unless it is configured otherwise: a donor
    /// reads 70,000 writes for that, at 3.3 us each a quarter of its node loop's time, and 8 MiB
    /// are 7 % of a gigabit link.
    public static let pullBytesPerSecond: UInt64 = 8 << 20
}

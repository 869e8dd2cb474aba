// Bounds of what a node does for and with its peers.

extension Limits {
    /// Bytes of one message: a frame of a link carries 1 MiB, sealing included.
    public static let messageBytes = 1 << 20
    /// Bytes of a change around what `Suppression.Limits.changeBytes` bounds: header, name, author.
    public static let changeFrameBytes = 1_024
    /// Bytes of changes after which a message ends: half a frame, so that the last one fits too.
    public static let changesMessageBytes = 512 << 10
    /// Changes in one message: a write's most, four times; 512 KiB hold about as many.
    public static let changesPerMessageCount = 4_096
    /// Ranges in one message of receipts, 32 bytes each: 128 KiB.
    public static let rangesPerMessageCount = 4_096
    /// Intervals of a held set in one message, 16 bytes each: 512 KiB, half a frame.
    public static let heldMessageIntervalsCount = 32_768

    /// Changes pushed to one peer and not yet receipted: 0.4 s of 10,000 writes a second, far more
    /// than a round trip and a commit. A peer that is further behind pulls pages instead.
    public static let pushWindowCount = 4_096
    /// Bytes of them: the same window filled with changes of 2 KiB.
    public static let pushWindowBytes = 8 << 20
    /// Changes kept in memory until the checkpoint has them, so that a relay answers a pull at once
    /// and not 100 ms later; at about 200 bytes each, 3 MB. Past it only pages give them.
    public static let recentChangesCount = 16_384

    /// Nanoseconds between two rounds of comparing held sets (DESIGN 7).
    public static let exchangeNanos: UInt64 = 200_000_000
    /// Nanoseconds by which a round may come early: half of the 100 ms between two ticks, so that a
    /// tick a hair before its time does not make a round of 300 ms out of one of 200.
    public static let exchangeSlackNanos: UInt64 = 50_000_000
    /// Nanoseconds without a word after which a linked node counts as out of reach: five exchanges,
    /// and half of the time that an acknowledgment may take.
    public static let silenceNanos: UInt64 = 1_000_000_000
    /// Peers told in one round (DESIGN 7).
    public static let exchangePeersCount = 3
    /// Nanoseconds for which a write of a linked origin may be missing before it is pulled: its
    /// push is most likely on its way, and a round trip with a commit takes far less.
    public static let pushPatienceNanos: UInt64 = 150_000_000

    /// Nanoseconds within which writes that begin to be missed share one moment: with the patience
    /// less than a round of exchanges, so that the next round finds them overdue.
    public static let doubtGrainNanos: UInt64 = 25_000_000
    /// Moments that are told apart; of more the two oldest become one, which makes the older writes
    /// wait a little longer. Sixteen grains are two rounds of exchanges.
    public static let doubtsCount = 16

    /// Writes looked up for one page: 512 KiB of the largest usual marks, about 2.5 us each.
    public static let pageDotsCount = 1_024
    /// Bytes of entries after which a page ends; the entry that crosses it is below 128 KiB.
    public static let pageBytes = 256 << 10
    /// Writes that one pull asks for: what it brings counts only when all of it is there, so a cut
    /// link or a crash repeats this much: four pages, 0.5 MB. Closing costs one commit more for it.
    public static let pullDotsCount: UInt64 = 4_096
    /// Intervals of the writes that one pull asks for.
    public static let pullIntervalsCount = 4_096
    /// Records that may wait for the checkpoint before the next page is asked for: a quarter of
    /// what Storage's overlay takes, so that opt-outs keep their room while a node catches up.
    public static let pullBacklogCount: UInt64 = 16_384
    /// Nanoseconds to wait for a page before another donor is tried.
    public static let pageDeadlineNanos: UInt64 = 2_000_000_000
    /// Pages that may be read for peers at once: one for each of 32 linked peers.
    public static let pageReadsCount = 32

    /// Nanoseconds between two questions to the voters: four fit into the 1 s that is aimed at.
    public static let askNanos: UInt64 = 250_000_000
    /// Questions remembered: 4 s of them; an older answer would prove too little to matter.
    public static let rememberedAsksCount = 16
    /// Answers of one voter that wait until all they name is shown: 2 s of them.
    public static let waitingConfirmationsCount = 8
    /// Steps of a voter's committed set that can be told apart: one an answer, and 32 nodes ask
    /// four times a second, so 4 s. Whoever asks about an older one is told everything.
    public static let heldStepsCount = 512
    /// Milliseconds by which a peer's stamp may lead this node's clock and still move its own.
    public static let stampLeadMillis: UInt64 = 60_000
    /// Peers linked at once (DESIGN 7: above 32, relays).
    public static let peersCount = 64
}

/// The bounds that a simulation makes small, to reach what is behind them.
public struct Bounds: Equatable, Sendable {
    /// As `Limits.pendingChangesCount`.
    public var pendingChangesCount = Limits.pendingChangesCount
    /// As `Limits.pushWindowCount`.
    public var pushWindowCount = Limits.pushWindowCount
    /// As `Limits.pushWindowBytes`.
    public var pushWindowBytes = Limits.pushWindowBytes
    /// As `Limits.recentChangesCount`.
    public var recentChangesCount = Limits.recentChangesCount
    /// As `Limits.pageDotsCount`.
    public var pageDotsCount = Limits.pageDotsCount
    /// As `Limits.pullDotsCount`.
    public var pullDotsCount = Limits.pullDotsCount
    /// As `Limits.pullBacklogCount`.
    public var pullBacklogCount = Limits.pullBacklogCount
    /// As `Limits.pullBytesPerSecond`.
    public var pullBytesPerSecond = Limits.pullBytesPerSecond
    /// As `Limits.heldStepsCount`.
    public var heldStepsCount = Limits.heldStepsCount

    /// The bounds of production.
    public init() {}
}

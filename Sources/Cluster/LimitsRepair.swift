// Bounds of what repair costs the nodes that do it.

extension Limits {
    /// Cells of the first chunk in percent of the estimated difference (DESIGN 7): what decodes a
    /// thousand differences always, and a hundred two times of three.
    public static let repairFirstChunkPercent = 150
    /// Cells more, for each unit of the square root of the difference: few differences spread more.
    /// With two, 10 and 20 decode at once seven times of eight, a hundred 98 times of 100: 9 to 20
    /// cells of 10 bytes spare a round trip or two.
    public static let repairFirstChunkSpread = 2
    /// Cells of the smallest chunk: one difference and its proof, 80 bytes.
    public static let repairSmallestChunkCount = 8
    /// Cells of partitions and global sketch in percent of the estimated difference: 185 decoded
    /// each of 45 trials from 12,000 to 120,000, 175 those up to 20,000 only.
    public static let repairJointChunkPercent = 195
    /// Touches of cells in one turn, 75 ns each: 1.2 ms.
    public static let repairTouchesPerTurnCount = 16_384
    /// Differences above which partitions are compared too: the global sketch's 16,384 cells decode
    /// about 12,000, and it is not worth while to try the last of them.
    public static let repairGlobalDifferencesCount = 10_000
    /// Cells in one message: 160 KiB, the whole global sketch.
    public static let repairCellsCount = 16_384
    /// Partitions asked for in one message: 64 x 64 cells x 10 bytes are 40 KiB.
    public static let repairPartitionsCount = 64
    /// Ids in one message, 8 bytes each: 32 KiB.
    public static let repairIDsCount = 4_096
    /// Marks that one turn looks up for a peer: about 1 ms among 10 M.
    public static let repairLookUpsCount = 256
    /// Bytes of marks in one message; the mark that crosses it is below 64 KiB.
    public static let repairMarksBytes = 128 << 10
    /// Bulk messages under way to one peer before it must take one.
    public static let repairWindowCount = 4
    /// Bulk messages that one tick of 100 ms sends, all conversations together: 20,000 marks a
    /// second at the least, and never more than a hundredth of a loop's look-ups.
    public static let repairMessagesPerTickCount = 64
    /// Differences that one conversation mends, 8 bytes each in memory: 8 MB. What is left is found
    /// by the next.
    public static let repairDifferencesCount = 1 << 20
    /// Conversations that peers may hold with this node at once, 3 MB for a frozen sketch each that
    /// is not shared.
    public static let repairGuestsCount = 4
    /// Conversations with one peer in one run: the first mends, the second proves; the others are
    /// for what was written meanwhile.
    public static let repairRoundsCount = 6
    /// Nanoseconds without a word after which a conversation is given up: a run of the checkpointer
    /// among 10 M marks takes seconds, and the frozen sketch waits for it.
    public static let repairSilenceNanos: UInt64 = 30_000_000_000
    /// Nanoseconds before the next conversation with a peer whose difference was not settled:
    /// pushes and checkpoints that are under way finish first.
    public static let repairPauseNanos: UInt64 = 300_000_000
}

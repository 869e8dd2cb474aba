// Every bound of this module: unit in the name, derivation beside it.

public import Suppression

extension Limits {
    /// Changes that one commit of the log carries at most. 256 in flight already reach 440 k
    /// records/s (reference/performance.md 3). An import brings thousands at once, and on a disk
    /// whose flush takes 5 ms only larger commits help; 2,048 are 300 KB and 2 ms of writing.
    public static let commitChangesCount = 2_048
    /// Bytes that one commit of the log carries at most: 1,024 pages, far below LMDB's 131,071.
    public static let commitBytes = 4 << 20
    /// Changes that wait for the log writer at most: what a full overlay allows to be in flight.
    public static let logQueueCount = overlayFullCount
    /// Old records that one log commit deletes: twice what it can add, so a backlog always shrinks.
    public static let trimRecordsCount = 2 * commitChangesCount
    /// Milliseconds of idleness before records below the watermark are deleted in a commit of their
    /// own; until then deletes ride along with appends and delay no acknowledgment.
    public static let trimIdleMillis: Int32 = 1_000

    /// Changes that one checkpoint merges. Even if no two share a page, 5 tables x 5 levels plus
    /// the 17 overflow pages of the largest change make 42 pages each: 86,016 < 131,071.
    public static let checkpointChangesCount = 2_048
    /// Changes that the checkpointer gathers from the log for one run when it is behind (DESIGN 5:
    /// at least 500 k): among 10 M marks a run of 2,048 writes a page a mark, this one half a page.
    static let runChangesCount = 524_288
    /// Marks or index entries of a run in one transaction. LMDB keeps the memory of all pages that
    /// one transaction ever dirtied: if no two marks share a page, 4,096 leaves are 16 MB, and 128
    /// commits a run cost less than its writing.
    static let runSliceCount = 4_096
    /// Changes that make the checkpointer start without waiting out its linger or rest: 1.6 s of
    /// 20,000 opt-outs a second, a quarter of a full overlay; as many again may come while they are
    /// merged on a busy machine before API writes stop at half. Random keys dirty a page each, so
    /// what a merge costs is pages: among 300,000 marks 0.7 a mark in merges of 8,192, 0.35 here.
    public static let checkpointEagerCount = 32_768
    /// Milliseconds for which the checkpointer lets changes gather: it shares the disk with the log
    /// writer, and one commit a change would double the latency of every acknowledgment.
    public static let checkpointLingerMillis: UInt64 = 100
    /// How much longer than it worked the checkpointer lets changes gather after a merge. Random
    /// keys dirty about a page each, so small merges write most; at 7,500 opt-outs a second, merges
    /// of 512 on three voters took a third of all their processor time (perf, 64 connections).
    static let checkpointRestFactor: UInt64 = 4
    /// Milliseconds for which it does that at most: `status` shows marks and digest this much late.
    static let checkpointRestMillis: UInt64 = 2_000
    /// Milliseconds between attempts of a checkpoint while the disk is full.
    public static let checkpointRetryMillis: UInt64 = 500
    /// Changes handed over in memory; past it the checkpointer reads the log instead.
    public static let handoverCount = overlayHalfCount
    /// Encoded bytes handed over in memory: 65,536 changes of the common 150 bytes, with room.
    public static let handoverBytes = 16 << 20
    /// Idempotency keys forgotten in one checkpoint: twice what it can add.
    public static let forgetRequestsCount = 2 * checkpointChangesCount

    /// Changes in an overlay at which imports and API writes stop: half of full.
    public static let overlayHalfCount = overlayFullCount / 2
    /// Changes in an overlay at which public opt-outs are shed: at about 300 bytes each, 40 MB a
    /// loop, and 14 s of the 9 k random-key records/s that a B-tree of 10 M marks takes (DESIGN 5).
    public static let overlayFullCount = 131_072
    /// Changes that an overlay holds in any case. A serving loop forgets later than the node loop
    /// that enforces `overlayFullCount`, by what passes while it is busy with one turn.
    public static let overlayBoundCount = 2 * overlayFullCount
    /// Arrivals of one person that an overlay links before it merges them: a question walks so many
    /// at most, 2 us, and merging costs each of them a thirty-second of that.
    static let overlayChainCount = 32

    /// Bytes of address space for the log: a full overlay of the largest changes (8 GiB), eight
    /// times, because a reader of an old snapshot keeps pages from reuse. The file is sparse.
    public static let logMapBytes = 64 << 30
    /// Bytes of address space for the state: 10^9 marks of about 250 bytes with their index
    /// entries, and twice that. The file grows only as far as it is used.
    public static let stateMapBytes = 512 << 30
    /// Readers of one environment: loops and the checkpointer; a machine of 250 cores fits.
    public static let readersCount: UInt32 = 254

    /// Bytes of a line of the recipient filter: what the processor fetches at once.
    public static let filterLineBytes = 64
    /// Fingerprints of 4 bytes in a line.
    public static let filterSlotsCount = filterLineBytes / 4
    /// Bytes of a huge page, which spares one TLB miss a probe (reference/performance.md 1).
    static let hugePageBytes = 2 << 20
    /// Lines of the smallest table: 16 MiB of address space, touched as needed. 4.2 M slots take
    /// an import of 2.9 M people before the first scan for a larger one.
    public static let filterLinesCount = 262_144
    /// Percent of the slots that a start fills: 6.7 B a mark, below the 8 B of DESIGN 13, and 2 %
    /// of the lines overflow into their neighbour.
    static let filterFilledPercent = 60
    /// Percent taken at which a larger table is filled.
    static let filterCrowdedPercent = 70
    /// Percent taken at which imports wait for it: full lines begin to run together.
    static let filterBusyPercent = 85
    /// Lines up to which a successor is twice as large: 64 MiB; above, both at once would cost more
    /// than the 64 MB beyond 8 B a mark.
    static let filterDoublingLines = 1 << 20
    /// Marks that the checkpointer reads for a larger table before it looks at its other work:
    /// about 10 ms.
    static let scanPageCount = 65_536
}

// Every bound of the machines in one place: unit in the name, derivation beside it.

/// Bounds of the machines.
public enum Limits {
    /// Writes that may wait for their acknowledgment at once on one node. 64 connections of 64
    /// mailbox-provider backends fit; at 30,000 acknowledgments a second it is 0.3 s of work, well
    /// inside the deadline, so a fuller gate could only answer too late.
    public static let waitingWritesCount = 8_192
    /// Changes that one write may stage: a run of pipelined RESP `SADD` shares one ticket, and the
    /// server ends a run at 1,024 words. Functions and undo tokens are bounded to 8 far below.
    public static let changesPerWriteCount = 1_024
    /// Changes handed to the log and not yet known to be committed.
    public static let pendingChangesCount = 16_384
    /// Voter slots; DESIGN 2 allows 1, 3 or 5.
    public static let votersCount = 5
    /// Slots of a joint generation: both parties, where they share none.
    public static let jointSlotsCount = 2 * votersCount
    /// Voters that a set may have (DESIGN 2).
    public static let voterCounts = [1, 3, 5]
    /// Nanoseconds that a proposal of voters may take: a few attempts, each a round trip with two
    /// commits, and a person waits for it.
    public static let proposalNanos: UInt64 = 6_000_000_000
    /// Nanoseconds before an attempt is repeated under a higher ballot; up to twice as long by
    /// chance, so that two proposers part.
    public static let proposalRepeatNanos: UInt64 = 700_000_000
    /// Nanoseconds for which a peer may speak under an earlier generation before its register is
    /// said again, and between two words of such a peer: pushes, held sets and pulls take a second.
    public static let laggardPatienceNanos: UInt64 = 2_000_000_000
    /// Nanoseconds by which each slot waits longer than the one before it, before it proposes by
    /// itself what any of them could.
    public static let proposalTurnNanos: UInt64 = 600_000_000
    /// Votes that wait for the log: every node may try, and a commit takes a millisecond.
    public static let owedVotesCount = 64
    /// Nanoseconds that an acknowledgment may take before the policy decides (DESIGN 5).
    public static let acknowledgeDeadlineNanos: UInt64 = 2_000_000_000
    /// Idempotency keys kept in memory until the checkpoint has them on disk; each costs 64 bytes.
    public static let rememberedRequestsCount = 65_536
    /// Bytes of a human name of a tenant, stream, topic or key.
    public static let nameBytes = 64
}

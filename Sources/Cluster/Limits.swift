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
    /// Nanoseconds that an acknowledgment may take before the policy decides (DESIGN 5).
    public static let acknowledgeDeadlineNanos: UInt64 = 2_000_000_000
    /// Idempotency keys kept in memory until the checkpoint has them on disk; each costs 64 bytes.
    public static let rememberedRequestsCount = 65_536
    /// Bytes of a human name of a tenant, stream, topic or key.
    public static let nameBytes = 64
}

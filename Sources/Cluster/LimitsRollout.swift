// Bounds of what a node keeps and says about function versions.

extension Limits {
    /// Functions that a cluster has beside those of every node; a notice of another is not
    /// believed.
    public static let deployedFunctionsCount = 16
    /// Artifacts of one function that a node keeps: the newest, what serves, what served before.
    public static let versionsCount = 3
    /// Artifacts in all: those of each function, and as many of the two that every node has; twice,
    /// since what registers name is kept whatever its age.
    public static let artifactsCount = 2 * versionsCount * (deployedFunctionsCount + 2)
    /// Bytes of an artifact, as FunctionHost has it: a module of 256 KiB and half as much again.
    public static let artifactBytes: UInt32 = 393_216
    /// Bytes of an artifact in one message: a sixteenth of a frame, so that writes pass between.
    public static let pieceBytes: UInt32 = 65_536
    /// Bytes of the reason for which a version cannot serve.
    public static let failureWordsBytes = 300
    /// Nanoseconds to wait for a piece before another peer is asked.
    public static let pieceDeadlineNanos: UInt64 = 2_000_000_000
    /// Nanoseconds after which peers that sent nothing, or something else, are asked again.
    public static let forgiveNanos: UInt64 = 5_000_000_000
    /// Nanoseconds in which a majority of voters must say that they would run a version: a round
    /// trip; a person waits for it.
    public static let pollNanos: UInt64 = 2_000_000_000
    /// Activations that wait for their votes at once.
    public static let pollsCount = 16
    /// Nanoseconds for which a voter gives its vote on a function to one asker alone: the poll, and
    /// as much again for the register to become durable (`acknowledgeDeadlineNanos`).
    public static let promiseNanos: UInt64 = 2 * pollNanos
    /// Votes that a register keeps: of a joint set of voters, five and five.
    public static let faultVotesCount = 10
    /// Versions that a node reports on: what serves and what is tried, of each function.
    public static let trialReportsCount = 2 * (deployedFunctionsCount + 2)
    /// Nanoseconds between two reports that say nothing but larger numbers.
    public static let reportNanos: UInt64 = 1_000_000_000
    /// Nanoseconds for which a version that began to serve can be taken back by votes: bad versions
    /// show themselves in minutes; what has served for longer is an operator's to judge.
    public static let freshNanos: UInt64 = 600_000_000_000
    /// Nanoseconds by which each further voter waits before it writes what the first should have:
    /// half an acknowledgment's deadline.
    public static let revertTurnNanos: UInt64 = 1_000_000_000
}

// What goes into the repair machine and what comes out, beside the Core's own two enums.

public import Suppression

/// Names one conversation of this node.
public struct RepairID: Hashable, Sendable {
    /// With whom.
    public let peer: NodeID
    /// As its initiator numbered it.
    public let number: UInt32

    /// Pairs the two.
    public init(peer: NodeID, number: UInt32) {
        self.peer = peer
        self.number = number
    }
}

/// A mark that a look-up found.
public struct RepairFound: Equatable, Sendable {
    /// What led to it.
    public let id: UInt64
    /// The mark as it is now.
    public let row: RepairRow

    /// Pairs the two.
    public init(id: UInt64, row: RepairRow) {
        self.id = id
        self.row = row
    }
}

/// Why a comparison did not come to an end.
public enum RepairFailure: UInt8, Sendable {
    /// The peer is not linked, or was lost on the way.
    case unreachable
    /// Nothing was heard for too long.
    case silent
    /// One of the two still reads its marks.
    case notReady
    /// The peer has enough to do.
    case busy
    /// The peer said what makes no sense.
    case confused

    /// The word for people.
    public var word: String {
        switch self {
        case .unreachable: "not reached"
        case .silent: "did not answer in time"
        case .notReady: "still reads its marks; try again in a moment"
        case .busy: "compares with others already; try again in a moment"
        case .confused: "said what makes no sense; is it another version?"
        }
    }
}

/// How the comparison with one peer ended.
public struct RepairReport: Equatable, Sendable {
    /// With whom.
    public let peer: NodeID
    /// Whether the last comparison found the marks equal.
    public var isEqual = false
    /// Why it ended early; nil when it did not.
    public var failure: RepairFailure?
    /// Whether the peer said that its own marks are in doubt.
    public var isDoubted = false
    /// Keys that differed.
    public var differences: UInt64 = 0
    /// Marks given to the peer.
    public var pushed: UInt64 = 0
    /// Marks got from it.
    public var pulled: UInt64 = 0
    /// Payload of messages to the peer, without the comparison that proved success.
    public var bytesSent: UInt64 = 0
    /// Payload of messages from it, likewise.
    public var bytesReceived: UInt64 = 0
    /// Bytes of the marks that one side lacked: no way of repairing needs fewer.
    public var floorBytes: UInt64 = 0
    /// How often one side had to wait for the other before it could go on.
    public var roundTrips: UInt64 = 0
    /// From the first word to the last, the proof included.
    public var nanoseconds: UInt64 = 0

    /// Nothing compared yet.
    public init(peer: NodeID) { self.peer = peer }
}

/// What happened to the repair machine.
public enum RepairEvent: Equatable, Sendable {
    /// Compare with a linked peer, one run at a time.
    case asked(peer: NodeID, isDry: Bool, roundsCount: Int = Limits.repairRoundsCount)
    /// The answer to `freeze`; nil while the marks are still being read.
    case frozen(Sketch?, marksCount: UInt64)
    /// A peer said something.
    case received(RepairID, RepairMessage)
    /// The answer to `lookUp`: those that are there.
    case found(RepairID, [RepairFound])
    /// The answer to `list`: all ids of the partition.
    case listed(RepairID, [UInt64])
    /// The rows of one `merge` are committed, and the state keeps up.
    case stored(RepairID)
    /// The link to a node went down.
    case unlinked(NodeID)
    /// This node's marks are what they should be, or no longer.
    case damaged(Bool)
    /// The answer to `again`.
    case turned
    /// This node joins: peers that would compare with it are told to wait.
    case joining(Bool)
    /// Time went by.
    case ticked
}

/// What the shell must do for repair, in this order.
public enum RepairEffect: Equatable, Sendable {
    /// Checkpoint, copy the sketch, answer with `frozen`.
    case freeze
    /// Send to a linked node.
    case send(RepairID, RepairMessage)
    /// Read the marks with these ids, in a turn that has time for it; answer with `found`. With
    /// `orChanged`, an id that leads to none stands for the marks that share its leading bits.
    case lookUp(RepairID, [UInt64], orChanged: Bool)
    /// Read the ids of a partition's marks, likewise; answer with `listed`.
    case list(RepairID, partition: Int)
    /// Merge whole marks through the own log; answer with `stored`.
    case merge(RepairID, [RepairRow])
    /// There is more to peel: answer with `turned`, after a turn that serves others.
    case again
    /// The marks of a trustworthy node are equal to ours.
    case proved(NodeID)
    /// A run ended.
    case report(RepairReport)
}

// What goes into the rollout machine and what comes out, beside the Core's own two enums.

public import Suppression

/// What the register of a function says: which version serves, and which did before.
public struct Activation: Equatable, Sendable {
    /// The function.
    public let name: String
    /// What serves; nil: what the node came with, or nothing.
    public let digest: ArtifactDigest?
    /// What served before: the target of a rollback.
    public let previous: ArtifactDigest?

    /// Puts an activation together.
    public init(name: String, digest: ArtifactDigest?, previous: ArtifactDigest?) {
        self.name = name
        self.digest = digest
        self.previous = previous
    }
}

/// A version as it serves on this node.
public struct RunningVersion: Equatable, Sendable {
    /// Counts the activations of its name.
    public let generation: UInt64
    /// Which; nil: what the node came with, or nothing.
    public let digest: ArtifactDigest?

    /// Pairs the two.
    public init(generation: UInt64, digest: ArtifactDigest?) {
        self.generation = generation
        self.digest = digest
    }
}

/// Why a version is not activated.
public enum RolloutRefusal: UInt8, Equatable, Sendable {
    /// This node does not have it, or it is not ready here.
    case notReady
    /// No majority of voters said in time that it would run it.
    case noMajority
    /// Too many activations wait already.
    case busy

    /// For the operator.
    public var words: String {
        switch self {
        case .notReady: "This version is not ready on this node; `quell fn status` says why."
        case .noMajority:
            "No majority of voters is ready to run this version; the active one keeps serving."
        case .busy: "Too many activations wait already; try again in a moment."
        }
    }
}

/// To the machine.
public enum RolloutEvent: Equatable, Sendable {
    /// A link is up.
    case linked(NodeID)
    /// A link is down.
    case unlinked(NodeID)
    /// A peer said something.
    case received(NodeID, RolloutMessage)
    /// An artifact lies on this node's disk, whole and of this digest.
    case kept(ArtifactNotice)
    /// What a peer sent is not what it was called.
    case spoiled(ArtifactDigest, from: NodeID)
    /// Verified, compiled and tried: nil, or why not.
    case prepared(ArtifactDigest, failure: String?)
    /// Somebody became trusted: what failed for want of it deserves another try.
    case trusted
    /// A function's register is shown here.
    case registered(Activation, generation: UInt64)
    /// The lease moved.
    case vouched(asOfNanos: UInt64?)
    /// The voters in force.
    case voters(VoterSet)
    /// An operator wants this version to serve; nil: what the node came with.
    case asked(ticket: UInt64, name: String, ArtifactDigest?)
    /// Time passed.
    case ticked
}

/// From the machine, in order.
public enum RolloutEffect: Equatable, Sendable {
    /// Say something.
    case send(NodeID, RolloutMessage)
    /// Read a piece of an artifact and send it.
    case sendPiece(NodeID, ArtifactDigest, offset: UInt32)
    /// Look at what came: `kept` once it is on the disk, else `spoiled`.
    case keep(ArtifactDigest, publishedMillis: UInt64, [UInt8], from: NodeID)
    /// Verify, compile and try an artifact; `prepared` says what came of it.
    case prepare(ArtifactDigest)
    /// Forget an artifact.
    case drop(ArtifactDigest)
    /// Let this version serve from the next turn on.
    case activate(name: String, RunningVersion, previous: ArtifactDigest?)
    /// The cluster runs this version and this node has none of the function: fail closed.
    case lack(name: String, RunningVersion)
    /// Write the function's next register.
    case record(ticket: UInt64, name: String, ArtifactDigest?)
    /// Answer that it will not be.
    case refuse(ticket: UInt64, RolloutRefusal)
}

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
    /// What is tried beside it.
    public let trial: Trial?
    /// Set where voters wrote this generation, because the one before was broken.
    public let revert: Revert?

    /// Puts an activation together.
    public init(
        name: String,
        digest: ArtifactDigest?,
        previous: ArtifactDigest?,
        trial: Trial? = nil,
        revert: Revert? = nil
    ) {
        self.name = name
        self.digest = digest
        self.previous = previous
        self.trial = trial
        self.revert = revert
    }
}

/// What an operator wants of a function.
public enum RolloutRequest: Equatable, Sendable {
    /// This version serves, and nothing is tried; nil: what the node came with.
    case serve(ArtifactDigest?)
    /// What serves goes on, and this is tried beside it.
    case test(Trial)
    /// What serves goes on, alone.
    case endTrial

    /// The version that has not been asked so far; nil: none.
    var digest: ArtifactDigest? {
        switch self {
        case .serve(let digest): digest
        case .test(let trial): trial.digest
        case .endTrial: nil
        }
    }
}

/// A version as it serves on this node.
public struct RunningVersion: Equatable, Sendable {
    /// Counts the activations of its name.
    public let generation: UInt64
    /// Which; nil: what the node came with, or nothing.
    public let digest: ArtifactDigest?
    /// What is tried beside it.
    public let trial: ArtifactDigest?

    /// Puts it together.
    public init(generation: UInt64, digest: ArtifactDigest?, trial: ArtifactDigest? = nil) {
        self.generation = generation
        self.digest = digest
        self.trial = trial
    }
}

/// Why a version is not activated.
public enum RolloutRefusal: Equatable, Sendable {
    /// This node does not have it, or it is not ready here.
    case notReady
    /// No majority of voters said in time that it would run it.
    case noMajority
    /// Too many activations wait already.
    case busy
    /// Another activation of the function is under way, or was faster.
    case raced
    /// As a shadow it has allowed what the active version denies, so often.
    case loosens(UInt64)

    /// For the operator.
    public var words: String {
        switch self {
        case .notReady: "This version is not ready on this node; `quell fn status` says why."
        case .noMajority:
            "No majority of voters is ready to run this version; the active one keeps serving."
        case .busy: "Too many activations wait already; try again in a moment."
        case .raced:
            "Another activation of this function is under way; look at `quell fn status`, then "
                + "try again."
        case .loosens(let count):
            "As a shadow this version has allowed \(count) times what the active one denies; "
                + "nothing was promoted. `quell fn status` shows where."
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
    /// An operator wants something of a function.
    case asked(ticket: UInt64, name: String, RolloutRequest)
    /// What this node has seen of the versions on trial, all of them, since they began.
    case observed([TrialReport])
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
    case activate(Activation, RunningVersion)
    /// The cluster runs this version and this node has none of the function: fail closed.
    case lack(name: String, RunningVersion)
    /// Write the function's next register, of this generation.
    case record(ticket: UInt64, Activation, generation: UInt64)
    /// Write it for nobody but the voters, who say that a version is broken.
    case revert(Activation, generation: UInt64)
    /// Answer that it will not be.
    case refuse(ticket: UInt64, RolloutRefusal)
}

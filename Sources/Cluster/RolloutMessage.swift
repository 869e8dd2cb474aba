// What nodes tell each other about function versions.
//
//     have   ───►                  all artifacts of the sender, and what became of each
//     want   ───►   piece ◄───     an artifact's bytes, 64 KiB at a time
//     poll   ───►   vote  ◄───     "would you run this now?", before it is activated
//     report ───►                  what the sender has seen of the versions on trial
//
// An artifact is named by its SHA-256, so it does not matter who sends it. `have` is said whole
// whenever something of it changes; a lost or late one is made good by the next.

import Suppression

/// The identity of an artifact: SHA-256 of all of it but its signatures.
public struct ArtifactDigest: Hashable, Comparable, Sendable {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// Takes exactly 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// As numbers, the first byte first.
    public static func < (a: ArtifactDigest, b: ArtifactDigest) -> Bool {
        a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}

/// What became of an artifact on one node; numbers as on the wire.
public enum ArtifactState: Equatable, Sendable {
    /// Its bytes are there, and it is being verified, compiled and tried.
    case preparing
    /// It answered its smoke requests and can serve at once.
    case ready
    /// It cannot; why, in one line.
    case failed(String)

    /// The word for people.
    public var word: String {
        switch self {
        case .preparing: "preparing"
        case .ready: "ready"
        case .failed: "failed"
        }
    }
}

/// One artifact as a node tells it.
public struct ArtifactNotice: Equatable, Sendable {
    /// Which.
    public let digest: ArtifactDigest
    /// The function's name.
    public let name: String
    /// Bytes of the file.
    public let bytes: UInt32
    /// When somebody published it first, milliseconds since 1970; only for keeping the newest.
    public let publishedMillis: UInt64
    /// What became of it.
    public var state: ArtifactState
    /// The generation under which it serves; 0 when it does not.
    public var generation: UInt64

    /// Puts a notice together.
    public init(
        digest: ArtifactDigest,
        name: String,
        bytes: UInt32,
        publishedMillis: UInt64,
        state: ArtifactState,
        generation: UInt64 = 0
    ) {
        self.digest = digest
        self.name = name
        self.bytes = bytes
        self.publishedMillis = publishedMillis
        self.state = state
        self.generation = generation
    }
}

/// A question to a voter.
public struct RolloutPoll: Equatable, Sendable {
    /// The asker's, for the answer.
    public let number: UInt64
    /// The function.
    public let name: String
    /// The generation of its register, as the asker knows it.
    public let base: UInt64
    /// What would be run; nil: nothing that a node may lack.
    public let digest: ArtifactDigest?

    /// Puts a question together.
    public init(number: UInt64, name: String, base: UInt64, digest: ArtifactDigest?) {
        self.number = number
        self.name = name
        self.base = base
        self.digest = digest
    }
}

/// The answer; numbers as on the wire.
public enum RolloutVote: UInt8, Equatable, Sendable {
    /// This node could not run it.
    case unready = 0
    /// It would, and gives its vote for this function to nobody else for a while.
    case ready = 1
    /// Its vote is given, or the asker knows an old generation.
    case raced = 2
}

/// What one node has seen of one version on trial, since it began there.
public struct TrialReport: Equatable, Sendable {
    /// The function.
    public let name: String
    /// The generation that put it on trial.
    public let generation: UInt64
    /// The version.
    public let digest: ArtifactDigest
    /// Calls.
    public var calls: UInt64
    /// Of them failed.
    public var failed: UInt64
    /// How one failed last, as FunctionHost numbers it; 255 for none.
    public var cause: UInt8
    /// A breaker has opened: this node calls the version broken.
    public var isBroken: Bool
    /// Answers that were compared with those of the version that serves.
    public var compared: UInt64
    /// Of them others.
    public var differing: UInt64
    /// Of them allows where the version that serves denies.
    public var loosened: UInt64

    /// Nothing seen yet.
    public init(name: String, generation: UInt64, digest: ArtifactDigest) {
        self.name = name
        self.generation = generation
        self.digest = digest
        (calls, failed, cause, isBroken) = (0, 0, 255, false)
        (compared, differing, loosened) = (0, 0, 0)
    }
}

/// One message about function versions.
public enum RolloutMessage: Equatable, Sendable {
    /// All that the sender has.
    case have([ArtifactNotice])
    /// Send this artifact's bytes from `offset` on.
    case want(ArtifactDigest, offset: UInt32)
    /// Some of them, of `total` in all.
    case piece(ArtifactDigest, offset: UInt32, total: UInt32, [UInt8])
    /// Would you run this version now?
    case poll(RolloutPoll)
    /// The answer.
    case vote(number: UInt64, RolloutVote)
    /// What the sender has seen of all versions on trial.
    case report([TrialReport])
}

// What nodes tell each other about function versions.
//
//     have   ───►                  all artifacts of the sender, and what became of each
//     want   ───►   piece ◄───     an artifact's bytes, 64 KiB at a time
//     poll   ───►   vote  ◄───     "would you run this now?", before it is activated
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

/// One message about function versions.
public enum RolloutMessage: Equatable, Sendable {
    /// All that the sender has.
    case have([ArtifactNotice])
    /// Send this artifact's bytes from `offset` on.
    case want(ArtifactDigest, offset: UInt32)
    /// Some of them, of `total` in all.
    case piece(ArtifactDigest, offset: UInt32, total: UInt32, [UInt8])
    /// Would you run this version now? Nil: what the node came with.
    case poll(number: UInt64, ArtifactDigest?)
    /// The answer.
    case vote(number: UInt64, isReady: Bool)
}

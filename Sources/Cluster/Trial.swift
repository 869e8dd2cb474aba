// A version on trial: beside the one that serves, for a share of those who ask.
//
//     canary   a share of recipients is answered by it; whoever is, stays with it
//     shadow   a share of requests is asked of it as well, and its answer thrown away
//
// Who is in the share follows from the digest of the version and of the recipient alone, so every
// node and every loop gives a person the same answer, and the next trial meets other people. A
// larger share contains the smaller one.

public import Suppression

/// A version beside the one that serves.
public struct Trial: Hashable, Sendable {
    /// What becomes of its answers; numbers as in the register.
    public enum Kind: UInt8, Sendable {
        /// They are given.
        case canary = 1
        /// They are compared with those that are given, and forgotten.
        case shadow = 2

        /// The word for people.
        public var word: String { self == .canary ? "canary" : "shadow" }
    }

    /// What becomes of its answers.
    public let kind: Kind
    /// Of 100 recipients, 1 to 100.
    public let percent: UInt8
    /// Which version.
    public let digest: ArtifactDigest

    /// Puts a trial together; nil for a share that is none.
    public init?(_ kind: Kind, percent: Int, _ digest: ArtifactDigest) {
        guard (1...100).contains(percent) else { return nil }
        self.kind = kind
        self.percent = UInt8(percent)
        self.digest = digest
    }
}

/// A voter's word that a version is broken, and what it saw.
public struct FaultVote: Equatable, Sendable {
    /// Who.
    public let voter: NodeID
    /// How a call failed last, as FunctionHost numbers it.
    public let cause: UInt8
    /// Calls that failed there.
    public let failed: UInt64
    /// Calls in all.
    public let calls: UInt64

    /// Puts a vote together.
    public init(voter: NodeID, cause: UInt8, failed: UInt64, calls: UInt64) {
        self.voter = voter
        self.cause = cause
        self.failed = failed
        self.calls = calls
    }
}

/// Why a generation was written by voters and by nobody else.
public struct Revert: Equatable, Sendable {
    /// The version that serves no more.
    public let digest: ArtifactDigest
    /// The majority that said so.
    public let votes: [FaultVote]

    /// Puts a revert together.
    public init(digest: ArtifactDigest, votes: [FaultVote]) {
        self.digest = digest
        self.votes = votes
    }
}

extension Activation {
    /// Appends what versions of Quell without trials do not read: nothing where there is nothing.
    func encodeTrial(into out: inout [UInt8]) {
        guard trial != nil || revert != nil else { return }
        out.append(trial?.kind.rawValue ?? 0)
        if let trial {
            out.append(trial.percent)
            out.append(field: trial.digest.bytes)
        }
        guard let revert else { return out.append(0) }
        out.append(1)
        out.append(field: revert.digest.bytes)
        out.append(UInt8(min(revert.votes.count, Limits.faultVotesCount)))
        for vote in revert.votes.prefix(Limits.faultVotesCount) {
            out.append(bigEndian: vote.voter.raw)
            out.append(vote.cause)
            out.append(bigEndian: vote.failed)
            out.append(bigEndian: vote.calls)
        }
    }

    /// The same activation with what stands behind it in the register.
    ///
    /// A trial of a kind that this version does not know is none: what serves, serves.
    func decodingTrial(
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor
    ) throws(DecodeError) -> Activation {
        guard cursor.remaining(bytes) > 0 else { return self }
        let number = try cursor.u8(bytes)
        var trial: Trial?
        if number != 0 {
            guard let kind = Trial.Kind(rawValue: number) else { return self }
            let percent = Int(try cursor.u8(bytes))
            guard let digest = ArtifactDigest(try cursor.field(bytes, limit: 32)),
                let known = Trial(kind, percent: percent, digest)
            else { throw .malformed }
            trial = known
        }
        var revert: Revert?
        if try cursor.flag(bytes) {
            guard let digest = ArtifactDigest(try cursor.field(bytes, limit: 32)) else {
                throw .malformed
            }
            let count = Int(try cursor.u8(bytes))
            guard count <= Limits.faultVotesCount else { throw .malformed }
            var votes: [FaultVote] = []
            for _ in 0..<count {
                let voter = NodeID(raw: try cursor.u64(bytes))
                let cause = try cursor.u8(bytes)
                let failed = try cursor.u64(bytes)
                votes.append(
                    FaultVote(
                        voter: voter,
                        cause: cause,
                        failed: failed,
                        calls: try cursor.u64(bytes)
                    )
                )
            }
            revert = Revert(digest: digest, votes: votes)
        }
        return Activation(
            name: name,
            digest: digest,
            previous: previous,
            trial: trial,
            revert: revert
        )
    }
}

// A message about function versions as bytes (Docs/formats.md, Peer messages): kinds 48 to 53.
//
//     version u8 | kind u8 | body
//
// Counts and lengths are checked against their bounds before anything is allocated.

import Suppression

extension RolloutMessage {
    static let kinds: ClosedRange<UInt8> = 48...53

    /// Appends kind and body.
    func encode(into out: inout [UInt8]) {
        switch self {
        case .have(let notices):
            out.append(48)
            out.append(UInt8(notices.count))
            for notice in notices { notice.encode(into: &out) }
        case .want(let digest, let offset):
            out.append(49)
            out.append(contentsOf: digest.bytes)
            out.append(bigEndian: offset)
        case .piece(let digest, let offset, let total, let bytes):
            out.append(50)
            out.append(contentsOf: digest.bytes)
            out.append(bigEndian: offset)
            out.append(bigEndian: total)
            out.append(bigEndian: UInt32(bytes.count))
            out.append(contentsOf: bytes)
        case .poll(let poll):
            out.append(51)
            out.append(bigEndian: poll.number)
            out.append(field: Array(poll.name.utf8))
            out.append(bigEndian: poll.base)
            out.append(field: poll.digest?.bytes ?? [])
        case .vote(let number, let answer):
            out.append(52)
            out.append(bigEndian: number)
            out.append(answer.rawValue)
        case .report(let reports):
            out.append(53)
            out.append(UInt8(reports.count))
            for report in reports { report.encode(into: &out) }
        }
    }

    init(
        kind: UInt8,
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor
    ) throws(DecodeError) {
        switch kind {
        case 48:
            let count = Int(try cursor.u8(bytes))
            guard count <= Limits.artifactsCount else { throw .malformed }
            var notices: [ArtifactNotice] = []
            for _ in 0..<count { notices.append(try ArtifactNotice(bytes, at: &cursor)) }
            self = .have(notices)
        case 49:
            let digest = try cursor.digest(bytes)
            self = .want(digest, offset: try cursor.u32(bytes))
        case 50:
            let digest = try cursor.digest(bytes)
            let offset = try cursor.u32(bytes)
            let total = try cursor.u32(bytes)
            let count = try cursor.u32(bytes)
            guard total <= Limits.artifactBytes, count > 0, count <= Limits.pieceBytes,
                UInt64(offset) + UInt64(count) <= UInt64(total)
            else { throw .malformed }
            let piece = try cursor.take(Int(count), of: bytes)
            self = .piece(digest, offset: offset, total: total, piece)
        case 51:
            let number = try cursor.u64(bytes)
            let name = try cursor.name(bytes)
            let base = try cursor.u64(bytes)
            let digest = try cursor.field(bytes, limit: 32)
            guard digest.isEmpty || digest.count == 32 else { throw .malformed }
            self = .poll(
                RolloutPoll(number: number, name: name, base: base, digest: ArtifactDigest(digest))
            )
        case 52:
            let number = try cursor.u64(bytes)
            guard let vote = RolloutVote(rawValue: try cursor.u8(bytes)) else { throw .malformed }
            self = .vote(number: number, vote)
        case 53:
            let count = Int(try cursor.u8(bytes))
            guard count <= Limits.trialReportsCount else { throw .malformed }
            var reports: [TrialReport] = []
            for _ in 0..<count { reports.append(try TrialReport(bytes, at: &cursor)) }
            self = .report(reports)
        default: throw .malformed
        }
    }
}

extension ArtifactNotice {
    fileprivate func encode(into out: inout [UInt8]) {
        out.append(contentsOf: digest.bytes)
        out.append(field: Array(name.utf8))
        out.append(bigEndian: bytes)
        out.append(bigEndian: publishedMillis)
        out.append(bigEndian: generation)
        switch state {
        case .preparing: out.append(1)
        case .ready: out.append(2)
        case .failed(let why):
            out.append(3)
            out.append(field: Array(why.utf8.prefix(Limits.failureWordsBytes)))
        }
    }

    fileprivate init(_ all: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        digest = try cursor.digest(all)
        name = try cursor.name(all)
        bytes = try cursor.u32(all)
        publishedMillis = try cursor.u64(all)
        generation = try cursor.u64(all)
        guard bytes > 0, bytes <= Limits.artifactBytes else { throw .malformed }
        switch try cursor.u8(all) {
        case 1: state = .preparing
        case 2: state = .ready
        case 3:
            let why = try cursor.field(all, limit: Limits.failureWordsBytes)
            state = .failed(String(decoding: why, as: UTF8.self))
        default: throw .malformed
        }
    }
}

extension TrialReport {
    fileprivate func encode(into out: inout [UInt8]) {
        out.append(field: Array(name.utf8))
        out.append(bigEndian: generation)
        out.append(contentsOf: digest.bytes)
        out.append(isBroken ? 1 : 0)
        out.append(cause)
        for number in [calls, failed, compared, differing, loosened] {
            out.append(bigEndian: number)
        }
    }

    fileprivate init(_ all: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let name = try cursor.name(all)
        let generation = try cursor.u64(all)
        self.init(name: name, generation: generation, digest: try cursor.digest(all))
        isBroken = try cursor.flag(all)
        cause = try cursor.u8(all)
        calls = try cursor.u64(all)
        failed = try cursor.u64(all)
        compared = try cursor.u64(all)
        differing = try cursor.u64(all)
        loosened = try cursor.u64(all)
    }
}

extension ByteCursor {
    fileprivate mutating func digest(
        _ bytes: Span<UInt8>
    ) throws(DecodeError) -> ArtifactDigest {
        guard let digest = ArtifactDigest(try take(32, of: bytes)) else { throw .malformed }
        return digest
    }
}

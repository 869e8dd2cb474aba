// The messages by which the next voters are chosen, as bytes (Docs/formats.md, Peer messages).
//
//     9   prepare    generation u64 | ballot
//     10  promised   generation u64 | ballot | flag u8, and 1: ballot | set
//     11  accept     ballot | set
//     12  accepted   generation u64 | ballot
//     13  declined   generation u64 | ballot | highest | why u8
//     14  doubted    node u64 | epoch u64
//
// A ballot is round u64 | node u64, a set as in Voters.swift.

import Suppression

extension Message {
    func encodeChoice(into out: inout [UInt8]) {
        switch self {
        case .prepare(let generation, let ballot):
            out.append(9)
            out.append(bigEndian: generation)
            ballot.encode(into: &out)
        case .promised(let generation, let ballot, let accepted):
            out.append(10)
            out.append(bigEndian: generation)
            ballot.encode(into: &out)
            accepted.encode(into: &out)
        case .accept(let ballot, let set):
            out.append(11)
            ballot.encode(into: &out)
            set.encode(into: &out)
        case .accepted(let generation, let ballot):
            out.append(12)
            out.append(bigEndian: generation)
            ballot.encode(into: &out)
        case .declined(let generation, let ballot, let highest, let why):
            out.append(13)
            out.append(bigEndian: generation)
            ballot.encode(into: &out)
            highest.encode(into: &out)
            out.append(why.rawValue)
        case .doubted(let life):
            out.append(14)
            out.append(bigEndian: life.node.raw)
            out.append(bigEndian: life.epoch.raw)
        case .changes, .receipts, .heldHash, .held, .ask, .confirm, .pull, .page, .repair,
            .rollout, .relay:
            preconditionFailure("no message of the choice")
        }
    }

    static func choice(
        _ kind: UInt8,
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor
    ) throws(DecodeError) -> Message {
        switch kind {
        case 9:
            let generation = try cursor.u64(bytes)
            return .prepare(generation: generation, try Ballot(bytes, at: &cursor))
        case 10:
            let generation = try cursor.u64(bytes)
            let ballot = try Ballot(bytes, at: &cursor)
            return .promised(generation: generation, ballot, try cursor.accepted(bytes))
        case 11:
            let ballot = try Ballot(bytes, at: &cursor)
            return .accept(ballot, try VoterSet(bytes, at: &cursor))
        case 12:
            let generation = try cursor.u64(bytes)
            return .accepted(generation: generation, try Ballot(bytes, at: &cursor))
        case 13:
            let generation = try cursor.u64(bytes)
            let ballot = try Ballot(bytes, at: &cursor)
            let highest = try Ballot(bytes, at: &cursor)
            guard let why = Decline(rawValue: try cursor.u8(bytes)) else { throw .malformed }
            return .declined(generation: generation, ballot, highest: highest, why)
        case 14:
            let node = NodeID(raw: try cursor.u64(bytes))
            return .doubted(Origin(node: node, epoch: Epoch(raw: try cursor.u64(bytes))))
        default: throw .malformed
        }
    }
}

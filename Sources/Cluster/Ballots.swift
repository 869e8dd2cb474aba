// Choosing the next generation of the voters: single-decree Paxos (Lamport, "Paxos Made Simple",
// 2001), one decree a generation.
//
//     proposer                                 acceptors: the slots of generation g
//     prepare(g+1, ballot)          ───►       promise nothing lower; on disk, then
//                                   ◄───       promised(ballot, what I accepted last)
//     a majority: the value of the highest accepted ballot, or else the own
//     accept(g+1, ballot, value)    ───►       unless a higher ballot was promised; on disk, then
//                                   ◄───       accepted(ballot)
//     a majority: chosen; the register `voters` is written with it
//
// Two commands at once therefore give one generation g+1, whichever it is. A node that lost part of
// its memory could vote twice: a doubted life accepts nothing until a newer generation binds it. A
// newly bound learner may: it never voted for g+1 before.

public import Suppression

/// Numbers attempts; a later one of any node is higher.
public struct Ballot: Comparable, Hashable, Sendable {
    /// Counts the attempts that were seen; 0 is none.
    public let round: UInt64
    /// Who tries.
    public let node: NodeID

    /// Names an attempt.
    public init(round: UInt64, node: NodeID) {
        self.round = round
        self.node = node
    }

    /// Below every attempt.
    static let none = Ballot(round: 0, node: NodeID(raw: 0))

    /// By round, then by node.
    public static func < (one: Ballot, other: Ballot) -> Bool {
        (one.round, one.node.raw) < (other.round, other.node.raw)
    }
}

/// A value with the ballot under which it was accepted.
public struct AcceptedVoters: Equatable, Sendable {
    /// The attempt.
    public let ballot: Ballot
    /// The set; its generation is the decree's.
    public let voters: VoterSet

    /// Pairs the two.
    public init(ballot: Ballot, voters: VoterSet) {
        self.ballot = ballot
        self.voters = voters
    }
}

/// What one acceptor has promised and accepted for one decree; on its disk before it says so.
public struct Acceptor: Equatable, Sendable {
    /// The generation that is being chosen.
    public private(set) var generation: UInt64
    /// No lower ballot is answered.
    public private(set) var promised = Ballot.none
    /// The value it voted for last.
    public private(set) var accepted: AcceptedVoters?

    /// Has promised nothing.
    init(generation: UInt64) { self.generation = generation }

    /// Promises, unless a higher ballot was promised.
    mutating func prepare(_ ballot: Ballot) -> Bool {
        guard ballot >= promised else { return false }
        promised = ballot
        return true
    }

    /// Votes, unless a higher ballot was promised.
    mutating func accept(_ ballot: Ballot, _ voters: VoterSet) -> Bool {
        guard ballot >= promised, voters.generation == generation else { return false }
        promised = ballot
        accepted = AcceptedVoters(ballot: ballot, voters: voters)
        return true
    }

    /// generation u64 | promised | flag u8, and 1: accepted ballot | set.
    func encoded() -> [UInt8] {
        var out: [UInt8] = []
        out.append(bigEndian: generation)
        promised.encode(into: &out)
        accepted.encode(into: &out)
        return out
    }

    /// Reads what `encoded` wrote.
    init(decoding bytes: Span<UInt8>) throws(DecodeError) {
        var cursor = ByteCursor()
        generation = try cursor.u64(bytes)
        promised = try Ballot(bytes, at: &cursor)
        accepted = try cursor.accepted(bytes)
        guard cursor.offset == bytes.count else { throw .malformed }
    }
}

/// One attempt of this node to have a generation chosen.
struct Proposal: Sendable {
    enum Phase: Equatable { case preparing, accepting }

    /// Who waits for it; nil for what the node does by itself.
    let ticket: Ticket?
    /// What this node wants.
    let wanted: VoterSet
    let deadlineNanos: UInt64
    private(set) var ballot: Ballot
    private(set) var phase = Phase.preparing
    /// The slots that have answered in this phase.
    private(set) var mask = SlotMask()
    private(set) var adopted: AcceptedVoters?
    /// When to say it again, or to try a higher ballot.
    var nextNanos: UInt64

    init(_ wanted: VoterSet, ticket: Ticket?, ballot: Ballot, now: UInt64) {
        self.wanted = wanted
        self.ticket = ticket
        self.ballot = ballot
        deadlineNanos = now + Limits.proposalNanos
        nextNanos = now + Limits.proposalRepeatNanos
    }

    /// The value that must be proposed.
    var value: VoterSet { adopted?.voters ?? wanted }

    /// What is said to every acceptor now.
    var message: Message {
        switch phase {
        case .preparing: .prepare(generation: wanted.generation, ballot)
        case .accepting: .accept(ballot, value)
        }
    }

    /// Begins again under a higher ballot.
    mutating func retry(above seen: Ballot, by node: NodeID, now: UInt64) {
        ballot = Ballot(round: max(seen.round, ballot.round) + 1, node: node)
        phase = .preparing
        mask = SlotMask()
        adopted = nil
        nextNanos = now + Limits.proposalRepeatNanos
    }

    /// A slot has promised; true when a majority has, and the second phase begins.
    mutating func promised(
        _ ballot: Ballot,
        _ accepted: AcceptedVoters?,
        slot: Int,
        _ voters: VoterSet
    ) -> Bool {
        guard phase == .preparing, ballot == self.ballot else { return false }
        if let accepted, accepted.ballot > adopted?.ballot ?? .none { adopted = accepted }
        mask.insert(slot)
        guard voters.isMajority(mask) else { return false }
        phase = .accepting
        mask = SlotMask()
        return true
    }

    /// A slot has voted; true when a majority has, and the value is chosen.
    mutating func accepted(_ ballot: Ballot, slot: Int, _ voters: VoterSet) -> Bool {
        guard phase == .accepting, ballot == self.ballot else { return false }
        mask.insert(slot)
        return voters.isMajority(mask)
    }
}

extension Ballot {
    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: round)
        out.append(bigEndian: node.raw)
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        round = try cursor.u64(bytes)
        node = NodeID(raw: try cursor.u64(bytes))
    }
}

extension AcceptedVoters? {
    func encode(into out: inout [UInt8]) {
        out.append(self == nil ? 0 : 1)
        guard let self else { return }
        self.ballot.encode(into: &out)
        self.voters.encode(into: &out)
    }
}

extension ByteCursor {
    mutating func accepted(_ bytes: Span<UInt8>) throws(DecodeError) -> AcceptedVoters? {
        switch try u8(bytes) {
        case 0: return nil
        case 1:
            let ballot = try Ballot(bytes, at: &self)
            return AcceptedVoters(ballot: ballot, voters: try VoterSet(bytes, at: &self))
        default: throw .malformed
        }
    }
}

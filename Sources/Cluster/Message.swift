// What linked nodes tell each other: one flat enum, and nothing in it that a decoder must trust.
//
//     changes   ───►                     pushed by their origin, or from a donor's memory
//     receipts  ◄───                     "committed in my own log", to the origin
//     heldHash  ───►   held    ◄───      every 200 ms; a difference makes the other say all
//     pull      ───►   page    ◄───      by whoever lacks something, one at a time
//     ask       ───►   confirm ◄───      every 250 ms, to voters: the lease
//     prepare   ───►   promised, accepted, declined ◄───      the next voters
//     doubted   ───►                     to a life that held more once
//     relay     ───►                     above 32 peers: which links carry writes at once
//
// Any of them may be lost, repeated or late. What matters comes again: held sets and confirmations
// say more than receipts did, and what was never pushed is pulled.

public import Suppression

/// 128 random bits that name a question.
public struct Nonce: Hashable, Sendable {
    /// Bytes 0 to 7.
    public let high: UInt64
    /// Bytes 8 to 15.
    public let low: UInt64

    /// Takes the bits.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A voter's answer to a nonce: all that it has committed.
public struct Confirmation: Equatable, Sendable {
    /// The question.
    public let nonce: Nonce
    /// The voters generation that the voter has persisted.
    public let generation: UInt64
    /// `delta` is what was committed after this count; 0: since ever.
    public let since: UInt64
    /// The count to name in the next question; at least `since`.
    public let counter: UInt64
    /// The voter has merged all that a joint generation asks of it; true where none does.
    public let isComplete: Bool
    /// What was committed after `since`.
    public let delta: HeldSet

    /// Puts an answer together.
    public init(
        nonce: Nonce,
        generation: UInt64,
        since: UInt64,
        counter: UInt64,
        isComplete: Bool = true,
        delta: HeldSet
    ) {
        self.nonce = nonce
        self.generation = generation
        self.since = since
        self.counter = counter
        self.isComplete = isComplete
        self.delta = delta
    }
}

/// What one node says to another.
public enum Message: Equatable, Sendable {
    /// Writes, whole.
    case changes([Change])
    /// The sender has these writes committed in its own log.
    case receipts(generation: UInt64, [DotRange])
    /// The fingerprint of all that the sender has committed.
    case heldHash(UInt64)
    /// What the sender has committed: all of it, or as much as a frame carries.
    case held(generation: UInt64, HeldSet)
    /// Say what you have committed; `known` is the counter of your last answer, 0 for none.
    case ask(Nonce, known: UInt64)
    /// The answer to that.
    case confirm(Confirmation)
    /// The sender lacks these writes; `after` is where the page before ended.
    case pull(number: UInt64, wanted: HeldSet, after: Dot?)
    /// Some of them.
    case page(Page)
    /// Promise no lower ballot for this generation of the voters.
    case prepare(generation: UInt64, Ballot)
    /// Promised, and what the sender voted for last.
    case promised(generation: UInt64, Ballot, AcceptedVoters?)
    /// Vote for this set as the generation that it names.
    case accept(Ballot, VoterSet)
    /// Voted.
    case accepted(generation: UInt64, Ballot)
    /// Neither, and the highest ballot that the sender knows.
    case declined(generation: UInt64, Ballot, highest: Ballot, Decline)
    /// This life held more once: its disk was put back from a copy.
    case doubted(Origin)
    /// About the link between the two, where not everybody is linked.
    case relay(RelayMessage)
    /// Of a comparison of marks, which the repair machine holds and the Core does not.
    case repair(UInt32, RepairMessage)
    /// Of function versions, which the rollout machine holds and the Core does not.
    case rollout(RolloutMessage)
}

extension Message {
    /// The first version of the protocol that has it; to a peer that speaks an older one it is not
    /// said, which would end the link.
    public var firstVersion: UInt16 {
        switch self {
        case .rollout, .relay: 2
        default: 1
        }
    }
}

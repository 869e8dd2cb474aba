// What goes into the Core and what comes out: two flat enums.
//
// Effects are executed in the order of the buffer. Events are facts in the past tense, effects
// orders in the imperative; nothing in either holds a class, a closure or a socket.

public import Suppression

/// The two clocks, read once a turn.
public struct Instant: Equatable, Sendable {
    /// CLOCK_BOOTTIME in nanoseconds: deadlines and freshness.
    public let bootNanos: UInt64
    /// Wall clock in milliseconds since 1970: stamps for people and expiry, never a decision.
    public let wallMillis: UInt64

    /// Takes both readings.
    public init(bootNanos: UInt64, wallMillis: UInt64) {
        self.bootNanos = bootNanos
        self.wallMillis = wallMillis
    }
}

/// Names one waiting caller; the shell knows which connection that is.
public struct Ticket: Hashable, Sendable {
    /// Counted by the shell, never reused within a life.
    public let raw: UInt64

    /// Wraps the shell's number.
    public init(raw: UInt64) { self.raw = raw }
}

/// What to do when a majority does not answer within the deadline.
public enum Policy: UInt8, Sendable {
    /// Say yes once it is on fewer disks, and mark the answer `local`: recipients come first.
    case available
    /// Say no for now; the write stays and keeps spreading.
    case strict

    /// The word in the configuration.
    public var name: String { self == .available ? "available" : "strict" }
}

/// How safe an acknowledged write is.
public enum Durability: UInt8, Sendable {
    /// Committed by a majority of voters: S1 and S2 hold.
    case quorum
    /// Committed here, and owed to the voters.
    case local

    /// The word in `Quell-Durability`.
    public var name: String { self == .quorum ? "quorum" : "local" }
}

/// A write before it has a dot.
public enum Draft: Equatable, Sendable {
    /// Suppress a key.
    case suppress(MarkKey, source: Source, expiresSeconds: UInt64)
    /// Suppress many people at once.
    case list(SuppressionList)
    /// Cover the named dots of a key.
    case consent(MarkKey, covers: [Dot], evidence: [UInt8])
    /// Set a register.
    case register(Register)
}

/// Consecutive dots of one origin: what one request minted.
public struct DotRange: Equatable, Sendable {
    /// Node and life.
    public let origin: Origin
    /// First and last sequence number.
    public let interval: SequenceInterval

    /// Names the dots.
    public init(origin: Origin, interval: SequenceInterval) {
        self.origin = origin
        self.interval = interval
    }

    /// Writes in the range.
    public var count: Int { Int(clamping: interval.last - interval.first) + 1 }

    /// The n-th dot, from 0.
    public func dot(_ n: Int) -> Dot {
        Dot(origin: origin, sequence: interval.first + UInt64(n))
    }
}

/// What a node remembers of an idempotency key.
public struct RememberedRequest: Equatable, Sendable {
    /// Digest of the body that came with it.
    public let body: UInt64
    /// What was minted for it.
    public let dots: DotRange

    /// Pairs the two.
    public init(body: UInt64, dots: DotRange) {
        self.body = body
        self.dots = dots
    }
}

/// A caller's write with all that the Core needs to decide.
public struct WriteRequest: Equatable, Sendable {
    /// Who waits.
    public let ticket: Ticket
    /// What to write, 1 to `Limits.changesPerWriteCount`.
    public let drafts: [Draft]
    /// What to do at the deadline.
    public let policy: Policy
    /// The idempotency key, when one was sent.
    public let stamp: RequestStamp?
    /// What the state knows of that key; nil when it is new.
    public let remembered: RememberedRequest?
    /// Whether what the remembered dots did no longer stands, for a consent has covered it or its
    /// mark has vanished from the disk: then it is done anew.
    public let isUndone: Bool

    /// Puts a request together.
    public init(
        ticket: Ticket,
        drafts: [Draft],
        policy: Policy,
        stamp: RequestStamp? = nil,
        remembered: RememberedRequest? = nil,
        isUndone: Bool = false
    ) {
        self.ticket = ticket
        self.drafts = drafts
        self.policy = policy
        self.stamp = stamp
        self.remembered = remembered
        self.isUndone = isUndone
    }
}

/// What happened.
public enum Event: Equatable, Sendable {
    /// A caller wants to write.
    case requested(WriteRequest)
    /// Our log committed everything up to this local sequence number.
    case committed(through: UInt64)
    /// Our log refused these local sequence numbers: no space. Nothing of them is on disk.
    case refused(first: UInt64, last: UInt64)
    /// The state has everything up to this local sequence number.
    case checkpointed(through: UInt64)
    /// Our disk failed; nothing may be acknowledged again in this life.
    case failed
    /// Time went by.
    case ticked
    /// The `voters` register was set, and is shown.
    case voters(VoterSet)
    /// A caller wants this to be the next generation of the voters.
    case proposed(Ticket, VoterSet)
    /// The state was found not to have what the held set names.
    case damaged
    /// The state was compared with others and mended: it has what the held set names.
    case repaired
    /// The state was pulled and compared with others: it has what they hold.
    case joined
    /// Links are chosen by the overlay from now on, or no more: there were, or are no longer, too
    /// many nodes for a link between each two.
    case overlaid(Bool)
    /// A link to this life of a node came up; both ends send what they must anew.
    case linked(Peer)
    /// The link to a node went down.
    case unlinked(NodeID)
    /// A linked node said something.
    case received(from: NodeID, Message)
    /// The answer to `readPage`.
    case page(PageRead)
}

/// Why a write was not acknowledged.
public enum Refusal: UInt8, Sendable {
    /// Not on enough disks within the deadline; it stays and keeps spreading.
    case notDurable
    /// No space in the log; nothing was written.
    case full
    /// Too many writes wait already; nothing was written.
    case busy
    /// The disk failed.
    case failed
    /// The idempotency key came before with another body.
    case otherBody
    /// A consent names a write that this node does not hold.
    case unobserved
    /// Another generation of the voters was chosen first.
    case superseded
    /// No majority of the voters answered in time; what was proposed may still be chosen.
    case notChosen
    /// A slot cannot begin anew while too few others have caught up.
    case unready
}

/// What the shell must do, in this order.
public enum Effect: Equatable, Sendable {
    /// Append to the log under this local sequence number.
    case persist(sequence: UInt64, Change)
    /// Let every check of this node see the change, before any later effect.
    case show(sequence: UInt64, Change)
    /// Give every check of this node this lease, after all that was shown before.
    case vouch(Lease)
    /// Answer yes.
    case acknowledge(Ticket, Durability, DotRange)
    /// Answer no.
    case refuse(Ticket, Refusal)
    /// Stop: void all leases, answer nothing more, exit.
    case halt
    /// Send to a linked node, in this order; if it is not linked any more, drop it.
    case send(to: NodeID, Message)
    /// Read a page from one snapshot of the state, and answer with `page`.
    case readPage(PageRequest)
}

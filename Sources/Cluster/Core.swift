// The Core: every decision of a node that outlives a request, as one value.
//
//     step(event, now) ──► effects, in order:  send  persist  show  vouch  acknowledge / refuse
//
//     CoreWrites   callers: mint, push to peers, hand to the log
//     CoreLog      the own log: committed, refused, failed; time
//     CorePeers    links and what comes over them
//     CoreRelays   passing it on, above 32 peers
//     CoreVoters   the voters: choosing and adopting a generation
//     Seat, Lives  when the word of a voter counts, this node's and another's
//
// It mints dots and times, remembers idempotency keys, hands changes to the log, shows its own once
// they are committed and a peer's opt-outs as soon as they come, and only then lets the gate
// answer. The order show -> vouch -> acknowledge inside one buffer is the rule of DESIGN 3: first
// the marks, then the lease that vouches for them, both before the acknowledgment leaves. No clock,
// no random, no socket, no disk: a seed and a list of events replay it.
//
// Three sets of writes, each inside the next:
//
//     gate.held   committed in the own log: what receipts and confirmations say
//     visible     shown to every check of this node: what leases are compared with
//     arrived     those, and what is on its way to the log: what need not be asked for
//
// (`visible` and `arrived` lose what the log refuses; whatever rested on it is void then.)

public import Suppression

/// What a node knows of itself when it starts.
public struct Boot: Sendable {
    /// Node id and this life's epoch.
    public let own: Origin
    /// The voters in force.
    public let voters: VoterSet
    /// Committed in the own log, after its replay.
    public let held: HeldSet
    /// 1 + max(last log key, watermark).
    public let nextLocalSequence: UInt64
    /// The directory was put back from a copy: until a generation binds this life it confirms
    /// nothing (DESIGN 6).
    public let isRestored: Bool
    /// The state may lack what the held set names: this life confirms nothing, and gives pages of
    /// its own writes only, until it is repaired.
    public let isDamaged: Bool
    /// The directory began empty, and nobody has found it whole since: this life vouches for
    /// nothing and gives pages of its own writes only (Joining). A founder has nothing to catch up
    /// with.
    public var isJoining = false
    /// What this node remembers of itself.
    public var notes: [OwnNote] = []
    /// Random bits, for nonces.
    public let seed: UInt64
    /// Bounds, those of production but in a simulation.
    public var bounds = Bounds()
    /// Rules left out on purpose, in a debug build only.
    public var bugs = SeededBugs()

    /// Puts the facts together.
    public init(
        own: Origin,
        voters: VoterSet,
        held: HeldSet,
        nextLocalSequence: UInt64,
        isRestored: Bool = false,
        isDamaged: Bool = false,
        seed: UInt64 = 1
    ) {
        self.own = own
        self.voters = voters
        self.held = held
        self.nextLocalSequence = nextLocalSequence
        self.isRestored = isRestored
        self.isDamaged = isDamaged
        self.seed = seed
    }
}

/// The protocol value of one node.
public struct Core: Sendable {
    struct Pending {
        let sequence: UInt64
        let change: Change
        var isShown: Bool
    }

    struct Remembered {
        let request: RememberedRequest
        let localSequence: UInt64
    }

    let own: Origin
    var voters: VoterSet
    /// This directory may hold less than it once did; nothing that this life says is proof.
    public internal(set) var isDoubted: Bool
    /// The state may lack what the held set names.
    public private(set) var isDamaged: Bool
    /// The state does not have yet what others hold.
    public internal(set) var isJoining: Bool
    let bounds: Bounds
    let bugs: SeededBugs
    var gate: AckGate
    var freshness: Freshness
    var asking = Asking()
    var history: HeldHistory
    var spread = Dissemination()
    var exchange = Exchange()
    /// Nil while everybody is linked to everybody.
    var relays: Relays?
    var firstsCount: UInt64 = 0
    var repeatedCount: UInt64 = 0
    var pulling = Pulling()
    var nonces: NonceSource
    var choosing: Choosing
    var catchingUp = CatchingUp()
    var lives = Lives()
    /// The generation whose binding of this node has caught up; on the disk.
    var seat: UInt64?
    var isSeatPending = false
    var nextLocalSequence: UInt64
    /// Our log has committed or refused everything up to here.
    var settledThrough: UInt64
    /// The last that it has committed.
    var committedThrough: UInt64
    var checkpointedThrough: UInt64
    var nextDotSequence: UInt64 = 1
    var lastTime = HybridTime(raw: 0)
    /// Handed to the log, not yet known to be committed; ordered by local sequence.
    var pending: [Pending] = []
    /// Committed, and perhaps not yet in the state: given to peers from memory.
    var recent: [Pending] = []
    var visible: HeldSet
    var arrived: HeldSet
    /// Idempotency keys that the state on disk may not have yet.
    var remembered: [Recipient: Remembered] = [:]
    var hasFailed = false

    /// Begins a life.
    public init(_ boot: Boot) {
        precondition(boot.nextLocalSequence > 0, "local sequences begin at 1")
        // |receipts| + |confirmations| > |V|: a majority of each share a slot.
        for party in boot.voters.parties {
            precondition(2 * VoterSet.majority(of: party) > party.count)
        }
        own = boot.own
        voters = boot.voters
        isDoubted = boot.isRestored
        isDamaged = boot.isDamaged
        isJoining = boot.isJoining && !boot.voters.hasFounder(boot.own)
        bounds = boot.bounds
        bugs = boot.bugs
        gate = AckGate(own: boot.own, voters: boot.voters, held: boot.held, bugs: boot.bugs)
        freshness = Freshness(voters: boot.voters, bugs: boot.bugs)
        history = HeldHistory(stepsCount: boot.bounds.heldStepsCount)
        nonces = NonceSource(seed: boot.seed)
        nextLocalSequence = boot.nextLocalSequence
        settledThrough = boot.nextLocalSequence - 1
        committedThrough = boot.nextLocalSequence - 1
        checkpointedThrough = boot.nextLocalSequence - 1
        visible = boot.held
        arrived = boot.held
        let decree = boot.voters.generation + 1
        choosing = Choosing(acceptor: Acceptor(generation: decree))
        for note in boot.notes { recall(note, decree: decree) }
        if isDoubted, !bugs.has(.doubtedLifeReceipts) { gate.becomeDoubted() }
    }

    private mutating func recall(_ note: OwnNote, decree: UInt64) {
        switch note.kind {
        case .doubt: break
        case .seat: seat = Core.seat(note.bytes)
        case .ballot:
            do throws(DecodeError) {
                let acceptor = try Acceptor(decoding: note.bytes.span)
                if acceptor.generation == decree { choosing.acceptor = acceptor }
            } catch {
                isDoubted = true  // a vote that nobody can read: this life votes no more
            }
        }
    }

    /// Shows what is acknowledged before our own log has it: any two of three voters may decide,
    /// and whoever hears the answer may ask this very node next.
    private mutating func showAcknowledged(from first: Int, _ effects: inout [Effect]) {
        guard !pending.isEmpty else { return }
        var shows: [Effect] = []
        for case .acknowledge(_, _, let dots) in effects[first...] where dots.origin == own {
            for at in pending.indices where !pending[at].isShown {
                let dot = pending[at].change.dot
                guard dot.origin == own, dots.interval.first <= dot.sequence else { continue }
                guard dot.sequence <= dots.interval.last else { break }
                // Who shows other voters goes into their generation, and must not come back out of
                // it: that waits for the own log.
                guard pending[at].change.register?.name != Setting.votersName else { continue }
                pending[at].isShown = true
                visible.insert(dot)
                shows.append(.show(sequence: pending[at].sequence, pending[at].change))
            }
        }
        if !shows.isEmpty { effects.insert(contentsOf: shows, at: first) }
    }

    /// The voters in force.
    public var votersInForce: VoterSet { voters }

    /// What this node can vouch for. Others may confirm what it has committed, and a damaged state
    /// may have lost marks since; one that is joining never had them.
    var lease: Lease {
        let isInDoubt = isDamaged || isJoining
        return isInDoubt && !bugs.has(.damagedVouches) ? .void : freshness.lease
    }

    /// Writes without an answer yet.
    public var waitingCount: Int { gate.waitingCount }

    /// What this node's log holds, committed.
    public var held: HeldSet { gate.held }

    /// What memory knows of an idempotency key; the state on disk knows the older ones.
    public func request(_ id: Recipient) -> RememberedRequest? { remembered[id]?.request }

    /// Takes one event and appends what must be done.
    ///
    /// - Parameter effects: the caller's buffer, reused from turn to turn; appended to, in order.
    public mutating func step(_ event: Event, now: Instant, into effects: inout [Effect]) {
        let first = effects.count
        defer { showAcknowledged(from: first, &effects) }
        switch event {
        case .requested(let request): requested(request, now: now, into: &effects)
        case .committed(let through): committed(through: through, now: now, into: &effects)
        case .refused(let first, let last): refused(first: first, last: last, into: &effects)
        case .checkpointed(let through): checkpointed(through: through, now: now, into: &effects)
        case .failed: failed(into: &effects)
        case .ticked: ticked(now: now, into: &effects)
        case .voters(let set): adopt(set, now: now, into: &effects)
        case .proposed(let ticket, let set):
            propose(set, ticket: ticket, now: now, into: &effects)
        case .damaged:
            isDamaged = true
            freshness.forget(own.node)
            effects.append(.vouch(lease))
        case .repaired: isDamaged = false
        case .joined: isJoining = false
        case .overlaid(let isOverlaid): overlaid(isOverlaid)
        case .linked(let peer): linked(peer, into: &effects)
        case .unlinked(let node):
            spread.unlinked(node)
            pulling.unlinked(node)
            relays?.unlinked(node)
        case .received(let node, let message):
            received(message, from: node, now: now, into: &effects)
        case .page(let read): read.page.map { answer($0, to: read.request, into: &effects) }
        }
    }
}

/// Nonces from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
///
/// They tell one question from another on links that are sealed; secrecy is not asked of them.
struct NonceSource: Sendable {
    private var state: UInt64

    /// Begins anywhere.
    init(seed: UInt64) { state = seed }

    /// The next 128 bits.
    mutating func next() -> Nonce { Nonce(high: bits(), low: bits()) }

    private mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

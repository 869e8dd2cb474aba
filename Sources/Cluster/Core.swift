// The Core: every decision of a node that outlives a request, as one value.
//
//     step(event, now) ──► effects, in order:  persist  show  vouch  acknowledge / refuse  halt
//
// It mints dots and times, remembers idempotency keys, hands changes to the log, shows them once
// they are committed, and only then lets the gate answer. The order show -> vouch -> acknowledge
// inside one buffer is the rule of DESIGN 3: first the marks, then the lease that vouches for them,
// both before the acknowledgment leaves. No clock, no random, no socket, no disk: a seed and a list
// of events replay it.

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
    /// The directory was restored or damaged: this life is a learner and confirms nothing (DESIGN
    /// 6).
    public let isRestored: Bool

    /// Puts the facts together.
    public init(
        own: Origin,
        voters: VoterSet,
        held: HeldSet,
        nextLocalSequence: UInt64,
        isRestored: Bool = false
    ) {
        self.own = own
        self.voters = voters
        self.held = held
        self.nextLocalSequence = nextLocalSequence
        self.isRestored = isRestored
    }
}

/// The protocol value of one node.
public struct Core: Sendable {
    private struct Pending {
        let sequence: UInt64
        let change: Change
    }

    private struct Remembered {
        let request: RememberedRequest
        let localSequence: UInt64
    }

    private let own: Origin
    private let voters: VoterSet
    private let isRestored: Bool
    private var gate: AckGate
    private var freshness: Freshness
    private var nextLocalSequence: UInt64
    private var nextDotSequence: UInt64 = 1
    private var lastTime = HybridTime(raw: 0)
    /// Handed to the log, not yet known to be committed; ordered by local sequence.
    private var pending: [Pending] = []
    /// Idempotency keys that the state on disk may not have yet.
    private var remembered: [Recipient: Remembered] = [:]
    private var hasFailed = false

    /// Begins a life.
    public init(_ boot: Boot) {
        own = boot.own
        voters = boot.voters
        isRestored = boot.isRestored
        gate = AckGate(own: boot.own, voters: boot.voters, held: boot.held)
        freshness = Freshness(voters: boot.voters)
        nextLocalSequence = boot.nextLocalSequence
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
        switch event {
        case .requested(let request): requested(request, now: now, into: &effects)
        case .committed(let through): committed(through: through, into: &effects)
        case .refused(let first, let last): refused(first: first, last: last, into: &effects)
        case .checkpointed(let through):
            remembered = remembered.filter { $0.value.localSequence > through }
        case .failed:
            guard !hasFailed else { return }
            hasFailed = true
            freshness.adopt(voters)
            effects.append(.vouch(.void))
            gate.latch(into: &effects)
            effects.append(.halt)
        case .ticked: ticked(now: now, into: &effects)
        }
    }

    private mutating func requested(
        _ request: WriteRequest,
        now: Instant,
        into effects: inout [Effect]
    ) {
        precondition(!request.drafts.isEmpty)
        precondition(request.drafts.count <= Limits.changesPerWriteCount)
        if hasFailed { return effects.append(.refuse(request.ticket, .failed)) }
        if let stamp = request.stamp, let known = request.remembered {
            guard known.body == stamp.body else {
                return effects.append(.refuse(request.ticket, .otherBody))
            }
            if !request.covered {
                // The caller repeats itself: the dot it already has is driven again, none is
                // minted.
                return gate.wait(
                    request.ticket,
                    for: known.dots,
                    policy: request.policy,
                    now: now,
                    into: &effects
                )
            }
        }
        guard request.drafts.allSatisfy(isObserved) else {
            return effects.append(.refuse(request.ticket, .unobserved))
        }
        guard gate.hasRoom,
            pending.count + request.drafts.count <= Limits.pendingChangesCount,
            request.stamp == nil || remembered.count < Limits.rememberedRequestsCount
        else { return effects.append(.refuse(request.ticket, .busy)) }
        let dots = mint(request, now: now, into: &effects)
        gate.wait(request.ticket, for: dots, policy: request.policy, now: now, into: &effects)
    }

    /// A consent may only name what this node holds; the rest are covered by nobody's guess.
    private func isObserved(_ draft: Draft) -> Bool {
        guard case .consent(_, let dots, _) = draft else { return true }
        return !dots.isEmpty && dots.allSatisfy(gate.held.contains)
    }

    private mutating func mint(
        _ request: WriteRequest,
        now: Instant,
        into effects: inout [Effect]
    ) -> DotRange {
        let first = nextDotSequence
        let last = first + UInt64(request.drafts.count) - 1
        let dots = DotRange(origin: own, interval: SequenceInterval(first: first, last: last))
        nextDotSequence = last + 1
        for (n, draft) in request.drafts.enumerated() {
            lastTime = lastTime.next(wallMillis: now.wallMillis)
            let change = Change(
                dot: dots.dot(n),
                time: lastTime,
                request: request.stamp,
                body: body(of: draft, dot: dots.dot(n))
            )
            pending.append(Pending(sequence: nextLocalSequence, change: change))
            effects.append(.persist(sequence: nextLocalSequence, change))
            nextLocalSequence += 1
        }
        if let stamp = request.stamp {
            remembered[stamp.id] = Remembered(
                request: RememberedRequest(body: stamp.body, dots: dots),
                localSequence: nextLocalSequence - 1
            )
        }
        return dots
    }

    private func body(of draft: Draft, dot: Dot) -> Change.Body {
        switch draft {
        case .suppress(let key, let source, let expiresSeconds):
            let suppression = SuppressingDot(
                dot: dot,
                time: lastTime,
                source: source,
                expiresSeconds: expiresSeconds
            )
            return .suppress(key, suppression)
        case .list(let list): return .list(list)
        case .consent(let key, let covers, let evidence):
            return .consent(key, covers: covers, evidence: evidence)
        case .register(let register): return .register(register)
        }
    }

    private mutating func committed(through: UInt64, into effects: inout [Effect]) {
        let count = pending.prefix { $0.sequence <= through }.count
        guard count > 0, !hasFailed else { return }
        for one in pending[..<count] {
            effects.append(.show(sequence: one.sequence, one.change))
        }
        var run = SequenceInterval(
            first: pending[0].change.dot.sequence,
            last: pending[0].change.dot.sequence
        )
        var runs: [SequenceInterval] = []
        for one in pending[1..<count] {
            if one.change.dot.sequence == run.last + 1 {
                run.last += 1
            } else {
                runs.append(run)
                let sequence = one.change.dot.sequence
                run = SequenceInterval(first: sequence, last: sequence)
            }
        }
        runs.append(run)
        pending.removeFirst(count)
        for run in runs {
            gate.stored(
                run,
                of: own,
                by: own,
                generation: voters.generation,
                into: &effects
            )
        }
    }

    private mutating func refused(first: UInt64, last: UInt64, into effects: inout [Effect]) {
        var lost: [Dot] = []
        pending.removeAll { one in
            guard first <= one.sequence, one.sequence <= last else { return false }
            lost.append(one.change.dot)
            if let stamp = one.change.request { remembered[stamp.id] = nil }
            return true
        }
        for dot in lost {
            let interval = SequenceInterval(first: dot.sequence, last: dot.sequence)
            gate.refused(DotRange(origin: dot.origin, interval: interval), into: &effects)
        }
    }

    private mutating func ticked(now: Instant, into effects: inout [Effect]) {
        guard !hasFailed else { return }
        // Our own slot: everything that we had committed is shown already, because committed()
        // shows before it returns. So this moment is a confirmation by ourselves.
        if !isRestored {
            freshness.confirmed(
                by: own,
                generation: voters.generation,
                sentNanos: now.bootNanos
            )
        }
        effects.append(.vouch(freshness.lease))
        gate.tick(now: now, isAlone: true, into: &effects)
    }
}

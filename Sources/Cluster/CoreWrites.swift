// The Core towards callers: a write is checked, gets its dots, and goes out.
//
//     requested ──► known already?  drive its dots again
//               ──► allowed, and room?  mint ──► push to peers ──► own log ──► wait at the gate
//
// A dot is spent when it is minted, whatever becomes of the write: a number that reached no disk is
// a gap, and two writes under one number would be a lost one.

import Suppression

extension Core {
    mutating func requested(
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
            if !request.isUndone {
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
        // A loop: `allSatisfy(isObserved)` would copy the whole Core to hand the method over, 0.6
        // us of a write's 11 us on the node loop (perf).
        for draft in request.drafts where !isObserved(draft) {
            return effects.append(.refuse(request.ticket, .unobserved))
        }
        guard gate.hasRoom,
            pending.count + request.drafts.count <= bounds.pendingChangesCount,
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

    mutating func mint(
        _ request: WriteRequest,
        now: Instant,
        into effects: inout [Effect]
    ) -> DotRange {
        let first = nextDotSequence
        let last = first + UInt64(request.drafts.count) - 1
        let dots = DotRange(origin: own, interval: SequenceInterval(first: first, last: last))
        nextDotSequence = last + 1
        var changes: [Change] = []
        changes.reserveCapacity(request.drafts.count)
        for (n, draft) in request.drafts.enumerated() {
            lastTime = lastTime.next(wallMillis: now.wallMillis)
            let change = Change(
                dot: dots.dot(n),
                time: lastTime,
                request: request.stamp,
                body: body(of: draft, dot: dots.dot(n))
            )
            changes.append(change)
        }
        arrived.insert(dots.interval, of: own)
        // To the peers first: their commits run beside ours, and any majority may answer.
        let targets = targets(of: dots)
        spread.push(changes, only: targets, bounds: bounds, into: &effects)
        for change in changes { persist(change, isShown: false, into: &effects) }
        if let stamp = request.stamp {
            remembered[stamp.id] = Remembered(
                request: RememberedRequest(body: stamp.body, dots: dots),
                localSequence: nextLocalSequence - 1
            )
        }
        return dots
    }

    /// Hands a change to the own log under the next local sequence number.
    mutating func persist(_ change: Change, isShown: Bool, into effects: inout [Effect]) {
        pending.append(Pending(sequence: nextLocalSequence, change: change, isShown: isShown))
        effects.append(.persist(sequence: nextLocalSequence, change))
        nextLocalSequence += 1
    }

    /// Writes down what this node remembers of itself.
    mutating func persist(_ note: OwnNote, into effects: inout [Effect]) {
        persist(.note(.own(note)), isShown: false, into: &effects)
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
            if bugs.has(.consentWinsWhenConcurrent) {
                let all = covers.map { Dot(origin: $0.origin, sequence: .max) }
                return .consent(key, covers: all, evidence: evidence)
            }
            return .consent(key, covers: covers, evidence: evidence)
        case .register(let register): return .register(register)
        }
    }
}

// The Core towards its own log, and towards time.
//
//     committed ──► show what waits for that ──► receipts to the origins ──► the gate answers
//     refused   ──► not held; if it was shown already, every proof of freshness is void
//     failed    ──► nothing is said or acknowledged again in this life
//     ticked    ──► ask the voters, compare held sets, vouch, look at deadlines

import Suppression

extension Core {
    mutating func committed(
        through: UInt64,
        now: Instant,
        into effects: inout [Effect]
    ) {
        guard !hasFailed else { return }
        settledThrough = max(settledThrough, through)
        committedThrough = max(committedThrough, through)
        let count = pending.prefix { $0.sequence <= through }.count
        if count > 0 {
            for one in pending[..<count] where !one.isShown {
                switch one.change.body {
                case .holds(let set):
                    relays?.filled(set)
                    continue
                case .own(let note):
                    noted(note)
                    continue
                case .suppress, .consent, .register, .list, .merged, .opaque: break
                }
                effects.append(.show(sequence: one.sequence, one.change))
            }
            let ranges = ranges(of: pending[..<count])
            for one in pending[..<count] where !one.change.isNote {
                if recent.count < bounds.recentChangesCount { recent.append(one) }
            }
            pending.removeFirst(count)
            for range in ranges {
                visible.insert(range.interval, of: range.origin)
                arrived.insert(range.interval, of: range.origin)
                history.insert(range)
            }
            receipt(ranges, into: &effects)
            gate.stored(ranges, by: own, generation: voters.generation, into: &effects)
            takeSeat(into: &effects)
        }
        sayVotes(through: through, now: now, into: &effects)
        goOnPulling(now: now, into: &effects)
    }

    /// Records that the state does not have yet. Those that the log refused it never gets: counted,
    /// they would hold back all pulls until somebody writes.
    var backlogCount: UInt64 {
        max(committedThrough, checkpointedThrough) - checkpointedThrough + UInt64(pending.count)
    }

    /// What these records make held, in as few ranges as they allow.
    private func ranges(of records: ArraySlice<Pending>) -> [DotRange] {
        var ranges: [DotRange] = []
        for one in records {
            switch one.change.body {
            case .merged, .own: continue
            case .holds(let set):
                for entry in set.entries {
                    for interval in entry.intervals {
                        ranges.append(DotRange(origin: entry.origin, interval: interval))
                    }
                }
            case .suppress, .consent, .register, .list, .opaque:
                ranges.append(joined: one.change.dot)
            }
        }
        return ranges
    }

    /// Tells the origins, where they are linked in the very life that waits, that these writes are
    /// committed here.
    func receipt(_ ranges: [DotRange], into effects: inout [Effect]) {
        guard !spread.isEmpty else { return }
        for peer in spread.peers {
            var theirs = ranges.filter { $0.origin == peer.origin }[...]
            if !theirs.isEmpty { remind(peer.origin, into: &effects) }
            while !theirs.isEmpty {
                let part = theirs.prefix(Limits.rangesPerMessageCount)
                theirs = theirs.dropFirst(part.count)
                effects.append(
                    .send(
                        to: peer.origin.node,
                        .receipts(generation: spokenGeneration, Array(part))
                    )
                )
            }
        }
    }

    mutating func refused(first: UInt64, last: UInt64, into effects: inout [Effect]) {
        var lost: [Dot] = []
        var wasShown = false
        pending.removeAll { one in
            guard first <= one.sequence, one.sequence <= last else { return false }
            if !one.change.isNote { lost.append(one.change.dot) }
            if one.isShown { wasShown = true }
            if case .own(let note) = one.change.body, note.kind == .seat { isSeatPending = false }
            if let stamp = one.change.request, one.change.dot.origin == own {
                remembered[stamp.id] = nil
            }
            return true
        }
        guard !hasFailed else { return }
        settledThrough = max(settledThrough, last)
        choosing.owed.removeAll { first <= $0.sequence && $0.sequence <= last }
        choosing.hasSaidAgain = false
        visible = gate.held
        arrived = gate.held
        for one in pending where !one.change.isNote {
            arrived.insert(one.change.dot)
            if one.isShown { visible.insert(one.change.dot) }
        }
        if wasShown {
            // Confirmations counted because this was shown; soon it is no longer.
            freshness.adopt(voters)
            asking.reset()
            effects.append(.vouch(.void))
        }
        pulling.abandon()
        for dot in lost {
            let interval = SequenceInterval(first: dot.sequence, last: dot.sequence)
            gate.refused(DotRange(origin: dot.origin, interval: interval), into: &effects)
        }
    }

    mutating func checkpointed(
        through: UInt64,
        now: Instant,
        into effects: inout [Effect]
    ) {
        checkpointedThrough = max(checkpointedThrough, through)
        remembered = remembered.filter { $0.value.localSequence > through }
        recent.removeFirst(recent.prefix { $0.sequence <= through }.count)
        goOnPulling(now: now, into: &effects)
    }

    mutating func failed(into effects: inout [Effect]) {
        guard !hasFailed else { return }
        hasFailed = true
        freshness.adopt(voters)
        effects.append(.vouch(.void))
        gate.latch(into: &effects)
        effects.append(.halt)
    }

    mutating func ticked(now: Instant, into effects: inout [Effect]) {
        guard !hasFailed else { return }
        askVoters(now: now, into: &effects)
        asking.advance(visible: visible, bugs: bugs, into: &freshness)
        // Our own slot: everything that we had committed is shown already, because committed()
        // shows before it returns. So this moment is a confirmation by ourselves.
        if isSeated {
            freshness.confirmed(
                by: own,
                generation: voters.generation,
                sentNanos: now.bootNanos
            )
        }
        effects.append(.vouch(lease))
        driveVoters(now: now, into: &effects)
        gate.tick(now: now, isAlone: spread.isAlone(now: now.bootNanos), into: &effects)
        for node in exchange.due(among: spread.holders, now: now.bootNanos) {
            effects.append(.send(to: node, .heldHash(gate.held.fingerprint())))
        }
        tickRelays(now: now, into: &effects)
        goOnPulling(now: now, into: &effects)
    }

    /// One nonce a round to every linked voter; the lease counts from the moment it leaves.
    private mutating func askVoters(now: Instant, into effects: inout [Effect]) {
        guard asking.isDue(now: now.bootNanos) else { return }
        let peers = spread.peers.filter { voters.slot(of: $0.origin) != nil }
        guard !peers.isEmpty else { return }
        let nonce = nonces.next()
        asking.asked(nonce, now: now.bootNanos)
        for peer in peers {
            let known = asking.known(of: peer.origin)
            effects.append(.send(to: peer.origin.node, .ask(nonce, known: known)))
        }
    }
}

extension [DotRange] {
    /// Adds one write, to the range before it where it follows that.
    mutating func append(joined dot: Dot) {
        if let end = last, end.origin == dot.origin, end.interval.last + 1 == dot.sequence {
            self[count - 1] = DotRange(
                origin: dot.origin,
                interval: SequenceInterval(first: end.interval.first, last: dot.sequence)
            )
        } else {
            let interval = SequenceInterval(first: dot.sequence, last: dot.sequence)
            append(DotRange(origin: dot.origin, interval: interval))
        }
    }
}

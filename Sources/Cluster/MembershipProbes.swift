// Asking who answers: probes, relays, suspicions that run out, and news in between.
//
//     0      T/3    2T/3    T                    ...            period
//     ping   ping   ping    request x 3 + ping   request x 3 + ping   nobody answered: suspect
//     `-- three shots ---'  `-- relays ping in our place, and say so if they got nothing --'
//
// T is four round trips within bounds; period and T grow together while this node doubts itself
// (Lifeguard, IV.A). An answer, direct or through a relay, ends the probe; so does anything that
// the member's stream said meanwhile.

public import Suppression

/// A probe that runs.
struct Probe: Sendable {
    let target: NodeID
    let number: UInt32
    var startedNanos: UInt64
    let timeoutNanos: UInt64
    let periodNanos: UInt64
    var shots = 0
    var asks = 0
    var relays: [NodeID] = []
    /// Relays that said "not me either".
    var nacks: [NodeID] = []
}

/// A probe that runs here in the place of another node.
struct RelayedProbe: Sendable {
    let requester: NodeID
    let requested: UInt32
    let target: NodeID
    let number: UInt32
    var dueNanos: UInt64
    var shots = 1
}

extension Membership {
    /// Time went by: probes go on, suspicions run out, news are told.
    ///
    /// - Parameter now: CLOCK_BOOTTIME in nanoseconds; ten times a second is enough.
    public mutating func ticked(now: UInt64, into effects: inout [MemberEffect]) {
        forgivePause(now: now)
        lastTickNanos = now
        readBook(now: now, into: &effects)
        // Before anybody is probed: a packet to who is not linked is nobody's silence.
        relink(now: now, into: &effects)
        goOnRelaying(now: now, into: &effects)
        if !own.state.isGone { goOnProbing(now: now, into: &effects) }
        endSuspicions(now: now, into: &effects)
        tellNews(now: now, into: &effects)
        keepBook(now: now, into: &effects)
    }

    /// A member's packet.
    public mutating func received(
        _ packet: MemberPacket,
        from sender: NodeID,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        table[sender]?.heardNanos = now
        if let held = packet.held { effects.append(.holds(sender, held)) }
        let answers = learn(packet.records, now: now, into: &effects)
        switch packet.kind {
        case .ping:
            guard packet.subject == own.node else { break }
            let ack = packed(.ack, packet.number, own.node, answers)
            effects.append(.send(to: sender, ack))
            return tellTableIfOther(packet, to: sender, now: now, into: &effects)
        case .ack: answered(packet, by: sender, now: now, into: &effects)
        case .request: relay(packet, for: sender, now: now, into: &effects)
        case .nack:
            guard probe?.number == packet.number, probe?.target == packet.subject,
                probe?.relays.contains(sender) == true, probe?.nacks.contains(sender) == false
            else { break }
            probe?.nacks.append(sender)
        case .news: break
        }
        if !answers.isEmpty {
            effects.append(.send(to: sender, packed(.news, 0, NodeID(raw: 0), answers)))
        }
        tellTableIfOther(packet, to: sender, now: now, into: &effects)
    }

    // MARK: probes

    private mutating func goOnProbing(now: UInt64, into effects: inout [MemberEffect]) {
        if let running = probe, now - running.startedNanos >= running.periodNanos {
            end(running, now: now, into: &effects)
        }
        if probe == nil, now >= probeDueNanos { begin(now: now, into: &effects) }
        guard var running = probe else { return }
        let passed = now - running.startedNanos
        let shot = running.timeoutNanos / UInt64(Limits.probeShotsCount)
        while running.shots < Limits.probeShotsCount, passed >= shot * UInt64(running.shots),
            passed < running.timeoutNanos
        {
            running.shots += 1
            ping(running.target, running.number, into: &effects)
        }
        let rest = (running.periodNanos - running.timeoutNanos) / UInt64(Limits.relayAsksCount)
        while running.asks < Limits.relayAsksCount,
            passed >= running.timeoutNanos + rest * UInt64(running.asks)
        {
            if running.asks == 0 { running.relays = relays(around: running.target, now: now) }
            running.asks += 1
            ping(running.target, running.number, into: &effects)
            for node in running.relays {
                let request = packed(.request, running.number, running.target, [])
                effects.append(.send(to: node, request))
            }
        }
        probe = running
    }

    private mutating func begin(now: UInt64, into effects: inout [MemberEffect]) {
        pingUnreachable(into: &effects)
        guard let target = nextTarget() else { return }
        let known = table[target]?.roundTripNanos ?? usualTripNanos
        let trip = known.map { 4 * $0 } ?? Limits.probeTimeoutMostNanos
        let timeout = min(max(trip, Limits.probeTimeoutLeastNanos), Limits.probeTimeoutMostNanos)
        lastNumber = max(lastNumber &+ 1, 1)
        counts.probes += 1
        probe = Probe(
            target: target,
            number: lastNumber,
            startedNanos: now,
            timeoutNanos: timeout * health.factor,
            periodNanos: Limits.probeNanos * health.factor
        )
        probeDueNanos = now + Limits.probeNanos * health.factor
    }

    /// The next of the round that may be probed; a round visits each once (SWIM, 4.3).
    private mutating func nextTarget() -> NodeID? {
        for _ in ring.indices {
            if ringAt >= ring.count {
                ringAt = 0
                for index in ring.indices.dropFirst() {
                    ring.swapAt(index, chance.below(index + 1))
                }
            }
            let node = ring[ringAt]
            ringAt += 1
            switch table[node]?.record.state {
            case .alive, .suspect: return node
            case .unreachable, .left, .evicted, nil: continue
            }
        }
        return nil
    }

    /// One unreachable member a period, for ever: two sides that were cut find each other again.
    private mutating func pingUnreachable(into effects: inout [MemberEffect]) {
        guard counts.deaths > counts.revivals else { return }
        let lost = ring.filter { table[$0]?.record.state == .unreachable }
        guard !lost.isEmpty else { return }
        lastNumber = max(lastNumber &+ 1, 1)
        ping(lost[chance.below(lost.count)], lastNumber, into: &effects)
    }

    private mutating func end(
        _ running: Probe,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        probe = nil
        if let heard = table[running.target]?.heardNanos, heard >= running.startedNanos {
            return health.add(-1)
        }
        if isFresh(table[running.target]?.streamNanos, now) { return health.add(-1) }
        counts.failedProbes += 1
        // Relays that say "not me either" show that this node is heard: then it is the target
        // (Lifeguard, IV.A, as memberlist counts it).
        let silent = running.relays.count - running.nacks.count
        health.add(running.relays.isEmpty ? 1 : silent)
        accuse(running.target, isCertain: false, now: now, into: &effects)
    }

    private mutating func answered(
        _ ack: MemberPacket,
        by sender: NodeID,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        if let running = probe, running.number == ack.number, running.target == ack.subject {
            if sender == running.target, running.shots == 1 {
                let trip = now - running.startedNanos
                let smooth = table[sender]?.roundTripNanos.map { $0 - $0 / 8 + trip / 8 }
                table[sender]?.roundTripNanos = smooth ?? trip
                usualTripNanos = usualTripNanos.map { $0 - $0 / 8 + trip / 8 } ?? trip
            }
            probe = nil
            health.add(-1)
            return
        }
        guard
            let index = relayed.firstIndex(where: {
                $0.number == ack.number && $0.target == ack.subject && $0.target == sender
            })
        else { return }
        let done = relayed.remove(at: index)
        let passed = packed(.ack, done.requested, done.target, [])
        effects.append(.send(to: done.requester, passed))
    }

    /// Three that answer, one of them in another zone where there is one: a cut is often between
    /// zones. Those that come and go are asked only if nobody else is left.
    private mutating func relays(around target: NodeID, now: UInt64) -> [NodeID] {
        var steady: [NodeID] = []
        var unsteady: [NodeID] = []
        let near = neighbours(of: target)
        for node in ring where node != target && table[node]?.record.state == .alive {
            guard near?.contains(node) ?? true else { continue }
            if isUnstable(node, now: now) { unsteady.append(node) } else { steady.append(node) }
        }
        var picked: [NodeID] = []
        let zone = own.facts.zone
        let away = steady.filter { table[$0]?.record.facts.zone != zone }
        if !away.isEmpty { picked.append(away[chance.below(away.count)]) }
        steady.removeAll { picked.contains($0) }
        while picked.count < Limits.probeRelaysCount, !(steady.isEmpty && unsteady.isEmpty) {
            if steady.isEmpty { swap(&steady, &unsteady) }
            picked.append(steady.remove(at: chance.below(steady.count)))
        }
        return picked
    }

    // MARK: in the place of others

    private mutating func relay(
        _ request: MemberPacket,
        for sender: NodeID,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        guard table[request.subject] != nil, request.subject != sender else { return }
        let known = relayed.first {
            $0.requester == sender && $0.requested == request.number
                && $0.target == request.subject
        }
        if let known { return ping(known.target, known.number, into: &effects) }
        guard relayed.count < Limits.relayedProbesCount else { return }
        lastNumber = max(lastNumber &+ 1, 1)
        relayed.append(
            RelayedProbe(
                requester: sender,
                requested: request.number,
                target: request.subject,
                number: lastNumber,
                dueNanos: now + Limits.relayNanos
            )
        )
        ping(request.subject, lastNumber, into: &effects)
    }

    private mutating func goOnRelaying(now: UInt64, into effects: inout [MemberEffect]) {
        let shot = Limits.relayNanos / UInt64(Limits.relayShotsCount)
        for at in relayed.indices where relayed[at].shots < Limits.relayShotsCount {
            let left = shot * UInt64(Limits.relayShotsCount - relayed[at].shots)
            guard now + left >= relayed[at].dueNanos else { continue }
            relayed[at].shots += 1
            ping(relayed[at].target, relayed[at].number, into: &effects)
        }
        guard relayed.contains(where: { now >= $0.dueNanos }) else { return }
        for done in relayed where now >= done.dueNanos {
            let nack = packed(.nack, done.requested, done.target, [])
            effects.append(.send(to: done.requester, nack))
        }
        relayed.removeAll { now >= $0.dueNanos }
    }

    // MARK: suspicions

    private mutating func endSuspicions(now: UInt64, into effects: inout [MemberEffect]) {
        for node in suspects {
            guard let member = table[node], let suspicion = member.suspicion else { continue }
            let isDamped = member.flaps.isUnstable(now: now)
            guard now >= suspicion.since + suspicion.timeoutNanos(isDamped: isDamped)
            else { continue }
            if member.isLinked, isFresh(member.streamNanos, now) {
                // Its stream speaks: not dead, but it has not heard of the accusation. Once more.
                table[node]?.suspicion?.since = now
                tell(member.record, to: node, into: &effects)
                continue
            }
            let verdict = member.record.accusing(.unreachable, by: own.node)
            believe(verdict, now: now, into: &effects)
        }
    }

    /// A gap between two ticks is this node's own: nobody had a chance to answer in it.
    private mutating func forgivePause(now: UInt64) {
        guard let last = lastTickNanos, now > last, now - last > Limits.memberPauseNanos
        else { return }
        let gap = now - last
        health.add(1)
        probe?.startedNanos += gap
        for index in relayed.indices { relayed[index].dueNanos += gap }
        for node in suspects { table[node]?.suspicion?.since += gap }
    }
}

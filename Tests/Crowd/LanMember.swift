// A node by memberlist's rules, to run over the same wires as Quell's own (see LanRules.swift).
//
// Probe, gossip, suspicion and refutation as in state.go; TCP fallback ping and push/pull over
// streams. What is left out helps nobody here: names that conflict, protocol versions, delegates.

@testable import Cluster

/// What a node by these rules sends.
struct LanPacket {
    enum Kind { case ping, ack, nack, request, gossip, streamPing, streamAck, table, tableBack }

    let kind: Kind
    var number: UInt32 = 0
    var subject = 0
    var words: [LanWord] = []
}

/// alive, suspect or dead; told by `from`.
struct LanWord {
    let node: Int
    let incarnation: UInt32
    let state: MemberState
    let from: Int

    var bytes: Int { state == .alive ? LanRules.aliveBytes : LanRules.accusationBytes }
}

/// One node.
struct LanMember: CrowdMachine {
    struct Entry {
        var state = MemberState.alive
        var incarnation: UInt32 = 1
        var sinceNanos: UInt64 = 0
    }

    struct Doubt {
        let node: Int
        let sinceNanos: UInt64
        let wanted: Int
        let members: Int
        var from: [Int]

        var dueNanos: UInt64 {
            sinceNanos
                + LanRules.timeoutNanos(
                    confirmations: from.count - 1,
                    wanted: wanted,
                    members: members
                )
        }
    }

    struct Asked {
        let target: Int
        let number: UInt32
        let startedNanos: UInt64
        let endsNanos: UInt64
        var hasAsked = false
        var relays = 0
        var nacks = 0
        var isStreamHeard = false
    }

    struct Relayed {
        let requester: Int
        let requested: UInt32
        let target: Int
        let number: UInt32
        let dueNanos: UInt64
        var isAnswered = false
    }

    typealias Effects = [CrowdEffect<LanPacket>]

    let own: Int
    var incarnation: UInt32 = 1
    var table: [Entry]
    var doubts: [Doubt] = []
    /// By how often it was told; a word that a later one about the same node replaced has an older
    /// serial than `latest` says, and is dropped where it is met.
    var waiting: [[(word: LanWord, serial: Int)]] = [[]]
    var latest: [Int]
    var serial = 0
    var awareness = 0
    var dead = 0
    var suspicions = 0
    private var chance: Chance
    private var ring: [Int]
    private var ringAt = 0
    private var asked: Asked?
    private var relayed: [Relayed] = []
    private var number: UInt32 = 0
    private var probeDue: UInt64
    private var gossipDue: UInt64
    private var pushPullDue: UInt64

    init(_ own: Int, of count: Int, seed: UInt64) {
        self.own = own
        table = Array(repeating: Entry(), count: count)
        latest = Array(repeating: 0, count: count)
        chance = Chance(seed: seed)
        ring = (0..<count).filter { $0 != own }
        for index in ring.indices.dropFirst() { ring.swapAt(index, chance.below(index + 1)) }
        probeDue = chance.next() % LanRules.probeNanos
        gossipDue = chance.next() % LanRules.gossipNanos
        pushPullDue = chance.next() % LanRules.pushPullNanos(members: count)
    }

    var members: Int { table.count - dead }

    mutating func ticked(now: UInt64, into effects: inout Effects) {
        for word in relayed where !word.isAnswered && now >= word.dueNanos {
            let nack = LanPacket(kind: .nack, number: word.requested, subject: word.target)
            send(nack, to: word.requester, into: &effects)
        }
        relayed.removeAll { $0.isAnswered || now >= $0.dueNanos }
        goOnProbing(now: now, into: &effects)
        for doubt in doubts where now >= doubt.dueNanos {
            let entry = table[doubt.node]
            learn(
                LanWord(
                    node: doubt.node,
                    incarnation: entry.incarnation,
                    state: .unreachable,
                    from: own
                ),
                now: now,
                into: &effects
            )
        }
        if now >= gossipDue {
            gossipDue += LanRules.gossipNanos
            gossip(now: now, into: &effects)
        }
        if now >= pushPullDue {
            pushPullDue += LanRules.pushPullNanos(members: members)
            if let to = pick(1, { $0 == .alive }, but: own).first {
                effects.append(.stream(to: to, whole(.table), isOpen: false))
            }
        }
    }

    mutating func received(
        _ packet: LanPacket,
        from sender: Int,
        now: UInt64,
        into effects: inout Effects
    ) {
        for word in packet.words { learn(word, now: now, into: &effects) }
        switch packet.kind {
        case .gossip, .tableBack: break
        case .ping:
            let ack = LanPacket(kind: .ack, number: packet.number, subject: own)
            send(ack, to: sender, into: &effects)
        case .streamPing:
            let ack = LanPacket(kind: .streamAck, number: packet.number, subject: own)
            effects.append(.stream(to: sender, ack, isOpen: true))
        case .table: effects.append(.stream(to: sender, whole(.tableBack), isOpen: true))
        case .ack: answered(packet.number, now: now, into: &effects)
        case .streamAck: if asked?.number == packet.number { asked?.isStreamHeard = true }
        case .nack: if asked?.number == packet.number { asked?.nacks += 1 }
        case .request:
            number += 1
            relayed.append(
                Relayed(
                    requester: sender,
                    requested: packet.number,
                    target: packet.subject,
                    number: number,
                    dueNanos: now + LanRules.timeoutNanos
                )
            )
            let ping = LanPacket(kind: .ping, number: number, subject: packet.subject)
            send(ping, to: packet.subject, into: &effects)
        }
    }

    // MARK: probes

    private mutating func goOnProbing(now: UInt64, into effects: inout Effects) {
        if var running = asked {
            if !running.hasAsked, now >= running.startedNanos + LanRules.timeoutNanos {
                running.hasAsked = true
                let relays = pick(LanRules.indirectChecks, { $0 == .alive }, but: running.target)
                running.relays = relays.count
                for relay in relays {
                    let request = LanPacket(
                        kind: .request,
                        number: running.number,
                        subject: running.target
                    )
                    send(request, to: relay, into: &effects)
                }
                let ping = LanPacket(
                    kind: .streamPing,
                    number: running.number,
                    subject: running.target
                )
                effects.append(.stream(to: running.target, ping, isOpen: false))
            }
            asked = running
            if now >= running.endsNanos { end(running, now: now, into: &effects) }
        }
        guard now >= probeDue else { return }
        probeDue += LanRules.probeNanos
        guard asked == nil, let target = nextTarget() else { return }
        number += 1
        asked = Asked(
            target: target,
            number: number,
            startedNanos: now,
            endsNanos: now + LanRules.probeNanos * UInt64(awareness + 1)
        )
        var ping = LanPacket(kind: .ping, number: number, subject: target)
        if table[target].state == .suspect {
            ping.words.append(
                LanWord(
                    node: target,
                    incarnation: table[target].incarnation,
                    state: .suspect,
                    from: own
                )
            )
        }
        send(ping, to: target, into: &effects)
    }

    private mutating func end(_ running: Asked, now: UInt64, into effects: inout Effects) {
        asked = nil
        if running.isStreamHeard { return aware(-1) }
        aware(running.relays > 0 ? max(0, running.relays - running.nacks) : 1)
        if table[running.target].state == .alive { suspicions += 1 }
        learn(
            LanWord(
                node: running.target,
                incarnation: table[running.target].incarnation,
                state: .suspect,
                from: own
            ),
            now: now,
            into: &effects
        )
    }

    private mutating func answered(_ number: UInt32, now: UInt64, into effects: inout Effects) {
        if asked?.number == number {
            asked = nil
            return aware(-1)
        }
        guard let at = relayed.firstIndex(where: { $0.number == number }) else { return }
        relayed[at].isAnswered = true
        let ack = LanPacket(
            kind: .ack,
            number: relayed[at].requested,
            subject: relayed[at].target
        )
        send(ack, to: relayed[at].requester, into: &effects)
    }

    mutating func aware(_ signs: Int) {
        awareness = min(max(awareness + signs, 0), LanRules.awarenessMax - 1)
    }

    private mutating func nextTarget() -> Int? {
        for _ in ring.indices {
            if ringAt >= ring.count {
                ringAt = 0
                for index in ring.indices.dropFirst() {
                    ring.swapAt(index, chance.below(index + 1))
                }
            }
            ringAt += 1
            if table[ring[ringAt - 1]].state != .unreachable { return ring[ringAt - 1] }
        }
        return nil
    }

    // MARK: telling

    private mutating func gossip(now: UInt64, into effects: inout Effects) {
        guard hasNews else { return }
        let recent = now > LanRules.gossipToTheDeadNanos ? now - LanRules.gossipToTheDeadNanos : 0
        var chosen: [Int] = []
        for _ in 0..<(3 * table.count) where chosen.count < LanRules.gossipNodes {
            let node = chance.below(table.count)
            guard node != own, !chosen.contains(node) else { continue }
            guard table[node].state != .unreachable || table[node].sinceNanos >= recent
            else { continue }
            chosen.append(node)
        }
        for node in chosen where hasNews {
            send(LanPacket(kind: .gossip), to: node, into: &effects)
        }
    }

    private var hasNews: Bool { waiting.contains { !$0.isEmpty } }

    /// Broadcasts travel with whatever leaves, those told least often first (queue.go).
    private mutating func send(_ packet: LanPacket, to node: Int, into effects: inout Effects) {
        var packet = packet
        var room = LanRules.packetBytes - LanMember.bytes(of: packet)
        let limit = LanRules.retransmits(members: members)
        var told: [[(word: LanWord, serial: Int)]] = Array(repeating: [], count: waiting.count)
        for tellings in waiting.indices where room > LanRules.accusationBytes {
            for at in waiting[tellings].indices.reversed() {
                let (word, serial) = waiting[tellings][at]
                if serial == latest[word.node] {
                    guard word.bytes + 2 <= room else { continue }
                    room -= word.bytes + 2
                    packet.words.append(word)
                    told[tellings].append((word, serial))
                }
                waiting[tellings].remove(at: at)
                if room <= LanRules.accusationBytes { break }
            }
        }
        for tellings in told.indices where !told[tellings].isEmpty && tellings + 1 < limit {
            if tellings + 1 == waiting.count { waiting.append([]) }
            waiting[tellings + 1] += told[tellings].reversed()
        }
        effects.append(.datagram(to: node, packet))
    }

    private mutating func pick(_ count: Int, _ fits: (MemberState) -> Bool, but: Int) -> [Int] {
        var chosen: [Int] = []
        for _ in 0..<(3 * table.count) where chosen.count < count {
            let node = chance.below(table.count)
            guard node != own, node != but, !chosen.contains(node), fits(table[node].state)
            else { continue }
            chosen.append(node)
        }
        return chosen
    }
}

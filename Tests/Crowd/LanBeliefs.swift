// What a node by memberlist's rules believes: aliveNode, suspectNode, deadNode and mergeState of
// state.go.

@testable import Cluster

extension LanMember {
    mutating func learn(_ word: LanWord, now: UInt64, into effects: inout Effects) {
        guard word.node != own else { return refute(word) }
        let entry = table[word.node]
        switch word.state {
        case .alive:
            guard word.incarnation > entry.incarnation else { return }
            doubts.removeAll { $0.node == word.node }
            turn(word, now: now, into: &effects)
        case .suspect:
            guard word.incarnation >= entry.incarnation else { return }
            if let at = doubts.firstIndex(where: { $0.node == word.node }) {
                let doubt = doubts[at]
                guard doubt.from.count <= doubt.wanted, !doubt.from.contains(word.from)
                else { return }
                doubts[at].from.append(word.from)
                return tell(word)
            }
            guard entry.state == .alive else { return }
            let (count, wanted) = (members, LanRules.suspicionMult - 2)
            doubts.append(
                Doubt(
                    node: word.node,
                    sinceNanos: now,
                    wanted: count - 2 < wanted ? 0 : wanted,
                    members: count,
                    from: [word.from]
                )
            )
            turn(word, now: now, into: &effects)
        case .unreachable, .left, .evicted:
            guard word.incarnation >= entry.incarnation else { return }
            doubts.removeAll { $0.node == word.node }
            guard entry.state != .unreachable else { return }
            turn(word, now: now, into: &effects)
        }
    }

    private mutating func turn(_ word: LanWord, now: UInt64, into effects: inout Effects) {
        if table[word.node].state != word.state {
            effects.append(.turned(word.node, to: word.state))
        }
        if table[word.node].state == .unreachable { dead -= 1 }
        if word.state == .unreachable { dead += 1 }
        table[word.node] = Entry(
            state: word.state,
            incarnation: word.incarnation,
            sinceNanos: now
        )
        tell(word)
    }

    private mutating func refute(_ word: LanWord) {
        guard word.state != .alive, word.incarnation >= incarnation else { return }
        incarnation = word.incarnation + 1
        table[own].incarnation = incarnation
        aware(1)
        tell(LanWord(node: own, incarnation: incarnation, state: .alive, from: own))
    }

    private mutating func tell(_ word: LanWord) {
        serial += 1
        latest[word.node] = serial
        waiting[0].append((word, serial))
    }

    /// The whole table, as push/pull tells it: a dead one is only suspected by whoever hears it.
    func whole(_ kind: LanPacket.Kind) -> LanPacket {
        var packet = LanPacket(kind: kind)
        for node in table.indices {
            let state: MemberState =
                table[node].state == .unreachable ? .suspect : table[node].state
            packet.words.append(
                LanWord(
                    node: node,
                    incarnation: node == own ? incarnation : table[node].incarnation,
                    state: state,
                    from: own
                )
            )
        }
        return packet
    }

    static func bytes(of packet: LanPacket) -> Int {
        let words = packet.words.reduce(0) { $0 + $1.bytes + 2 }
        return switch packet.kind {
        case .ping, .streamPing: LanRules.pingBytes + words
        case .request: LanRules.requestBytes + words
        case .ack, .streamAck: LanRules.ackBytes + words
        case .nack: LanRules.nackBytes + words
        case .gossip: LanRules.compoundBytes + words
        case .table, .tableBack: packet.words.count * LanRules.stateBytes
        }
    }

    static func deaths(in packet: LanPacket, _ body: (Int) -> Void) {
        for word in packet.words where word.state == .unreachable { body(word.node) }
    }
}

// Membership on the stage: what one node hears of the others, believes of them, and tells.
//
//     members n1 knows n2 n3      n1 with a book of the others, who are alive
//     passes [n2 n3 silent]       the time up to now, tick by tick; all others answer at once
//     hear n3 says n2 suspect by n3 incarnation 1
//     link n2, unlink n2, refused n2, speaks n2, evict n2, leave
//     who                         what is believed of everybody
//
// Probes that are answered and accuse nobody, and the member book, go unsaid.

import Suppression

@testable import Cluster

/// Plays a Membership.
struct MemberPlayer: Player {
    private var machine: Membership
    private var passedNanos: UInt64 = 0
    /// What relays owe: that they got no answer either.
    private var nacks: [(at: UInt64, from: NodeID, MemberPacket)] = []
    private var silent: Set<NodeID> = []

    /// `n1 knows n2 n3`.
    init(_ words: inout Words) throws(StoryError) {
        let own = try words.origin()
        guard words.takes("knows") else { throw StoryError(why: "say whom it `knows`") }
        var records: [MemberRecord] = []
        while !words.rest.isEmpty {
            records.append(MemberRecord(Self.facts(try words.origin()), incarnation: 1))
        }
        let book = MemberBook(incarnation: 0, records: records)
        machine = Membership(own: Self.facts(own), book: book, seed: 1)
    }

    private static func facts(_ origin: Origin) -> MemberFacts {
        MemberFacts(
            origin: origin,
            name: "n\(origin.node.raw)",
            zone: "z\(origin.node.raw)",
            region: "r1",
            address: "n\(origin.node.raw):8103",
            holds: .all
        )
    }

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        let nanos = now.bootNanos
        var effects: [MemberEffect] = []
        switch word {
        case "passes":
            silent = []
            while !words.rest.isEmpty, !words.takes("silent") {
                silent.insert(try words.origin().node)
            }
            return pass(until: nanos)
        case "hear":
            let sender = try words.origin().node
            guard words.takes("says") else { throw StoryError(why: "say what it `says`") }
            let record = try record(&words)
            let news = MemberPacket(.news, hash: machine.hash, records: [record])
            machine.received(news, from: sender, now: nanos, into: &effects)
        case "link": machine.linked(Self.facts(try words.origin()), now: nanos, into: &effects)
        case "unlink": machine.unlinked(try words.origin().node)
        case "refused":
            let address = Self.facts(try words.origin()).address
            machine.refused(address: address, now: nanos, into: &effects)
        case "speaks": machine.heard(from: try words.origin().node, now: nanos)
        case "evict": _ = machine.evict(try words.origin().node, now: nanos, into: &effects)
        case "leave": machine.leave(into: &effects)
        case "who": return believed(nanos)
        default: throw StoryError(why: "membership does not understand `\(word)`")
        }
        let lines = effects.compactMap { line($0) }
        return lines.isEmpty ? ["nothing"] : lines
    }

    /// `n2 suspect by n3 incarnation 1`, `n2 alive incarnation 2`.
    private func record(_ words: inout Words) throws(StoryError) -> MemberRecord {
        let facts = Self.facts(try words.origin())
        let name = try words.next()
        guard let state = MemberState.allCases.first(where: { $0.name == name }) else {
            throw StoryError(why: "nobody is `\(name)`")
        }
        let accuser = words.takes("by") ? try words.origin().node : nil
        guard state.isAccusation == (accuser != nil) else {
            throw StoryError(why: "an accusation, and nothing else, is `by` somebody")
        }
        let incarnation = try words.number(after: "incarnation") ?? 1
        return MemberRecord(facts, incarnation: incarnation, state: state, accuser: accuser)
    }

    // MARK: time

    private mutating func pass(until end: UInt64) -> [String] {
        var lines: [String] = []
        while passedNanos + 100_000_000 <= end {
            passedNanos += 100_000_000
            var effects: [MemberEffect] = []
            machine.ticked(now: passedNanos, into: &effects)
            for nack in nacks where nack.at <= passedNanos {
                machine.received(nack.2, from: nack.from, now: passedNanos, into: &effects)
            }
            nacks.removeAll { $0.at <= passedNanos }
            var at = 0
            while at < effects.count {
                if let line = line(effects[at]) {
                    lines.append("\(passedNanos / 1_000_000): \(line)")
                }
                answer(effects[at], into: &effects)
                at += 1
            }
        }
        return lines.isEmpty ? ["nothing"] : lines
    }

    /// Whoever is pinged, or asked to ping, says at once what there is to say.
    private mutating func answer(_ effect: MemberEffect, into effects: inout [MemberEffect]) {
        guard case .send(let node, let packet) = effect, !silent.contains(node) else { return }
        func reply(_ kind: MemberPacket.Kind) -> MemberPacket {
            MemberPacket(
                kind,
                number: packet.number,
                subject: packet.subject,
                hash: machine.hash,
                records: []
            )
        }
        switch packet.kind {
        case .request where silent.contains(packet.subject):
            nacks.append((passedNanos + Limits.relayNanos, node, reply(.nack)))
        case .ping, .request:
            machine.received(reply(.ack), from: node, now: passedNanos, into: &effects)
        case .ack, .nack, .news: break
        }
    }

    // MARK: words

    private func believed(_ now: UInt64) -> [String] {
        machine.members.map { record in
            let shown = machine.state(of: record.node, now: now) ?? record.state
            let told = shown == record.state ? "" : ", though it is told to be \(word(record))"
            let unsteady = machine.isUnstable(record.node, now: now) ? ", comes and goes" : ""
            return "n\(record.node.raw) is \(shown.name)\(told)\(unsteady)"
        } + ["doubts itself: \(machine.localHealth) of 8"]
    }

    private func word(_ record: MemberRecord) -> String {
        let by = record.accuser.map { " by n\($0.raw)" } ?? ""
        return "\(record.state.name)\(by), incarnation \(record.incarnation)"
    }

    private func line(_ effect: MemberEffect) -> String? {
        switch effect {
        case .send(let node, let packet): line(packet, to: node)
        case .dial(let address): "dial \(address)"
        case .forget(let address): "dial \(address) no more"
        case .turned(let node, let before, let after):
            "BELIEVE n\(node.raw): \(after.name), no longer \(before.name)"
        case .keep, .holds: nil
        }
    }

    private func line(_ packet: MemberPacket, to node: NodeID) -> String? {
        let told = packet.records.map { "n\($0.node.raw) is \(word($0))" }
        let news = told.isEmpty ? "" : ": " + told.joined(separator: "; ")
        switch packet.kind {
        case .ping:
            guard silent.contains(node) || !told.isEmpty else { return nil }
            return "ping n\(node.raw)\(news)"
        case .request: return "ask n\(node.raw) to ping n\(packet.subject.raw)\(news)"
        case .ack, .nack, .news: return told.isEmpty ? nil : "tell n\(node.raw)\(news)"
        }
    }
}

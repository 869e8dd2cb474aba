// Stories of asking who answers: probes, relays, suspicions, streams, pauses.

import Suppression
import Testing

@testable import Cluster

private let second: UInt64 = 1_000_000_000

extension MemberStory {
    /// Answers a ping as its receiver would.
    mutating func ack(_ ping: MemberPacket, from raw: UInt64) {
        hear(
            MemberPacket(
                .ack,
                number: ping.number,
                subject: NodeID(raw: raw),
                hash: machine.hash,
                records: []
            ),
            from: raw
        )
    }

    /// Passes time while these nodes answer every ping at once.
    @discardableResult
    mutating func pass(_ nanos: UInt64, answering nodes: Set<UInt64>) -> [MemberEffect] {
        var all: [MemberEffect] = []
        for _ in 0..<(nanos / 100_000_000) {
            let said = pass(100_000_000)
            all += said
            for ping in said.sent(.ping) where nodes.contains(ping.to.raw) {
                ack(ping.packet, from: ping.to.raw)
            }
        }
        return all
    }
}

@Suite("Membership: probes")
struct MembershipProbeTests {
    @Test("a round visits each member once, in a shuffled order (SWIM 4.3)")
    func rounds() {
        var story = MemberStory([2, 3, 4, 5, 6])
        story.pass(5 * second, answering: [2, 3, 4, 5, 6])
        for _ in 0..<4 {
            let round = story.pass(5 * second, answering: [2, 3, 4, 5, 6]).sent(.ping)
            #expect(round.count == 5 && Set(round.map(\.to)).count == 5)
        }
    }

    @Test("three shots, then three relays twice with a shot each, then suspect: in one period")
    func wholeProbe() {
        var story = MemberStory([2, 3, 4, 5, 6])
        story.now += 10 * second
        let said = story.pass(second)
        let pings = said.sent(.ping)
        #expect(pings.count == 5 && Set(pings.map(\.to)).count == 1)
        #expect(Set(pings.map(\.packet.number)).count == 1)
        let requests = said.sent(.request)
        #expect(requests.count == 6 && Set(requests.map(\.to)).count == 3)
        #expect(requests.allSatisfy { $0.packet.subject == pings[0].to && $0.to != pings[0].to })
        story.pass(100_000_000)
        #expect(story.machine.state(of: pings[0].to, now: story.now) == .suspect)
        #expect(story.machine.counts.suspicions == 1)
    }

    @Test("one relay at least is in another zone, where there is one (DESIGN 7)")
    func otherZone() {
        // n1, n4, n7 ... are in z1, as this node; n3 alone is elsewhere.
        for seed in 1...20 as ClosedRange<UInt64> {
            var story = MemberStory([4, 7, 10, 13, 16, 3], seed: seed)
            for _ in 0..<8 {
                let requests = story.pass(second).sent(.request)
                guard story.state(3) == .alive else { break }
                guard let first = requests.first, first.packet.subject.raw != 3 else { continue }
                #expect(requests.contains { $0.to.raw == 3 })
                break
            }
        }
    }

    @Test("an answer to any shot, or through a relay, ends the probe well")
    func answers() {
        var story = MemberStory([2, 3])
        let pings = story.pass(300_000_000).sent(.ping)
        let target = pings[0].to.raw
        let relay: UInt64 = target == 2 ? 3 : 2
        story.hear(
            MemberPacket(
                .ack,
                number: pings[0].packet.number,
                subject: pings[0].to,
                hash: story.machine.hash,
                records: []
            ),
            from: relay
        )
        let later = story.pass(600_000_000)
        #expect(later.sent(.request).isEmpty)
        #expect(story.state(target) == .alive && story.machine.counts.failedProbes == 0)
    }

    @Test("an answer of another probe, or about somebody else, ends nothing")
    func wrongAnswers() {
        var story = MemberStory([2, 3])
        let ping = story.pass(100_000_000).sent(.ping)[0]
        let other: UInt64 = ping.to.raw == 2 ? 3 : 2
        let mistaken = [(ping.packet.number + 1, ping.to.raw), (ping.packet.number, other)]
        for (number, subject) in mistaken {
            let ack = MemberPacket(
                .ack,
                number: number,
                subject: NodeID(raw: subject),
                hash: story.machine.hash,
                records: []
            )
            story.hear(ack, from: other)
        }
        story.pass(second)
        #expect(story.state(ping.to.raw) == .suspect)
    }

    @Test("a ping is answered with its number; one that is meant for another node is not")
    func pinged() {
        var story = MemberStory([2])
        let mine = MemberPacket(
            .ping,
            number: 77,
            subject: NodeID(raw: 1),
            hash: story.machine.hash,
            records: []
        )
        let acks = story.hear(mine, from: 2).sent(.ack)
        #expect(acks.map(\.packet.number) == [77] && acks[0].packet.subject.raw == 1)
        let other = MemberPacket(
            .ping,
            number: 78,
            subject: NodeID(raw: 5),
            hash: story.machine.hash,
            records: []
        )
        let answers = story.hear(other, from: 2)
        #expect(answers.sent(.ack).isEmpty)
    }

    @Test("every probe and every answer says what is held; what others hold goes to the Core")
    func holds() {
        var story = MemberStory([2])
        story.machine.adopt(held: 41)
        let pings = story.pass(second).sent(.ping)
        #expect(!pings.isEmpty && pings.allSatisfy { $0.packet.held == 41 })
        let ping = MemberPacket(
            .ping,
            number: 77,
            subject: NodeID(raw: 1),
            hash: story.machine.hash,
            held: 42,
            records: []
        )
        let effects = story.hear(ping, from: 2)
        #expect(effects.first == .holds(NodeID(raw: 2), 42))
        #expect(effects.sent(.ack).map(\.packet.held) == [41])
        // Who speaks the version before says nothing of it.
        let older = MemberPacket(
            .ping,
            number: 78,
            subject: NodeID(raw: 1),
            hash: story.machine.hash,
            records: []
        )
        let answered = story.hear(older, from: 2)
        #expect(!answered.contains { if case .holds = $0 { true } else { false } })
    }

    @Test("a relay pings once a request and once more, passes the answer on, or says no in time")
    func relays() {
        var story = MemberStory([2, 3])
        let request = MemberPacket(
            .request,
            number: 5,
            subject: NodeID(raw: 3),
            hash: story.machine.hash,
            records: []
        )
        let first = story.hear(request, from: 2).sent(.ping)
        let again = story.hear(request, from: 2).sent(.ping)
        #expect(first.count == 1 && first[0].to.raw == 3)
        #expect(again.map(\.packet.number) == first.map(\.packet.number))
        story.effects = []
        story.machine.received(
            MemberPacket(
                .ack,
                number: first[0].packet.number,
                subject: NodeID(raw: 3),
                hash: story.machine.hash,
                records: []
            ),
            from: NodeID(raw: 3),
            now: story.now,
            into: &story.effects
        )
        let passed = story.effects.sent(.ack)
        #expect(passed.map(\.to.raw) == [2] && passed[0].packet.number == 5)
        #expect(passed[0].packet.subject.raw == 3)
        let later = story.pass(second)
        #expect(later.sent(.nack).isEmpty)
        let third = story.hear(request, from: 2).sent(.ping)
        let rest = story.pass(600_000_000)
        let nacks = rest.sent(.nack)
        #expect(nacks.map(\.to.raw) == [2] && nacks[0].packet.number == 5)
        let second = rest.sent(.ping).filter { $0.packet.number == third[0].packet.number }
        #expect(second.count == Limits.relayShotsCount - 1, "one lost ping is not an answer")
    }

    @Test("who was never measured is given what the others take, not the longest time")
    func usualTrip() {
        var story = MemberStory([2, 3, 4])
        story.pass(6 * second, answering: [2, 3, 4])
        story.tell(MemberRecord(.made(5), incarnation: 1))
        for _ in 0..<8 {
            var tick = 0
            var askedAt: Int?
            var pingedAt: Int?
            while tick < 10 {
                let said = story.pass(100_000_000, answering: [2, 3, 4])
                if said.sent(.ping).contains(where: { $0.to.raw == 5 }) {
                    pingedAt = pingedAt ?? tick
                }
                if !said.sent(.request).isEmpty { askedAt = askedAt ?? tick }
                tick += 1
            }
            guard let pingedAt, let askedAt else { continue }
            return #expect(askedAt - pingedAt == 3, "after 300 ms")
        }
        Issue.record("the newcomer was never asked for")
    }

    @Test("a flood of requests is bounded")
    func flood() {
        var story = MemberStory([2, 3])
        var pings = 0
        for number in 1...200 as ClosedRange<UInt32> {
            let request = MemberPacket(
                .request,
                number: number,
                subject: NodeID(raw: 3),
                hash: story.machine.hash,
                records: []
            )
            pings += story.hear(request, from: 2).sent(.ping).count
        }
        #expect(pings == Limits.relayedProbesCount)
    }

    @Test("relays that got no answer either show that this node hears well (Lifeguard IV.A)")
    func health() {
        var deaf = MemberStory([2, 3, 4, 5])
        deaf.pass(1_100_000_000)
        #expect(deaf.machine.localHealth == 3, "one for each relay that said nothing")
        var well = MemberStory([2, 3, 4, 5])
        for _ in 0..<11 {
            for request in well.pass(100_000_000).sent(.request) {
                let nack = MemberPacket(
                    .nack,
                    number: request.packet.number,
                    subject: request.packet.subject,
                    hash: well.machine.hash,
                    records: []
                )
                well.hear(nack, from: request.to.raw)
            }
        }
        #expect(well.machine.localHealth == 0 && well.machine.counts.suspicions == 1)
    }

    @Test("a node that doubts itself asks more slowly, until answers come (Lifeguard IV.A)")
    func slower() {
        var story = MemberStory([2, 3, 4, 5])
        story.pass(30 * second)
        #expect(story.machine.localHealth == Limits.localHealthMost)
        let slow = story.machine.counts.probes
        story.pass(9 * second)
        #expect(story.machine.counts.probes - slow <= 2)
        for raw in 2...5 as ClosedRange<UInt64> {
            story.tell(MemberRecord(.made(raw), incarnation: 9))
        }
        story.pass(120 * second, answering: [2, 3, 4, 5])
        #expect(story.machine.localHealth == 0)
    }

    @Test("a lost member is pinged for ever, with what is said against it")
    func lost() {
        var story = MemberStory([2, 3])
        let lost = MemberRecord(
            .made(2),
            incarnation: 1,
            state: .unreachable,
            accuser: NodeID(raw: 3)
        )
        story.tell(lost, from: 3)
        story.pass(600 * second, answering: [3])
        let pings = story.pass(3 * second, answering: [3]).sent(.ping).filter { $0.to.raw == 2 }
        #expect(pings.count >= 2)
        #expect(pings.allSatisfy { $0.packet.records.first?.state == .unreachable })
        #expect(story.state(2) == .unreachable && story.record(2)?.facts.name == "n2")
    }
}

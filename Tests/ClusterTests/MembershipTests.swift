// Stories of one node's membership: what it hears, what it believes, what it says.

import Suppression
import Testing

@testable import Cluster

private let second: UInt64 = 1_000_000_000

/// A node n1 and the words that it is told; time in whole steps of 100 ms.
struct MemberStory {
    var machine: Membership
    var now: UInt64 = 1_000 * second
    var effects: [MemberEffect] = []

    init(_ nodes: [UInt64] = [], book: MemberBook? = nil, seed: UInt64 = 1) {
        machine = Membership(own: .made(1), book: book, seed: seed)
        for raw in nodes { tell(MemberRecord(.made(raw), incarnation: 1)) }
    }

    /// A packet of node `sender`, for the effects that follow from it.
    @discardableResult
    mutating func hear(_ packet: MemberPacket, from sender: UInt64) -> [MemberEffect] {
        effects = []
        machine.received(packet, from: NodeID(raw: sender), now: now, into: &effects)
        return effects
    }

    @discardableResult
    mutating func tell(_ record: MemberRecord, from sender: UInt64 = 2) -> [MemberEffect] {
        hear(MemberPacket(.news, hash: machine.hash, records: [record]), from: sender)
    }

    /// Time passes; everything that is said meanwhile.
    @discardableResult
    mutating func pass(_ nanos: UInt64) -> [MemberEffect] {
        var all: [MemberEffect] = []
        for _ in 0..<(nanos / 100_000_000) {
            now += 100_000_000
            effects = []
            machine.ticked(now: now, into: &effects)
            all += effects
        }
        return all
    }

    mutating func link(_ raw: UInt64) -> [MemberEffect] {
        effects = []
        machine.linked(.made(raw), now: now, into: &effects)
        return effects
    }

    func state(_ raw: UInt64) -> MemberState? { machine.state(of: NodeID(raw: raw), now: now) }

    func record(_ raw: UInt64) -> MemberRecord? {
        machine.members.first { $0.node == NodeID(raw: raw) }
    }
}

extension [MemberEffect] {
    /// Packets of a kind, with whom they go to.
    func sent(_ kind: MemberPacket.Kind) -> [(to: NodeID, packet: MemberPacket)] {
        compactMap { effect in
            guard case .send(let node, let packet) = effect, packet.kind == kind else { return nil }
            return (node, packet)
        }
    }

    var dialed: [String] {
        compactMap { if case .dial(let address) = $0 { address } else { nil } }
    }

    var kept: [MemberBook] {
        compactMap { if case .keep(let book) = $0 { book } else { nil } }
    }
}

private func accusation(
    _ raw: UInt64,
    incarnation: UInt64 = 1,
    _ state: MemberState = .suspect,
    by accuser: UInt64 = 3
) -> MemberRecord {
    MemberRecord(
        .made(raw),
        incarnation: incarnation,
        state: state,
        accuser: NodeID(raw: accuser)
    )
}

@Suite("Membership: what is believed")
struct MembershipBeliefTests {
    @Test("tellings form a total order: evicted, then incarnation, then state (SWIM 4.2)")
    func order() {
        var ordered: [MemberRecord] = []
        for incarnation in 1...3 as ClosedRange<UInt64> {
            ordered.append(MemberRecord(.made(2), incarnation: incarnation))
            ordered.append(accusation(2, incarnation: incarnation))
            ordered.append(accusation(2, incarnation: incarnation, .unreachable))
            ordered.append(MemberRecord(.made(2), incarnation: incarnation, state: .left))
        }
        ordered.append(MemberRecord(.made(2), incarnation: 1, state: .evicted))
        for (i, lower) in ordered.enumerated() {
            #expect(!lower.overrides(lower))
            for higher in ordered[(i + 1)...] {
                #expect(higher.overrides(lower) && !lower.overrides(higher))
                for records in [[lower, higher], [higher, lower], [lower, higher, lower]] {
                    var story = MemberStory()
                    for record in records { story.tell(record) }
                    #expect(story.record(2)?.state == higher.state)
                    #expect(story.record(2)?.incarnation == higher.incarnation)
                }
            }
        }
    }

    @Test("a member that is told of is dialed, remembered and told on")
    func learns() {
        var story = MemberStory()
        let effects = story.tell(MemberRecord(.made(2), incarnation: 1), from: 3)
        #expect(effects.dialed == ["127.0.0.1:10002"])
        #expect(story.state(2) == .alive)
        let later = story.pass(second)
        #expect(later.kept.last?.records == [MemberRecord(.made(2), incarnation: 1)])
        #expect(later.sent(.news).contains { $0.packet.records.contains { $0.node.raw == 2 } })
    }

    @Test("an address that changes with the incarnation is dialed in the old one's place")
    func moves() {
        var story = MemberStory([2])
        let moved = MemberFacts(
            origin: Origin(node: NodeID(raw: 2), epoch: Epoch(raw: 2)),
            name: "n2",
            zone: "z2",
            region: "r1",
            address: "127.0.0.1:20000",
            holds: .all
        )
        let effects = story.tell(MemberRecord(moved, incarnation: 2))
        #expect(effects.contains(.forget("127.0.0.1:10002")))
        #expect(effects.dialed == ["127.0.0.1:20000"])
        let same = story.tell(accusation(2, incarnation: 2))
        #expect(story.record(2)?.facts == moved, "an accuser's older facts replace nothing")
        #expect(same.dialed.isEmpty)
    }

    @Test("two nodes of one address, a replaced one and its successor: it stays dialed")
    func replaced() {
        var story = MemberStory([2])
        let successor = MemberFacts(
            origin: Origin(node: NodeID(raw: 9), epoch: Epoch(raw: 1)),
            name: "n2",
            zone: "z2",
            region: "r1",
            address: "127.0.0.1:10002",
            holds: .all
        )
        story.tell(MemberRecord(successor, incarnation: 1))
        var effects: [MemberEffect] = []
        let isKnown = story.machine.evict(NodeID(raw: 2), now: story.now, into: &effects)
        #expect(isKnown && story.state(2) == .evicted)
        #expect(!effects.contains(.forget("127.0.0.1:10002")))
    }

    @Test("left and evicted win over every accusation, and end the dialing")
    func farewells() {
        var story = MemberStory([2, 3])
        let gone = story.tell(MemberRecord(.made(2), incarnation: 2, state: .left))
        #expect(gone.contains(.forget("127.0.0.1:10002")))
        story.tell(accusation(2, incarnation: 2, .unreachable))
        #expect(story.state(2) == .left)
        story.tell(MemberRecord(.made(2), incarnation: 3))
        #expect(story.state(2) == .alive, "its next life joins again")
        story.tell(MemberRecord(.made(3), incarnation: 1, state: .evicted))
        story.tell(MemberRecord(.made(3), incarnation: 900))
        #expect(story.state(3) == .evicted)
        let probes = story.pass(10 * second).sent(.ping)
        #expect(!probes.isEmpty && probes.allSatisfy { $0.to != NodeID(raw: 3) })
    }

    @Test("this node takes back what it did not say, with an incarnation above (SWIM 4.2)")
    func refutes() {
        for state in [MemberState.suspect, .unreachable] {
            var story = MemberStory([2])
            let answer = story.tell(accusation(1, incarnation: 7, state))
            #expect(story.machine.own.incarnation == 8)
            #expect(answer.sent(.news).first?.packet.records.first == story.machine.own)
            #expect(story.machine.counts.refutations == 1 && story.machine.localHealth == 1)
            let kept = story.pass(second).kept.last
            #expect(kept?.incarnation == 8, "before it can be forgotten")
        }
    }

    @Test("an accusation of an older incarnation is answered, not taken back again")
    func oldAccusation() {
        var story = MemberStory([2])
        story.tell(accusation(1, incarnation: 7))
        let answer = story.tell(accusation(1, incarnation: 3))
        #expect(story.machine.own.incarnation == 8 && story.machine.counts.refutations == 1)
        #expect(answer.sent(.news).first?.packet.records.first == story.machine.own)
    }

    @Test("a life that lost its book rises above what it said in earlier ones")
    func lostBook() {
        var story = MemberStory([2])
        story.tell(MemberRecord(.made(1, epoch: 99), incarnation: 1))
        #expect(story.machine.own.incarnation == 2, "same number, another life")
        story.tell(MemberRecord(.made(1, epoch: 98), incarnation: 6))
        #expect(story.machine.own.incarnation == 7)
        #expect(story.machine.counts.refutations == 0, "nobody accused it")
    }

    @Test("an operator's eviction is not taken back, and is said to the log")
    func evicted() {
        var story = MemberStory([2])
        let own = MemberRecord(.made(1), incarnation: 1, state: .evicted)
        let effects = story.tell(own)
        #expect(effects.contains(.turned(NodeID(raw: 1), from: .alive, to: .evicted)))
        story.tell(accusation(1, incarnation: 9))
        #expect(story.machine.own.state == .evicted && story.machine.own.incarnation == 1)
        let later = story.pass(5 * second)
        #expect(later.sent(.ping).isEmpty)
    }

    @Test("leaving is told to the others, and probes end")
    func leaves() {
        var story = MemberStory([2, 3])
        var effects: [MemberEffect] = []
        story.machine.leave(into: &effects)
        #expect(story.machine.own.state == .left)
        let later = story.pass(3 * second)
        #expect(later.sent(.ping).isEmpty)
        #expect(later.sent(.news).contains { $0.packet.records.contains(story.machine.own) })
    }

    @Test("a stale word, good or bad, is answered with what is known (memberlist 311)")
    func evidence() {
        var story = MemberStory([2, 3])
        story.tell(accusation(3, by: 4))
        let stale = story.tell(MemberRecord(.made(3), incarnation: 1))
        #expect(stale.sent(.news).first?.packet.records.first?.state == .suspect)
        story.tell(MemberRecord(.made(3), incarnation: 5))
        let accused = story.tell(accusation(3, incarnation: 2, .unreachable))
        #expect(accused.sent(.news).first?.to == NodeID(raw: 2))
        #expect(accused.sent(.news).first?.packet.records.first?.incarnation == 5)
        #expect(story.state(3) == .alive)
    }

    @Test("an incarnation that jumps is refused and counted, and changes nothing")
    func jumps() {
        var story = MemberStory([2])
        story.tell(MemberRecord(.made(2), incarnation: 1 + Limits.incarnationJump))
        story.tell(MemberRecord(.made(3), incarnation: Limits.incarnationJump))
        story.tell(accusation(1, incarnation: 1 + Limits.incarnationJump))
        #expect(story.machine.counts.refusedRecords == 3)
        #expect(story.record(2)?.incarnation == 1 && story.state(3) == nil)
        #expect(story.machine.own.incarnation == 1)
    }

    @Test("a full table refuses strangers and goes on with those it knows")
    func full() {
        var story = MemberStory()
        for raw in 2...UInt64(Limits.membersCount + 1) {
            story.tell(MemberRecord(.made(raw), incarnation: 1))
        }
        let effects = story.tell(MemberRecord(.made(9_999), incarnation: 1))
        #expect(effects.dialed.isEmpty && story.machine.counts.refusedRecords == 1)
        #expect(story.machine.members.count == Limits.membersCount)
        story.tell(accusation(2))
        #expect(story.state(2) == .suspect)
    }

    @Test("no more addresses are dialed than nodes may be linked")
    func dials() {
        var story = MemberStory()
        var dialed: [String] = []
        for raw in 2...200 as ClosedRange<UInt64> {
            dialed += story.tell(MemberRecord(.made(raw), incarnation: 1)).dialed
        }
        #expect(dialed.count == Limits.peersCount)
    }
}

@Suite("Membership: from one life to the next")
struct MembershipBookTests {
    @Test("the next life has a higher incarnation, and dials whom the last one knew")
    func nextLife() {
        var first = MemberStory([2, 3])
        first.tell(accusation(3, .unreachable))
        guard let book = first.pass(second).kept.last else {
            Issue.record("nothing was kept")
            return
        }
        var next = MemberStory(book: book)
        #expect(next.machine.own.incarnation == first.machine.own.incarnation + 1)
        let effects = next.pass(100_000_000)
        #expect(Set(effects.dialed) == ["127.0.0.1:10002", "127.0.0.1:10003"])
        #expect(next.state(2) == .alive && next.state(3) == .unreachable)
    }

    @Test("what the book says is no news: a thousand nodes that start together tell nobody of it")
    func oldNews() {
        let records = (2...9 as ClosedRange<UInt64>).map {
            MemberRecord(.made($0), incarnation: 1)
        }
        var story = MemberStory(book: MemberBook(incarnation: 1, records: records))
        let effects = story.pass(second, answering: Set(2...9))
        #expect(story.machine.members.count == 8 && effects.sent(.news).isEmpty)
        #expect(effects.sent(.ping).allSatisfy { $0.packet.records.isEmpty })
    }

    @Test("a suspicion of the last life is over; an eviction stays")
    func oldSuspicion() {
        let records = [
            accusation(2), MemberRecord(.made(3), incarnation: 1, state: .evicted),
        ]
        var story = MemberStory(book: MemberBook(incarnation: 1, records: records))
        let effects = story.pass(100_000_000)
        #expect(story.state(2) == .alive && story.state(3) == .evicted)
        #expect(effects.dialed == ["127.0.0.1:10002"])
    }

    @Test("the book is kept at the start, then once a second at most, and only when it changed")
    func seldom() {
        var story = MemberStory([2])
        let (first, second) = (story.pass(100_000_000), story.pass(500_000_000))
        #expect(first.kept.count == 1 && second.kept.isEmpty)
        for raw in 3...8 as ClosedRange<UInt64> {
            story.tell(MemberRecord(.made(raw), incarnation: 1))
            story.tell(MemberRecord(.made(2), incarnation: raw))
        }
        let third = story.pass(2_000_000_000)
        #expect(third.kept.count == 1)
        story.tell(accusation(2, incarnation: 8))
        let last = story.pass(1_000_000_000)
        #expect(last.kept.isEmpty, "a suspicion is no news of the next life")
    }
}

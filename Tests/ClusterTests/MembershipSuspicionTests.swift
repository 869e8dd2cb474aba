// Stories of suspicions, how they end, and of what is told to whom.

import Suppression
import Testing

@testable import Cluster

private let second: UInt64 = 1_000_000_000

@Suite("Membership: suspicions")
struct MembershipSuspicionTests {
    @Test("the suspect hears of it first (Lifeguard IV.C), and each ping repeats it")
    func buddy() {
        var story = MemberStory([2, 3, 4, 5, 6])
        let said = story.pass(1_100_000_000)
        let next = zip(said, said.dropFirst()).first { effect, _ in
            if case .turned = effect { true } else { false }
        }
        guard case .turned(let suspect, _, .suspect)? = next?.0,
            case .send(let first, let packet)? = next?.1
        else {
            Issue.record("nobody was suspected and told")
            return
        }
        #expect(first == suspect && packet.records.map(\.node) == [suspect])
        #expect(packet.records.first?.state == .suspect)
        let pings = story.pass(60 * second).sent(.ping).filter { $0.to == suspect }
        #expect(!pings.isEmpty)
        #expect(pings.allSatisfy { $0.packet.records.first?.state.isAccusation == true })
    }

    @Test("alone against one silent node: unreachable four seconds after the suspicion")
    func alone() {
        var story = MemberStory([2])
        story.pass(1_100_000_000)
        #expect(story.state(2) == .suspect)
        story.pass(3_900_000_000)
        #expect(story.state(2) == .suspect)
        story.pass(200_000_000)
        #expect(story.state(2) == .unreachable && story.machine.counts.deaths == 1)
    }

    @Test("a refutation in time ends it; nothing but a higher incarnation does (SWIM 4.2)")
    func refuted() {
        var story = MemberStory([2])
        story.pass(1_100_000_000)
        story.tell(MemberRecord(.made(2), incarnation: 1))
        #expect(story.state(2) == .suspect)
        story.tell(MemberRecord(.made(2), incarnation: 2))
        #expect(story.state(2) == .alive)
        story.pass(10 * second, answering: [2])
        #expect(story.state(2) == .alive && story.machine.counts.deaths == 0)
    }

    @Test("voices of others shorten it, and are told on (Lifeguard IV.B)")
    func confirmed() {
        var (lonely, joined) = (MemberStory(), MemberStory())
        let others: [UInt64] = [2, 3, 4, 5, 6, 7]
        for raw in others {
            lonely.tell(MemberRecord(.made(raw), incarnation: 1))
            joined.tell(MemberRecord(.made(raw), incarnation: 1))
        }
        for accuser in [3, 4, 5] as [UInt64] {
            let record = MemberRecord(
                .made(2),
                incarnation: 1,
                state: .suspect,
                accuser: NodeID(raw: accuser)
            )
            joined.tell(record, from: accuser)
            if accuser == 3 { lonely.tell(record, from: accuser) }
        }
        let alive: Set<UInt64> = [3, 4, 5, 6, 7]
        lonely.pass(4_100_000_000, answering: alive)
        joined.pass(4_100_000_000, answering: alive)
        #expect(lonely.state(2) == .suspect && joined.state(2) == .unreachable)
    }

    @Test("no more than three suspicions of ours at once: more is our own fault (consul 5567)")
    func capped() {
        var story = MemberStory([2, 3, 4, 5, 6, 7])
        var most = 0
        for _ in 0..<600 {
            story.pass(100_000_000)
            most = max(most, (2...7).count { story.state($0) == .suspect })
        }
        #expect(most == Limits.openSuspicionsCount)
    }

    @Test("a stream that speaks is life: no suspicion, and none that is told is shown")
    func stream() {
        var story = MemberStory([2, 3])
        _ = story.link(2)
        for _ in 0..<50 {
            story.machine.heard(from: NodeID(raw: 2), now: story.now)
            story.pass(200_000_000, answering: [3])
        }
        #expect(story.machine.counts.suspicions == 0)
        story.machine.heard(from: NodeID(raw: 2), now: story.now)
        let accused = MemberRecord(
            .made(2),
            incarnation: 1,
            state: .suspect,
            accuser: NodeID(raw: 3)
        )
        let told = story.tell(accused, from: 3)
        #expect(told.sent(.news).contains { $0.to.raw == 2 }, "it hears of it at once")
        #expect(story.record(2)?.state == .suspect && story.state(2) == .alive)
        for _ in 0..<60 {
            story.machine.heard(from: NodeID(raw: 2), now: story.now)
            story.pass(200_000_000, answering: [3])
        }
        #expect(story.record(2)?.state == .suspect, "not dead while its stream speaks")
        story.pass(10 * second, answering: [3])
        #expect(story.state(2) == .unreachable)
    }

    @Test("a refused connection accuses at once, once a link (DESIGN 7)")
    func refused() {
        var story = MemberStory([2, 3])
        _ = story.link(2)
        story.machine.refused(address: "127.0.0.1:10002", now: story.now, into: &story.effects)
        #expect(story.state(2) == .alive, "the link stands")
        story.machine.unlinked(NodeID(raw: 2))
        story.machine.refused(address: "127.0.0.1:10002", now: story.now, into: &story.effects)
        #expect(story.state(2) == .suspect && story.state(3) == .alive)
        story.tell(MemberRecord(.made(2), incarnation: 2), from: 3)
        story.machine.refused(address: "127.0.0.1:10002", now: story.now, into: &story.effects)
        #expect(story.state(2) == .alive, "a wall refuses; others reach it")
        _ = story.link(2)
        story.machine.unlinked(NodeID(raw: 2))
        story.machine.refused(address: "127.0.0.1:10002", now: story.now, into: &story.effects)
        #expect(story.state(2) == .suspect)
        story.pass(4_100_000_000, answering: [3])
        #expect(story.state(2) == .unreachable)
    }

    @Test("a pause of this node is nobody's silence, and makes it doubt itself")
    func pause() {
        var story = MemberStory([2])
        story.pass(1_100_000_000)
        let doubt = story.machine.localHealth
        story.now += 60 * second
        story.pass(100_000_000)
        #expect(story.state(2) == .suspect && story.machine.localHealth > doubt)
        story.pass(4_200_000_000)
        #expect(story.state(2) == .unreachable)
    }

    @Test("a member that came back twice is given the longest time, and no relay's duty")
    func flapping() {
        var story = MemberStory([2, 3, 4, 5, 6])
        let others: Set<UInt64> = [3, 4, 5, 6]
        for incarnation in 1...2 as ClosedRange<UInt64> {
            let dead = MemberRecord(
                .made(2),
                incarnation: incarnation,
                state: .unreachable,
                accuser: NodeID(raw: 3)
            )
            story.tell(dead, from: 3)
            story.tell(MemberRecord(.made(2), incarnation: incarnation + 1), from: 2)
            story.pass(second, answering: others.union([2]))
        }
        #expect(story.machine.isUnstable(NodeID(raw: 2), now: story.now))
        #expect(story.machine.counts.revivals == 2)
        for accuser in [3, 4, 5] as [UInt64] {
            let again = MemberRecord(
                .made(2),
                incarnation: 3,
                state: .suspect,
                accuser: NodeID(raw: accuser)
            )
            story.tell(again, from: accuser)
        }
        story.pass(20 * second, answering: others)
        #expect(story.state(2) == .suspect)
        // It takes that back in time, and 20 s later is silent again: still no calm.
        story.tell(MemberRecord(.made(2), incarnation: 4), from: 2)
        story.pass(20 * second, answering: others.union([2]))
        #expect(story.machine.isUnstable(NodeID(raw: 2), now: story.now))
        story.pass(11 * second, answering: others.union([2]))
        #expect(!story.machine.isUnstable(NodeID(raw: 2), now: story.now))
    }
}

@Suite("Membership: telling")
struct MembershipNewsTests {
    @Test("both ends of a new link tell their whole table")
    func onLink() {
        var story = MemberStory([2, 3])
        let said = story.link(4)
        let told = said.sent(.news).filter { $0.to.raw == 4 }.flatMap(\.packet.records)
        #expect(told.map(\.node.raw) == [1, 2, 3])
        #expect(story.state(4) == .alive && said.dialed == ["127.0.0.1:10004"])
    }

    @Test("a hash that differs makes a node tell its table, once a second at most")
    func difference() {
        var story = MemberStory([2, 3])
        story.pass(5 * second, answering: [2, 3])
        let other = MemberPacket(.news, hash: story.machine.hash ^ 1, records: [])
        let first = story.hear(other, from: 2).sent(.news)
        #expect(first.flatMap(\.packet.records).map(\.node.raw) == [1, 2, 3])
        let soon = story.hear(other, from: 2)
        story.now += second
        let later = story.hear(other, from: 2)
        #expect(soon.isEmpty && !later.isEmpty)
        let same = MemberPacket(.news, hash: story.machine.hash, records: [])
        story.now += second
        let equal = story.hear(same, from: 2)
        #expect(equal.isEmpty)
    }

    @Test("equal tables have equal hashes, however they came about; a suspicion changes none")
    func hashes() {
        var (one, other) = (MemberStory([2, 3, 4]), MemberStory([4, 3, 2]))
        #expect(one.machine.hash == other.machine.hash)
        let suspect = MemberRecord(
            .made(2),
            incarnation: 1,
            state: .suspect,
            accuser: NodeID(raw: 3)
        )
        one.tell(suspect)
        #expect(one.machine.hash == other.machine.hash)
        one.tell(MemberRecord(.made(3), incarnation: 1, state: .left))
        #expect(one.machine.hash != other.machine.hash)
        other.tell(MemberRecord(.made(3), incarnation: 1, state: .left))
        #expect(one.machine.hash == other.machine.hash)
    }

    @Test("a table too large for one telling is told in turns, all of it")
    func turns() {
        var story = MemberStory(Array(2...400))
        var told: Set<UInt64> = []
        var most = 0
        for _ in 0..<10 {
            let packets = story.link(2).sent(.news)
            most = max(most, packets.count)
            for packet in packets {
                var bytes: [UInt8] = []
                packet.packet.encode(into: &bytes)
                #expect(bytes.count <= Limits.memberPacketBytes)
            }
            told.formUnion(packets.flatMap(\.packet.records).map(\.node.raw))
        }
        #expect(told == Set(1...400) && most <= Limits.tablePacketsCount + 1)
    }
}

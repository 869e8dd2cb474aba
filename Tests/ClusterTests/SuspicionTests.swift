// How long a suspicion lasts, whom a node doubts, and who comes back too often.

import Suppression
import Testing

@testable import Cluster

@Suite("Suspicion")
struct SuspicionTests {
    private func node(_ raw: UInt64) -> NodeID { NodeID(raw: raw) }

    @Test("the least time is four periods times log10 of the members, never below four (DESIGN 7)")
    func least() {
        for members in [1, 3, 5, 10] {
            #expect(Suspicion.leastNanos(members: members) == 4_000_000_000)
        }
        let hundred = Suspicion.leastNanos(members: 100)
        let thousand = Suspicion.leastNanos(members: 1_000)
        #expect(hundred > 7_980_000_000 && hundred < 8_020_000_000)
        #expect(thousand > 11_950_000_000 && thousand < 12_050_000_000)
    }

    @Test("log2 is exact at powers of two and within a thousandth between them")
    func logarithm() {
        #expect(binaryLogarithm(0) == 0 && binaryLogarithm(1) == 0)
        for power in 1..<32 { #expect(binaryLogarithm(1 << UInt64(power)) == UInt64(power) << 10) }
        // log2 3 = 1.58496, log2 10 = 3.32193, log2 1000 = 9.96578
        #expect([3, 10, 1_000].map(binaryLogarithm) == [1_623, 3_401, 10_204])
    }

    @Test("it falls from six times the least to the least, with each confirmation (Lifeguard IV.B)")
    func falls() {
        var suspicion = Suspicion(by: node(1), members: 10, isOurs: true, now: 0)
        var before = suspicion.timeoutNanos(isDamped: false)
        #expect(before == 24_000_000_000)
        for accuser in [2, 3] as [UInt64] {
            let voice1 = suspicion.confirm(by: node(accuser))
            #expect(voice1)
            let after = suspicion.timeoutNanos(isDamped: false)
            #expect(after < before && after >= 4_000_000_000)
            before = after
        }
        #expect(before == 4_000_000_000)
        let voice2 = suspicion.confirm(by: node(4))
        #expect(!voice2)
        #expect(suspicion.timeoutNanos(isDamped: false) == before)
    }

    @Test("the same voice counts once, the first accuser's not at all")
    func voices() {
        var suspicion = Suspicion(by: node(1), members: 10, isOurs: false, now: 0)
        let voice3 = suspicion.confirm(by: node(1))
        #expect(!voice3)
        let voice4 = suspicion.confirm(by: node(2))
        #expect(voice4)
        let voice5 = suspicion.confirm(by: node(2))
        #expect(!voice5)
        let wait = suspicion.timeoutNanos(isDamped: false)
        #expect(wait > 4_000_000_000 && wait < 24_000_000_000)
    }

    @Test("nobody waits for confirmations that nobody is there to give (memberlist, suspectNode)")
    func few() {
        for members in 1...3 {
            let suspicion = Suspicion(by: node(1), members: members, isOurs: true, now: 0)
            #expect(suspicion.timeoutNanos(isDamped: false) == 4_000_000_000)
        }
        let four = Suspicion(by: node(1), members: 4, isOurs: true, now: 0)
        #expect(four.timeoutNanos(isDamped: false) == 24_000_000_000)
    }

    @Test("a refused connection needs no confirmation, not even of a flapping member")
    func certain() {
        var suspicion = Suspicion(by: node(1), members: 10, isOurs: true, now: 0)
        suspicion.isCertain = true
        #expect(suspicion.timeoutNanos(isDamped: false) == 4_000_000_000)
        #expect(suspicion.timeoutNanos(isDamped: true) == 4_000_000_000)
    }

    @Test("a flapping member is waited for as long as there is, whoever confirms")
    func damped() {
        var suspicion = Suspicion(by: node(1), members: 10, isOurs: true, now: 0)
        _ = suspicion.confirm(by: node(2))
        _ = suspicion.confirm(by: node(3))
        #expect(suspicion.timeoutNanos(isDamped: true) == 24_000_000_000)
    }

    @Test("local health stays between 0 and 8 (Lifeguard IV.A)")
    func health() {
        var health = LocalHealth()
        health.add(-1)
        #expect(health.factor == 1)
        health.add(3)
        #expect(health.factor == 4)
        health.add(100)
        #expect(health.score == 8)
    }

    @Test("two revivals soon after each other make a member unstable until it has been calm")
    func flaps() {
        let second: UInt64 = 1_000_000_000
        var flaps = Flaps()
        flaps.troubled(now: 5 * second)
        flaps.revived(now: 10 * second)
        #expect(!flaps.isUnstable(now: 11 * second))
        flaps.revived(now: 50 * second)
        #expect(flaps.isUnstable(now: 51 * second))
        #expect(flaps.isUnstable(now: 79 * second))
        #expect(!flaps.isUnstable(now: 80 * second))
    }

    @Test("an accusation, and the end of one, put the calm off; once it is calm they do not")
    func troubled() {
        let second: UInt64 = 1_000_000_000
        var flaps = Flaps()
        flaps.revived(now: 10 * second)
        flaps.revived(now: 50 * second)
        flaps.troubled(now: 70 * second)
        #expect(flaps.isUnstable(now: 99 * second))
        #expect(!flaps.isUnstable(now: 100 * second))
        flaps.troubled(now: 101 * second)
        #expect(!flaps.isUnstable(now: 102 * second))
    }

    @Test("revivals far apart are forgotten by halves")
    func rareFlaps() {
        var flaps = Flaps()
        for hour in 1...20 as ClosedRange<UInt64> {
            let now = hour * 3_600_000_000_000
            flaps.revived(now: now)
            #expect(!flaps.isUnstable(now: now))
        }
    }

    @Test("a rumor is told 4 ceil(log10(N + 1)) times")
    func tellings() {
        let told = [1, 3, 9, 10, 99, 999, 1_000].map(rumorTellings(members:))
        #expect(told == [4, 4, 4, 8, 8, 12, 16])
    }
}

@Suite("Rumors")
struct RumorTests {
    private func record(_ raw: UInt64, incarnation: UInt64 = 1) -> MemberRecord {
        MemberRecord(.made(raw), incarnation: incarnation)
    }

    @Test("a rumor ends after its tellings, and a later one about the same member begins anew")
    func ends() {
        var rumors = Rumors()
        rumors.spread(record(1))
        for _ in 0..<3 {
            var records: [MemberRecord] = []
            rumors.take(into: &records, limit: 4)
            #expect(records == [record(1)])
        }
        rumors.spread(record(1, incarnation: 2))
        for _ in 0..<4 {
            var records: [MemberRecord] = []
            rumors.take(into: &records, limit: 4)
            #expect(records == [record(1, incarnation: 2)])
        }
        #expect(rumors.isEmpty)
    }

    @Test("the least told goes first, and a packet is never overfull")
    func order() {
        var rumors = Rumors()
        for raw in 1...40 as ClosedRange<UInt64> { rumors.spread(record(raw)) }
        var first: [MemberRecord] = []
        rumors.take(into: &first, limit: 4)
        #expect(!first.isEmpty && first.count <= Limits.memberRecordsCount)
        rumors.spread(record(99))
        var second: [MemberRecord] = []
        rumors.take(into: &second, limit: 4)
        #expect(second.first?.node == NodeID(raw: 99))
        #expect(Set(first.map(\.node)).isDisjoint(with: second.map(\.node)))
        var bytes: [UInt8] = []
        MemberPacket(.news, hash: 0, records: second).encode(into: &bytes)
        #expect(bytes.count <= Limits.memberPacketBytes)
    }

    @Test("what only a link has told of is not told on")
    func hearsay() {
        var rumors = Rumors()
        rumors.spread(record(1, incarnation: 0))
        #expect(rumors.isEmpty)
    }
}

extension MemberFacts {
    /// A node as tests make them: `n7` in zone z1 to z3 at port 10,007.
    static func made(_ raw: UInt64, epoch: UInt64 = 1) -> MemberFacts {
        MemberFacts(
            origin: Origin(node: NodeID(raw: raw), epoch: Epoch(raw: epoch)),
            name: "n\(raw)",
            zone: "z\((raw - 1) % 3 + 1)",
            region: "r1",
            address: "127.0.0.1:\(10_000 + raw)",
            holds: .all
        )
    }
}

// Crowds small enough for every run of the tests; Scripts/crowd.sh runs the large ones.

import Testing

@testable import Cluster

@Suite("A crowd as an instrument")
struct CrowdTests {
    @Test("a seed replays to the same figures")
    func replay() {
        let scenario = Scenario(count: 20, lossPerMille: 300, quietSeconds: 30, dying: 2, seed: 7)
        let (one, two) = (scenario.run(QuellMember.self), scenario.run(QuellMember.self))
        #expect(one.row("x") == two.row("x") && one.bytesPerSecond > 0)
        let other = Scenario(count: 20, lossPerMille: 300, quietSeconds: 30, dying: 2, seed: 8)
        let third = other.run(QuellMember.self)
        #expect(third.row("x") != one.row("x"))
    }

    @Test("at rest: nobody is doubted, and two small packets a second")
    func rest() {
        let rest = Scenario(count: 20, quietSeconds: 30, dying: 2).run(QuellMember.self)
        #expect(rest.suspicionsPerNodeHour == 0 && rest.falseDeaths == 0)
        #expect(rest.packetsPerSecond < 2.2 && rest.bytesPerSecond < 75)
        #expect(rest.unaware == 0 && (rest.slowest ?? .max) < 15 * second)
        #expect((rest.last ?? .max) < second)
    }

    @Test("at 30 % loss each way: no false death, a tenth of the suspicions of memberlist's rules")
    func loss() {
        let scenario = Scenario(count: 20, lossPerMille: 300, quietSeconds: 200, dying: 1)
        let (ours, theirs) = (scenario.run(QuellMember.self), scenario.run(LanMember.self))
        #expect(ours.falseDeaths == 0 && ours.unaware == 0)
        #expect((ours.slowest ?? .max) < 20 * second)
        #expect(theirs.suspicionsPerNodeHour > 100, "the instrument sees false suspicions")
        #expect(ours.suspicionsPerNodeHour < theirs.suspicionsPerNodeHour / 10)
        #expect(ours.bytesPerSecond < theirs.bytesPerSecond / 3)
    }

    @Test("a deaf node that flips is called dead twice at most, and nobody else ever is")
    func flipFlop() {
        let scenario = Scenario(count: 20, isFlipping: true, quietSeconds: 260, dying: 0)
        let (ours, theirs) = (scenario.run(QuellMember.self), scenario.run(LanMember.self))
        #expect((1...2).contains(ours.deafDeaths) && ours.deafViews <= 4)
        #expect(ours.falseDeaths == 0)
        #expect(theirs.falseDeaths > 0, "the instrument sees false deaths")
    }

    @Test("sixty writing nodes prune their links to a tree, and mend it when a relay dies")
    func relays() throws {
        let rows = RelayCrowd.rows(60, seed: 3, seconds: 5)
        #expect(rows.allSatisfy { $0.unfinished == 0 && $0.links <= Limits.peersCount })
        let rest = try #require(rows.first)
        #expect(rest.copies < 1.1 && (rest.last ?? .max) < 200 * millisecond)
        let died = try #require(rows.first { $0.what == "one of eleven nodes dies, unnoticed" })
        #expect(died.grafts > 0 && died.copies < 1.5 && (died.last ?? .max) < second)
        let lossy = try #require(rows.first { $0.what == "30 % of segments lost" })
        #expect(lossy.grafts > rest.grafts && lossy.copies > rest.copies)
    }

    @Test("memberlist's formulas give the figures of its own comments and tests")
    func lanRules() {
        let suspicions = [5, 10, 50, 100, 500, 1_000].map(LanRules.suspicionNanos(members:))
        // util_test.go, TestSuspicionTimeout scaled to a multiplier of 4.
        #expect(
            suspicions.map { $0 / millisecond } == [4_000, 4_000, 6_792, 8_000, 10_792, 12_000]
        )
        let retransmits = [1, 9, 10, 99, 100, 999].map(LanRules.retransmits(members:))
        #expect(retransmits == [4, 4, 8, 8, 12, 12])
        let pushPulls = [32, 33, 64, 65, 128].map(LanRules.pushPullNanos(members:))
        #expect(pushPulls.map { $0 / second } == [30, 60, 60, 90, 90])
        let timeouts = (0...2).map {
            LanRules.timeoutNanos(confirmations: $0, wanted: 2, members: 10) / millisecond
        }
        #expect(timeouts == [24_000, 11_381, 4_000])
    }
}

// Disks that were put back from a copy, as stories of three voters: who finds it, and what it costs
// (Docs/decisions/0007-old-disks.md).

import Suppression
import Testing

@testable import Cluster

@Suite("Disks put back from a copy")
struct RestoredTests {
    @Test("a life that counts no higher than one before it is doubted, and bound again")
    func epochWentBack() throws {
        var cluster = trio()
        let copy = (cluster.members[1].log, cluster.members[1].notes)
        cluster.stop(1)
        cluster.start(1, counter: 2)
        cluster.cuts = [[0, 2], [2, 0]]
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 500)
        #expect(cluster.members[0].acknowledged == [Ticket(raw: 1)])
        cluster.stop(0)
        cluster.stop(1)
        cluster.start(1, counter: 2, random: 8, log: copy.0, notes: copy.1)
        cluster.run(millis: 2_000)
        #expect(cluster.members[1].core.isDoubted, "n3 told it")
        #expect(!cluster.mayAllow(1) && !cluster.mayAllow(2), "the write is on n1 alone")
        cluster.cuts = []
        cluster.start(0, counter: 2)
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [2], "it was bound again by itself")
        #expect(!cluster.members[1].core.isDoubted && cluster.members[1].core.isSeated)
        #expect(cluster.members[1].core.held.isSuperset(of: cluster.members[0].core.held))
        for n in 0..<3 { #expect(cluster.mayAllow(n)) }
    }

    @Test("a life that holds less than the one before it said is doubted")
    func heldLess() throws {
        var cluster = trio()
        // n3 hears that the others hold the write, and never gets it.
        cluster.drops = { _, to, message in
            switch message {
            case .changes, .page: to == 2
            default: false
            }
        }
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 500)
        let log = cluster.members[1].log.filter { $0.isNote }
        cluster.stop(1)
        cluster.stop(0)
        cluster.start(1, counter: 2, log: log)
        cluster.run(millis: 2_000)
        #expect(cluster.members[1].core.isDoubted)
        #expect(!cluster.mayAllow(1) && !cluster.mayAllow(2))
    }

    @Test("a doubted life that was never told so gets no lease either")
    func untold() throws {
        var cluster = trio()
        let copy = (cluster.members[1].log, cluster.members[1].notes)
        cluster.stop(1)
        cluster.start(1, counter: 2)
        cluster.run(millis: 500)
        cluster.stop(0)
        cluster.stop(1)
        cluster.drops = { _, _, message in
            if case .doubted = message { return true }
            return false
        }
        cluster.start(1, counter: 2, random: 8, log: copy.0, notes: copy.1)
        cluster.run(millis: 2_000)
        #expect(!cluster.members[1].core.isDoubted, "nobody told it")
        #expect(!cluster.mayAllow(1) && !cluster.mayAllow(2))
    }

    @Test("of a doubted life nothing counts as proof, and it votes on nothing")
    func doubted() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 2, restored: true)
        cluster.run(millis: 500)  // it has heard what both others hold
        cluster.stop(2)
        cluster.run(millis: 3_000)
        #expect(!cluster.mayAllow(0) && !cluster.mayAllow(1))
        #expect(cluster.generations() == [1], "one vote of three binds nobody")
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 300)
        #expect(cluster.members[0].acknowledged == [], "its receipts count for no slot")
        cluster.start(2, counter: 2)
        cluster.run(millis: 1_000)
        #expect(cluster.members[0].acknowledged == [Ticket(raw: 1)], "those of the third do")
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [2])
        for n in 0..<3 { #expect(cluster.mayAllow(n)) }
        #expect(cluster.members[1].notes[.doubt]?.bytes == [])
    }

    @Test("an old copy that has not heard so votes, and nobody who knows counts it")
    func unaware() throws {
        var cluster = trio(4, voters: 3)
        let copy = (cluster.members[1].log, cluster.members[1].notes)
        cluster.stop(1)
        cluster.start(1, counter: 2)
        cluster.run(millis: 1_000)
        cluster.stop(1)
        cluster.stop(2)
        cluster.drops = { _, to, message in
            if case .doubted = message { return to == 1 }
            return false
        }
        cluster.start(1, counter: 2, random: 8, log: copy.0, notes: copy.1)
        cluster.run(millis: 500)
        #expect(!cluster.members[1].core.isDoubted)
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 3_000)
        #expect(cluster.generations() == [1], "n1 alone is no majority")
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 500)
        #expect(cluster.members[1].core.isDoubted, "each question is answered with it")
    }

    @Test("an old copy that is a voter no more gets answers again, and may allow")
    func doubtedAndReplaced() throws {
        var cluster = trio(4, voters: 3)
        let copy = (cluster.members[2].log, cluster.members[2].notes)
        cluster.stop(2)
        cluster.start(2, counter: 2)
        cluster.run(millis: 1_000)
        cluster.stop(2)
        cluster.start(2, counter: 2, random: 8, log: copy.0, notes: copy.1)
        #expect(cluster.members[2].core.isDoubted)
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [3], "joint, then settled")
        #expect(cluster.members[2].core.ownSlot == nil && cluster.mayAllow(2))
    }

    /// n3 has not heard that the voters went on to n1, n2, n4; of n2 there is a copy that has not
    /// either, and it hears nobody but n3.
    private func forgotten(_ restored: Bool) throws -> Assembly {
        var cluster = trio(4, voters: 3)
        let copy = cluster.members[1]
        cluster.stop(1)
        cluster.start(1, counter: 2)
        cluster.run(millis: 500)
        cluster.cuts = [[0, 2], [2, 0], [1, 2], [2, 1], [3, 2], [2, 3]]
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [1, 3])
        cluster.cuts = [[0, 2], [2, 0], [3, 2], [2, 3], [0, 1], [1, 0], [3, 1], [1, 3]]
        cluster.stop(1)
        cluster.members[1].voters = copy.voters
        let (log, notes) = (copy.log, copy.notes)
        cluster.start(1, counter: 2, random: 8, log: log, notes: notes, restored: restored)
        cluster.run(millis: 500)
        return cluster
    }

    @Test(
        "an old copy brings no generation back to life that it has forgotten",
        arguments: [false, true]
    )
    func revives(restored: Bool) throws {
        var cluster = try forgotten(restored)
        cluster.write(2, 2, optOut(1))
        cluster.write(1, 3, optOut(2))
        cluster.run(millis: 1_500)
        #expect(cluster.generations() == [1, 3])
        #expect(cluster.mayAllow(0), "n1 and n4 vouch for generation 3, and have not heard of it")
        #expect(cluster.members[2].acknowledged == [] && cluster.members[1].acknowledged == [])
        cluster.cuts = []
        cluster.run(millis: 8_000)
        #expect(cluster.holdsEverywhere(cluster.members[2].core.held))
        #expect(cluster.generations().count == 1 && !cluster.members[1].core.isDoubted)
        for n in 0..<4 { #expect(cluster.mayAllow(n)) }
    }

    @Test("a life that the generation in force binds as it is cannot be doubted")
    func boundAsItIs() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 2, restored: true)
        cluster.run(millis: 4_000)
        #expect(cluster.generations() == [2] && cluster.members[1].core.isSeated)
        let life = cluster.members[1].own
        cluster.step(1, .received(from: cluster.members[2].own.node, .doubted(life)))
        #expect(!cluster.members[1].core.isDoubted && cluster.members[1].core.isSeated)
    }

    @Test("an honest restart is no copy")
    func honest() throws {
        var cluster = trio()
        for n in 1...5 { cluster.write(1, UInt64(n), optOut(UInt64(n))) }
        cluster.run(millis: 300)
        for counter in 2...4 as ClosedRange<UInt32> {
            cluster.stop(1)
            cluster.start(1, counter: counter)
            cluster.run(millis: 1_000)
            #expect(!cluster.members[1].core.isDoubted)
            for n in 0..<3 { #expect(cluster.mayAllow(n)) }
        }
        #expect(cluster.generations() == [1])
    }
}

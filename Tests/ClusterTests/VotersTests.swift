// Changing the voters, as stories of a few nodes: what is chosen, who must catch up, whose word
// counts meanwhile (DESIGN 6).

import Suppression
import Testing

@testable import Cluster

@Suite("Changing the voters")
struct VotersTests {
    @Test("a generation whose register nobody holds is said again to who has not heard")
    func saidAgain() throws {
        var cluster = Assembly(3, voters: 3)
        cluster.run(millis: 1_000)
        cluster.stop(2)
        // n2 has it from a page of n3's, whose disk is gone before the write was held elsewhere.
        let next = try cluster.members[1].core.votersInForce.rebound(
            2,
            to: Candidate(name: "n3", origin: Assembly.life(2, 1, node: 9), zone: "z3")
        )
        cluster.members[1].voters = next
        cluster.step(1, .voters(next))
        #expect(cluster.members[0].core.held == cluster.members[1].core.held)
        cluster.run(millis: 1_500)
        #expect(!cluster.mayAllow(0) && !cluster.mayAllow(1), "neither generation has a majority")
        cluster.run(millis: 8_000)
        #expect(cluster.members[0].core.votersInForce == next)
        #expect(cluster.mayAllow(0) && cluster.mayAllow(1))
        let writes = cluster.members.map { $0.log.count }
        cluster.run(millis: 8_000)
        #expect(cluster.members.map { $0.log.count } == writes, "once is enough")
    }

    @Test("a wiped voter counts for nothing until a generation binds it and it has caught up")
    func replace() throws {
        var cluster = trio()
        cluster.cuts = [[0, 2], [2, 0]]
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 300)
        #expect(cluster.members[0].acknowledged.contains(Ticket(raw: 1)), "on n1 and n2")
        let before = cluster.members[0].core.held
        cluster.cuts = []
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.run(millis: 1_000)
        #expect(!cluster.members[1].core.isSeated)
        #expect(cluster.members[1].core.votersInForce.generation == 0, "no register lay in a log")
        // The registers of the first generation are in no log here, so it is told of the next.
        try cluster.change(0, 2, .replace(slot: "n2", by: "n2"))
        cluster.run(millis: 3_000)
        #expect(cluster.members[0].acknowledged.contains(Ticket(raw: 2)))
        #expect(cluster.generations() == [2])
        #expect(cluster.members[1].core.isSeated)
        #expect(cluster.members[1].core.held.isSuperset(of: before))
        for n in 0..<3 { #expect(cluster.mayAllow(n)) }
    }

    @Test("a learner gives no confirmation while one of the others is away")
    func learnerNeedsBoth() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.run(millis: 500)
        cluster.cuts = [[2, 1], [1, 2]]
        try cluster.change(0, 2, .replace(slot: "n2", by: "n2"))
        cluster.run(millis: 3_000)
        #expect(cluster.generations() == [2])
        #expect(!cluster.members[1].core.isSeated, "n3 has not told it what it holds")
        #expect(!cluster.members[0].core.hasConfirmed(slot: 1))
        cluster.cuts = []
        cluster.run(millis: 2_000)
        #expect(cluster.members[1].core.isSeated)
    }

    @Test("what a voter says under the generation before tells a learner nothing")
    func fence() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.run(millis: 500)
        // n3 votes, and does not hear what was chosen: a receipt of the old n2 would still count.
        cluster.drops = { _, to, message in
            switch message {
            case .changes, .page: to == 2
            default: false
            }
        }
        try cluster.change(0, 1, .replace(slot: "n2", by: "n2"))
        cluster.run(millis: 3_000)
        #expect(cluster.members[1].core.votersInForce.generation == 2)
        #expect(cluster.members[2].core.votersInForce.generation == 1)
        #expect(!cluster.members[1].core.isSeated)
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 3_000)
        #expect(cluster.members[1].core.isSeated)
    }

    @Test("a node that finds its state damaged vouches for nothing until it is repaired")
    func damaged() {
        var cluster = trio()
        #expect(cluster.mayAllow(0))
        cluster.step(0, .damaged)
        #expect(!cluster.mayAllow(0), "at once")
        cluster.run(millis: 1_500)
        #expect(!cluster.mayAllow(0) && !cluster.members[0].core.isSeated)
        cluster.stop(1)
        cluster.run(millis: 2_000)
        #expect(!cluster.mayAllow(2), "n1 confirms nothing, n2 is away")
        cluster.step(0, .repaired)
        cluster.run(millis: 1_000)
        #expect(cluster.mayAllow(0) && cluster.mayAllow(2))
    }

    @Test("a learner that ends before it has caught up begins again, and a seated one does not")
    func learnerRestarts() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.run(millis: 500)
        cluster.cuts = [[2, 1], [1, 2]]
        try cluster.change(0, 2, .replace(slot: "n2", by: "n2"))
        cluster.run(millis: 2_000)
        cluster.stop(1)
        cluster.start(1, counter: 2)
        cluster.run(millis: 1_000)
        #expect(!cluster.members[1].core.isSeated)
        cluster.cuts = []
        cluster.run(millis: 2_000)
        #expect(cluster.members[1].core.isSeated)
        cluster.stop(1)
        cluster.start(1, counter: 3)
        #expect(cluster.members[1].core.isSeated, "its seat is on its disk")
    }

    @Test("two commands at once: one generation, and the other caller is told")
    func conflict() throws {
        var cluster = trio(5, voters: 3)
        // Both are under way before either hears of the other.
        cluster.drops = { _, _, _ in true }
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        try cluster.change(1, 2, .replace(slot: "n3", by: "n5"))
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [3], "joint, then settled")
        let sets = Set(cluster.members.map { $0.core.votersInForce.slots[2].name })
        #expect(sets.count == 1, "everybody has the same")
        let yes = cluster.members.flatMap(\.acknowledged)
        let no = cluster.members.flatMap { $0.refused.map(\.ticket) }
        #expect(Set(yes + no) == [Ticket(raw: 1), Ticket(raw: 2)])
        #expect(yes.count == 1 && no.count == 1)
    }

    @Test("a change needs a majority, and says so when there is none")
    func noMajority() throws {
        var cluster = trio(4, voters: 3)
        cluster.stop(1)
        cluster.stop(2)
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 8_000)
        #expect(cluster.generations() == [1])
        #expect(cluster.members[0].refused.map(\.why) == [.notChosen])
    }

    @Test(
        "a live voter is replaced through a joint generation: those who have not heard still count"
    )
    func replaceLive() throws {
        var cluster = trio(4, voters: 3)
        // n2 votes and hears no more; with n3 it holds a lease of the first generation.
        cluster.drops = { from, to, message in
            switch message {
            case .changes, .page: to == 1 || to == 2
            default: false
            }
        }
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 500)
        #expect(cluster.members[0].core.votersInForce.isJoint)
        #expect(cluster.members[3].core.votersInForce.isJoint)
        cluster.write(0, 2, optOut(1))
        cluster.run(millis: 1_000)
        #expect(cluster.generations() == [1, 2] && cluster.mayAllow(1) && cluster.mayAllow(2))
        #expect(cluster.members[0].acknowledged.isEmpty, "n1 and n4 alone acknowledge nothing")
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 8_000)
        #expect(cluster.generations() == [3])
        for n in 0..<4 { #expect(cluster.mayAllow(n)) }
    }

    @Test("a generation is in force on a node once its own log has it, whoever has it before")
    func adoptsFromItsLog() throws {
        var cluster = trio(4, voters: 3)
        cluster.stalled = [0]
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 500)
        #expect(cluster.members[0].acknowledged == [Ticket(raw: 1)], "n2 and n3 have it")
        #expect(cluster.members[1].core.votersInForce.generation == 2)
        #expect(cluster.members[0].core.votersInForce.generation == 1, "a crash would forget it")
        cluster.stalled = []
        cluster.run(millis: 200)
        #expect(cluster.members[0].core.votersInForce.generation >= 2)
    }

    @Test("no second slot begins anew while the first has not caught up")
    func unready() throws {
        var cluster = trio(4, voters: 3)
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.cuts = [[2, 1], [1, 2]]
        try cluster.change(0, 1, .replace(slot: "n2", by: "n2"))
        cluster.run(millis: 2_000)
        cluster.stop(2)
        cluster.start(2, counter: 1, node: 98, log: [], notes: [:])
        try cluster.change(0, 2, .replace(slot: "n3", by: "n3"))
        cluster.run(millis: 1_000)
        #expect(cluster.members[0].core.votersInForce.generation == 2)
        #expect(cluster.members[0].refused.map(\.why) == [.unready])
    }

    @Test("what was accepted and never written is finished by whoever accepted it")
    func finished() throws {
        var cluster = trio(4, voters: 3)
        // n1 hears no vote and dies.
        cluster.drops = { from, to, message in
            if case .accepted = message { return to == 0 }
            return false
        }
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 300)
        cluster.stop(0)
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [2], "joint, until n1 has caught up")
        cluster.start(0, counter: 2)
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [3])
        #expect(cluster.members[1].core.votersInForce.slots[2].name == "n4")
    }

    @Test("what a majority has accepted is what the next proposer must propose")
    func adoptsAccepted() throws {
        var cluster = trio(5, voters: 3)
        // n1 and n2 vote for n4, which decides it, and n1 never learns that.
        cluster.drops = { from, to, message in
            if case .accepted = message { return to == 0 }
            return from == 2 || to == 2
        }
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 300)
        cluster.stop(0)
        cluster.drops = { _, _, _ in false }
        try cluster.change(2, 2, .replace(slot: "n3", by: "n5"))
        cluster.run(millis: 6_000)
        let names = cluster.members[1].core.votersInForce.slots.map(\.name)
        #expect(names.contains("n4") && !names.contains("n5"))
        #expect(cluster.members[2].refused.map(\.why) == [.superseded])
    }

    @Test("a vote is on the disk before it is said, and a restart keeps it")
    func votesPersist() throws {
        var cluster = trio(4, voters: 3)
        cluster.drops = { _, _, message in
            if case .accepted = message { return true }
            return false
        }
        try cluster.change(0, 1, .replace(slot: "n3", by: "n4"))
        cluster.run(millis: 300)
        let note = try #require(cluster.members[1].notes[.ballot])
        let acceptor = try Acceptor(decoding: note.bytes.span)
        #expect(acceptor.accepted?.voters.generation == 2)
        cluster.stop(1)
        cluster.start(1, counter: 2)
        #expect(cluster.members[1].core.choosing.acceptor == acceptor)
    }

    @Test("three become five, and five three, with a lease all the while after a moment")
    func joint() throws {
        var cluster = trio(5, voters: 3)
        for n in 1...20 { cluster.write(Int(n % 3), UInt64(n), optOut(UInt64(n))) }
        cluster.run(millis: 500)
        try cluster.change(3, 100, .add(["n4", "n5"]))
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [3], "joint, then five")
        #expect(!cluster.members[0].core.votersInForce.isJoint)
        #expect(cluster.members[0].core.votersInForce.slots.count == 5)
        for n in 0..<5 { #expect(cluster.members[n].core.isSeated && cluster.mayAllow(n)) }
        try cluster.change(4, 101, .remove(["n1", "n2"]))
        cluster.run(millis: 6_000)
        #expect(cluster.generations() == [5])
        let names = cluster.members[0].core.votersInForce.slots.map(\.name)
        #expect(names == ["n3", "n4", "n5"])
        for n in 0..<5 { #expect(cluster.mayAllow(n), "also nodes that are no voters any more") }
    }

    @Test("a joint generation goes on while an added member lacks what the others hold")
    func jointWaits() throws {
        var cluster = trio(5, voters: 3)
        cluster.cuts = [[0, 4], [4, 0], [1, 4], [4, 1]]
        try cluster.change(0, 100, .add(["n4", "n5"]))
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [2])
        #expect(cluster.members[0].core.votersInForce.isJoint)
        #expect(cluster.members[3].core.isSeated)
        #expect(!cluster.members[4].core.isSeated, "only n3 and n4 told it what they hold")
        cluster.cuts = []
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [3])
    }

    @Test("a joint generation goes on while a member that stays lacks what the others hold")
    func removalWaits() throws {
        var cluster = trio(5, voters: 5)
        // The opt-out reaches n1, n2 and n3; of those that stay, n4 and n5 lack it.
        cluster.drops = { _, to, message in
            switch message {
            case .page: to >= 3
            case .changes(let changes): to >= 3 && changes.contains { $0.register == nil }
            default: false
            }
        }
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 300)
        #expect(cluster.members[0].acknowledged == [Ticket(raw: 1)])
        try cluster.change(0, 2, .remove(["n1", "n2"]))
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [2], "n4 and n5 alone would be a majority without it")
        cluster.drops = { _, _, _ in false }
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [3])
        #expect(cluster.holdsEverywhere(cluster.members[0].core.held))
    }

    @Test("one may become three")
    func oneToThree() throws {
        var cluster = trio(3, voters: 1)
        cluster.write(0, 1, optOut(1))
        cluster.run(millis: 300)
        try cluster.change(0, 2, .add(["n2", "n3"]))
        cluster.run(millis: 5_000)
        #expect(cluster.generations() == [3])
        for n in 0..<3 { #expect(cluster.members[n].core.isSeated && cluster.mayAllow(n)) }
    }

    @Test("a wiped voter takes no slot but the one of its name: two of one name cannot be read")
    func twoOfOneName() throws {
        var cluster = trio()
        cluster.stop(1)
        cluster.start(1, counter: 1, node: 99, log: [], notes: [:])
        cluster.run(millis: 500)
        let voters = cluster.members[0].core.votersInForce
        let all = cluster.candidates
        #expect(throws: VoterChangeError.bound("n2")) {
            try voters.changed(.replace(slot: "n3", by: "n2"), among: all)
        }
        let next = try voters.changed(.replace(slot: "n2", by: "n2"), among: all)
        var bytes: [UInt8] = []
        next.encode(into: &bytes)
        var cursor = ByteCursor()
        #expect(try VoterSet(bytes.span, at: &cursor) == next)
    }

    @Test("what cannot be is refused with the reason")
    func refusals() throws {
        let cluster = trio(4, voters: 3)
        let voters = cluster.members[0].core.votersInForce
        let all = cluster.candidates
        #expect(throws: VoterChangeError.noSlot("x")) {
            try voters.changed(.replace(slot: "x", by: "n4"), among: all)
        }
        #expect(throws: VoterChangeError.noNode("x")) {
            try voters.changed(.replace(slot: "n1", by: "x"), among: all)
        }
        #expect(throws: VoterChangeError.bound("n2")) {
            try voters.changed(.replace(slot: "n1", by: "n2"), among: all)
        }
        #expect(throws: VoterChangeError.size(4)) {
            try voters.changed(.add(["n4"]), among: all)
        }
        #expect(throws: VoterChangeError.size(2)) {
            try voters.changed(.remove(["n1"]), among: all)
        }
        #expect(throws: VoterChangeError.nothing) { try voters.changed(.add([]), among: all) }
        #expect(throws: VoterChangeError.bound("n1")) {
            try voters.changed(.add(["n1", "n4"]), among: all)
        }
    }
}

// Stories of versions on trial: begun, widened, promoted, taken back by votes; and of two
// activations at once.

import Suppression
import Testing

@testable import Cluster

@Suite("Rollout: versions on trial, and votes against a version")
struct RolloutTrialTests {
    /// Version 1 serves, version 2 is published and ready everywhere.
    private func served(_ nodes: Int = 3) -> RolloutStory {
        var story = RolloutStory.linked(nodes)
        story.publish(1, at: 1)
        story.ask(1, at: 1)
        story.lease()
        story.publish(2, at: 1)
        return story
    }

    private func onTrial(_ kind: Trial.Kind = .canary) -> RolloutStory {
        var story = served()
        story.request(RolloutStory.trial(kind, 2), at: 1)
        story.lease()
        return story
    }

    @Test("a canary stands beside what serves, on every node, and is promoted")
    func canary() {
        var story = onTrial()
        for site in story.sites { #expect(site.activated.last == "greet 1 +2 g2") }
        story.request(RolloutStory.trial(.canary, 2, percent: 50), at: 2)
        story.lease()
        #expect(story.registers["greet"]?.activation.trial?.percent == 50)
        story.request(.serve(RolloutStory.digest(2)), at: 3)
        story.lease()
        for site in story.sites { #expect(site.activated.last == "greet 2 g4") }
        #expect(story.registers["greet"]?.activation.previous == RolloutStory.digest(1))
    }

    @Test("ending a trial leaves what serves")
    func ended() {
        var story = onTrial()
        story.request(.endTrial, at: 1)
        story.lease()
        for site in story.sites { #expect(site.activated.last == "greet 1 g3") }
    }

    @Test("where the canary cannot be prepared, what serves goes on alone, and the canary follows")
    func unprepared() {
        var story = RolloutStory(4)
        for (a, b) in [(1, 2), (1, 3), (2, 3)] { story.link(a, b) }
        for n in [1, 2] as [UInt8] { story.publish(n, at: 1) }
        story.ask(1, at: 1)
        story.lease()
        story.request(RolloutStory.trial(.canary, 2), at: 1)
        story.lease()
        story.broken[RolloutStory.digest(2)] = "no room"
        story.link(4, 1)
        story.show(4)
        story.lease()
        #expect(story.sites[3].activated.last == "greet 1 g2")
        story.broken = [:]
        story.step(4, .trusted)
        #expect(story.sites[3].activated.last == "greet 1 +2 g2")
    }

    @Test("a canary is kept whatever its age, and fetched by who comes late")
    func kept() {
        var story = RolloutStory(4)
        for (a, b) in [(1, 2), (1, 3), (2, 3)] { story.link(a, b) }
        for n in [1, 2] as [UInt8] { story.publish(n, at: 1) }
        story.ask(1, at: 1)
        story.lease()
        story.request(RolloutStory.trial(.canary, 2), at: 1)
        story.lease()
        for n in 3...9 as ClosedRange<UInt8> { story.publish(n, at: 1) }
        story.show(4)
        story.link(4, 1)
        story.lease()
        #expect(story.sites[3].activated.last == "greet 1 +2 g2")
        for site in story.sites {
            #expect(site.machine.notices.map { $0.digest.bytes[0] }.sorted() == [1, 2, 7, 8, 9])
        }
    }

    @Test("voters that cannot run a version do not vote for it")
    func unready() {
        var story = RolloutStory.linked(3)
        story.preparesAtOnce = false
        story.publish(1, at: 1)
        story.step(1, .prepared(RolloutStory.digest(1), failure: nil))
        story.ask(1, at: 1)
        story.pass(2_200)
        #expect(story.sites[0].refusals == [.noMajority])
        #expect(story.registers.isEmpty)
    }

    @Test("a majority of voters takes a broken canary back; one voter and two edge nodes do not")
    func reverted() {
        var story = RolloutStory.linked(5)
        for n in [1, 2] as [UInt8] { story.publish(n, at: 1) }
        story.ask(1, at: 1)
        story.lease()
        story.request(RolloutStory.trial(.canary, 2), at: 1)
        story.lease()
        story.breaks(2, at: 3, 4, 5, generation: 2)
        story.pass(5_000)
        #expect(story.registers["greet"]?.generation == 2)
        story.breaks(2, at: 2, generation: 2)
        #expect(story.registers["greet"]?.generation == 3)
        let revert = story.registers["greet"]?.activation.revert
        #expect(revert?.digest == RolloutStory.digest(2))
        #expect(revert?.votes.map(\.voter.raw) == [2, 3])
        #expect(revert?.votes.map(\.failed) == [3, 3])
        story.lease()
        for site in story.sites { #expect(site.activated.last == "greet 1 g3") }
        #expect(story.recordsCount == 3)
    }

    @Test("the second voter writes the revert when the first does not come to it")
    func silentVoter() {
        var story = onTrial()
        story.breaks(2, at: 1, 2, generation: 2)
        #expect(story.sites[0].reverts == 1)
        // The same, and the register of the first never reaches anybody.
        story = onTrial()
        story.showsAtOnce = false
        story.breaks(2, at: 1, 2, generation: 2)
        #expect(story.sites.map(\.reverts) == [1, 0, 0])
        story.pass(1_200)
        #expect(story.sites.map(\.reverts) == [1, 1, 0])
        // And not again and again.
        story.pass(2_000)
        #expect(story.sites.map(\.reverts) == [1, 1, 0])
    }

    @Test("a version that has just begun to serve goes back to the one before, and no further")
    func fresh() {
        var story = served()
        story.ask(2, at: 1)
        story.lease()
        story.breaks(2, at: 1, 3, generation: 2)
        story.lease()
        for site in story.sites { #expect(site.activated.last == "greet 1 g3") }
        #expect(story.registers["greet"]?.activation.previous == nil)
        story.breaks(1, at: 1, 3, generation: 3)
        story.pass(5_000)
        #expect(story.registers["greet"]?.generation == 3)
    }

    @Test("what has served for ten minutes, and a first version, are an operator's to judge")
    func notFresh() {
        var story = served()
        story.breaks(1, at: 1, 2, generation: 1)
        story.pass(5_000)
        #expect(story.registers["greet"]?.generation == 1)
        story.ask(2, at: 1)
        story.lease()
        story.now += Limits.freshNanos
        story.breaks(2, at: 1, 2, generation: 2)
        story.pass(5_000)
        #expect(story.registers["greet"]?.generation == 2)
    }

    @Test("a vote of another generation does not count, and one that came early does")
    func generations() {
        var story = onTrial()
        story.breaks(2, at: 1, 2, generation: 1)
        #expect(story.registers["greet"]?.generation == 2)
        story.showsAtOnce = false
        story.request(RolloutStory.trial(.canary, 2, percent: 50), at: 1)
        // Nodes 2 and 3 see generation 3 before node 1 does.
        story.show(2)
        story.show(3)
        story.lease()
        story.breaks(2, at: 2, 1, generation: 3)
        #expect(story.registers["greet"]?.generation == 3)
        story.show(1)
        story.lease()
        story.showsAtOnce = true
        story.pass(1_200)
        #expect(story.registers["greet"]?.generation == 4)
    }

    @Test("a voter that starts again does not take its vote back with it")
    func restartedVoter() {
        var story = onTrial()
        story.breaks(2, at: 3, generation: 2)
        story.isolate(3)
        story.link(1, 3)
        story.link(2, 3)
        // What is no news waits for its second.
        story.pass(1_100)
        story.sees(2, at: 3, generation: 2)
        story.breaks(2, at: 1, generation: 2)
        #expect(story.registers["greet"]?.activation.revert?.votes.map(\.voter.raw) == [1, 3])
    }

    @Test("a shadow that allows what the active version denies, on any node, is not promoted")
    func shadow() {
        var story = onTrial(.shadow)
        for site in story.sites { #expect(site.activated.last == "greet 1 +2 g2") }
        story.sees(2, at: 3, loosened: 4, generation: 2)
        story.request(.serve(RolloutStory.digest(2)), at: 1)
        #expect(story.sites[0].refusals == [.loosens(4)])
        #expect(story.registers["greet"]?.generation == 2)
        // Another version is not held back, nor is the end of the trial.
        story.request(.endTrial, at: 1)
        #expect(story.registers["greet"]?.generation == 3)
    }

    @Test("a shadow without such an answer is promoted")
    func tightShadow() {
        var story = onTrial(.shadow)
        story.sees(2, at: 3, generation: 2)
        story.request(.serve(RolloutStory.digest(2)), at: 1)
        story.lease()
        for site in story.sites { #expect(site.activated.last == "greet 2 g3") }
    }

    // MARK: two at once

    @Test("of two activations at once on two nodes one is written, and the other hears so")
    func race() {
        var story = served()
        story.publish(3, at: 1)
        story.showsAtOnce = false
        story.step(1, .asked(ticket: 1, name: "greet", .serve(RolloutStory.digest(2))))
        story.step(2, .asked(ticket: 2, name: "greet", .serve(RolloutStory.digest(3))))
        story.deliver()
        #expect(story.recordsCount == 2)
        #expect(story.sites[0].refusals.isEmpty)
        #expect(story.sites[1].refusals == [.raced])
        #expect(story.registers["greet"]?.activation.digest == RolloutStory.digest(2))
    }

    @Test("two askers on one node are two askers")
    func raceOnOneNode() {
        var story = served()
        story.publish(3, at: 1)
        story.showsAtOnce = false
        for n in [2, 3] as [UInt8] {
            story.step(1, .asked(ticket: UInt64(n), name: "greet", .serve(RolloutStory.digest(n))))
        }
        story.deliver()
        #expect(story.recordsCount == 2)
        #expect(story.sites[0].refusals == [.raced])
    }

    @Test("who has not seen the newest register is told so instead of writing over it")
    func behind() {
        var story = served()
        story.showsAtOnce = false
        story.ask(2, at: 1)
        for n in [1, 3] { story.show(n) }
        // Node 2 has promised its vote too, and asks as if nothing had been.
        story.pass(5_000)
        story.ask(1, at: 2)
        #expect(story.sites[1].refusals == [.raced])
        #expect(story.registers["greet"]?.activation.digest == RolloutStory.digest(2))
    }

    @Test("a vote that was given is free again after four seconds, or with the register")
    func freed() {
        var story = served()
        story.showsAtOnce = false
        story.isolate(3)
        // A poll that comes to nothing: node 2 has given its vote, and node 1 never hears it.
        story.step(1, .asked(ticket: 1, name: "greet", .serve(RolloutStory.digest(2))))
        let question = story.mail.removeFirst()
        story.step(question.to, .received(NodeID(raw: 1), question.message))
        story.mail.removeAll()
        story.ask(2, at: 2)
        #expect(story.sites[1].refusals == [.raced])
        story.pass(4_200)
        #expect(story.sites[0].refusals == [.noMajority])
        story.ask(2, at: 2)
        #expect(story.recordsCount == 2)
    }

    @Test("votes that come after the poll's end are none")
    func lateVotes() {
        var story = served()
        story.step(1, .asked(ticket: 1, name: "greet", .serve(RolloutStory.digest(2))))
        story.now += Limits.pollNanos
        story.deliver()
        #expect(story.registers["greet"]?.generation == 1)
    }

    // MARK: bytes

    @Test("a register without trial has the bytes that it always had, and reads back with one")
    func registerBytes() throws {
        let trial = try #require(Trial(.canary, percent: 10, RolloutStory.digest(2)))
        let vote = FaultVote(voter: NodeID(raw: 7), cause: 3, failed: 4, calls: 5)
        let revert = Revert(digest: RolloutStory.digest(3), votes: [vote])
        let digest = RolloutStory.digest(1)
        let plain = Activation(name: "greet", digest: digest, previous: nil)
        #expect(Setting.function(plain).value.count == 2 + 5 + 2 + 32 + 2)
        for (trial, revert) in [(trial, nil), (nil, revert), (trial, revert)]
            as [(Trial?, Revert?)]
        {
            let whole = Activation(
                name: "greet",
                digest: digest,
                previous: nil,
                trial: trial,
                revert: revert
            )
            let value = Setting.function(whole).value
            #expect(try read(value) == whole)
            // An earlier release stops after what it knows.
            #expect(Array(value.prefix(43)) == Setting.function(plain).value)
            for count in 44..<value.count {
                #expect(throws: DecodeError.self) { try read(Array(value.prefix(count))) }
            }
        }
        // A kind of a later release is no trial.
        let later = Setting.function(plain).value + [9, 1, 2, 3]
        #expect(try read(later) == plain)
    }

    private func read(_ value: [UInt8]) throws -> Activation? {
        let register = Register(
            name: Array("function/greet".utf8),
            generation: 1,
            final: false,
            value: value,
            author: [],
            signature: []
        )
        guard case .function(let activation) = try Setting(register) else { return nil }
        return activation
    }
}

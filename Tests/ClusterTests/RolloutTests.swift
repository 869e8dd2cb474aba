// Stories of deploys: an artifact reaches every node, a version serves when a majority would run
// it, and nobody serves on the word of a minority.

import Suppression
import Testing

@testable import Cluster

@Suite("Rollout: versions of functions on their way to every node")
struct RolloutTests {
    @Test("published to one node, ready on all, active on all after one lease")
    func deploy() {
        var story = RolloutStory.linked(5)
        story.publish(7, at: 4)
        for site in 1...5 { #expect(story.state(7, at: site) == .ready) }
        story.ask(7, at: 2)
        #expect(story.sites.allSatisfy { $0.activated.isEmpty })
        story.lease()
        for site in story.sites { #expect(site.activated == ["greet 7 g1"]) }
    }

    @Test("an artifact of 300 KB comes in pieces of 64 KiB, in order")
    func pieces() {
        var story = RolloutStory.linked(2, voters: 1)
        story.publish(7, at: 1, bytes: 300_000)
        #expect(story.sites[1].files[RolloutStory.digest(7)]?.count == 300_000)
        #expect(story.state(7, at: 2) == .ready)
    }

    @Test("what cannot be prepared is never activated, and every node hears why")
    func broken() {
        var story = RolloutStory.linked(3)
        story.broken[RolloutStory.digest(7)] = "imports quell1.clock, which no capability gives"
        story.publish(7, at: 1)
        story.ask(7, at: 1)
        #expect(story.sites[0].refusals == [.notReady])
        #expect(story.registers.isEmpty)
        let told = story.sites[2].machine.notice(of: RolloutStory.digest(7), by: NodeID(raw: 1))
        #expect(told?.state == .failed("imports quell1.clock, which no capability gives"))
    }

    @Test("a minority refuses to activate, and keeps what served")
    func minority() {
        var story = RolloutStory.linked(3)
        story.publish(1, at: 1)
        story.ask(1, at: 1)
        story.lease()
        story.publish(2, at: 1)
        story.isolate(3)
        story.ask(2, at: 3)
        story.pass(2_200)
        #expect(story.sites[2].refusals == [.noMajority])
        #expect(story.registers["greet"]?.generation == 1)
        #expect(story.sites[2].machine.runs("greet")?.digest == RolloutStory.digest(1))
    }

    @Test("a register that a minority's own log shows does not serve without a later lease")
    func unconfirmed() {
        var story = RolloutStory.linked(3)
        story.publish(1, at: 1)
        story.ask(1, at: 1)
        story.lease()
        story.publish(2, at: 1)
        // Written in the very moment of the cut: only this node has it, and no lease comes.
        story.isolate(3)
        let activation = Activation(
            name: "greet",
            digest: RolloutStory.digest(2),
            previous: RolloutStory.digest(1)
        )
        story.step(3, .registered(activation, generation: 2))
        story.pass(60_000)
        #expect(story.sites[2].machine.runs("greet")?.generation == 1)
        story.step(3, .vouched(asOfNanos: story.now - 60_000_000_000))
        #expect(story.sites[2].machine.runs("greet")?.generation == 1)
        story.step(3, .vouched(asOfNanos: story.now + 1))
        #expect(story.sites[2].machine.runs("greet")?.generation == 2)
    }

    @Test("a majority goes on without the third, which follows when it is back")
    func healed() {
        var story = RolloutStory.linked(3)
        story.isolate(3)
        story.publish(7, at: 1)
        story.ask(7, at: 1)
        story.lease()
        #expect(story.sites[0].activated == ["greet 7 g1"])
        #expect(story.sites[2].activated.isEmpty)
        story.link(1, 3)
        story.show(3)
        story.lease()
        #expect(story.sites[2].activated == ["greet 7 g1"])
    }

    @Test("a late joiner lacks what serves until it has fetched it, and says so once")
    func joiner() {
        var story = RolloutStory(4)
        for (a, b) in [(1, 2), (1, 3), (2, 3)] { story.link(a, b) }
        story.publish(7, at: 1)
        story.ask(7, at: 1)
        story.lease()
        story.preparesAtOnce = false
        story.link(4, 1)
        story.show(4)
        story.lease()
        #expect(story.sites[3].lacks == ["greet"])
        #expect(story.sites[3].machine.lacks("greet"))
        story.step(4, .prepared(RolloutStory.digest(7), failure: nil))
        #expect(story.sites[3].activated == ["greet 7 g1"])
        #expect(!story.sites[3].machine.lacks("greet"))
    }

    @Test("a node that starts again serves at once what it served, with nobody to ask")
    func restarted() {
        let set = VoterSet(generation: 0, slots: [])
        let served = RunningVersion(generation: 3, digest: RolloutStory.digest(7))
        let machine = Rollout(own: NodeID(raw: 1), voters: set, running: ["greet": served])
        #expect(machine.runs("greet") == served)
    }

    @Test("rolling back names the version before, and compiles nothing")
    func rollback() {
        var story = RolloutStory.linked(3)
        for n in [1, 2] as [UInt8] {
            story.publish(n, at: 1)
            story.ask(n, at: 1)
            story.lease()
        }
        let prepares = story.sites.map(\.prepares)
        story.ask(1, at: 2)
        story.lease()
        #expect(story.sites.map(\.prepares) == prepares)
        for site in story.sites { #expect(site.activated.last == "greet 1 g3") }
    }

    @Test("back to what the node came with is an activation like any")
    func builtIn() {
        var story = RolloutStory.linked(3)
        story.publish(7, "check", at: 1)
        story.ask(7, "check", at: 1)
        story.lease()
        story.ask(nil, "check", at: 1)
        story.lease()
        for site in story.sites { #expect(site.activated.last == "check built-in g2") }
    }

    @Test("three versions of a function stay, and the one that serves whatever its age")
    func forgotten() {
        var story = RolloutStory.linked(3)
        story.publish(1, at: 1)
        story.ask(1, at: 1)
        story.lease()
        for n in 2...9 as ClosedRange<UInt8> { story.publish(n, at: 1) }
        for site in story.sites {
            let kept = site.machine.notices.map { $0.digest.bytes[0] }.sorted()
            #expect(kept == [1, 7, 8, 9])
            #expect(Set(site.files.keys.map { $0.bytes[0] }) == [1, 7, 8, 9])
        }
    }

    @Test("who sends another's bytes under a digest is passed over for the next")
    func liar() {
        var story = RolloutStory(3)
        story.link(1, 2)
        story.publish(7, at: 1)
        story.liars = [1]
        story.link(1, 3)
        #expect(story.state(7, at: 3) == nil)
        story.link(2, 3)
        #expect(story.state(7, at: 3) == .ready)
        #expect(story.messagesCount < 200)
    }

    @Test("a donor that falls silent is passed over after two seconds, and asked again after five")
    func silent() {
        var story = RolloutStory(2, voters: 1)
        story.link(1, 2)
        story.step(2, .received(NodeID(raw: 1), .have([RolloutStory.notice(7)])))
        story.mail.removeAll()
        story.pass(1_900)
        #expect(story.messagesCount < 20)
        story.sites[0].files[RolloutStory.digest(7)] = [UInt8](repeating: 7, count: 1_000)
        story.step(1, .kept(RolloutStory.notice(7)))
        story.pass(7_500)
        #expect(story.state(7, at: 2) == .ready)
    }

    @Test("what failed for want of trust is tried again when somebody becomes trusted")
    func trusted() {
        var story = RolloutStory.linked(3)
        story.broken[RolloutStory.digest(7)] = "signed by nobody whom this cluster trusts"
        story.publish(7, at: 1)
        story.broken = [:]
        for site in 1...3 { story.step(site, .trusted) }
        for site in 1...3 { #expect(story.state(7, at: site) == .ready) }
    }

    @Test("votes of others than voters do not make a majority")
    func edgeVotes() {
        var story = RolloutStory(5)
        // n1 sees the two edge nodes alone.
        story.link(1, 4)
        story.link(1, 5)
        story.publish(7, at: 1)
        story.ask(7, at: 1)
        story.step(1, .received(NodeID(raw: 4), .vote(number: 1, .ready)))
        story.step(1, .received(NodeID(raw: 5), .vote(number: 1, .ready)))
        story.pass(2_200)
        #expect(story.registers.isEmpty)
        #expect(story.sites[0].refusals == [.noMajority])
    }
}

// Stories of one node in the tree: what it passes on, to whom it announces, what it asks for; and
// of the overlay, whose two ends must agree without talking.

import Suppression
import Testing

@testable import Cluster

private let millis: UInt64 = 1_000_000

private func node(_ raw: UInt64) -> NodeID { NodeID(raw: raw) }

private func writes(_ raw: UInt64, _ first: UInt64, _ last: UInt64) -> HeldSet {
    var set = HeldSet()
    set.insert(
        SequenceInterval(first: first, last: last),
        of: Origin(node: NodeID(raw: raw), epoch: Epoch(raw: 1))
    )
    return set
}

/// A node with links to 2, 3 and 4, and what has arrived at it.
private struct RelayStory {
    var relays = Relays()
    var arrived = HeldSet()
    var now: UInt64 = 1_000 * millis
    var effects: [RelayEffect] = []

    init() { for raw in 2...4 as ClosedRange<UInt64> { relays.linked(node(raw)) } }

    mutating func come(_ set: HeldSet, from sender: UInt64?) -> [NodeID] {
        arrived.formUnion(set)
        return relays.came(set, from: sender.map(node))
    }

    mutating func repeated(_ count: Int, from sender: UInt64) -> [RelayEffect] {
        effects = []
        relays.repeated(count, from: node(sender), into: &effects)
        return effects
    }

    mutating func announced(_ set: HeldSet, by raw: UInt64) {
        relays.announced(set, by: node(raw), arrived: arrived)
    }

    mutating func pass(_ millisCount: UInt64) -> [RelayEffect] {
        effects = []
        now += millisCount * millis
        relays.ticked(now: now, arrived: arrived, into: &effects)
        return effects
    }
}

@Suite("Relays: the tree")
struct RelayTreeTests {
    @Test("a write of our own goes to everybody, one that came goes on to all but its sender")
    func passesOn() {
        var story = RelayStory()
        let own = story.come(writes(1, 1, 1), from: nil)
        let other = story.come(writes(9, 1, 1), from: 3)
        #expect(own == [node(2), node(3), node(4)])
        #expect(other == [node(2), node(4)])
        let later = story.pass(1_000)
        #expect(later.isEmpty, "eager links need no announcement")
        #expect(story.relays.firsts == 1 && story.relays.duplicates == 0)
    }

    @Test("three copies that came first elsewhere prune a link, at both ends")
    func prunes() {
        var story = RelayStory()
        let two = story.repeated(2, from: 3)
        #expect(two.isEmpty && story.relays.eager.contains(node(3)))
        let third = story.repeated(1, from: 3)
        #expect(third == [.prune(node(3))] && story.relays.eager == [node(2), node(4)])
        var other = RelayStory()
        other.relays.pruned(by: node(4))
        #expect(other.relays.eager == [node(2), node(3)])
        #expect(story.relays.duplicates == 3)
    }

    @Test("a link that also brings what is new stays: the balance counts")
    func balance() {
        var story = RelayStory()
        var said: [RelayEffect] = []
        for number in 1...20 as ClosedRange<UInt64> {
            said += story.repeated(1, from: 3)
            _ = story.come(writes(9, number, number), from: 3)
        }
        #expect(said.isEmpty && story.relays.eager.contains(node(3)))
    }

    @Test("a lazy link is told what came, not what it says, and nothing that it told itself")
    func announces() {
        var story = RelayStory()
        story.relays.pruned(by: node(4))
        let targets = story.come(writes(9, 1, 3), from: 3)
        #expect(targets == [node(2)])
        story.announced(writes(9, 1, 1), by: 4)
        let said = story.pass(100)
        #expect(said == [.announce(to: node(4), writes(9, 2, 3))])
        let again = story.pass(100)
        #expect(again.isEmpty, "once")
    }

    @Test(
        "announced and missing at two looks, 100 ms apart, is asked for, and makes the link eager"
    )
    func grafts() {
        var story = RelayStory()
        story.relays.pruned(by: node(4))
        story.announced(writes(9, 1, 3), by: 4)
        let early = story.pass(100)
        #expect(early.isEmpty, "it may be on its way")
        _ = story.come(writes(9, 1, 2), from: 3)
        let late = story.pass(100).filter { if case .graft = $0 { true } else { false } }
        #expect(late == [.graft(node(4), writes(9, 3, 3))])
        #expect(story.relays.eager.contains(node(4)))
        var donor = RelayStory()
        donor.relays.pruned(by: node(2))
        donor.relays.grafted(by: node(2))
        #expect(donor.relays.eager.contains(node(2)))
    }

    @Test("what a pull brought is told to everybody, as nobody was sent it")
    func filled() {
        var story = RelayStory()
        story.relays.pruned(by: node(4))
        story.relays.filled(writes(9, 1, 2))
        let said = story.pass(100)
        #expect(said == (2...4).map { .announce(to: node($0), writes(9, 1, 2)) })
    }

    @Test("one announcer is asked at a time; the next one when the first says nothing")
    func asksOnce() {
        var story = RelayStory()
        for raw in 3...4 as ClosedRange<UInt64> {
            story.relays.pruned(by: node(raw))
            story.announced(writes(9, 1, 1), by: raw)
        }
        let young = story.pass(100)
        let first = story.pass(100)
        let soon = story.pass(100)
        let late = story.pass(400)
        #expect(first == [.graft(node(3), writes(9, 1, 1))] && young.isEmpty && soon.isEmpty)
        #expect(late == [.graft(node(4), writes(9, 1, 1))])
        let third = story.pass(400)
        #expect(third == [.graft(node(3), writes(9, 1, 1))], "and round again")
        _ = story.come(writes(9, 1, 1), from: 3)
        let done = story.pass(400)
        #expect(done.isEmpty)
    }

    @Test("what cannot be remembered is left to comparing held sets: memory is bounded")
    func bounded() {
        var story = RelayStory()
        story.relays.pruned(by: node(4))
        for number in 0..<5_000 as Range<UInt64> {
            _ = story.come(writes(9, 2 * number + 1, 2 * number + 1), from: 2)
            story.announced(writes(8, 2 * number + 1, 2 * number + 1), by: 3)
        }
        for effect in story.pass(1_000) + story.pass(1_000) {
            switch effect {
            case .announce(_, let set), .graft(_, let set):
                #expect(set.intervalCount <= Limits.announcedIntervalsCount)
            case .prune: break
            }
        }
        for raw in 10...200 as ClosedRange<UInt64> { story.relays.linked(node(raw)) }
        #expect(story.relays.eager.count <= Limits.peersCount)
    }
}

@Suite("Relays: the overlay")
struct OverlayTests {
    private func places(_ count: Int, zones: Int) -> [Place] {
        (1...count).map { Place(node: node(UInt64($0)), zone: "z\($0 % zones)") }
    }

    @Test("up to 32 peers everybody is linked to everybody; above, nobody to more than 64")
    func bounds() {
        for (count, zones) in [(5, 3), (33, 3), (34, 3), (100, 5), (400, 2), (1_000, 5)] {
            let all = places(count, zones: zones)
            let most = all.map { Overlay.peers(of: $0, among: all).count }.max() ?? 0
            if count <= 33 { #expect(most == count - 1) } else { #expect(most < count - 1) }
            #expect(most <= Limits.peersCount)
        }
    }

    @Test("both ends of a link choose it, and nobody links itself or twice")
    func symmetric() {
        for (count, zones) in [(34, 3), (150, 3), (200, 40)] {
            let all = places(count, zones: zones)
            var peers: [NodeID: Set<NodeID>] = [:]
            for place in all {
                let chosen = Overlay.peers(of: place, among: all.reversed())
                peers[place.node] = Set(chosen)
                #expect(Set(chosen).count == chosen.count && !chosen.contains(place.node))
            }
            for (one, others) in peers {
                for other in others { #expect(peers[other]?.contains(one) == true) }
            }
        }
    }

    @Test("all can be reached, also when a relay of each zone is gone")
    func connected() {
        for isOneGone in [false, true] {
            let all = places(200, zones: 5)
            let relays = Overlay.relays(of: all.sorted(by: Overlay.isBefore))
            #expect(relays.count == 10)
            let firsts = Dictionary(relays.map { ($0.zone, $0.node) }) { first, _ in first }
            let gone = isOneGone ? Set(firsts.values) : []
            var reached: Set<NodeID> = []
            var next = all.filter { !gone.contains($0.node) }.prefix(1).map(\.node)
            while let one = next.popLast() {
                guard reached.insert(one).inserted else { continue }
                guard let place = all.first(where: { $0.node == one }) else { continue }
                next += Overlay.peers(of: place, among: all).filter { !gone.contains($0) }
            }
            #expect(reached.count == 200 - gone.count)
        }
    }

    @Test("a newcomer changes few links of the others")
    func stable() {
        let before = places(200, zones: 2)
        let after = before + [Place(node: node(9_999), zone: "z1")]
        let changed = before.reduce(0) { sum, place in
            let old = Set(Overlay.peers(of: place, among: before))
            return sum + old.subtracting(Overlay.peers(of: place, among: after)).count
        }
        let links = before.reduce(0) { $0 + Overlay.peers(of: $1, among: before).count }
        #expect(changed < links / 4)
    }
}

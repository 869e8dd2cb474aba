// Stories of a damaged node, and of whom it believes that its marks are whole.

import Suppression
import Testing

@testable import Cluster

private func node(_ raw: UInt64) -> NodeID { NodeID(raw: raw) }

private func life(_ raw: UInt64) -> Origin { Origin(node: node(raw), epoch: Epoch(raw: 1)) }

private func set(_ last: UInt64, of raw: UInt64 = 3) -> HeldSet {
    var set = HeldSet()
    set.insert(SequenceInterval(first: 1, last: last), of: life(raw))
    return set
}

private func voters(_ count: UInt64) -> VoterSet {
    VoterSet(
        generation: 1,
        slots: (1...count).map {
            VoterSlot(
                name: "n\($0)",
                node: node($0),
                lowestEpoch: Epoch(raw: 0),
                zone: "z\($0)"
            )
        }
    )
}

/// Others enough to trust n1 again, in a set of five.
private let three: ClosedRange<UInt64> = 2...4

/// n1, which held five writes of n3 when it found marks missing.
private struct Story {
    var trust = RepairTrust(held: set(5))

    mutating func told(_ held: HeldSet, by raw: UInt64) {
        trust.heard(.held(generation: 1, held), from: node(raw), held: set(5))
    }

    /// n1 asks, and both are found equal.
    mutating func compared(with raw: UInt64) {
        trust.asks(node(raw))
        trust.proved(node(raw))
    }

    func isOver(_ count: UInt64 = 5) -> Bool {
        trust.isOver(voters(count), own: node(1), others: (2...count).map(node))
    }
}

@Suite("RepairTrust") struct RepairTrustTests {
    @Test("equal to as many others as it takes, who held what it held: trusted")
    func proved() {
        var story = Story()
        for raw in three {
            #expect(!story.isOver())
            story.told(set(raw == 3 ? 5 : 4), by: raw)
            story.compared(with: raw)
        }
        #expect(story.isOver())
    }

    @Test("those who lack what it is counted for prove nothing, however many; everybody does")
    func lacking() {
        var story = Story()
        for raw in three {
            story.told(set(4), by: raw)
            story.compared(with: raw)
        }
        #expect(!story.isOver(), "n5 may have the fifth write, and its mark is gone here")
        story.compared(with: 5)
        #expect(story.isOver(), "nobody is left to get it from")
    }

    @Test("what a peer tells after the comparison began says nothing about it")
    func late() {
        var story = Story()
        for raw in three {
            story.told(set(4), by: raw)
            story.trust.asks(node(raw))
            story.told(set(5), by: raw)
            story.trust.proved(node(raw))
        }
        #expect(!story.isOver())
        story.compared(with: 2)
        #expect(story.isOver())
    }

    @Test("a proof in a comparison that the peer began counts, and names no writes")
    func guest() {
        var story = Story()
        for raw in three {
            story.told(set(5), by: raw)
            story.trust.proved(node(raw))
        }
        #expect(!story.isOver() && !story.trust.hasAnswered(node(4)))
        story.compared(with: 4)
        #expect(story.isOver() && story.trust.hasAnswered(node(4)))
    }

    @Test("an equal hash says that the peer holds the same; another life holds nothing yet")
    func hashes() {
        var story = Story()
        for raw in three {
            let hash = raw == 4 ? set(5).fingerprint() : 1
            story.trust.heard(.heldHash(hash), from: node(raw), held: set(5))
            story.compared(with: raw)
        }
        #expect(story.isOver())
        story.trust.begin(held: set(5))
        story.trust.relinked(node(4))
        for raw in three { story.compared(with: raw) }
        #expect(!story.isOver())
    }
}

// Stories of a node among too many: whom it dials, whom it probes, and how sides find each other.

import Suppression
import Testing

@testable import Cluster

private let second: UInt64 = 1_000_000_000

/// Whom a story's effects leave dialed, by number.
private struct Dialed {
    var nodes: Set<UInt64> = []

    mutating func follow(_ effects: [MemberEffect]) {
        for effect in effects {
            switch effect {
            case .dial(let address): nodes.insert(number(address))
            case .forget(let address): nodes.remove(number(address))
            case .send, .keep, .turned, .holds: break
            }
        }
    }

    private func number(_ address: String) -> UInt64 {
        (UInt64(address.split(separator: ":").last ?? "") ?? 0) - 10_000
    }
}

private func places(_ raws: ClosedRange<UInt64>) -> [Place] {
    raws.map { Place(node: NodeID(raw: $0), zone: MemberFacts.made($0).zone) }
}

/// A node that knows a hundred, two seconds later.
private func crowded() -> (MemberStory, Dialed, [MemberEffect]) {
    var story = MemberStory()
    var dialed = Dialed()
    for raw in 2...100 as ClosedRange<UInt64> {
        let effects = story.tell(MemberRecord(.made(raw), incarnation: 1))
        dialed.follow(effects)
    }
    let said = story.pass(2 * second, answering: Set(2...100))
    dialed.follow(said)
    return (story, dialed, said)
}

@Suite("Membership: links of too many")
struct MembershipLinksTests {
    @Test("above 32 peers the overlay's neighbours are dialed, and the rest no more")
    func neighbours() {
        let (story, dialed, _) = crowded()
        let wanted = Overlay.peers(of: places(1...1)[0], among: places(2...100))
        #expect(story.machine.isOverlaid && dialed.nodes == Set(wanted.map(\.raw)))
        #expect(wanted.count < 40)
        var few = MemberStory(Array(2...33))
        few.pass(2 * second, answering: Set(2...33))
        #expect(!few.machine.isOverlaid)
    }

    @Test("only who is linked is probed and told: packets travel beside links")
    func probes() {
        var (story, dialed, _) = crowded()
        let later = story.pass(120 * second, answering: Set(2...100))
        let probed = Set(later.sent(.ping).map(\.to.raw))
        #expect(probed == dialed.nodes)
        story.tell(MemberRecord(.made(50), incarnation: 2, state: .left))
        let told = story.pass(2 * second, answering: Set(2...100)).sent(.news)
        #expect(!told.isEmpty && told.allSatisfy { dialed.nodes.contains($0.to.raw) })
    }

    @Test("whoever links us is probed as well, until the link goes")
    func accepted() {
        var (story, dialed, _) = crowded()
        let stranger = (2...100).first { !dialed.nodes.contains($0) } ?? 0
        _ = story.link(stranger)
        let linked = story.pass(60 * second, answering: Set(2...100)).sent(.ping)
        #expect(linked.contains { $0.to.raw == stranger })
        story.machine.unlinked(NodeID(raw: stranger))
        story.pass(3 * second, answering: Set(2...100))
        let unlinked = story.pass(60 * second, answering: Set(2...100)).sent(.ping)
        #expect(!unlinked.contains { $0.to.raw == stranger })
    }

    @Test("a node that starts with a book of a hundred probes its neighbours alone, from the first")
    func starts() {
        let records = (2...100 as ClosedRange<UInt64>).map {
            MemberRecord(.made($0), incarnation: 1)
        }
        for seed in 1...10 as ClosedRange<UInt64> {
            var story = MemberStory(book: MemberBook(incarnation: 1, records: records), seed: seed)
            var dialed = Dialed()
            let said = story.pass(500_000_000)
            dialed.follow(said)
            #expect(said.sent(.ping).allSatisfy { dialed.nodes.contains($0.to.raw) })
        }
    }

    @Test("voters are dialed by everybody")
    func voters() {
        var (story, dialed, _) = crowded()
        let far = (2...100).first { !dialed.nodes.contains($0) } ?? 0
        story.machine.adopt(voters: [NodeID(raw: far), NodeID(raw: 999)])
        dialed.follow(story.pass(2 * second, answering: Set(2...100)))
        #expect(dialed.nodes.contains(far) && !dialed.nodes.contains(999))
    }

    @Test("the dead stay dialed, and others take their place meanwhile")
    func dead() {
        var (story, dialed, _) = crowded()
        let gone = dialed.nodes.sorted().prefix(10)
        for raw in gone {
            let record = MemberRecord(
                .made(raw),
                incarnation: 1,
                state: .unreachable,
                accuser: NodeID(raw: 3)
            )
            story.tell(record, from: 3)
        }
        let before = dialed.nodes
        dialed.follow(story.pass(2 * second, answering: Set(2...100).subtracting(gone)))
        #expect(dialed.nodes.isSuperset(of: gone), "two sides that were cut find each other again")
        #expect(!dialed.nodes.subtracting(before).isEmpty)
        #expect(dialed.nodes.count <= Limits.peersCount)
    }

    @Test("relays of a probe are neighbours of the target too: others could not ask it")
    func relays() {
        var (story, dialed, _) = crowded()
        let all = places(1...100)
        let requests = story.pass(20 * second).sent(.request)
        #expect(!requests.isEmpty)
        for request in requests {
            let target = request.packet.subject
            guard let place = all.first(where: { $0.node == target }) else { continue }
            #expect(Overlay.peers(of: place, among: all).contains(request.to))
            #expect(dialed.nodes.contains(request.to.raw))
        }
    }

    @Test("back at 32 peers everybody is linked to everybody again")
    func shrinks() {
        var (story, dialed, _) = crowded()
        for raw in 34...100 as ClosedRange<UInt64> {
            dialed.follow(
                story.tell(MemberRecord(.made(raw), incarnation: 2, state: .left), from: raw)
            )
        }
        dialed.follow(story.pass(3 * second, answering: Set(2...33)))
        #expect(!story.machine.isOverlaid && dialed.nodes == Set(2...33))
        let probed = Set(story.pass(80 * second, answering: Set(2...33)).sent(.ping).map(\.to.raw))
        #expect(probed == Set(2...33))
    }
}

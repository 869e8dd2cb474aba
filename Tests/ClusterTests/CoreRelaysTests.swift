// Stories of Cores in a row: who is not linked to a write's origin gets it all the same, at once.

import Suppression
import Testing

@testable import Cluster

/// n1 to n3 vote and are linked to each other; n4 to n6 follow in a row, as far as links go.
private func row() -> Assembly {
    var cluster = Assembly(6, voters: 3)
    for a in 0..<6 {
        for b in 0..<a where a > 2 && a - b > 1 {
            for (n, other) in [(a, b), (b, a)] {
                cluster.step(n, .unlinked(cluster.members[other].own.node))
                cluster.cuts.insert([n, other])
            }
        }
    }
    for n in 0..<6 { cluster.step(n, .overlaid(true)) }
    return cluster
}

@Suite("Core: relays")
struct CoreRelaysTests {
    @Test("a write reaches the end of a row without a tick, and a hash, between")
    func passedOn() {
        var cluster = row()
        cluster.write(2, 1, optOut(1))
        for n in 3..<6 {
            #expect(cluster.members[n].queued.contains { $0.change.dot.origin.node.raw == 3 })
        }
        cluster.run(millis: 300)
        #expect(cluster.members[2].acknowledged == [Ticket(raw: 1)])
    }

    @Test("without the overlay nobody passes on: the origin's own links do it")
    func mesh() {
        var cluster = row()
        for n in 0..<6 { cluster.step(n, .overlaid(false)) }
        cluster.write(2, 1, optOut(1))
        #expect(cluster.members[3].queued.count == 1 && cluster.members[4].queued.isEmpty)
    }

    @Test("copies that came first elsewhere prune a link; writes go on reaching everybody")
    func pruned() {
        var cluster = Assembly(5, voters: 1)
        for n in 0..<5 { cluster.step(n, .overlaid(true)) }
        var ticket: UInt64 = 0
        func wrote(_ cluster: inout Assembly) -> UInt64 {
            let before = cluster.members.reduce(0) { $0 + $1.core.copies.repeated }
            for n in 0..<5 {
                ticket += 1
                cluster.write(n, ticket, optOut(ticket))
            }
            cluster.run(millis: 500)
            return cluster.members.reduce(0) { $0 + $1.core.copies.repeated } - before
        }
        let flood = wrote(&cluster)
        for _ in 0..<8 { _ = wrote(&cluster) }
        let tree = wrote(&cluster)
        #expect(flood > 20 && tree <= 5, "\(flood) then \(tree) repeated copies of five writes")
        let held = cluster.members[0].core.held
        #expect(held.count == 50 && cluster.holdsEverywhere(held))
    }

    @Test("a voter gets every write from its origin itself, whatever was pruned")
    func voters() {
        var cluster = row()
        for n in 0..<3 {
            cluster.step(2, .received(from: NodeID(raw: UInt64(n) + 1), .relay(.prune)))
        }
        cluster.step(2, .received(from: NodeID(raw: 4), .relay(.prune)))
        cluster.write(2, 1, optOut(1))
        #expect(cluster.members[0].queued.count == 1 && cluster.members[1].queued.count == 1)
        #expect(cluster.members[3].queued.isEmpty, "a lazy link waits for the announcement")
        cluster.run(millis: 2_000)
        let held = cluster.members[2].core.held
        #expect(held.count == 1 && cluster.holdsEverywhere(held))
    }

    @Test(
        "announced and missing is asked for, by a pull",
        arguments: [true, false]
    )
    func grafted(isOverlaid: Bool) {
        var cluster = row()
        // The row's fourth loses every write that is pushed, and no held sets are compared.
        cluster.drops = { from, to, message in
            switch message {
            case .heldHash, .held: return true
            case .changes: return from == 2 && to == 3
            default: return false
            }
        }
        if !isOverlaid { for n in 0..<6 { cluster.step(n, .overlaid(false)) } }
        cluster.step(2, .received(from: NodeID(raw: 4), .relay(.prune)))
        cluster.write(2, 1, optOut(1))
        cluster.run(millis: 200)
        cluster.drops = { _, _, message in
            switch message {
            case .heldHash, .held: true
            default: false
            }
        }
        cluster.run(millis: 1_000)
        let held = cluster.members[2].core.held
        #expect(cluster.members[5].core.held.isSuperset(of: held) == isOverlaid)
    }

    @Test("the messages of relays survive their bytes, and nothing is announced that is empty")
    func bytes() throws {
        var set = HeldSet()
        set.insert(
            SequenceInterval(first: 3, last: 9),
            of: Origin(node: NodeID(raw: 4), epoch: Epoch(raw: 1))
        )
        for message in [RelayMessage.announce(set), .prune, .graft] {
            var bytes: [UInt8] = []
            Message.relay(message).encode(into: &bytes)
            let again = try Message(decoding: bytes.span)
            #expect(again == .relay(message))
            #expect(throws: DecodeError.self) { try Message(decoding: (bytes + [0]).span) }
        }
        var bytes: [UInt8] = [1, 60]
        HeldSet().encode(into: &bytes)
        #expect(throws: DecodeError.self) { try Message(decoding: bytes.span) }
    }
}

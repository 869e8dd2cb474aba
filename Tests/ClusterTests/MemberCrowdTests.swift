// Thirty nodes on a network that loses packets: who is believed dead, and when everybody knows.
//
// Time is simulated, chance comes from a seed, and every packet goes through its bytes. No link
// speaks here, so that packets alone must do it: the harder case.

import Suppression
import Testing

@testable import Cluster

private let second: UInt64 = 1_000_000_000
private let step: UInt64 = 100_000_000

/// A crowd of machines and what travels between them.
private struct Crowd {
    struct Flight {
        let due: UInt64
        let from: Int
        let to: Int
        let bytes: [UInt8]
    }

    var machines: [Membership] = []
    var isDown: [Bool] = []
    var flights: [Flight] = []
    var chance: Chance
    var now: UInt64 = 0
    let lossPerMille: Int
    /// Nothing passes between the first and the second half.
    var isCut = false
    /// Turns to unreachable of nodes that were up, by anybody.
    var falseDeaths = 0
    var sentBytes = 0

    init(_ count: Int, lossPerMille: Int, seed: UInt64) {
        self.lossPerMille = lossPerMille
        chance = Chance(seed: seed)
        for index in 0..<count {
            machines.append(
                Membership(own: .made(UInt64(index) + 1), book: nil, seed: chance.next())
            )
            isDown.append(false)
        }
        // All join through the first, as `--join` does.
        var effects: [MemberEffect] = []
        for index in 1..<count {
            machines[index].linked(.made(1), now: now, into: &effects)
            carry(&effects, of: index)
            machines[0].linked(.made(UInt64(index) + 1), now: now, into: &effects)
            carry(&effects, of: 0)
            machines[index].unlinked(NodeID(raw: 1))
            machines[0].unlinked(NodeID(raw: UInt64(index) + 1))
        }
    }

    mutating func carry(_ effects: inout [MemberEffect], of from: Int) {
        for effect in effects {
            switch effect {
            case .send(let node, let packet):
                var bytes: [UInt8] = []
                packet.encode(into: &bytes)
                precondition(bytes.count <= Limits.memberPacketBytes)
                sentBytes += bytes.count
                if chance.below(1_000) < lossPerMille { continue }
                let delay = 1_000_000 + chance.next() % 20_000_000
                let to = Int(node.raw) - 1
                if isCut, (from < machines.count / 2) != (to < machines.count / 2) { continue }
                flights.append(Flight(due: now + delay, from: from, to: to, bytes: bytes))
            case .turned(let node, _, .unreachable):
                if !isDown[Int(node.raw) - 1] { falseDeaths += 1 }
            case .turned, .dial, .forget, .keep, .holds: break
            }
        }
        effects.removeAll(keepingCapacity: true)
    }

    /// One tick of everybody, and the packets that arrive before the next.
    mutating func tick() throws {
        var effects: [MemberEffect] = []
        for index in machines.indices where !isDown[index] {
            machines[index].ticked(now: now, into: &effects)
            carry(&effects, of: index)
        }
        let end = now + step
        // Answers to what arrives fly in the same step; a round trip is at most 42 ms.
        for _ in 0..<64 {
            let due = flights.filter { $0.due < end }.sorted {
                ($0.due, $0.from) < ($1.due, $1.from)
            }
            if due.isEmpty { break }
            flights.removeAll { $0.due < end }
            for flight in due where !isDown[flight.to] {
                now = max(now, flight.due)
                let packet = try MemberPacket(decoding: flight.bytes.span)
                let sender = NodeID(raw: UInt64(flight.from) + 1)
                machines[flight.to].received(packet, from: sender, now: now, into: &effects)
                carry(&effects, of: flight.to)
            }
        }
        now = end
    }

    mutating func pass(_ seconds: Int) throws {
        for _ in 0..<(seconds * 10) { try tick() }
    }

    /// Seconds until the condition holds; nil if it does not within `seconds`.
    mutating func seconds(within seconds: Int, _ holds: (Crowd) -> Bool) throws -> Int? {
        for passed in 0...seconds {
            if holds(self) { return passed }
            try pass(1)
        }
        return nil
    }

    func believes(_ index: Int, _ other: Int) -> MemberState? {
        machines[index].state(of: NodeID(raw: UInt64(other) + 1), now: now)
    }

    /// Everybody who is up knows everybody, and believes dead exactly who is down.
    var isRight: Bool {
        machines.indices.allSatisfy { index in
            isDown[index]
                || machines.indices.allSatisfy { other in
                    let state = believes(index, other)
                    return isDown[other]
                        ? state == .unreachable : state == .alive || state == .suspect
                }
        }
    }
}

@Suite("A crowd of members")
struct MemberCrowdTests {
    @Test(
        "thirty nodes meet, find a dead one within bounds, and take it back when it returns",
        arguments: [(0, 1), (100, 2), (300, 3), (300, 4)] as [(Int, UInt64)]
    )
    func story(lossPerMille: Int, seed: UInt64) throws {
        var crowd = Crowd(30, lossPerMille: lossPerMille, seed: seed)
        let settled1 = try crowd.seconds(within: 30) { $0.isRight }
        #expect(settled1 != nil, "all meet through one")
        try crowd.pass(120)
        if lossPerMille <= 100 { #expect(crowd.falseDeaths == 0) }
        let settled2 = try crowd.seconds(within: 30) { $0.isRight }
        #expect(settled2 != nil, "no false death stays")

        crowd.isDown[7] = true
        let found = try crowd.seconds(within: 60) { $0.isRight }
        #expect(found != nil, "a dead one is found by all")
        if lossPerMille == 0 { #expect((found ?? .max) <= 15) }

        // It comes back with its book: an incarnation above the last one.
        let book = MemberBook(
            incarnation: crowd.machines[7].own.incarnation,
            records: crowd.machines[7].members
        )
        crowd.machines[7] = Membership(own: .made(8, epoch: 2), book: book, seed: 99)
        crowd.isDown[7] = false
        let settled3 = try crowd.seconds(within: 30) { $0.isRight }
        #expect(settled3 != nil, "and believed when it returns")
        if lossPerMille == 0 {
            let hashes = Set(crowd.machines.map(\.hash))
            #expect(hashes.count == 1, "all tables are equal")
        }
    }

    @Test("two halves that were cut for minutes believe each other dead, and heal by themselves")
    func partition() throws {
        var crowd = Crowd(10, lossPerMille: 0, seed: 5)
        let settled4 = try crowd.seconds(within: 30) { $0.isRight }
        #expect(settled4 != nil)
        crowd.isCut = true
        try crowd.pass(180)
        for index in 0..<10 {
            for other in 0..<10 where (index < 5) != (other < 5) {
                #expect(crowd.believes(index, other) == .unreachable)
            }
        }
        crowd.isCut = false
        let settled5 = try crowd.seconds(within: 60) { $0.isRight }
        #expect(settled5 != nil)
    }

    @Test("an idle crowd is quiet: below a kilobyte a second and node (gossip.md, T13)")
    func quiet() throws {
        var crowd = Crowd(30, lossPerMille: 0, seed: 6)
        try crowd.pass(60)
        crowd.sentBytes = 0
        try crowd.pass(60)
        #expect(crowd.sentBytes / 30 / 60 < 1_000)
    }

    @Test("a seed replays to the same tables and the same bytes")
    func replay() throws {
        var (one, two) = (
            Crowd(12, lossPerMille: 300, seed: 7), Crowd(12, lossPerMille: 300, seed: 7)
        )
        try one.pass(60)
        try two.pass(60)
        #expect(one.sentBytes == two.sentBytes && one.sentBytes > 0)
        #expect(one.machines.map(\.members) == two.machines.map(\.members))
    }
}

// Quell's own machine in the crowd.
//
// Only what its node would do with the effects is here. Packets reach whoever one of the two dials,
// and nobody else; what streams say is left out, so packets alone must find who lives: the harder
// case, and the one that compares.

import Suppression

@testable import Cluster

/// A node as the crowd makes them: `n7` in one of the zones of `Wires`.
func crowdFacts(_ index: Int) -> MemberFacts {
    MemberFacts(
        origin: Origin(node: NodeID(raw: UInt64(index) + 1), epoch: Epoch(raw: 1)),
        name: "n\(index + 1)",
        zone: "z\(index % Wires.zonesCount + 1)",
        region: "r1",
        address: "10.0.\(index / 250).\(index % 250 + 1):8103",
        holds: .all
    )
}

private func crowdIndex(_ address: String) -> Int {
    let parts = address.prefix { $0 != ":" }.split(separator: ".").compactMap { Int($0) }
    return parts[2] * 250 + parts[3] - 1
}

/// Made once for all nodes: a thousand books of a thousand records share their names.
private let crowdMost = (0..<1_000).map { MemberRecord(crowdFacts($0), incarnation: 1) }

private func crowdRecords(_ count: Int) -> [MemberRecord] { Array(crowdMost.prefix(count)) }

/// Membership, driven by a crowd.
struct QuellMember: CrowdMachine {
    private var machine: Membership
    private var said: [MemberEffect] = []
    private var dialed: Set<Int> = []
    /// Who has dialed this node, as far as it heard.
    private var heard: Set<Int> = []

    init(_ own: Int, of count: Int, seed: UInt64) {
        var others = crowdRecords(count)
        others.remove(at: own)
        let book = MemberBook(incarnation: 0, records: others)
        machine = Membership(own: crowdFacts(own), book: book, seed: seed)
    }

    var suspicions: Int { Int(machine.counts.suspicions) }

    mutating func ticked(now: UInt64, into effects: inout [CrowdEffect<MemberPacket>]) {
        machine.adopt(held: 1)
        machine.ticked(now: now, into: &said)
        pass(into: &effects)
    }

    mutating func received(
        _ packet: MemberPacket,
        from sender: Int,
        now: UInt64,
        into effects: inout [CrowdEffect<MemberPacket>]
    ) {
        heard.insert(sender)
        let node = NodeID(raw: UInt64(sender) + 1)
        machine.received(packet, from: node, now: now, into: &said)
        pass(into: &effects)
    }

    private mutating func pass(into effects: inout [CrowdEffect<MemberPacket>]) {
        for effect in said {
            switch effect {
            case .send(let node, let packet):
                let to = Int(node.raw) - 1
                guard dialed.contains(to) || heard.contains(to) else { continue }
                effects.append(.datagram(to: to, packet))
            case .dial(let address): dialed.insert(crowdIndex(address))
            case .forget(let address): dialed.remove(crowdIndex(address))
            case .turned(let node, _, let state):
                effects.append(.turned(Int(node.raw) - 1, to: state))
            case .keep, .holds: break
            }
        }
        said.removeAll(keepingCapacity: true)
    }

    static func bytes(of packet: MemberPacket) -> Int {
        let head = packet.held == nil ? MemberPacket.headBytes : MemberPacket.headMostBytes
        return packet.records.reduce(head) { $0 + $1.encodedCount }
    }

    static func deaths(in packet: MemberPacket, _ body: (Int) -> Void) {
        for record in packet.records where record.state == .unreachable {
            body(Int(record.node.raw) - 1)
        }
    }
}

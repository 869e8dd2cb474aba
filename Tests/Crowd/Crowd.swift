// A crowd of membership machines in simulated time: the instrument behind Docs/membership.md.
//
//     tick, packet ──► machine ──► datagrams, streams, turns ──► Wires ──► Timeline ──► packet
//                                        └──► Tally: who was doubted, who was right
//
// It runs any machine that fits `CrowdMachine`: Quell's own, and memberlist's rules beside it, over
// the same wires from the same seed. Everybody ticks every 100 ms, each at its own time.

@testable import Cluster

/// What a machine wants of its shell.
enum CrowdEffect<Packet> {
    case datagram(to: Int, Packet)
    /// Over a stream, made first unless it stands.
    case stream(to: Int, Packet, isOpen: Bool)
    case turned(Int, to: MemberState)
}

/// A membership machine as the crowd drives it; nodes are numbers from 0.
protocol CrowdMachine {
    associatedtype Packet
    /// A node that knows all others already.
    init(_ own: Int, of count: Int, seed: UInt64)
    mutating func ticked(now: UInt64, into effects: inout [CrowdEffect<Packet>])
    mutating func received(
        _ packet: Packet,
        from sender: Int,
        now: UInt64,
        into effects: inout [CrowdEffect<Packet>]
    )
    /// Bytes of the payload, before sealing.
    static func bytes(of packet: Packet) -> Int
    /// Members that the packet calls dead.
    static func deaths(in packet: Packet, _ body: (Int) -> Void)
    /// Times that this node began to suspect somebody itself.
    var suspicions: Int { get }
}

/// Machines, wires and what is counted.
struct Crowd<Machine: CrowdMachine> {
    private enum Thing {
        case tick(Int)
        case packet(from: Int, to: Int, Machine.Packet)
    }

    private(set) var machines: [Machine] = []
    private(set) var now: UInt64 = 0
    var wires: Wires
    var tally: Tally
    private var timeline = Timeline<Thing>()
    private var effects: [CrowdEffect<Machine.Packet>] = []

    init(_ count: Int, seed: UInt64) {
        var chance = Chance(seed: seed)
        wires = Wires(count, seed: chance.next())
        tally = Tally(count)
        for index in 0..<count {
            machines.append(Machine(index, of: count, seed: chance.next()))
            timeline.plan(.tick(index), at: chance.next() % (100 * millisecond))
        }
    }

    var suspicions: Int { machines.reduce(0) { $0 + $1.suspicions } }

    mutating func kill(_ node: Int) {
        wires.isDown[node] = true
        tally.killed(node, now: now)
    }

    mutating func pass(seconds: UInt64) {
        let end = now + seconds * second
        while let due = timeline.due, due < end, let thing = timeline.next() {
            now = due
            switch thing {
            case .tick(let node):
                timeline.plan(thing, at: now + 100 * millisecond)
                guard !wires.isDown[node] else { continue }
                machines[node].ticked(now: now, into: &effects)
                carry(of: node)
            case .packet(let from, let to, let packet):
                guard !wires.isDown[to] else { continue }
                Machine.deaths(in: packet) { tally.heard($0) }
                machines[to].received(packet, from: from, now: now, into: &effects)
                carry(of: to)
            }
        }
        now = end
    }

    private mutating func carry(of from: Int) {
        for effect in effects {
            switch effect {
            case .datagram(let to, let packet):
                tally.sent(Machine.bytes(of: packet))
                if let delay = wires.datagram(from: from, to: to, now: now) {
                    timeline.plan(.packet(from: from, to: to, packet), at: now + delay)
                }
            case .stream(let to, let packet, let isOpen):
                tally.sent(Machine.bytes(of: packet))
                if let delay = wires.stream(from: from, to: to, isOpen: isOpen, now: now) {
                    timeline.plan(.packet(from: from, to: to, packet), at: now + delay)
                }
            case .turned(let node, let state):
                tally.turned(node, to: state, by: from, now: now, isDown: wires.isDown[node])
            }
        }
        effects.removeAll(keepingCapacity: true)
    }
}

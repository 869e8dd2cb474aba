// The network of a simulated crowd: who hears whom, when, and what gets lost.
//
//     datagram   lost by chance, or where its direction is cut; else there after the delay
//     stream     TCP: nothing is lost, but each lost segment costs a retransmission; nothing
//                passes while either direction is cut
//
// Five zones; 0.5 to 2 ms inside one, 5 to 40 ms one way between two, by the pair.

@testable import Cluster

/// Nanoseconds in a millisecond and in a second.
let millisecond: UInt64 = 1_000_000
let second: UInt64 = 1_000_000_000

/// What the network does to a crowd.
struct Wires {
    static let zonesCount = 5

    /// Datagrams lost each way, of a thousand; segments of streams likewise.
    var lossPerMille = 0
    /// Nodes that cannot hear while the flip-flop is on (Rapid, ATC 2018, 7: loss of ingress).
    var deaf: Set<Int> = []
    /// The deaf hear again every other so many nanoseconds.
    var flipNanos: UInt64 = 20 * second
    var isDown: [Bool]
    private var chance: Chance

    init(_ count: Int, seed: UInt64) {
        isDown = Array(repeating: false, count: count)
        chance = Chance(seed: seed)
    }

    func isCut(to node: Int, now: UInt64) -> Bool {
        deaf.contains(node) && (now / flipNanos).isMultiple(of: 2)
    }

    /// Nanoseconds until a datagram is there; nil if it is lost.
    mutating func datagram(from: Int, to: Int, now: UInt64) -> UInt64? {
        let isLost = chance.below(1_000) < lossPerMille
        let delay = delay(from: from, to: to)
        return isLost || isCut(to: to, now: now) ? nil : delay
    }

    /// Nanoseconds until what is said over a stream is there; nil if nothing passes in 10 s.
    ///
    /// - Parameter isOpen: the connection stands; else it is made first (three segments).
    mutating func stream(from: Int, to: Int, isOpen: Bool, now: UInt64) -> UInt64? {
        guard !isCut(to: to, now: now), !isCut(to: from, now: now), !isDown[to] else { return nil }
        var taken: UInt64 = 0
        if !isOpen {
            // SYN and its answer, again after 1, 2, 4 s (RFC 6298, 2.1).
            var wait = second
            while chance.below(1_000) < lossPerMille || chance.below(1_000) < lossPerMille {
                taken += wait
                wait *= 2
                if taken > 10 * second { return nil }
            }
            taken += delay(from: from, to: to) + delay(from: to, to: from)
        }
        // Data, again after 200, 400, 800 ms: the least that Linux waits.
        var wait = 200 * millisecond
        while chance.below(1_000) < lossPerMille {
            taken += wait
            wait *= 2
            if taken > 10 * second { return nil }
        }
        return taken + delay(from: from, to: to)
    }

    mutating func delay(from: Int, to: Int) -> UInt64 {
        let (a, b) = (from % Wires.zonesCount, to % Wires.zonesCount)
        if a == b { return 500_000 + chance.next() % 1_500_000 }
        let base = 5 + UInt64((7 * min(a, b) + 11 * max(a, b)) % 36)
        return base * millisecond + chance.next() % (base * millisecond / 5)
    }
}

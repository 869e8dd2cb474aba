// Comparing held sets: who lacks what, found within a fifth of a second.
//
// Every round a few peers get the fingerprint of what this node has committed; one that differs
// answers with its own set. What it names and this node has not seen is missing here. A write whose
// origin is linked is most likely on its way, so it is given a moment before it is pulled; one
// whose origin cannot be reached is pulled at once, from whoever has it.

import Suppression

/// When to compare, and what has been missing for how long.
struct Exchange: Sendable {
    private var nextNanos: UInt64 = 0
    private var turn = 0
    private var doubted = HeldSet()
    private var doubtedNanos: UInt64 = 0

    /// The peers to tell now; empty between rounds.
    mutating func due(among peers: [NodeID], now: UInt64) -> [NodeID] {
        guard now >= nextNanos, !peers.isEmpty else { return [] }
        nextNanos = now + Limits.exchangeNanos - Limits.exchangeSlackNanos
        let count = min(Limits.exchangePeersCount, peers.count)
        let chosen = (0..<count).map { peers[(turn + $0) % peers.count] }
        turn = (turn + count) % peers.count
        return chosen
    }

    /// What should be pulled of what is missing here and held there.
    ///
    /// - Parameter isLinked: whether an origin's own push can still arrive.
    mutating func overdue(_ missing: HeldSet, now: UInt64, isLinked: (Origin) -> Bool) -> HeldSet {
        var overdue = HeldSet()
        var coming = HeldSet()
        for entry in missing.entries {
            for interval in entry.intervals {
                if isLinked(entry.origin) {
                    coming.insert(interval, of: entry.origin)
                } else {
                    overdue.insert(interval, of: entry.origin)
                }
            }
        }
        if doubted.isEmpty {
            doubted = coming
            doubtedNanos = now
        } else if now >= doubtedNanos + Limits.pushPatienceNanos {
            overdue.formUnion(doubted.intersection(coming))
            doubted = coming
            doubtedNanos = now
        }
        return overdue
    }
}

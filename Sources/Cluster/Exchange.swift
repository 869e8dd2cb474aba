// Comparing held sets: who lacks what, found within a fifth of a second.
//
// Every round a few peers get the fingerprint of what this node has committed; one that differs
// answers with its own set. What it names and this node has not seen is missing here. A write whose
// origin is linked is most likely on its way, so it is given a moment before it is pulled; one
// whose origin cannot be reached is pulled at once, from whoever has it.
//
// Each write has a moment of its own: a doubt is what began to be missed at about the same time.
//
//     missing here, named by a peer ──► doubt ──patience──► pulled, as often as a peer names it
//                                         └──── it came: forgotten
//
// *(why: one moment for all that was missing made a write that appeared just behind another wait
// for up to three rounds, and a peer that lacks it as well made it wait for ever by answering
// before the one that has it.)*

import Suppression

/// When to compare, and what has been missing for how long.
struct Exchange: Sendable {
    private var nextNanos: UInt64 = 0
    private var turn = 0
    private var doubts: [Doubt] = []

    private struct Doubt {
        var writes: HeldSet
        /// The last moment at which a write can have been added.
        let sinceNanos: UInt64
    }

    /// The peers to tell now; empty between rounds.
    mutating func due(among peers: [NodeID], now: UInt64) -> [NodeID] {
        guard now >= nextNanos, !peers.isEmpty else { return [] }
        nextNanos = now + Limits.exchangeNanos - Limits.exchangeSlackNanos
        let count = min(Limits.exchangePeersCount, peers.count)
        let chosen = (0..<count).map { peers[(turn + $0) % peers.count] }
        turn = (turn + count) % peers.count
        return chosen
    }

    /// What should be pulled of what a peer holds.
    ///
    /// - Parameters:
    ///   - theirs: what the peer holds.
    ///   - arrived: what has come here.
    ///   - isLinked: whether an origin's own push can still arrive.
    mutating func overdue(
        _ theirs: HeldSet,
        arrived: HeldSet,
        now: UInt64,
        isLinked: (Origin) -> Bool
    ) -> HeldSet {
        var overdue = HeldSet()
        var coming = HeldSet()
        for entry in theirs.subtracting(arrived).entries {
            for interval in entry.intervals {
                if isLinked(entry.origin) {
                    coming.insert(interval, of: entry.origin)
                } else {
                    overdue.insert(interval, of: entry.origin)
                }
            }
        }
        for i in doubts.indices { doubts[i].writes = doubts[i].writes.subtracting(arrived) }
        doubts.removeAll { $0.writes.isEmpty }
        var unnoticed = coming
        for doubt in doubts {
            if now >= doubt.sinceNanos + Limits.pushPatienceNanos {
                overdue.formUnion(doubt.writes.intersection(coming))
            }
            unnoticed = unnoticed.subtracting(doubt.writes)
        }
        doubt(unnoticed, now: now)
        return overdue
    }

    private mutating func doubt(_ writes: HeldSet, now: UInt64) {
        guard !writes.isEmpty else { return }
        if let last = doubts.indices.last, now <= doubts[last].sinceNanos {
            doubts[last].writes.formUnion(writes)
        } else {
            doubts.append(Doubt(writes: writes, sinceNanos: now + Limits.doubtGrainNanos))
        }
        guard doubts.count > Limits.doubtsCount else { return }
        doubts[1].writes.formUnion(doubts[0].writes)
        doubts.removeFirst()
    }
}

// What a node itself has said yes to: the ledger of answers that left one node, `local` ones among
// them, until a majority has the write or the disk is gone.

import Cluster
import Suppression

extension Ledger {
    /// The gate of a node said yes before a majority did: now it is that node's to keep.
    mutating func holdsLocally(_ dots: DotRange, _ durability: Durability, at node: Int) {
        guard durability == .local else { return }
        for n in 0..<dots.count {
            for place in places[dots.dot(n)] ?? [] {
                optOuts[place].localAt = node
                optOuts[place].isLocal = true
            }
        }
    }

    /// A yes has left a node.
    mutating func told(_ dots: DotRange, _ durability: Durability, at node: Int, now: UInt64) {
        for n in 0..<dots.count {
            for place in places[dots.dot(n)] ?? [] {
                lastTold[node] = optOuts[place].key
                if optOuts[place].told.contains(where: {
                    $0.node == node && ($0.durability == .quorum || durability == .local)
                }) {
                    continue
                }
                optOuts[place].told.append((node, now, durability))
            }
        }
    }

    /// Whom a node has last said yes about.
    func lastTold(at node: Int) -> MarkKey? { lastTold[node] }

    /// A node's disk was wiped or put back: `local` answers ended with it.
    mutating func replaced(_ node: Int) {
        for place in optOuts.indices {
            if optOuts[place].localAt == node { optOuts[place].localAt = nil }
            optOuts[place].told.removeAll { $0.node == node && $0.durability == .local }
        }
    }

    /// All agree: what was `local` and is still held somewhere is durable. True if there was any.
    mutating func localIsDurable(on disks: [Disk]) -> Bool {
        var found = false
        for optOut in optOuts where optOut.isLocal {
            let dot = optOut.dot
            guard disks.contains(where: { $0.truth.held.contains(dot) && shows(dot, $0) }) else {
                continue
            }
            found = true
            if optOut.durableNanos == nil {
                fail("local: \(optOut.dot) is not durable after healing")
            }
        }
        return found
    }
}

// The overlay's chains: linked as they come, merged when asked, shortened when they grow long.

import Suppression
import Testing

@testable import Storage

@Suite struct OverlayTests {
    /// One of seven keys of one person, one that comes more seldom than chains are merged, or one
    /// of another person in between.
    private func change(_ sequence: UInt64) -> Change {
        let scope = Scope(
            stream: StreamID(raw: 1),
            topic: TopicID(raw: sequence % 45 == 3 ? 99 : UInt32(sequence * 5 % 7 + 1))
        )
        let mark = MarkKey(
            person: sequence % 10 == 0 ? person(2) : person(1),
            scope: scope,
            reason: .unsubscribe
        )
        let time = HybridTime(raw: sequence)
        let own = dot(sequence)
        return Change(
            dot: own,
            time: time,
            body: .suppress(mark, SuppressingDot(dot: own, time: time, source: .api))
        )
    }

    @Test("who is written again and again keeps every mark, in key order, until it is dropped")
    func chains() {
        var overlay = Overlay()
        var newest: [MarkKey: UInt64] = [:]
        let last = UInt64(20 * Limits.overlayChainCount)
        for sequence in 1...last {
            let isTaken = overlay.insert(sequence, change(sequence))
            #expect(isTaken)
            newest[change(sequence).markKey(0)] = sequence
            let areWhole = newest.allSatisfy { overlay.mark($0) == change($1).mark(0) }
            #expect(areWhole)
        }
        for dropped in [0, 3, last / 2, last - 20] {
            overlay.drop(through: dropped)
            #expect(overlay.count == Int(last - dropped))
            for (key, sequence) in newest where sequence > dropped {
                let isWhole = overlay.mark(key) == change(sequence).mark(0)
                #expect(isWhole)
            }
            var keys: [MarkKey] = []
            overlay.forEachMark(of: person(1)) { key, _ in keys.append(key) }
            #expect(keys == newest.keys.filter { $0.person == person(1) }.sorted())
        }
        overlay.drop(through: last)
        #expect(overlay.count == 0)
        for key in newest.keys { #expect(overlay.mark(key) == nil) }
    }
}

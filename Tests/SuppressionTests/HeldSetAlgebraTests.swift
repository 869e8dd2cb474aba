// Sums over held sets, against plain sets of numbers.

import Suppression
import Testing

private let origins = (1...3).map { Origin(node: NodeID(raw: $0), epoch: Epoch(raw: 1)) }

private struct Dice {
    var state: UInt64

    mutating func upTo(_ bound: UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) % (bound + 1)
    }

    mutating func dots() -> Set<Dot> {
        var dots: Set<Dot> = []
        for _ in 0...upTo(30) {
            dots.insert(Dot(origin: origins[Int(upTo(2))], sequence: 1 + upTo(15)))
        }
        return dots
    }
}

private func held(_ dots: Set<Dot>) -> HeldSet {
    var set = HeldSet()
    for dot in dots { set.insert(dot) }
    return set
}

@Suite struct HeldSetAlgebraTests {
    @Test("differences, intersections and prefixes agree with sets of single writes")
    func algebra() {
        var dice = Dice(state: 5)
        for _ in 0..<2_000 {
            let a = dice.dots()
            let b = dice.dots()
            #expect(held(a).subtracting(held(b)) == held(a.subtracting(b)))
            #expect(held(a).intersection(held(b)) == held(a.intersection(b)))
            #expect(held(a).isSuperset(of: held(b)) == a.isSuperset(of: b))
            #expect(held(a).count == UInt64(a.count))
            #expect((held(a).fingerprint() == held(b).fingerprint()) == (a == b))
            let few = dice.upTo(9)
            #expect(
                held(a).prefix(intervals: 99, writes: few) == held(Set(a.sorted().prefix(Int(few))))
            )
            #expect(held(a).prefix(intervals: Int(few)).intervalCount <= Int(few))
        }
    }

    @Test("walking from write to write visits each once, in order")
    func walk() {
        var dice = Dice(state: 6)
        for _ in 0..<200 {
            let dots = dice.dots()
            let set = held(dots)
            var seen: [Dot] = []
            var at: Dot?
            while let next = set.first(after: at), seen.count < 100 {
                seen.append(next)
                at = next
            }
            #expect(seen == dots.sorted())
        }
    }

    @Test("whole ranges of numbers do not overflow")
    func extremes() {
        var all = HeldSet()
        all.insert(SequenceInterval(first: 1, last: .max), of: origins[0])
        #expect(all.count == .max)
        var one = HeldSet()
        one.insert(Dot(origin: origins[0], sequence: .max))
        let rest = all.subtracting(one)
        #expect(rest.entries.first?.intervals == [SequenceInterval(first: 1, last: .max - 1)])
        #expect(one.subtracting(all).isEmpty)
        #expect(all.prefix(intervals: 1, writes: 3).count == 3)
    }
}

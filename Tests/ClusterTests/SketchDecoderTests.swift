// Differences out of cells: exact, bounded, and at the price that the paper names.

import Suppression
import Testing

@testable import Cluster

/// SplitMix64: any number of ids from one seed.
private struct Ids {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func next(_ count: Int) -> [UInt64] { (0..<count).map { _ in next() } }
}

/// The first cells of a set, as many as wanted: a sketch's beginning without its end.
private func cells(_ ids: [UInt64], count: Int) -> SketchCells {
    var cells = SketchCells(count: count)
    for id in ids {
        var path = SketchPath(id)
        while path.cell < count {
            cells.toggle(id, at: path.cell)
            path.advance()
        }
    }
    return cells
}

/// Streams cells as repair does: a first chunk, then steps of a twentieth. Returns what was needed.
private func stream(_ ours: [UInt64], _ theirs: [UInt64], first: Int, atMost: Int) -> (
    decoder: SketchDecoder, chunks: Int
) {
    let (mine, other) = (cells(ours, count: atMost), cells(theirs, count: atMost))
    var decoder = SketchDecoder()
    var chunks = 0
    var (from, to) = (0, min(first, atMost))
    while true {
        decoder.add(ours: mine.part(from..<to), theirs: other.part(from..<to))
        // In small shares, as a loop does it that serves others in between.
        while !decoder.peel(touches: 1_000) {}
        chunks += 1
        if decoder.isDecoded || to == atMost { return (decoder, chunks) }
        (from, to) = (to, min(atMost, to + max(1, to / 20)))
    }
}

@Suite struct SketchDecoderTests {
    @Test("equal sets: every cell is empty at once")
    func equal() {
        var ids = Ids(seed: 1)
        let all = ids.next(1_000)
        let (decoder, chunks) = stream(all, all.reversed(), first: 1, atMost: 64)
        #expect(decoder.isDecoded && decoder.ids.isEmpty && chunks == 1)
        #expect(!SketchDecoder().isDecoded, "nothing was compared yet")
    }

    @Test("decodes exactly what differs, on whichever side it is")
    func exact() {
        for seed in 1...60 as ClosedRange<UInt64> {
            var ids = Ids(seed: seed)
            let shared = ids.next(200)
            let mine = ids.next(Int(seed % 7) * 5)
            let theirs = ids.next(Int(seed % 5) * 9)
            let (decoder, _) = stream(shared + mine, theirs + shared, first: 8, atMost: 4_096)
            #expect(decoder.isDecoded)
            #expect(Set(decoder.ids) == Set(mine + theirs), "seed \(seed)")
        }
    }

    @Test("too few cells: not decoded, and the work stays within its bound")
    func tooFew() {
        var ids = Ids(seed: 5)
        let (decoder, _) = stream(ids.next(2_000), [], first: 512, atMost: 1_024)
        #expect(!decoder.isDecoded)
        #expect(decoder.estimatedCount > 1_500 && decoder.estimatedCount < 2_700)
    }

    @Test("a cell that only looks pure yields noise once, and the difference comes all the same")
    func falsePure() {
        // Three ids whose sum passes for a fourth with the right check and place, found by search.
        var ids = Ids(seed: 6)
        let pool = ids.next(260)
        var trap: [UInt64] = []
        search: for a in 0..<pool.count {
            for b in a + 1..<pool.count {
                for c in b + 1..<pool.count {
                    let sum = pool[a] ^ pool[b] ^ pool[c]
                    let check = [a, b, c].reduce(UInt16(0)) { $0 ^ MarkDigest.check(of: pool[$1]) }
                    if MarkDigest.check(of: sum) == check {
                        trap = [pool[a], pool[b], pool[c]]
                        break search
                    }
                }
            }
        }
        #expect(trap.count == 3)
        // Cell 0 holds all three and every path visits cell 0, so it looks pure from the start.
        for extra in 0..<20 {
            let rest = ids.next(extra)
            let (decoder, _) = stream(trap + rest, [], first: 1, atMost: 2_048)
            #expect(decoder.isDecoded)
            if extra > 0 { #expect(Set(decoder.ids) == Set(trap + rest), "beside \(extra)") }
        }
    }

    @Test("global cells and those of partitions decode together what neither does alone")
    func jointly() {
        let all = (0..<4_096).map { UInt16($0) }
        for (count, each, more) in [(20_000, 6, 0), (20_000, 3, 4)] {
            var ids = Ids(seed: UInt64(count + each))
            let different = ids.next(count)
            var sketch = Sketch()
            sketch.toggle(different)
            let partitions = { (range: Range<Int>) in
                var cells = SketchCells()
                for partition in all {
                    let part = sketch.cells(range, of: Int(partition))
                    for cell in 0..<part.count {
                        cells.append(sum: part.sums[cell], check: part.checks[cell])
                    }
                }
                return cells
            }
            var decoder = SketchDecoder()
            decoder.add(ours: sketch.cells(0..<16_384), theirs: SketchCells(count: 16_384))
            while !decoder.peel(touches: 10_000) {}
            #expect(!decoder.isDecoded, "too many for the global cells")
            let none = { SketchCells(count: 4_096 * $0) }
            decoder.add(ours: partitions(0..<each), theirs: none(each), of: all, each: each)
            while !decoder.peel(touches: 10_000) {}
            if more > 0 {
                #expect(!decoder.isDecoded && !decoder.undecoded.isEmpty)
                let rest = partitions(each..<each + more)
                decoder.add(ours: rest, theirs: none(more), of: all, each: more)
                decoder.peel()
            }
            #expect(decoder.isDecoded && decoder.undecoded.isEmpty)
            #expect(Set(decoder.ids) == Set(different), "\(count), \(each) cells each")
        }
    }

    @Test("cells that nobody's marks made: noise is put back once and never taken again")
    func noise() {
        var ids = Ids(seed: 12)
        let id = ids.next()
        var path = SketchPath(id)
        path.advance()
        var theirs = SketchCells(count: 256)
        theirs.toggle(id, at: path.cell)
        var decoder = SketchDecoder()
        decoder.add(ours: SketchCells(count: 256), theirs: theirs)
        decoder.peel()
        #expect(!decoder.isDecoded && decoder.ids.isEmpty)
        #expect(decoder.touches > 0 && decoder.touches < 100)
    }

    @Test("noise among a thousand differences keeps no true id out")
    func noiseAmongMany() {
        // Three of 4,000 sets in which a cell looks pure that is not; 13 were never decoded while
        // such a cell went on giving ids.
        for seed in [77_777_277, 77_777_357, 77_777_513] as [UInt64] {
            var ids = Ids(seed: seed)
            let all = ids.next(1_000)
            let (decoder, _) = stream(all, [], first: 1_500, atMost: 2_000)
            #expect(decoder.isDecoded && Set(decoder.ids) == Set(all), "seed \(seed)")
        }
    }

    @Test("an id of another partition is never believed")
    func partition() {
        var ids = Ids(seed: 8)
        let id = ids.next()
        let here = Sketch.partition(of: id)
        for (partition, believed) in [(here, true), ((here + 1) % 4_096, false)] {
            var decoder = SketchDecoder()
            decoder.add(
                ours: cells([id], count: 8),
                theirs: SketchCells(count: 8),
                of: [UInt16(partition)],
                each: 8
            )
            decoder.peel()
            #expect(decoder.undecoded == (believed ? [] : [UInt16(partition)]))
            #expect(decoder.ids == (believed ? [id] : []))
        }
    }

    @Test(
        "the samples tell a difference of 10 from one of 100, up to 10,000, within a factor of two"
    )
    func estimate() {
        for count in [10, 100, 1_000, 10_000] {
            var ids = Ids(seed: UInt64(count))
            let all = ids.next(count)
            let sampled = cells(all, count: 16_384)
            var estimate = DifferenceEstimate()
            for cell in SketchSamples.cells {
                estimate.observe(cell: cell, isEmpty: sampled.isEmpty(at: cell))
            }
            let guess = Double(estimate.count)
            #expect(guess > Double(count) / 2 && guess < 2 * Double(count), "\(count): \(guess)")
        }
        #expect(DifferenceEstimate().count == 0)
    }

    @Test("the price of a difference, as the paper has it: a table")
    func overhead() {
        print("differences  cells a difference (median)  bytes a difference")
        for (count, rounds) in [(1, 9), (10, 9), (100, 9), (1_000, 5), (10_000, 3), (100_000, 1)] {
            var needed: [Double] = []
            for round in 0..<rounds {
                var ids = Ids(seed: UInt64(1_000 * count + round))
                let all = ids.next(count)
                let (decoder, _) = stream(
                    all,
                    [],
                    first: max(1, count * 5 / 4),
                    atMost: 4 * count + 32
                )
                #expect(decoder.isDecoded && decoder.ids.count == count)
                needed.append(Double(decoder.count) / Double(count))
            }
            let median = needed.sorted()[rounds / 2]
            print("\(count)  \(median)  \(10 * median)")
            #expect(median <= (count < 100 ? 3 : 1.65))
        }
    }
}

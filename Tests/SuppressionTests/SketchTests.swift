// The sketch as a value: what a cell is, and what follows from XOR alone.

import Suppression
import Testing

/// SplitMix64: any number of ids from one seed.
struct Ids {
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

@Suite struct SketchTests {
    @Test("any order of adding and taking out gives the sketch of what is left")
    func incremental() {
        var ids = Ids(seed: 1)
        let all = ids.next(400)
        var worked = Sketch()
        worked.toggle(all)
        worked.toggle(Array(all[100..<300].reversed()))
        worked.toggle(Array(all[250..<300]))
        var fresh = Sketch()
        fresh.toggle(Array(all[250...] + all[..<100]))
        #expect(worked == fresh)
        worked.toggle(Array(all[250...] + all[..<100]))
        #expect(worked == Sketch())
    }

    @Test("cell 0 is the digest, and partitions add up to the first cells of the whole")
    func cells() {
        var ids = Ids(seed: 2)
        let all = ids.next(1_000)
        var sketch = Sketch()
        sketch.toggle(all)
        var digest = MarkDigest()
        for id in all { digest.toggle(id) }
        #expect(sketch.digest == digest)
        var rest = sketch.cells(0..<Limits.sketchPartitionCellsCount)
        for partition in 0..<Limits.sketchPartitionsCount {
            rest = rest.subtracting(
                sketch.cells(0..<Limits.sketchPartitionCellsCount, of: partition)
            )
        }
        #expect((0..<rest.count).allSatisfy { rest.isEmpty(at: $0) })
        let one = Sketch.partition(of: all[0])
        var alone = MarkDigest()
        for id in all where Sketch.partition(of: id) == one { alone.toggle(id) }
        #expect(sketch.cells(0..<1, of: one).sums == [alone.sum])
    }

    @Test("a path begins at 0, only rises, and visits cell i with probability 1 / (1 + i/2)")
    func paths() {
        var ids = Ids(seed: 3)
        var visits = Array(repeating: 0, count: 64)
        for id in ids.next(20_000) {
            var path = SketchPath(id)
            #expect(path.cell == 0)
            while path.cell < 64 {
                visits[path.cell] += 1
                #expect(SketchPath.visits(id, path.cell))
                let before = path.cell
                path.advance()
                #expect(path.cell > before)
                for skipped in before + 1..<min(64, path.cell) where skipped == before + 1 {
                    #expect(!SketchPath.visits(id, skipped))
                }
            }
        }
        for cell in [1, 2, 4, 10, 30, 60] {
            let expected = 20_000 / (1 + Double(cell) / 2)
            #expect(abs(Double(visits[cell]) - expected) < 0.12 * expected, "cell \(cell)")
        }
    }
}

// Reading a difference out of cells: peeling.
//
//     ours - theirs = cells of those marks alone that only one side has
//     a cell with one id left is pure: its check fits, and that id's path visits this very cell
//     take the id out of all cells of its path; others become pure; until every cell is empty
//
// Cells of the global sketch and of partitions are peeled together: an id found in one is taken out
// of the other. A partition holds more or fewer ids than its share, and has its last ones found in
// the global cells; those alone end at 12,000. So 1.9 cells a difference are enough up to 125,000,
// where partitions by themselves needed 2.5 and three steps.
//
// Cells come in steps; what was found is taken out of the later ones as they come. No count travels
// with a cell, so which side has an id is told by a look-up. A cell with three ids can look pure
// (once in 65,536 times its share of the places), and three rules keep what it yields, noise, from
// doing harm. A cell that gave an id is spent and gives no other: emptied by noise, it would show
// each of its true ids alone as that is taken out elsewhere, as if found again. Noise turns up
// alone in the other cells of its path, once the true ids have left them: an id found a second time
// is put back and never believed again. And touches of cells are counted: past the bound the
// decoder rests until more cells come. What is decoded is right: all cells are empty, the first of
// which every mark of the difference belongs to.

public import Suppression

/// Decodes a growing beginning of a sketch's difference.
public struct SketchDecoder: Sendable {
    private struct Found {
        /// At the first cell beyond the global ones so far.
        var path: SketchPath
        /// The cell that gave it.
        let source: Int
    }

    /// Global cells; once partitions come, all their places behind them.
    private var cells = SketchCells()
    private var isSpent: [Bool] = []
    /// Global cells so far.
    public private(set) var count = 0
    /// Cells so far of each partition; empty before the first.
    private var partCounts: [Int] = []
    private var found: [UInt64: Found] = [:]
    private var disbelieved: Set<UInt64> = []
    /// Cells that may have become pure.
    private var waiting: [Int] = []
    private var isExhausted = false
    private var estimate = DifferenceEstimate()
    /// Touches of cells since the last `add`.
    private(set) var touches = 0

    /// Touches of cells that a decoder makes per cell at most: an id has 27 places among a million
    /// cells and there are fewer ids than cells, so twice that is noise.
    static let touchesPerCellCount = 64

    /// No cells yet.
    public init() {}

    /// Whether cells of partitions came.
    public var isPartitioned: Bool { !partCounts.isEmpty }

    /// Whether every cell is empty now; false before the first.
    public var isDecoded: Bool { count > 0 && cells.areEmpty(0..<cells.count) }

    /// What was found: the difference once `isDecoded`. Rising, as a machine's words hang on no
    /// hash table, and as look-ups by ids are cheapest.
    public var ids: [UInt64] { found.keys.sorted() }

    /// How many ids differ, as well as the global cells so far tell.
    public var estimatedCount: Int { estimate.count }

    /// Cells so far of a partition.
    public func count(of partition: Int) -> Int {
        partCounts.isEmpty ? 0 : partCounts[partition]
    }

    /// Partitions with cells that are not empty, rising.
    public var undecoded: [UInt16] {
        partCounts.indices.filter { partition in
            let start = SketchDecoder.start(of: partition)
            return !cells.areEmpty(start..<start + partCounts[partition])
        }.map { UInt16($0) }
    }

    // MARK: cells

    /// Takes the next global cells of both sides.
    public mutating func add(ours: SketchCells, theirs: SketchCells) {
        let difference = ours.subtracting(theirs)
        let end = count + difference.count
        reserve(end)
        cells.combine(difference, at: count)
        for cell in 0..<difference.count {
            estimate.observe(cell: count + cell, isEmpty: difference.isEmpty(at: cell))
        }
        for (id, known) in found {
            var path = known.path
            while path.cell < end {
                cells.toggle(id, at: path.cell)
                path.advance()
            }
            found[id] = Found(path: path, source: known.source)
        }
        consider(count..<end)
        count = end
    }

    /// Takes the next cells of some partitions, equally many of each.
    public mutating func add(
        ours: SketchCells,
        theirs: SketchCells,
        of partitions: [UInt16],
        each: Int
    ) {
        if partCounts.isEmpty {
            precondition(count <= Suppression.Limits.sketchCellsCount, "the places behind are free")
            partCounts = Array(repeating: 0, count: Suppression.Limits.sketchPartitionsCount)
            reserve(SketchDecoder.start(of: partCounts.count))
        }
        let difference = ours.subtracting(theirs)
        var came: [Int: Range<Int>] = [:]
        for (n, partition) in partitions.enumerated() {
            let from = partCounts[Int(partition)]
            let start = SketchDecoder.start(of: Int(partition))
            cells.combine(difference.part(n * each..<(n + 1) * each), at: start + from)
            partCounts[Int(partition)] = from + each
            consider(start + from..<start + from + each)
            came[Int(partition)] = from..<from + each
        }
        for id in found.keys {
            let partition = Sketch.partition(of: id)
            guard let range = came[partition] else { continue }
            let start = SketchDecoder.start(of: partition)
            var path = SketchPath(id)
            while path.cell < range.upperBound {
                if path.cell >= range.lowerBound { cells.toggle(id, at: start + path.cell) }
                path.advance()
            }
        }
    }

    private mutating func reserve(_ end: Int) {
        guard end > cells.count else { return }
        cells.extend(to: end)
        isSpent.append(contentsOf: repeatElement(false, count: end - isSpent.count))
    }

    private mutating func consider(_ range: Range<Int>) {
        touches = 0
        if isExhausted {
            isExhausted = false
            waiting = Array(cells.sums.indices)
        } else {
            waiting.append(contentsOf: range)
        }
    }

    private static func start(of partition: Int) -> Int {
        Suppression.Limits.sketchCellsCount
            + partition * Suppression.Limits.sketchPartitionCellsCount
    }

    // MARK: peeling

    /// Peels as far as the cells allow.
    ///
    /// - Parameter most: touches after which it pauses, 75 ns each.
    /// - Returns: whether nothing is left to do before more cells come.
    @discardableResult
    public mutating func peel(touches most: Int = 1 << 40) -> Bool {
        let known = count + partCounts.reduce(0, +)
        let bound = SketchDecoder.touchesPerCellCount * known + 1_024
        let pause = touches + most
        while let cell = waiting.popLast() {
            guard let id = pure(cell) else { continue }
            take(id, from: cell)
            if touches >= bound {
                waiting = []
                isExhausted = true
            } else if touches >= pause {
                return waiting.isEmpty
            }
        }
        return true
    }

    private mutating func take(_ id: UInt64, from source: Int) {
        var path = SketchPath(id)
        while path.cell < count {
            touch(id, path.cell)
            path.advance()
        }
        if isPartitioned {
            let partition = Sketch.partition(of: id)
            let start = SketchDecoder.start(of: partition)
            var short = SketchPath(id)
            while short.cell < partCounts[partition] {
                touch(id, start + short.cell)
                short.advance()
            }
        }
        if let noise = found.updateValue(Found(path: path, source: source), forKey: id) {
            // Taken out before, and here again. It is put back for good.
            found[id] = nil
            disbelieved.insert(id)
            isSpent[noise.source] = false
        } else {
            isSpent[source] = true
        }
    }

    private mutating func touch(_ id: UInt64, _ cell: Int) {
        cells.toggle(id, at: cell)
        touches += 1
        if looksPure(cell) { waiting.append(cell) }
    }

    private func looksPure(_ cell: Int) -> Bool {
        let sum = cells.sums[cell]
        return sum != 0 && cells.checks[cell] == MarkDigest.check(of: sum)
    }

    /// The one id that a cell is made of, if it is made of one.
    private func pure(_ cell: Int) -> UInt64? {
        guard looksPure(cell), !isSpent[cell] else { return nil }
        let id = cells.sums[cell]
        guard !disbelieved.contains(id) else { return nil }
        let behind = cell - Suppression.Limits.sketchCellsCount
        guard isPartitioned, behind >= 0 else { return SketchPath.visits(id, cell) ? id : nil }
        let size = Suppression.Limits.sketchPartitionCellsCount
        let isOwn = Sketch.partition(of: id) == behind / size
        return isOwn && SketchPath.visits(id, behind % size) ? id : nil
    }
}

/// The cells of the global sketch by which a difference of any size is guessed before cells come:
/// two bytes of each travel.
public enum SketchSamples {
    /// Their places, rising: four from each doubling, and more from the last ones, where a sample
    /// tells thousands from ten thousands only if many of them are looked at.
    public static let cells: [Int] = (3..<14).flatMap { octave in
        let count = octave < 11 ? 4 : octave < 13 ? 8 : 24
        return (0..<count).map { (1 << octave) + ($0 << octave) / count }
    }
}

/// How large a difference is, judged by which cells of it are empty.
///
/// A difference of d leaves cell i empty with probability (1 - p)^d, p = 1 / (1 + i/2). The most
/// likely d is where the empty cells' sum of p equals that of the others weighed by p's odds.
public struct DifferenceEstimate: Sendable {
    private var shares: [(share: Double, isEmpty: Bool)] = []
    private var lastCell = 0
    /// Observations kept; past them every other one counts no more, which costs no precision.
    private static let observationsCount = 1_024

    /// Nothing seen.
    public init() {}

    /// Takes one cell of the difference into account.
    public mutating func observe(cell: Int, isEmpty: Bool) {
        lastCell = max(lastCell, cell)
        if shares.count >= DifferenceEstimate.observationsCount {
            shares = stride(from: 0, to: shares.count, by: 2).map { shares[$0] }
        }
        shares.append((1 / (1 + Double(cell) / 2), isEmpty))
    }

    /// The most likely number of differences; when no cell is empty, four times as many as the
    /// cells could tell apart, and 1 at least while one is not.
    public var count: Int {
        guard shares.contains(where: { !$0.isEmpty }) else { return 0 }
        guard shares.contains(where: \.isEmpty) else { return max(4, 4 * lastCell) }
        var (low, high) = (0.0, 64 * Double(lastCell + 1))
        for _ in 0..<48 {
            let middle = (low + high) / 2
            if slope(middle) > 0 { low = middle } else { high = middle }
        }
        return max(1, Int(high + 0.5))
    }

    /// Of the logarithm of the likelihood, with exp(-pd) for (1 - p)^d.
    private func slope(_ count: Double) -> Double {
        var slope = 0.0
        for (share, isEmpty) in shares where share < 1 {
            if isEmpty {
                slope -= share
            } else {
                let none = exponential(-share * count)
                slope += share * none / max(1e-300, 1 - none)
            }
        }
        return slope
    }
}

/// e to a power that is not above 0, to four digits: the machines have no mathematics library.
private func exponential(_ power: Double) -> Double {
    guard power > -700 else { return 0 }
    var value = max(0, 1 + power / 1_048_576)
    for _ in 0..<20 { value *= value }
    return value
}

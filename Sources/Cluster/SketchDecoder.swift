// Reading a difference out of cells: peeling.
//
//     ours - theirs = cells of those marks alone that only one side has
//     a cell with one id left is pure: its check fits, and that id's path visits this very cell
//     take the id out of all cells of its path; others become pure; until every cell is empty
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
    private var cells = SketchCells()
    /// Found, each with the first cell of its path beyond the cells so far.
    private var found: [UInt64: SketchPath] = [:]
    /// What each spent cell gave.
    private var given: [Int: UInt64] = [:]
    private var disbelieved: Set<UInt64> = []
    private var estimate = DifferenceEstimate()
    /// Cells touched by the last `add`.
    private(set) var touches = 0
    private let partition: Int?

    /// Touches of cells that a decoder makes per cell at most: an id has 27 places among a million
    /// cells and there are fewer ids than cells, so twice that is noise.
    static let touchesPerCellCount = 64

    /// - Parameter partition: the one whose cells come; nil for the global sketch.
    public init(partition: Int? = nil) { self.partition = partition }

    /// Cells so far.
    public var count: Int { cells.count }

    /// Whether every cell is empty now; false before the first.
    public var isDecoded: Bool {
        cells.count > 0 && (0..<cells.count).allSatisfy { cells.isEmpty(at: $0) }
    }

    /// What was found: the difference once `isDecoded`.
    public var ids: [UInt64] { Array(found.keys) }

    /// How many ids differ, as well as the cells so far tell.
    public var estimatedCount: Int { estimate.count }

    /// Takes the next cells of both sides and peels as far as they allow.
    public mutating func add(ours: SketchCells, theirs: SketchCells) {
        let first = cells.count
        let difference = ours.subtracting(theirs)
        for cell in 0..<difference.count {
            cells.append(sum: difference.sums[cell], check: difference.checks[cell])
            estimate.observe(cell: first + cell, isEmpty: difference.isEmpty(at: cell))
        }
        for (id, path) in found {
            var path = path
            while path.cell < cells.count {
                cells.toggle(id, at: path.cell)
                path.advance()
            }
            found[id] = path
        }
        touches = 0
        peel(Array(0..<cells.count))
    }

    private mutating func peel(_ candidates: [Int]) {
        var waiting = candidates
        let bound = SketchDecoder.touchesPerCellCount * cells.count + 1_024
        while let cell = waiting.popLast() {
            guard let id = pure(cell) else { continue }
            var path = SketchPath(id)
            while path.cell < cells.count {
                cells.toggle(id, at: path.cell)
                if path.cell != cell, looksPure(path.cell) { waiting.append(path.cell) }
                touches += 1
                path.advance()
            }
            if found.updateValue(path, forKey: id) != nil {
                // Noise: taken out before, and here again. It is put back for good.
                found[id] = nil
                disbelieved.insert(id)
                given = given.filter { $0.value != id }
            } else {
                given[cell] = id
            }
            guard touches < bound else { return }
        }
    }

    private func looksPure(_ cell: Int) -> Bool {
        let sum = cells.sums[cell]
        return cells.checks[cell] == MarkDigest.check(of: sum) && sum != 0
    }

    /// The one id that a cell is made of, if it is made of one.
    private func pure(_ cell: Int) -> UInt64? {
        guard looksPure(cell), given[cell] == nil else { return nil }
        let id = cells.sums[cell]
        guard !disbelieved.contains(id), SketchPath.visits(id, cell) else { return nil }
        guard partition.map({ $0 == Sketch.partition(of: id) }) ?? true else { return nil }
        return id
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

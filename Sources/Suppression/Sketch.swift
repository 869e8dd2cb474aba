// The sketch of all marks: cells from which two nodes find their difference by subtracting.
//
//     cell i     XOR of the ids, and of their checks, of the marks whose path visits i
//     path       0, then ever larger steps: cell i is visited with probability 1 / (1 + i/2)
//     global     16,384 cells over all marks; cell 0 is the digest, because every path begins there
//     partition  64 cells each over the marks whose recipients share the first 12 bits, 4,096 times
//
// Rateless IBLT: Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation" (SIGCOMM 2024). Any
// beginning of the cells is a sketch of its own; about 1.4 cells a difference are enough, however
// many marks both sides share. XOR undoes itself: adding a mark and taking it out are one
// operation, and subtracting two sketches is the same again. All of it is 2.7 MiB, whatever the
// number of marks, and a mark that changes touches about 26 cells twice: no page on disk.
//
// The upkeep stands here, beside the digest and below Storage, whose checkpointer does it; reading
// differences out of cells is the Cluster's (SketchDecoder.swift).

extension Limits {
    /// Cells of the global sketch (DESIGN 7): 160 KiB, enough for about 12,000 differences.
    public static let sketchCellsCount = 16_384
    /// Parts into which the recipients fall by their first 12 bits (DESIGN 7): 244 marks each among
    /// 1 M, and with 64 cells each 2.5 MiB.
    public static let sketchPartitionsCount = 4_096
    /// Cells of one partition's sketch (DESIGN 7): enough for about 40 differences.
    public static let sketchPartitionCellsCount = 64
}

/// Where one id goes: the cells that it belongs to, in rising order, without end.
public struct SketchPath: Sendable {
    private var state: UInt64
    /// The present cell.
    public private(set) var cell: Int

    /// Begins at cell 0.
    public init(_ id: UInt64) {
        // SplitMix64's mixture, so that ids that share their leading bits share nothing here.
        var mixed = id &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        state = (mixed ^ (mixed >> 31)) | 1
        cell = 0
    }

    /// Goes to the next cell: the paper's inverse of the cumulative distribution, section 5.
    public mutating func advance() {
        state = state &* 0xda94_2042_e4dd_58b5
        let steps = 4_294_967_296 / (Double(state) + 1).squareRoot() - 1
        let distance = (Double(cell) + 1.5) * steps
        let whole = Int(distance)
        // Rounded up without the mathematics library. The smallest step may round to nothing, and
        // a cell visited twice would not be visited at all.
        cell += max(1, Double(whole) < distance ? whole + 1 : whole)
    }

    /// Whether the path of an id visits a cell.
    public static func visits(_ id: UInt64, _ cell: Int) -> Bool {
        var path = SketchPath(id)
        while path.cell < cell { path.advance() }
        return path.cell == cell
    }
}

/// Some cells of a sketch, side by side: what travels, and what is subtracted.
public struct SketchCells: Equatable, Sendable {
    /// XOR of ids.
    public private(set) var sums: [UInt64] = []
    /// XOR of their checks.
    public private(set) var checks: [UInt16] = []

    /// No cells.
    public init() {}

    /// Cells of no marks.
    public init(count: Int) {
        sums = Array(repeating: 0, count: count)
        checks = Array(repeating: 0, count: count)
    }

    /// How many.
    public var count: Int { sums.count }

    /// Whether a cell is that of no marks, or of an even number of each.
    public func isEmpty(at cell: Int) -> Bool { sums[cell] == 0 && checks[cell] == 0 }

    /// Adds a cell at the end.
    public mutating func append(sum: UInt64, check: UInt16) {
        sums.append(sum)
        checks.append(check)
    }

    /// Adds an id to one cell, or takes it out again.
    public mutating func toggle(_ id: UInt64, at cell: Int) {
        sums[cell] ^= id
        checks[cell] ^= MarkDigest.check(of: id)
    }

    /// Adds empty cells at the end.
    public mutating func extend(to count: Int) {
        sums.append(contentsOf: repeatElement(0, count: count - sums.count))
        checks.append(contentsOf: repeatElement(0, count: count - checks.count))
    }

    /// Combines some cells with those from a place on: adds them where these are empty.
    public mutating func combine(_ others: SketchCells, at first: Int) {
        for cell in 0..<others.count {
            sums[first + cell] ^= others.sums[cell]
            checks[first + cell] ^= others.checks[cell]
        }
    }

    /// Some of them.
    public func part(_ range: Range<Int>) -> SketchCells {
        var part = SketchCells()
        for cell in range { part.append(sum: sums[cell], check: checks[cell]) }
        return part
    }

    /// Whether all cells of a range are those of no marks.
    public func areEmpty(_ range: Range<Int>) -> Bool {
        range.allSatisfy { sums[$0] == 0 && checks[$0] == 0 }
    }

    /// These minus others of the same places.
    public func subtracting(_ others: SketchCells) -> SketchCells {
        precondition(count == others.count, "only equal places can be compared")
        var difference = self
        difference.combine(others, at: 0)
        return difference
    }
}

/// The cells of all marks, global and by partition.
public struct Sketch: Equatable, Sendable {
    private var cells = SketchCells(
        count: Limits.sketchCellsCount + Limits.sketchPartitionsCount
            * Limits.sketchPartitionCellsCount
    )

    /// The sketch of no marks.
    public init() {}

    /// The partition of a mark: its recipient's first 12 bits.
    public static func partition(of id: UInt64) -> Int { Int(id >> 52) }

    /// Adds marks that are not in it, takes out those that are.
    public mutating func toggle(_ ids: [UInt64]) {
        for id in ids { cells.toggle(whole: id) }
    }

    /// Cell 0: equal sets of marks have equal digests.
    public var digest: MarkDigest { MarkDigest(sum: cells.sums[0], check: cells.checks[0]) }

    /// Some cells of the global sketch.
    public func cells(_ range: Range<Int>) -> SketchCells {
        precondition(range.upperBound <= Limits.sketchCellsCount)
        return slice(range)
    }

    /// Some cells of a partition's sketch.
    public func cells(_ range: Range<Int>, of partition: Int) -> SketchCells {
        precondition(range.upperBound <= Limits.sketchPartitionCellsCount)
        let first = Sketch.start(of: partition)
        return slice(first + range.lowerBound..<first + range.upperBound)
    }

    private func slice(_ range: Range<Int>) -> SketchCells {
        cells.part(range)
    }

    fileprivate static func start(of partition: Int) -> Int {
        precondition((0..<Limits.sketchPartitionsCount).contains(partition))
        return Limits.sketchCellsCount + partition * Limits.sketchPartitionCellsCount
    }
}

extension SketchCells {
    /// Both sketches in one walk: they share the path.
    fileprivate mutating func toggle(whole id: UInt64) {
        let check = MarkDigest.check(of: id)
        let partition = Sketch.start(of: Sketch.partition(of: id))
        var path = SketchPath(id)
        while path.cell < Limits.sketchPartitionCellsCount {
            sums[path.cell] ^= id
            checks[path.cell] ^= check
            sums[partition + path.cell] ^= id
            checks[partition + path.cell] ^= check
            path.advance()
        }
        while path.cell < Limits.sketchCellsCount {
            sums[path.cell] ^= id
            checks[path.cell] ^= check
            path.advance()
        }
    }
}

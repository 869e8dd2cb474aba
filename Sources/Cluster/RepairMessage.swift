// What two nodes say to each other while they compare their marks.
//
//     initiator                         responder
//        open     ──────────────────────►  freezes its sketch
//        opened   ◄──────────────────────  equal: that was all, 50 bytes in both directions
//
//     whoever has fewer marks           the other one, which peels
//        cells    ──────────────────────►
//                 ◄──────────────────────  more, until decoded
//                 ◄──────────────────────  marks (what only it has), want (what only the other has)
//        marks    ──────────────────────►
//                 ◄──────────────────────  done
//
// `took` answers each bulk message, so that at most a window of them is under way. A conversation
// is named by a number that its initiator chose: even for the smaller node id of the two, odd for
// the larger, so both may open one.

public import Suppression

/// One mark with its key: what travels, 90 bytes as a rule.
public struct RepairRow: Equatable, Sendable {
    /// Who, how wide, why.
    public let key: MarkKey
    /// The whole mark.
    public let mark: Mark

    /// Pairs the two.
    public init(key: MarkKey, mark: Mark) {
        self.key = key
        self.mark = mark
    }

    /// What of it only denies; nil when nothing does.
    var suppressing: RepairRow? {
        mark.suppressions.isEmpty ? nil : RepairRow(key: key, mark: mark.withoutConsents)
    }

    /// Bytes of the encoded row.
    public var encodedBytes: Int {
        MarkKey.encodedBytes + 5 + mark.covered.count * Dot.encodedBytes
            + mark.suppressions.reduce(0) { $0 + 27 + ($1.opaque.isEmpty ? 25 : $1.opaque.count) }
    }
}

/// Which cells.
public enum RepairScope: Equatable, Sendable {
    /// Those of the sketch over all marks.
    case global
    /// Those of some partitions, rising.
    case partitions([UInt16])

    /// How many sketches the cells are of.
    var count: Int {
        switch self {
        case .global: 1
        case .partitions(let partitions): partitions.count
        }
    }
}

/// What a node says of its frozen sketch.
public struct RepairState: Equatable, Sendable {
    /// Cell 0.
    public let digest: MarkDigest
    /// Keys in `marks`.
    public let marksCount: UInt64
    /// Its marks are not those that it wrote: it can be mended, and mends nobody.
    public let isDamaged: Bool
    /// Nothing shall be changed.
    public let isDry: Bool

    /// Puts a state together.
    public init(digest: MarkDigest, marksCount: UInt64, isDamaged: Bool, isDry: Bool) {
        self.digest = digest
        self.marksCount = marksCount
        self.isDamaged = isDamaged
        self.isDry = isDry
    }
}

/// What a conversation has settled.
public struct RepairCounts: Equatable, Sendable {
    /// Keys that differed.
    public var differences: UInt64 = 0
    /// Marks that the peeling side gave.
    public var given: UInt64 = 0
    /// Marks that the peeling side got.
    public var got: UInt64 = 0
    /// Bytes of all those marks.
    public var floorBytes: UInt64 = 0
    /// How often one side waited for the other.
    public var roundTrips: UInt16 = 0

    /// Nothing yet.
    public init() {}
}

/// Why a node does not compare now.
public enum RepairRefusal: UInt8, Sendable {
    /// Its sketch is still being read from the disk.
    case notReady = 1
    /// Enough peers compare with it already.
    case busy = 2
    /// It knows of no such conversation, or what was said makes no sense in it.
    case confused = 3
}

/// One message of a conversation.
public enum RepairMessage: Equatable, Sendable {
    /// Compare your marks with mine.
    case open(RepairState)
    /// Here are mine; `samples` when they are not equal: checks at `SketchSamples.cells`.
    case opened(RepairState, samples: [UInt16])
    /// Cells of each sketch of the scope, from cell `first` on, equally many of each.
    case cells(RepairScope, first: UInt16, SketchCells)
    /// Send `count` more cells of each sketch of the scope, from cell `first` on.
    case more(RepairScope, first: UInt16, count: UInt16)
    /// Send the marks with these ids.
    case want([UInt64])
    /// Some marks; the last of those that one `want` asked for, or that are pushed.
    case marks([RepairRow], isLast: Bool)
    /// Send the ids of all your marks in this partition: it differs too much for its cells.
    case list(partition: UInt16)
    /// Some of them.
    case ids(partition: UInt16, [UInt64], isLast: Bool)
    /// One bulk message was taken in.
    case took
    /// Everything is settled.
    case done(RepairCounts)
    /// Not now.
    case refused(RepairRefusal)

    /// Whether it counts against the window until the other side has taken it in.
    var isBulk: Bool {
        switch self {
        case .cells, .marks, .ids, .want: true
        default: false
        }
    }

    /// Whether the peeling side waits for what it brings.
    var isQuestion: Bool {
        switch self {
        case .more, .want, .list: true
        default: false
        }
    }

    /// Whether it ends the answer to a question; the first cells come unasked.
    var isLastAnswer: Bool {
        switch self {
        case .cells: true
        case .marks(_, let isLast), .ids(_, _, let isLast): isLast
        default: false
        }
    }
}

// A message of repair as bytes (Docs/formats.md, Peer messages): kinds 32 to 42.
//
//     version u8 | kind u8 | conversation u32 | body
//
// A cell is 10 bytes and has no count: which side has a mark is told by a look-up. Counts are
// checked against their bounds before anything is allocated, as everywhere on a link.

import Suppression

extension RepairMessage {
    static let kinds: ClosedRange<UInt8> = 32...42

    private var kind: UInt8 {
        switch self {
        case .open: 32
        case .opened: 33
        case .cells: 34
        case .more: 35
        case .want: 36
        case .marks: 37
        case .list: 38
        case .ids: 39
        case .took: 40
        case .done: 41
        case .refused: 42
        }
    }

    /// Appends kind, conversation and body.
    func encode(_ conversation: UInt32, into out: inout [UInt8]) {
        out.append(kind)
        out.append(bigEndian: conversation)
        switch self {
        case .open(let state): state.encode(into: &out)
        case .opened(let state, let samples):
            state.encode(into: &out)
            for sample in samples { out.append(bigEndian: sample) }
        case .cells(let scope, let first, let cells):
            scope.encode(into: &out)
            out.append(bigEndian: first)
            for cell in 0..<cells.count {
                out.append(bigEndian: cells.sums[cell])
                out.append(bigEndian: cells.checks[cell])
            }
        case .more(let scope, let first, let count):
            scope.encode(into: &out)
            out.append(bigEndian: first)
            out.append(bigEndian: count)
        case .want(let ids): for id in ids { out.append(bigEndian: id) }
        case .marks(let rows, let isLast):
            out.append(isLast ? 1 : 0)
            for row in rows {
                row.key.encode(into: &out)
                row.mark.encode(into: &out)
            }
        case .list(let partition): out.append(bigEndian: partition)
        case .ids(let partition, let ids, let isLast):
            out.append(bigEndian: partition)
            out.append(isLast ? 1 : 0)
            for id in ids { out.append(bigEndian: id) }
        case .took: break
        case .done(let counts):
            out.append(bigEndian: counts.differences)
            out.append(bigEndian: counts.given)
            out.append(bigEndian: counts.got)
            out.append(bigEndian: counts.floorBytes)
            out.append(bigEndian: counts.roundTrips)
        case .refused(let cause): out.append(cause.rawValue)
        }
    }

    /// Bytes of the whole message, sealing and framing aside.
    var encodedBytes: Int {
        switch self {
        case .open: 6 + RepairState.encodedBytes
        case .opened(_, let samples): 6 + RepairState.encodedBytes + 2 * samples.count
        case .cells(let scope, _, let cells): 6 + scope.encodedBytes + 2 + 10 * cells.count
        case .more(let scope, _, _): 6 + scope.encodedBytes + 4
        case .want(let ids): 6 + 8 * ids.count
        case .marks(let rows, _): 7 + rows.reduce(0) { $0 + $1.encodedBytes }
        case .list: 8
        case .ids(_, let ids, _): 9 + 8 * ids.count
        case .took: 6
        case .done: 40
        case .refused: 7
        }
    }

    /// Reads what follows the kind, to the end of the message.
    init(
        kind: UInt8,
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor
    ) throws(DecodeError) {
        switch kind {
        case 32: self = .open(try RepairState(bytes, at: &cursor))
        case 33:
            let state = try RepairState(bytes, at: &cursor)
            let count = cursor.remaining(bytes) / 2
            guard count == 0 || count == SketchSamples.cells.count else { throw .malformed }
            var samples: [UInt16] = []
            for _ in 0..<count { samples.append(try cursor.u16(bytes)) }
            self = .opened(state, samples: samples)
        case 34: self = try RepairMessage.cells(bytes, &cursor)
        case 35:
            let scope = try RepairScope(bytes, at: &cursor)
            let first = try cursor.u16(bytes)
            let count = try cursor.u16(bytes)
            guard scope.holds(Int(first), Int(count)) else { throw .malformed }
            self = .more(scope, first: first, count: count)
        case 36: self = .want(try cursor.ids(bytes))
        case 37:
            let isLast = try cursor.bit(bytes)
            var rows: [RepairRow] = []
            while cursor.remaining(bytes) > 0 {
                let key = try MarkKey(bytes, at: &cursor)
                rows.append(RepairRow(key: key, mark: try Mark(bytes, at: &cursor)))
            }
            self = .marks(rows, isLast: isLast)
        case 38: self = .list(partition: try cursor.partition(bytes))
        case 39:
            let partition = try cursor.partition(bytes)
            let isLast = try cursor.bit(bytes)
            self = .ids(partition: partition, try cursor.ids(bytes), isLast: isLast)
        case 40: self = .took
        case 41:
            var counts = RepairCounts()
            counts.differences = try cursor.u64(bytes)
            counts.given = try cursor.u64(bytes)
            counts.got = try cursor.u64(bytes)
            counts.floorBytes = try cursor.u64(bytes)
            counts.roundTrips = try cursor.u16(bytes)
            self = .done(counts)
        case 42:
            guard let cause = RepairRefusal(rawValue: try cursor.u8(bytes))
            else { throw .malformed }
            self = .refused(cause)
        default: throw .malformed
        }
    }

    private static func cells(
        _ bytes: Span<UInt8>,
        _ cursor: inout ByteCursor
    ) throws(DecodeError) -> RepairMessage {
        let scope = try RepairScope(bytes, at: &cursor)
        let first = try cursor.u16(bytes)
        let count = cursor.remaining(bytes) / 10
        guard count <= Limits.repairCellsCount, count % scope.count == 0,
            scope.holds(Int(first), count / scope.count)
        else { throw .malformed }
        var cells = SketchCells()
        for _ in 0..<count {
            let sum = try cursor.u64(bytes)
            cells.append(sum: sum, check: try cursor.u16(bytes))
        }
        return .cells(scope, first: first, cells)
    }
}

extension RepairState {
    static let encodedBytes = 19

    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: digest.sum)
        out.append(bigEndian: digest.check)
        out.append(bigEndian: marksCount)
        out.append((isDamaged ? 1 : 0) | (isDry ? 2 : 0))
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let sum = try cursor.u64(bytes)
        digest = MarkDigest(sum: sum, check: try cursor.u16(bytes))
        marksCount = try cursor.u64(bytes)
        let flags = try cursor.u8(bytes)
        guard flags < 4 else { throw .malformed }
        isDamaged = flags & 1 != 0
        isDry = flags & 2 != 0
    }
}

extension RepairScope {
    var encodedBytes: Int {
        switch self {
        case .global: 2
        case .partitions(let partitions): 2 + 2 * partitions.count
        }
    }

    /// Whether sketches of this scope have these cells.
    func holds(_ first: Int, _ count: Int) -> Bool {
        let size: Int
        switch self {
        case .global: size = Suppression.Limits.sketchCellsCount
        case .partitions: size = Suppression.Limits.sketchPartitionCellsCount
        }
        return count > 0 && first + count <= size
    }

    /// A count of 0 stands for the global sketch.
    func encode(into out: inout [UInt8]) {
        switch self {
        case .global: out.append(bigEndian: UInt16(0))
        case .partitions(let partitions):
            out.append(bigEndian: UInt16(partitions.count))
            for partition in partitions { out.append(bigEndian: partition) }
        }
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let count = Int(try cursor.u16(bytes))
        guard count > 0 else {
            self = .global
            return
        }
        guard count <= Limits.repairPartitionsCount else { throw .malformed }
        var partitions: [UInt16] = []
        for _ in 0..<count {
            let next = try cursor.partition(bytes)
            guard partitions.last.map({ $0 < next }) ?? true else { throw .malformed }
            partitions.append(next)
        }
        self = .partitions(partitions)
    }
}

extension ByteCursor {
    fileprivate mutating func bit(_ bytes: Span<UInt8>) throws(DecodeError) -> Bool {
        switch try u8(bytes) {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    fileprivate mutating func partition(_ bytes: Span<UInt8>) throws(DecodeError) -> UInt16 {
        let partition = try u16(bytes)
        guard partition < UInt16(Suppression.Limits.sketchPartitionsCount)
        else { throw .malformed }
        return partition
    }

    fileprivate mutating func ids(_ bytes: Span<UInt8>) throws(DecodeError) -> [UInt64] {
        let count = remaining(bytes) / 8
        guard count <= Limits.repairIDsCount else { throw .malformed }
        var ids: [UInt64] = []
        for _ in 0..<count { ids.append(try u64(bytes)) }
        return ids
    }
}

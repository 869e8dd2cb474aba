// Rows out of an import body that comes in pieces of any size: CSV (RFC 4180) or NDJSON.
//
//     piece --+--> end of the row? --> fields --> batch        the plain case: read where it lies
//             |        | not in this piece
//             +--> held, until the rest has come: at most one row of ImportLimits.lineBytes
//
// Where a row ends depends on one bit: a line end counts when the number of quotes before it is
// even. That bit needs no grammar and can stop and go on at any byte, so any cut gives the same
// rows; the grammar (ImportCSV) then sees whole rows only.
//
// Bad quoting must not swallow the list behind it. After a quote that is wrong or never closed,
// reading goes on at the line after the one where the row began: the lines in between are read a
// second time, as rows. No line is read a third time: of two rows that both run over a line end,
// the later began at a line end inside the earlier one's quotes, so at every line end the two
// counts differ by an odd number, and one of the two ends there.

/// Reads one list; a plain value.
public struct ImportParser: Sendable {
    private var reader: ImportReader
    private var held: [UInt8] = []
    private var heldStart = 0

    /// Begins a list.
    public init(format: ImportFormat) { reader = ImportReader(format: format) }

    /// True after a fatal refusal or `finish`: whatever still comes is not read.
    public var isEnded: Bool { reader.isEnded }

    /// Bytes kept of a row whose rest has not come.
    public var heldBytes: Int { held.count - heldStart }

    /// Reads on until the bytes are used up or the batch is full.
    ///
    /// Call it again with the bytes that were not consumed, as long as there are any; with none of
    /// them left it may still find rows in what it holds, at the latest in `finish`.
    /// - Parameters:
    ///   - limit: rows and refusals of the batch at which to stop, for instance 1,000; what the
    ///     batch holds already counts.
    ///   - batch: gets the rows; its text grows by less than the bytes given and held.
    /// - Returns: how many bytes were consumed.
    public mutating func parse(
        _ bytes: Span<UInt8>,
        limit: Int,
        into batch: inout ImportBatch
    ) -> Int {
        var consumed = 0
        while !reader.isEnded, batch.count < limit {
            if heldStart < held.count {
                if stepHeld(isLast: false, into: &batch) {
                    continue
                }
                if consumed == bytes.count { return consumed }
                consumed += hold(bytes, from: consumed)
            } else {
                forgetHeld()
                if reader.step(bytes, from: &consumed, isLast: false, into: &batch) { continue }
                return keep(bytes, from: consumed)
            }
        }
        if !reader.isEnded { return consumed }
        forgetHeld()
        return bytes.count
    }

    /// Reads what is held as the end of the list, and ends.
    ///
    /// - Parameter batch: gets the last rows; rarely more than one, never more than
    ///   `ImportLimits.lineBytes`.
    public mutating func finish(into batch: inout ImportBatch) {
        while !reader.isEnded, heldStart < held.count {
            if !stepHeld(isLast: true, into: &batch) { break }
        }
        forgetHeld()
        reader.end(&batch)
    }

    /// Reads one row of what is held; the buffer is moved out and back, not copied.
    private mutating func stepHeld(isLast: Bool, into batch: inout ImportBatch) -> Bool {
        let taken = held
        held = []
        defer { held = taken }
        return reader.step(taken.span, from: &heldStart, isLast: isLast, into: &batch)
    }

    /// Holds the rest of a piece, less than a row.
    private mutating func keep(_ bytes: Span<UInt8>, from start: Int) -> Int {
        append(bytes, start..<bytes.count)
        return bytes.count
    }

    /// Holds one more line, but never more than shows that a row is too long.
    private mutating func hold(_ bytes: Span<UInt8>, from start: Int) -> Int {
        if heldStart > 0 {
            held.removeSubrange(0..<heldStart)
            heldStart = 0
        }
        let limit = min(bytes.count, start + ImportLimits.lineBytes + 1 - held.count)
        var end = start
        while end < limit {
            end += 1
            if bytes[end - 1] == 0x0A { break }
        }
        append(bytes, start..<end)
        return end - start
    }

    private mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        unsafe bytes.extracting(range).withUnsafeBufferPointer {
            unsafe held.append(contentsOf: $0)
        }
    }

    private mutating func forgetHeld() {
        held.removeAll(keepingCapacity: true)
        heldStart = 0
    }
}

/// The parser without its buffer: where a row ends, what it says, which line it is.
struct ImportReader: Sendable {
    private let format: ImportFormat
    private var columns: CSVColumns?
    private var row = RowEnd()
    private var line = 1
    private var isFirst = true
    private var isSkipping = false
    private(set) var isEnded = false

    init(format: ImportFormat) { self.format = format }

    /// Reads one row, a blank line, or the rest of a line that is too long.
    ///
    /// - Parameter start: where the row begins; set behind what was read.
    /// - Returns: false if the row's end has not come; what was looked at is not looked at again.
    mutating func step(
        _ bytes: Span<UInt8>,
        from start: inout Int,
        isLast: Bool,
        into batch: inout ImportBatch
    ) -> Bool {
        if isSkipping { return skip(bytes, from: &start) }
        switch row.find(bytes, from: start, hasQuotes: format == .csv, isLast: isLast) {
        case .more:
            return false
        case .end:
            read(bytes, from: &start, into: &batch)
        case .open:
            refuse(quoting(bytes, start..<start + row.length), &batch)
            resume(from: &start)
        case .tooLong:
            let seen = start..<start + row.length
            refuse(row.isQuoted ? quoting(bytes, seen) : .lineTooLong, &batch)
            if row.firstLine == nil {
                isSkipping = true
                start += row.length
            } else {
                resume(from: &start)
            }
        }
        row = RowEnd()
        isFirst = false
        return true
    }

    /// Ends the list.
    mutating func end(_ batch: inout ImportBatch) {
        if !isEnded, format == .csv, columns == nil {
            line = 1
            refuse(.noHeader, &batch)
        }
        isEnded = true
    }

    /// Finds the end of a line that was refused.
    private mutating func skip(_ bytes: Span<UInt8>, from start: inout Int) -> Bool {
        if start == bytes.count { return false }
        while start < bytes.count {
            start += 1
            if bytes[start - 1] == 0x0A {
                isSkipping = false
                line += 1
                return true
            }
        }
        return true
    }

    /// Reads the row whose end was found.
    private mutating func read(
        _ bytes: Span<UInt8>,
        from start: inout Int,
        into batch: inout ImportBatch
    ) {
        var range = start..<start + row.length
        if isFirst { range = behindMark(bytes, range) }
        if !range.isEmpty, bytes[range.upperBound - 1] == 0x0D {
            range = range.lowerBound..<range.upperBound - 1
            row.returns -= 1
        }
        let mark = batch.text.count
        do {
            if !isBlank(bytes, range) { try read(bytes, range, into: &batch) }
        } catch {
            batch.shorten(to: mark)
            refuse(error, &batch)
            if error.isQuoting { return resume(from: &start) }
        }
        start += row.consumed
        line += row.lines
    }

    private mutating func read(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>,
        into batch: inout ImportBatch
    ) throws(ImportFault) {
        if format == .ndjson {
            try row.check(bytes, range, isCSV: false)
            batch.rows.append(try ImportNDJSON.read(bytes, range, line: line, into: &batch))
        } else if let columns {
            let fields = try columns.split(bytes, range, into: &batch)
            try row.check(bytes, range, isCSV: true)
            batch.rows.append(try fields.row(line: line, in: &batch))
        } else {
            let columns = try CSVColumns(bytes, range)
            try row.check(bytes, range, isCSV: true)
            guard columns.hasAddress else {
                throw .noAddressColumn(hasOtherSeparator: columns.hasOtherSeparator)
            }
            self.columns = columns
        }
    }

    /// What is wrong with quotes whose number is odd.
    private func quoting(_ bytes: Span<UInt8>, _ range: Range<Int>) -> ImportFault {
        var fields = CSVFields(range)
        do {
            while try fields.next(bytes) != nil {}
        } catch {
            return error
        }
        return .openQuote
    }

    /// Goes on at the line after the one where the row began.
    private mutating func resume(from start: inout Int) {
        start += row.firstLine ?? row.consumed
        line += 1
    }

    private mutating func refuse(_ fault: ImportFault, _ batch: inout ImportBatch) {
        isEnded = format == .csv && columns == nil
        batch.refusals.append(ImportRefusal(line: line, fault: fault, isFatal: isEnded))
    }

    /// A byte order mark says that the text is UTF-8, which it must be anyway.
    private func behindMark(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        let start = range.lowerBound
        guard range.count >= 3, bytes[start] == 0xEF, bytes[start + 1] == 0xBB,
            bytes[start + 2] == 0xBF
        else { return range }
        return start + 3..<range.upperBound
    }

    private func isBlank(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for at in range where !Wire.isBlank(bytes[at]) { return false }
        return true
    }
}

/// How far a row was looked at for its end.
struct RowEnd: Sendable {
    enum Found { case more, end, open, tooLong }

    /// Bytes of the row so far, and of all of it when found; its line end not counted.
    private(set) var length = 0
    /// Bytes up to and with the first line end inside quotes.
    private(set) var firstLine: Int?
    /// Line ends in the row, its own included.
    private(set) var lines = 0
    /// CRs outside quotes.
    var returns = 0
    /// Inside quotes, as far as their number says.
    private(set) var isQuoted = false
    private var hasLineEnd = false
    private var hasNul = false
    private var bits: UInt8 = 0

    /// Bytes of the row with its line end.
    var consumed: Int { length + (hasLineEnd ? 1 : 0) }

    /// Looks on from where it stopped.
    ///
    /// - Parameter start: where the row begins in these bytes.
    mutating func find(
        _ bytes: Span<UInt8>,
        from start: Int,
        hasQuotes: Bool,
        isLast: Bool
    ) -> Found {
        let end = min(bytes.count, start + ImportLimits.lineBytes + 1)
        var at = start + length
        var bits = bits
        defer {
            self.bits = bits
            length = at - start
        }
        while at < end {
            let byte = bytes[at]
            bits |= byte
            if byte <= 0x22 {
                switch byte {
                case 0x0A:
                    lines += 1
                    if !isQuoted {
                        hasLineEnd = true
                        return .end
                    }
                    if firstLine == nil { firstLine = at + 1 - start }
                case 0x22: if hasQuotes { isQuoted.toggle() }
                case 0x0D: if !isQuoted { returns += 1 }
                case 0x00: hasNul = true
                default: break
                }
            }
            at += 1
        }
        if at - start > ImportLimits.lineBytes { return .tooLong }
        guard isLast, at > start else { return .more }
        return isQuoted ? .open : .end
    }

    /// Refuses bytes that no row may have, wherever they stand.
    func check(_ bytes: Span<UInt8>, _ range: Range<Int>, isCSV: Bool) throws(ImportFault) {
        if hasNul { throw .nul }
        if isCSV, returns > 0 { throw .strayReturn }
        if bits < 0x80 { return }
        var at = range.lowerBound
        let row = bytes.extracting(0..<range.upperBound)
        while at < range.upperBound {
            let step = UTF8Piece.length(row, at: at)
            guard step > 0 else { throw .notUTF8 }
            at += step
        }
    }
}

extension ImportFault {
    /// The row's end is not to be trusted.
    var isQuoting: Bool { self == .strayQuote || self == .textBehindQuote || self == .openQuote }
}

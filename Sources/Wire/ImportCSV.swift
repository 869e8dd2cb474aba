// The grammar of one CSV row, RFC 4180 and no more: fields between commas, plain or in quotes.
//
//     a@example.org,"Smith, Joe",unsubscribe        "say ""hi""" -> say "hi"
//
// A field is in quotes as a whole or not at all. Readers that take `a"b"c` or `"a" ` do not agree
// on what they mean, and a column that moves is an address that is not suppressed. For the same
// reason a row may not have more fields than the first line; it may have fewer, as many programs
// leave empty fields at the end away.

/// What the first line says: which columns matter.
struct CSVColumns: Sendable {
    private var count = 0
    private var address = -1
    private var reason = -1
    private var createdAt = -1
    /// The line has a `;` or a tab, and no comma.
    private(set) var hasOtherSeparator = false

    /// True if there is a column `address`.
    var hasAddress: Bool { address >= 0 }

    /// Reads the first line; names count in either case and without blanks around them.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ImportFault) {
        var fields = CSVFields(range)
        while let field = try fields.next(bytes) {
            if Self.reads(bytes, field.range, "address") {
                try Self.set(&address, to: count)
            } else if Self.reads(bytes, field.range, "reason") {
                try Self.set(&reason, to: count)
            } else if Self.reads(bytes, field.range, "created_at") {
                try Self.set(&createdAt, to: count)
            }
            count += 1
        }
        if count > 1 { return }
        for at in range where bytes[at] == UInt8(ascii: ";") || bytes[at] == 0x09 {
            hasOtherSeparator = true
        }
    }

    /// Takes the fields that matter out of a row.
    ///
    /// Throws only for quotes; everything else that is wrong is known when the whole row was seen.
    func split(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>,
        into batch: inout ImportBatch
    ) throws(ImportFault) -> CSVRow {
        var fields = CSVFields(range)
        var row = CSVRow()
        var column = 0
        while let field = try fields.next(bytes) {
            if column == address {
                row.address = batch.append(field, of: bytes)
            } else if column == reason {
                row.reason = batch.append(field, of: bytes)
            } else if column == createdAt {
                row.createdAt = field
            }
            column += 1
        }
        if let field = row.createdAt { row.time = batch.append(field, of: bytes) }
        row.hasTooMany = column > count
        return row
    }

    private static func set(_ column: inout Int, to place: Int) throws(ImportFault) {
        guard column < 0 else { throw .repeatedColumn }
        column = place
    }

    private static func reads(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>,
        _ name: StaticString
    ) -> Bool {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(bytes[start]) { start += 1 }
        while start < end, isBlank(bytes[end - 1]) { end -= 1 }
        let field = bytes.extracting(start..<end)
        return field.count <= 16 && RESPWord(0, field.count).reads(name, in: field)
    }
}

/// The fields of one row that matter, where they lie in the batch.
struct CSVRow {
    var address = 0..<0
    var reason = 0..<0
    var createdAt: CSVField?
    var time = 0..<0
    var hasTooMany = false

    /// The row, if it is one.
    func row(line: Int, in batch: inout ImportBatch) throws(ImportFault) -> ImportRow {
        if hasTooMany { throw .fields }
        if address.isEmpty { throw .noAddress }
        let millis = createdAt == nil ? nil : try batch.takeTime(time)
        return ImportRow(
            line: line,
            address: address,
            reason: reason.isEmpty ? nil : reason,
            createdAtMillis: millis
        )
    }
}

/// Where a field lies in its row.
struct CSVField {
    /// Its bytes, without the quotes around them.
    let range: Range<Int>
    /// It has quotes, each of them twice.
    let hasQuotes: Bool
}

/// The fields of a row, one after the other.
struct CSVFields {
    private var at: Int
    private let end: Int
    private var isDone = false

    init(_ row: Range<Int>) {
        at = row.lowerBound
        end = row.upperBound
    }

    /// The next field; nil behind the last one. A row has at least one field.
    mutating func next(_ bytes: Span<UInt8>) throws(ImportFault) -> CSVField? {
        if isDone { return nil }
        if at < end, bytes[at] == UInt8(ascii: "\"") { return try quoted(bytes) }
        let start = at
        while at < end {
            let byte = bytes[at]
            if byte == UInt8(ascii: ",") {
                at += 1
                return CSVField(range: start..<at - 1, hasQuotes: false)
            }
            if byte == UInt8(ascii: "\"") { throw .strayQuote }
            at += 1
        }
        isDone = true
        return CSVField(range: start..<end, hasQuotes: false)
    }

    private mutating func quoted(_ bytes: Span<UInt8>) throws(ImportFault) -> CSVField {
        at += 1
        let start = at
        var hasQuotes = false
        while at < end {
            if bytes[at] != UInt8(ascii: "\"") {
                at += 1
            } else if at + 1 < end, bytes[at + 1] == UInt8(ascii: "\"") {
                hasQuotes = true
                at += 2
            } else {
                let field = CSVField(range: start..<at, hasQuotes: hasQuotes)
                at += 1
                if at == end {
                    isDone = true
                } else if bytes[at] == UInt8(ascii: ",") {
                    at += 1
                } else {
                    throw .textBehindQuote
                }
                return field
            }
        }
        throw .openQuote
    }
}

extension ImportBatch {
    /// Appends a field: blanks around it away, quotes in it once.
    fileprivate mutating func append(_ field: CSVField, of bytes: Span<UInt8>) -> Range<Int> {
        guard field.hasQuotes else { return append(bytes, trimming: field.range) }
        var resolved: [UInt8] = []
        resolved.reserveCapacity(field.range.count)
        var at = field.range.lowerBound
        while at < field.range.upperBound {
            resolved.append(bytes[at])
            at += bytes[at] == UInt8(ascii: "\"") ? 2 : 1
        }
        return append(resolved.span, trimming: 0..<resolved.count)
    }
}

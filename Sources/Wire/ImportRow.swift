// What an import says, row by row: the good rows, the refused ones, and why.
//
// Rows come in batches. All bytes that anybody needs of a batch (addresses and reasons, quotes and
// escapes resolved) lie in one buffer, rows are offsets into it, and the buffers are used again for
// the next batch: a million rows cost a handful of allocations, and a batch may travel to another
// thread as the value that it is.
//
//     text   a@example.orgunsubscribeb@example.org...
//     rows   {line 2, 0..<13, 13..<24} {line 3, 24..<37, nothing} ...
//
// A refusal names the line and the cause, never a piece of the line: it may be personal.

/// How a list is written.
public enum ImportFormat: Sendable, Equatable {
    /// RFC 4180 with a header row that names a column `address`.
    case csv
    /// A JSON object a line.
    case ndjson

    /// Finds the format by a `Content-Type`; parameters are not looked at, the text must be UTF-8.
    ///
    /// - Returns: nil for every other type: answer 415.
    public init?(contentType: Span<UInt8>) {
        var bytes: [UInt8] = []
        for at in contentType.indices {
            let byte = contentType[at]
            if byte == UInt8(ascii: ";") { break }
            if byte == 0x20 || byte == 0x09 { continue }
            guard bytes.count < 32 else { return nil }
            bytes.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte)
        }
        switch String(decoding: bytes, as: UTF8.self) {
        case "text/csv": self = .csv
        case "application/x-ndjson", "application/ndjson", "application/jsonl": self = .ndjson
        default: return nil
        }
    }
}

/// One good row; its bytes are in `ImportBatch.text`.
public struct ImportRow: Equatable, Sendable {
    /// Line on which the row begins; the first line of a list, a header too, is 1.
    public let line: Int
    /// Where the address lies: never empty, well-formed UTF-8, no blanks around it, and not yet
    /// known to be an address.
    public let address: Range<Int>
    /// Where the reason lies, not yet known to be one; nil when the row gives none.
    public let reason: Range<Int>?
    /// `created_at` in milliseconds since 1970; nil when the row gives none.
    public let createdAtMillis: UInt64?
}

/// One row that was not read.
public struct ImportRefusal: Equatable, Sendable {
    /// Line on which the row begins; the first line of a list is 1.
    public let line: Int
    /// Why, in one line for people.
    public let fault: ImportFault
    /// True when nothing behind this line was read either.
    public let isFatal: Bool
}

/// Rows that were read together, and refusals between them; both in the order of their lines.
public struct ImportBatch: Sendable {
    /// The bytes of all rows.
    public internal(set) var text: [UInt8] = []
    /// The good rows.
    public internal(set) var rows: [ImportRow] = []
    /// The others.
    public internal(set) var refusals: [ImportRefusal] = []

    /// Holds nothing.
    public init() {}

    /// Good rows and refusals.
    public var count: Int { rows.count + refusals.count }

    /// Forgets the rows and keeps the room.
    public mutating func removeAll() {
        text.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
        refusals.removeAll(keepingCapacity: true)
    }

    /// Appends bytes without the blanks around them.
    mutating func append(_ bytes: Span<UInt8>, trimming range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(bytes[start]) { start += 1 }
        while start < end, isBlank(bytes[end - 1]) { end -= 1 }
        let place = text.count
        unsafe bytes.extracting(start..<end).withUnsafeBufferPointer {
            unsafe text.append(contentsOf: $0)
        }
        return place..<text.count
    }

    /// Takes what `append` has put behind `mark` back.
    mutating func shorten(to mark: Int) { text.removeLast(text.count - mark) }

    /// Reads the time at the end of the text, and takes it from there.
    mutating func takeTime(_ range: Range<Int>) throws(ImportFault) -> UInt64? {
        defer { shorten(to: range.lowerBound) }
        if range.isEmpty { return nil }
        // A day alone is its first moment in UTC.
        if range.count == 10 { text.append(contentsOf: "T00:00:00Z".utf8) }
        guard let millis = Timestamp.parse(text.span.extracting(range.lowerBound..<text.count))
        else { throw .createdAt }
        return millis
    }
}

/// Why a row, or a whole list, was not read.
public enum ImportFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The list has no first line.
    case noHeader
    /// The first line names no column `address`.
    case noAddressColumn(hasOtherSeparator: Bool)
    /// The first line names a column twice that matters.
    case repeatedColumn
    /// The row has no address, or an empty one.
    case noAddress
    /// The row has more fields than the first line has names.
    case fields
    /// A quote in a field that did not begin with one.
    case strayQuote
    /// A quoted field goes on behind its closing quote.
    case textBehindQuote
    /// A quoted field is not closed by the end of the list, or within `ImportLimits.lineBytes`.
    case openQuote
    /// A CR without LF, outside quotes.
    case strayReturn
    /// Longer than `ImportLimits.lineBytes`.
    case lineTooLong
    /// Not UTF-8.
    case notUTF8
    /// A NUL byte.
    case nul
    /// A `created_at` that is no time.
    case createdAt
    /// A line that is not JSON, or JSON beyond its bounds.
    case json(JSONError)
    /// A line of JSON that is no object.
    case notObject
    /// `address`, `reason` or `created_at` is there and not a string.
    case notString

    /// One line that says what is wrong and what to do; never a piece of the row.
    public var description: String {
        switch self {
        case .noHeader: "the list is empty; its first line names the columns"
        case .noAddressColumn(false):
            "no column `address`; the first line names the columns, one of them `address`"
        case .noAddressColumn(true):
            "no column `address`; separate the columns by commas, not by `;` or tabs"
        case .repeatedColumn: "`address`, `reason` or `created_at` names two columns; remove one"
        case .noAddress: "no address; every row needs one"
        case .fields: "more fields than columns; put a field that has a comma in quotes"
        case .strayQuote:
            "a quote inside an unquoted field; put the field in quotes and double those in it"
        case .textBehindQuote:
            "text behind a closing quote; double the quotes inside a quoted field"
        case .openQuote: "a quoted field is not closed; add the quote that is missing"
        case .strayReturn: "a CR without LF; end lines with LF or CR LF"
        case .lineTooLong: "longer than \(ImportLimits.lineBytes) bytes; leave out other columns"
        case .notUTF8: "not UTF-8; save the list as UTF-8"
        case .nul: "a NUL byte; save the list as UTF-8 text"
        case .createdAt:
            "`created_at` is no time; write 2026-11-21T03:51:00Z or 2026-11-21, from 1970 on"
        case .json(let error): "no JSON: \(error)"
        case .notObject: "no JSON object; write {\"address\":\"...\"}"
        case .notString: "`address`, `reason` or `created_at` is no string; put it in quotes"
        }
    }
}

/// A space or a tab.
func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

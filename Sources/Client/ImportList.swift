// A list cut into pieces that a node takes one by one.
//
//     file ──► rows ──► piece: a small CSV of 10,000 rows ──► POST /v1/import
//               └──► rejected here, by line            └──► rejected there: line k of the
//                                                           piece is line lines[k] of the file
//
// Each piece stands by itself, so an import that is cut off goes on with the first piece that was
// not acknowledged; the node counts what it has already, so nothing is wrong if one is sent twice.
// Only the three columns that matter travel.

import Glibc
internal import Wire

/// Where a list is broken beyond a row, or cannot be read.
public struct ListFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// One line; begins with the file's name.
    public let description: String
}

/// A row that is not imported.
public struct RejectedRow: Equatable, Sendable {
    /// Counted from 1.
    public let line: Int
    /// What is wrong and what to do; never a piece of the row.
    public let why: String
}

/// Some rows of a list.
public struct ListPiece: Sendable {
    /// CSV with a header.
    public internal(set) var body: [UInt8]
    /// The line of each row in the list.
    public internal(set) var lines: [Int]
    /// Rows that were rejected before they were sent.
    public internal(set) var rejected: [RejectedRow]
    /// Bytes of the list read up to here.
    public internal(set) var readBytes: Int
    /// Rows of the list up to and with this piece, rejected ones included.
    public internal(set) var throughRow: Int

    fileprivate static let header = Array("address,reason,created_at\n".utf8)

    fileprivate init() {
        body = ListPiece.header
        lines = []
        rejected = []
        readBytes = 0
        throughRow = 0
    }
}

/// Reads a list piece by piece.
public struct ListReader: ~Copyable {
    /// What a file holds.
    public enum Format: String, Sendable {
        /// RFC 4180 with a header row.
        case csv
        /// One JSON object a line.
        case ndjson
    }

    /// Rows of a piece: a node reads it in some 20 turns and lists each of its rejected rows.
    public static let pieceRowsCount = 10_000
    private static let blockBytes = 262_144

    private let descriptor: Int32
    private let name: String
    private var parser: ImportParser
    private var batch = ImportBatch()
    private var block: [UInt8]
    private var blockStart = 0
    private var blockEnd = 0
    private var readBytes = 0
    private var rowsRead = 0
    private var isAtEnd = false

    /// Opens a list; `-` is standard input.
    ///
    /// - Throws: when the file cannot be opened.
    public init(path: String, format: Format) throws(ListFault) {
        descriptor = path == "-" ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ListFault(description: "\(path): \(errorText(errno))")
        }
        name = path == "-" ? "standard input" : path
        parser = ImportParser(format: format == .csv ? .csv : .ndjson)
        block = [UInt8](repeating: 0, count: ListReader.blockBytes)
    }

    deinit { close(descriptor) }

    /// The next piece; nil behind the last.
    ///
    /// - Throws: when the list cannot be read on, or its first line names no address.
    public mutating func next() throws(ListFault) -> ListPiece? {
        var piece = ListPiece()
        while piece.lines.count + piece.rejected.count < ListReader.pieceRowsCount, !isAtEnd {
            if blockStart == blockEnd { try fill() }
            if blockEnd == 0 {
                parser.finish(into: &batch)
                isAtEnd = true
            } else {
                let room = ListReader.pieceRowsCount - piece.lines.count - piece.rejected.count
                // Moved out and back: the span must not depend on this value.
                var bytes: [UInt8] = []
                swap(&bytes, &block)
                blockStart += parse(bytes.span, room)
                swap(&bytes, &block)
            }
            try take(into: &piece)
        }
        piece.readBytes = readBytes - (blockEnd - blockStart)
        piece.throughRow = rowsRead
        return piece.lines.isEmpty && piece.rejected.isEmpty ? nil : piece
    }

    private mutating func parse(_ bytes: Span<UInt8>, _ room: Int) -> Int {
        parser.parse(bytes.extracting(blockStart..<blockEnd), limit: room, into: &batch)
    }

    private mutating func fill() throws(ListFault) {
        blockStart = 0
        while true {
            let count = unsafe block.withUnsafeMutableBytes {
                unsafe read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ListFault(description: "\(name): \(errorText(errno))") }
            blockEnd = count
            readBytes += count
            return
        }
    }

    private mutating func take(into piece: inout ListPiece) throws(ListFault) {
        var batch = ImportBatch()
        swap(&batch, &self.batch)
        for refusal in batch.refusals {
            guard !refusal.isFatal else {
                throw ListFault(description: "\(name):\(refusal.line): \(refusal.fault)")
            }
            piece.rejected.append(
                RejectedRow(line: refusal.line, why: refusal.fault.description)
            )
        }
        for row in batch.rows { piece.append(row, batch.text.span) }
        rowsRead += batch.count
        batch.removeAll()
        swap(&batch, &self.batch)
    }
}

extension ListPiece {
    fileprivate mutating func append(_ row: ImportRow, _ text: Span<UInt8>) {
        lines.append(row.line)
        body.append(field: text.extracting(row.address))
        body.append(0x2C)
        if let reason = row.reason { body.append(field: text.extracting(reason)) }
        body.append(0x2C)
        if let millis = row.createdAtMillis { Timestamp.append(millis: millis, to: &body) }
        body.append(0x0A)
    }
}

extension [UInt8] {
    /// Appends a field of a CSV, in quotes where it needs them.
    fileprivate mutating func append(field: Span<UInt8>) {
        var isPlain = true
        for i in field.indices {
            switch field[i] {
            case 0x22, 0x2C, 0x0A, 0x0D: isPlain = false
            default: break
            }
        }
        if !isPlain { append(0x22) }
        for i in field.indices {
            if field[i] == 0x22 { append(0x22) }
            append(field[i])
        }
        if !isPlain { append(0x22) }
    }
}

// `quell import FILE`: a whole list, with progress, resumable, bad rows by line.

import ArgumentParser
import Client
import Foundation
import Synchronization

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Suppress every address of a list.",
        discussion: """
            The list is CSV with a header row (`address`, and if you like `reason` and \
            `created_at`; other columns are left out) or NDJSON ({"address":"..."} a line). \
            Rejected rows are printed with their line, and the exit code is then 65; all others \
            are durable. An import that was cut off goes on where it was when the same command \
            runs again.

            EXAMPLE
              quell import suppressions.csv --stream marketing --topic news
              quell import bounces.ndjson --stream '*' --reason hard_bounce
            """
    )

    @Argument(help: "The list; - reads standard input.")
    var file: String
    @OptionGroup var scope: ScopeOptions
    @Option(name: .long, help: "Reason of rows that name none.")
    var reason = "import"
    @Option(name: .long, help: "csv or ndjson. (default: by the file's name, else csv)")
    var format: String?
    @Flag(name: .long, help: "Begin at the first row, whatever an earlier run has done.")
    var restart = false
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print one line of JSON at the end.")
    var json = false

    func run() throws {
        let doors = try target.publicDoors()
        var journal = ImportJournal(
            file: file,
            scope: [doors.tenant ?? "", scope.stream, scope.topic, reason]
        )
        if restart { journal.remove() }
        var progress = journal.read()
        if progress.rows > 0 { note("going on behind row \(progress.rows)") }
        let meter = Meter(totalBytes: journal.fileBytes, isShown: isatty(2) == 1 && !json)
        do {
            try send(doors, &journal, &progress, meter)
        } catch let fault as ListFault {
            meter.clear()
            throw Failure(.rejectedRows, fault.description)
        } catch {
            meter.clear()
            if journal.isKept { note("run the same command again to go on") }
            throw error
        }
        meter.clear()
        journal.remove()
        write(progress, seconds: meter.seconds)
        if progress.invalid > 0 { finish(.rejectedRows) }
    }

    private func send(
        _ doors: Target.Doors,
        _ journal: inout ImportJournal,
        _ progress: inout ImportProgress,
        _ meter: Meter
    ) throws {
        var reader = try ListReader(path: file, format: try listFormat())
        let sender = PieceSender(doors) { [scope, reason] client, piece throws(ClientError) in
            try client.importPiece(
                piece,
                stream: scope.stream,
                topic: scope.topic,
                reason: reason
            )
        }
        defer { sender.close() }
        let done = progress.rows
        var isRead = false
        while true {
            while !isRead, sender.hasRoom {
                guard let piece = try reader.next() else {
                    isRead = true
                    break
                }
                if piece.throughRow > done { sender.send(piece) }
            }
            guard let (piece, answer) = try sender.next() else { return }
            for row in (piece.rejected + answer.rejected).sorted(by: { $0.line < $1.line }) {
                meter.clear()
                note("\(file):\(row.line): \(row.why)")
            }
            progress.add(piece, answer)
            journal.write(progress)
            meter.show(rows: progress.rows, since: done, bytes: piece.readBytes)
        }
    }

    private func listFormat() throws(Failure) -> ListReader.Format {
        if let format {
            guard let known = ListReader.Format(rawValue: format) else {
                throw Failure(.usage, "--format is csv or ndjson, not \(format)")
            }
            return known
        }
        let name = file.lowercased()
        let isJSON = name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl")
        return isJSON ? .ndjson : .csv
    }

    private func write(_ progress: ImportProgress, seconds: Double) {
        if json {
            print(progress.json(seconds: seconds))
        } else {
            let rate = seconds > 0 ? Int(Double(progress.rows) / seconds) : progress.rows
            print(
                "\(progress.accepted) newly suppressed, \(progress.already) already, "
                    + "\(progress.invalid) rejected, in \(String(format: "%.1f", seconds)) s "
                    + "(\(rate) rows/s)"
            )
        }
    }
}

/// A line for people, beside the answer.
func note(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }

/// How far an import is.
struct ImportProgress: Codable {
    var rows = 0
    var accepted = 0
    var already = 0
    var invalid = 0

    mutating func add(_ piece: ListPiece, _ answer: ImportAnswer) {
        rows = piece.throughRow
        accepted += answer.accepted
        already += answer.already
        invalid += answer.invalid + piece.rejected.count
    }

    func json(seconds: Double) -> String {
        JSONText.object([
            ("rows", .number(Int64(rows))), ("accepted", .number(Int64(accepted))),
            ("already", .number(Int64(already))), ("invalid", .number(Int64(invalid))),
            ("millis", .number(Int64(seconds * 1_000))),
        ])
    }
}

/// Where an import that is cut off goes on: a small file beside the list.
struct ImportJournal {
    private struct Record: Codable {
        let bytes: Int
        let modified: Double
        let scope: [String]
        let progress: ImportProgress
    }

    let fileBytes: Int
    private let path: String
    private let modified: Double
    private let scope: [String]
    private var isBroken = false

    /// - Parameter scope: what the same command means; another one begins anew.
    init(file: String, scope: [String]) {
        path = file + ".quell-import"
        self.scope = scope
        var about = stat()
        let code = unsafe stat(file, &about)
        let isFile = file != "-" && code == 0
        fileBytes = isFile ? Int(about.st_size) : 0
        modified = isFile ? Double(about.st_mtim.tv_sec) : 0
    }

    /// Whether a later run can go on.
    var isKept: Bool { fileBytes > 0 && FileManager.default.fileExists(atPath: path) }

    /// How far an earlier run of this command came; the beginning for another list.
    func read() -> ImportProgress {
        guard fileBytes > 0, let bytes = FileManager.default.contents(atPath: path) else {
            return ImportProgress()
        }
        do {
            let record = try JSONDecoder().decode(Record.self, from: bytes)
            let isSame =
                record.bytes == fileBytes && record.modified == modified && record.scope == scope
            return isSame ? record.progress : ImportProgress()
        } catch {
            return ImportProgress()  // half a journal: importing again is harmless
        }
    }

    mutating func write(_ progress: ImportProgress) {
        guard fileBytes > 0, !isBroken else { return }
        let record = Record(bytes: fileBytes, modified: modified, scope: scope, progress: progress)
        do {
            try JSONEncoder().encode(record).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            isBroken = true
            note("\(path): cannot be written; the import goes on, but cannot be resumed")
        }
    }

    func remove() { unsafe unlink(path) }
}

/// The bar on a terminal: rows, rate, time left.
struct Meter {
    private let totalBytes: Int
    private let isShown: Bool
    private let began = Date()

    init(totalBytes: Int, isShown: Bool) {
        self.totalBytes = totalBytes
        self.isShown = isShown
    }

    var seconds: Double { Date().timeIntervalSince(began) }

    func show(rows: Int, since: Int, bytes: Int) {
        guard isShown else { return }
        let rate = seconds > 0 ? Double(rows - since) / seconds : 0
        var line = "\(rows) rows, \(Int(rate))/s"
        if totalBytes > 0 {
            let part = min(Double(bytes) / Double(totalBytes), 1)
            let filled = Int(part * 24)
            let bar =
                String(repeating: "=", count: filled) + String(repeating: " ", count: 24 - filled)
            line = "[\(bar)] \(Int(part * 100)) %, " + line
            if part > 0, rate > 0 {
                let left = Double(rows - since) * (1 - part) / part / rate
                line += ", \(Int(left.rounded())) s left"
            }
        }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
    }

    func clear() {
        if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}

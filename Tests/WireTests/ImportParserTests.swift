// What the import parser reads, what it refuses, and that pieces make no difference.

import Testing
import Wire

/// What was read of a list, in a form that is easily compared.
struct ReadList: Equatable {
    var rows: [String] = []
    var refusals: [String] = []
    var faults: [ImportFault] = []
    var isEnded = false

    /// Reads a list that arrives in pieces which end at `cuts`, in batches of `limit`.
    init(_ text: [UInt8], _ format: ImportFormat, cuts: [Int] = [], limit: Int = 1_000_000) {
        var parser = ImportParser(format: format)
        var batch = ImportBatch()
        var start = 0
        for end in cuts + [text.count] {
            let piece = Array(text[start..<end])
            var consumed = 0
            var calls = 0
            repeat {
                let rest = piece.span.extracting(consumed..<piece.count)
                consumed += parser.parse(rest, limit: limit, into: &batch)
                #expect(batch.count <= limit)
                #expect(parser.heldBytes <= ImportLimits.lineBytes + 1)
                take(&batch)
                calls += 1
            } while consumed < piece.count && calls <= 3 * text.count
            #expect(consumed == piece.count)
            start = end
        }
        isEnded = parser.isEnded
        parser.finish(into: &batch)
        take(&batch)
    }

    init(_ text: String, _ format: ImportFormat = .csv) { self.init(Array(text.utf8), format) }

    private mutating func take(_ batch: inout ImportBatch) {
        let bytes = batch.rows.reduce(0) { $0 + $1.address.count + ($1.reason?.count ?? 0) }
        #expect(batch.text.count == bytes, "nothing of a refused row is kept")
        for row in batch.rows {
            var words = "\(row.line) " + String(decoding: batch.text[row.address], as: UTF8.self)
            if let reason = row.reason {
                words += " (" + String(decoding: batch.text[reason], as: UTF8.self) + ")"
            }
            if let millis = row.createdAtMillis { words += " @\(millis)" }
            rows.append(words)
        }
        for refusal in batch.refusals {
            refusals.append("\(refusal.line)" + (refusal.isFatal ? "!" : ""))
            faults.append(refusal.fault)
        }
        batch.removeAll()
    }
}

/// Numbers that are the same in every run.
struct Chance {
    var seed: UInt64

    mutating func below(_ bound: Int) -> Int {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(seed >> 33) % bound
    }
}

@Suite struct ImportParserTests {
    @Test("a list as spreadsheets write it: mark, CR LF, quotes, other columns, blank lines")
    func spreadsheet() {
        let list = ReadList(
            "\u{FEFF}Name, ADDRESS ,reason,Created_At\r\n"
                + "\"Doe, \"\"Jo\"\"\",jo@example.org,unsubscribe,2026-11-21\r\n"
                + "\r\n  \t\r\n"
                + "\"two\r\nlines\",\" é@example.org \",,\r\n"
                + "plain,c@example.org,\"hard_bounce\",2026-11-21T03:51:00+01:00\r\n"
                + "short,\"d\"\"d@example.org\""
        )
        #expect(
            list.rows == [
                "2 jo@example.org (unsubscribe) @1795219200000", "5 é@example.org",
                "7 c@example.org (hard_bounce) @1795229460000", "8 d\"d@example.org",
            ]
        )
        #expect(list.refusals.isEmpty)
    }

    @Test("one column is enough, with or without the last line end")
    func oneColumn() {
        #expect(ReadList("address\na@b.c\nd@e.f").rows == ["2 a@b.c", "3 d@e.f"])
        #expect(ReadList("address\na@b.c\nd@e.f\n").rows == ["2 a@b.c", "3 d@e.f"])
        #expect(ReadList("\u{FEFF}address\na@b.c").rows == ["2 a@b.c"])
        #expect(ReadList("\n\n\"address\"\n\"a@b.c\"").rows == ["4 a@b.c"])
    }

    @Test("NDJSON: members in any order, others ignored, escapes resolved")
    func ndjson() {
        let list = ReadList(
            "\u{FEFF}{\"address\":\"a@b.c\"}\r\n\n {\"address\": \"d@e.f\"}\n"
                + "{\"x\":[1,{\"y\":null}],\"reason\":\"manual\",\"address\":\"\\u0067@h.i\"}\n"
                + "{\"address\":\"j@k.l\",\"created_at\":\"1970-01-02\",\"reason\":null} \n"
                + "{\"address\": \"é@k.l\"}",
            .ndjson
        )
        #expect(
            list.rows == [
                "1 a@b.c", "3 d@e.f", "4 g@h.i (manual)", "5 j@k.l @86400000", "6 é@k.l",
            ]
        )
        #expect(list.refusals.isEmpty)
    }

    static let fatal: [(String, ImportFault)] = [
        ("", .noHeader), ("\n \r\n", .noHeader),
        ("a@b.c\nd@e.f\n", .noAddressColumn(hasOtherSeparator: false)),
        ("mail;address\n", .noAddressColumn(hasOtherSeparator: true)),
        ("mail\taddress\n", .noAddressColumn(hasOtherSeparator: true)),
        ("mail,x;y\n", .noAddressColumn(hasOtherSeparator: false)),
        ("addresses\n", .noAddressColumn(hasOtherSeparator: false)),
        ("address,reason,Address\n", .repeatedColumn), ("address,reason,reason\n", .repeatedColumn),
        ("address,created_at,created_at", .repeatedColumn),
        ("address,\"x\ny", .openQuote), ("addr\"ess\n", .strayQuote), ("address\0\n", .nul),
        ("address\rx\r\n", .strayReturn), ("\"address\" \n", .textBehindQuote),
    ]

    @Test("without a sound first line nothing is read", arguments: fatal)
    func header(text: String, fault: ImportFault) {
        let list = ReadList(text + "\na@b.c\n")
        guard fault != .noHeader else {
            #expect(ReadList(text).faults == [.noHeader] && ReadList(text).refusals == ["1!"])
            return
        }
        #expect(list.faults == [fault] && list.refusals == ["1!"] && list.rows.isEmpty)
    }

    @Test("a first line in another encoding ends the list")
    func otherEncodings() {
        #expect(ReadList(Array("address,x".utf8) + [0xE9, 0x0A], .csv).faults == [.notUTF8])
        let wide: [UInt8] = [0xFF, 0xFE] + "address\n".utf8.flatMap { [$0, 0] as [UInt8] }
        let list = ReadList(wide, .csv)
        #expect(list.refusals == ["1!"] && list.faults == [.nul] && list.isEnded)
    }

    static let bad: [(String, ImportFault)] = [
        (",x,", .noAddress), ("\"\",x", .noAddress), (" ,x", .noAddress), (",", .noAddress),
        ("a@b.c,,,", .fields), ("a@b.c,Doe, Jo,x", .fields),
        ("a\"b@c.d", .strayQuote), ("a@b.c,x\"", .strayQuote), (" \"a@b.c\"", .strayQuote),
        ("\"a@b.c\" ,x", .textBehindQuote), ("\"a\"b@c.d", .textBehindQuote),
        ("a@b.c\rd@e.f", .strayReturn), ("a@b.c\r\r", .strayReturn), ("a@b.c\0", .nul),
        ("a@b.c,\"x\0\"", .nul), ("a@b.c,x,yesterday", .createdAt),
        ("a@b.c,x,2026-11-31", .createdAt), ("a@b.c,x,2026-11-21 10:00:00", .createdAt),
        ("a@b.c,x,1969-12-31", .createdAt),
    ]

    @Test("a bad row is refused with its line; the rows around it are read", arguments: bad)
    func badRows(row: String, fault: ImportFault) {
        let list = ReadList("address,reason,created_at\nw@x.y\n\(row)\nz@x.y\n")
        #expect(list.rows == ["2 w@x.y", "4 z@x.y"])
        #expect(list.refusals == ["3"] && list.faults == [fault])
    }

    static let badJSON: [(String, ImportFault)] = [
        ("{}", .noAddress), ("{\"address\":null}", .noAddress), ("{\"address\":\" \"}", .noAddress),
        ("{\"address\": \"\"}", .noAddress), ("[\"a@b.c\"]", .notObject), ("\"a@b.c\"", .notObject),
        ("{\"address\":1}", .notString), ("{\"address\":[\"a@b.c\"]}", .notString),
        ("{\"address\":\"a@b.c\",\"reason\":1}", .notString),
        ("{\"address\":\"a@b.c\",\"created_at\":1}", .notString),
        ("{\"address\":\"a@b.c\",\"created_at\":\"now\"}", .createdAt),
        ("{\"address\":\"a\\u0000@b.c\"}", .nul), ("{\"address\":\"a\0@b.c\"}", .nul),
        ("{\"address\":\"a@b.c\"", .json(.malformed(offset: 18, expected: "',' or '}'"))),
        ("{\"address\":\"a@b.c", .json(.malformed(offset: 17, expected: "the closing '\"'"))),
        (
            "{\"address\":\"a@b.c\"}}",
            .json(.malformed(offset: 19, expected: "the end of the text"))
        ),
        (
            "{\"address\":\"a@b.c\",\"address\":\"d@e.f\"}",
            .json(.malformed(offset: 19, expected: "a name that is not yet used"))
        ),
        ("{\"address\":\"a@b.c\"]", .json(.malformed(offset: 18, expected: "',' or '}'"))),
        ("\u{FEFF}{\"address\":\"a@b.c\"}", .json(.malformed(offset: 0, expected: "a value"))),
        ("address,reason", .json(.malformed(offset: 0, expected: "a value"))),
    ]

    @Test("a bad line of NDJSON is refused with its line", arguments: badJSON)
    func badLines(row: String, fault: ImportFault) {
        let list = ReadList(
            "{\"address\":\"w@x.y\"}\n\(row)\n{\"address\":\"z@x.y\"}\n",
            .ndjson
        )
        #expect(list.rows == ["1 w@x.y", "3 z@x.y"])
        #expect(list.refusals == ["2"] && list.faults == [fault])
    }

    @Test("bytes that are not UTF-8 cost their row, also in a column that nobody asked for")
    func encoding() {
        for format in [ImportFormat.csv, .ndjson] {
            for broken: [UInt8] in [
                [0xE9], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5], [0xE2, 0x82],
            ] {
                let isCSV = format == .csv
                let before = isCSV ? "x,address\n1," : "{\"x\":1}\n{\"address\":\""
                let head = isCSV ? "" : "{\"address\":\"a@b.c\",\"x\":\""
                let tail = isCSV ? ",a@b.c\n1,d@e.f" : "\"}\n{\"address\":\"d@e.f\"}"
                let text =
                    Array((before + (isCSV ? "z@z.z\n" : "z@z.z\"}\n") + head).utf8) + broken
                    + Array(tail.utf8)
                let list = ReadList(text, format)
                #expect(list.rows == ["2 z@z.z", "4 d@e.f"])
                #expect(list.faults.last == .notUTF8 && list.refusals.last == "3")
            }
        }
    }

    @Test("a quote that is never closed costs its line, not the list behind it")
    func openQuotes() {
        let rows = (3..<3_003).map { "\($0)@example.org\n" }.joined()
        let short = ReadList("address\n\"a@b.c\n" + rows)
        #expect(short.rows.count == 3_000 && short.rows.last == "3002 3002@example.org")
        #expect(short.refusals == ["2"] && short.faults == [.openQuote])
        let long = ReadList("address\n\"a@b.c\n" + rows + rows)
        #expect(long.rows.count == 6_000 && long.refusals == ["2"] && long.faults == [.openQuote])
        let every = ReadList("address\n" + String(repeating: "\"a@b.c\n", count: 1_000))
        #expect(every.rows.isEmpty && every.refusals.count == 1_000)
    }

    @Test("a row of 65,536 bytes is read, a longer one is refused, the next one is read")
    func longest() {
        for format in [ImportFormat.csv, .ndjson] {
            let head = format == .csv ? "a@b.c," : "{\"address\":\"a@b.c\",\"x\":\""
            let tail = format == .csv ? "" : "\"}"
            let first = format == .csv ? "address,x\n" : "\n"
            let next = format == .csv ? "d@e.f" : "{\"address\":\"d@e.f\"}"
            for (excess, fault) in [
                (0, nil), (1, .lineTooLong), (200_000, ImportFault.lineTooLong),
            ] {
                let room = ImportLimits.lineBytes - head.utf8.count - tail.utf8.count + excess
                let text = first + head + String(repeating: "x", count: room) + tail + "\n" + next
                let list = ReadList(text, format)
                #expect(list.faults == (fault.map { [$0] } ?? []))
                #expect(list.rows == (excess == 0 ? ["2 a@b.c"] : []) + ["3 d@e.f"])
                let bytes = Array(text.utf8)
                #expect(ReadList(bytes, format, cuts: [20, 65_500, 65_545, 65_547]) == list)
            }
        }
    }

    @Test("the format is found by its type, whatever its letters and parameters")
    func types() {
        func format(_ text: String) -> ImportFormat? {
            ImportFormat(contentType: text.utf8.span)
        }
        #expect(format("Text/CSV; charset=utf-8") == .csv)
        #expect(format("application/x-ndjson") == .ndjson)
        #expect(format("application/ndjson") == .ndjson && format("application/jsonl ") == .ndjson)
        for text in ["", "text/plain", "application/json", "text/csvx", "text/cs"] {
            #expect(format(text) == nil)
        }
    }

    @Test("every fault says what to do, in one line without a piece of the list")
    func texts() {
        let faults = Self.bad.map(\.1) + Self.badJSON.map(\.1) + Self.fatal.map(\.1)
        for fault in faults + [.lineTooLong, .notUTF8] {
            #expect(fault.description.count > 10 && fault.description.count <= 100, "\(fault)")
            #expect(!fault.description.contains("\n") && !fault.description.contains("@"))
        }
    }
}

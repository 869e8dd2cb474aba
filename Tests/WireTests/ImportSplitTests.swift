// Properties of the import parser: cuts make no difference, and what was written is read.
//
// The oracle of the second is a writer, not another reader: random fields go out in RFC 4180, with
// and without quotes, and must come back as they were.

import Testing
import Wire

@Suite struct ImportSplitTests {
    static let small: [(ImportFormat, String)] = [
        (
            .csv,
            "\u{FEFF}x,address,reason\r\n\"a\r\n\"\"b\"\"\",é@b.c,\"r\"\r\n\r\n,d@e.f\n1,2,3,4\n"
        ),
        (.csv, "address\n\"a@b.c\nd@e.f\n\"g@h.i\"\"\nj@k.l"),
        (.csv, "address\na\"b\n\"c\"d\ne@f.g\r\n\"h@i.j\"\r\n\"\n\n\"\n\"k@l.m"),
        (.csv, "mail\na@b.c\n"), (.csv, "address\r\n\r\r\na\rb\n\0\n\"\r\"\n"),
        (
            .ndjson,
            "\u{FEFF}{\"address\":\"é@b.c\"}\r\n\n{\"address\":1}\n{\"address\":\"\\u00e9@d.e\"}"
        ),
        (.ndjson, "{\"address\":\"a\"b\n\"\n{\"address\":\"c@d.e\",\"reason\":\"x\"}\n[]\n"),
    ]

    @Test("cut anywhere, byte by byte, and read row by row, a list is the same", arguments: small)
    func everyCut(format: ImportFormat, text: String) {
        let bytes = Array(text.utf8)
        let whole = ReadList(bytes, format)
        for cut in 0...bytes.count {
            #expect(ReadList(bytes, format, cuts: [cut]) == whole, "cut at \(cut)")
            #expect(ReadList(bytes, format, cuts: [cut], limit: 1) == whole, "cut at \(cut)")
        }
        #expect(ReadList(bytes, format, cuts: Array(0..<bytes.count)) == whole)
        #expect(ReadList(bytes, format, cuts: Array(0..<bytes.count), limit: 1) == whole)
    }

    @Test("damaged at random, a list is the same whole and in pieces")
    func damage() {
        var chance = Chance(seed: 0x51_75_65_6C_6C)
        let marks = Array("\",\r\n\0;\\{}:a ".utf8) + [0xC3, 0xA9, 0xFF]
        for round in 0..<3_000 {
            let (format, text) = Self.small[round % Self.small.count]
            var bytes = Array(text.utf8)
            for _ in 0...chance.below(4) {
                let place = chance.below(bytes.count)
                switch chance.below(3) {
                case 0: bytes[place] = marks[chance.below(marks.count)]
                case 1: bytes.remove(at: place)
                default: bytes.insert(marks[chance.below(marks.count)], at: place)
                }
            }
            let cuts = (0..<4).map { _ in chance.below(bytes.count + 1) }.sorted()
            let whole = ReadList(bytes, format)
            let limit = 1 + chance.below(4)
            let isSame = ReadList(bytes, format, cuts: cuts, limit: limit) == whole
            #expect(isSame, "round \(round)")
        }
    }

    @Test("whatever was written by RFC 4180 is read, in pieces and batches of any size")
    func written() {
        var chance = Chance(seed: 8_058)
        let letters = ["a", "@", ".", "é", "\u{1F600}", "\"", ",", "\n", "\r\n", ";", " x", "\t"]
        for round in 0..<100 {
            let width = 1 + chance.below(4)
            let place = chance.below(width)
            var text =
                (0..<width).map { $0 == place ? "address" : "c\($0)" }
                .joined(separator: ",") + "\r\n"
            var expected: [String] = []
            var line = 2
            for _ in 0..<chance.below(200) {
                let fields = (0..<width).map { column in
                    (column == place ? "m" : "")
                        + (0..<chance.below(9)).map { _ in letters[chance.below(letters.count)] }
                        .joined() + (column == place ? "x" : "")
                }
                expected.append("\(line) \(fields[place])")
                let row = fields.map { field in
                    let needsQuotes = field.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
                    if !needsQuotes, chance.below(3) > 0 { return field }
                    return "\""
                        + field.split(separator: "\"", omittingEmptySubsequences: false)
                        .joined(separator: "\"\"") + "\""
                }.joined(separator: ",")
                text += row + (chance.below(2) == 0 ? "\n" : "\r\n")
                line += 1 + row.utf8.count { $0 == 0x0A }
            }
            let bytes = Array(text.utf8)
            let cuts = (0..<chance.below(40)).map { _ in chance.below(bytes.count + 1) }.sorted()
            let list = ReadList(bytes, .csv, cuts: cuts, limit: 1 + chance.below(50))
            #expect(list.refusals.isEmpty, "round \(round)")
            let isSame = list.rows == expected
            #expect(isSame, "round \(round)")
        }
    }

    @Test("hostile quotes cost no more than reading every line twice")
    func quadratic() {
        // Looking for the end of each row over and over would be 1.3 * 10^9 steps for each of these
        // lists, minutes in a debug build.
        for line in ["\"a@b.c\n", "\",\n", "x\"\n", "\"\"\"\n", "\"\n", "a@b.c,\"\n"] {
            let text = "address,x\n" + String(repeating: line, count: 200_000 / line.utf8.count)
            let list = ReadList(text)
            #expect(!list.isEnded && list.rows.count + list.refusals.count > 10_000, "\(line)")
        }
    }
}

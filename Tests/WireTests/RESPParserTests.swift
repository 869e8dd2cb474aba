// What the RESP parser takes, what it refuses, and that pieces make no difference.

import Testing
import Wire

/// One look at a whole text.
struct Look {
    var found: [RESPParser.Found] = []
    var commands: [[String]] = []
    var cursor = 0

    /// Looks until nothing more is found, with the input arriving in pieces that end at `cuts`.
    init(_ text: String, _ bounds: RESPBounds = .member, cuts: [Int] = []) {
        let bytes = Array(text.utf8)
        var parser = RESPParser()
        var words: [RESPWord] = []
        for end in cuts + [bytes.count] {
            let input = Array(bytes[..<end])
            while true {
                words.removeAll()
                let next = parser.next(input.span, within: bounds, into: &words)
                if next == .command {
                    commands.append(words.map { String(decoding: input[$0.range], as: UTF8.self) })
                } else {
                    #expect(words.isEmpty, "words only with a command")
                }
                if next != .more { found.append(next) }
                if next != .command { break }
            }
            if case .refused = found.last { break }
        }
        cursor = parser.cursor
    }

    var refusal: RESPRefusal? {
        guard case .refused(let refusal) = found.last else { return nil }
        return refusal
    }
}

/// A command as clients send it.
func array(_ words: String...) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

@Suite struct RESPParserTests {
    @Test("arrays, inline commands and empty lines are read in order")
    func order() {
        let text = array("SISMEMBER", "m:n", "a@b.c") + "\r\n\nPING\r\n  "
        let look = Look("\r\n" + text.dropLast(2) + "get\ta  b\n" + array("ECHO", ""))
        #expect(
            look.commands == [
                ["SISMEMBER", "m:n", "a@b.c"], ["PING"], ["get", "a", "b"], ["ECHO", ""],
            ])
        #expect(look.refusal == nil)
    }

    @Test("a command's bytes may be anything, line ends included")
    func binary() {
        let word = "a\r\n$1\r\n\0\u{7F}é"
        #expect(Look(array("ECHO", word)).commands == [["ECHO", word]])
    }

    @Test("cut anywhere, the same commands are found, each once")
    func splits() {
        let text = array("SADD", "m:n", "a@b.c", "") + "\r\nping  x\r\n" + array("GET", "k") + "\n"
            + array("QUIT")
        let whole = Look(text)
        #expect(whole.commands.count == 4)
        let count = text.utf8.count
        for cut in 0...count {
            let look = Look(text, cuts: [cut])
            #expect(look.commands == whole.commands, "cut at \(cut)")
            #expect(look.cursor == count)
        }
        #expect(Look(text, cuts: Array(0..<count)).commands == whole.commands)
    }

    static let malformed: [(String, RESPRefusal)] = [
        ("*-1\r\n", .arrayLength), ("*0\r\n", .arrayLength), ("*+1\r\n", .arrayLength),
        ("*01\r\n", .arrayLength), ("* 1\r\n", .arrayLength), ("*1 \r\n", .arrayLength),
        ("*\r\n", .arrayLength), ("*1\n", .arrayLength), ("*1\rx", .arrayLength),
        ("*0x1\r\n", .arrayLength), ("*1e1\r\n", .arrayLength), ("*00\r\n", .arrayLength),
        ("*10003\r\n", .elements), ("*99999999999999999999\r\n", .elements),
        ("*18446744073709551617\r\n", .elements), ("*2147483648", .elements),
        ("*1\r\n$-1\r\n", .bulkLength), ("*1\r\n$+4\r\nPING\r\n", .bulkLength),
        ("*1\r\n$04\r\nPING\r\n", .bulkLength), ("*1\r\n$ 4\r\nPING\r\n", .bulkLength),
        ("*1\r\n$4 \r\nPING\r\n", .bulkLength), ("*1\r\n$\r\n", .bulkLength),
        ("*1\r\n$4\nPING\r\n", .bulkLength), ("*1\r\n$4\r\rPING", .bulkLength),
        ("*1\r\n$00\r\n\r\n", .bulkLength), ("*1\r\n$1a\r\n", .bulkLength),
        ("*1\r\n$4097\r\n", .bulkSize), ("*1\r\n$4294967300\r\n", .bulkSize),
        ("*1\r\n$4\r\nPINGxx", .bulkEnd), ("*1\r\n$4\r\nPING\n\n", .bulkEnd),
        ("*1\r\n$4\r\nPING\r\r", .bulkEnd), ("*1\r\n$4\r\nPING\n\n", .bulkEnd),
        ("*1\r\n$3\r\nPING\r\n", .bulkEnd), ("*1\r\n$5\r\nPING\r\n\r\n", .bulkEnd),
        ("*1\r\nPING\r\n", .notBulk), ("*1\r\n:1\r\n", .notBulk), ("*1\r\n*1\r\n", .notBulk),
        ("*2\r\n$4\r\nECHO\r\n\r\n", .notBulk),
        ("$4\r\nPING\r\n", .notCommand), ("+OK\r\n", .notCommand), (":1\r\n", .notCommand),
        ("\u{16}\u{03}\u{01}", .notCommand), (" PING\r\n", .notCommand), ("\0", .notCommand),
        ("\rPING\r\n", .notCommand), ("-1\r\n", .notCommand), ("é\r\n", .notCommand),
        ("PING \u{01}\r\n", .inlineByte), ("GET \"a\"\r\n", .inlineByte),
        ("GET 'a'\r\n", .inlineByte), ("PING\rx\r\n", .inlineByte), ("PI\u{7F}\n", .inlineByte),
    ]

    @Test("what is not plainly a command is refused, whole or byte by byte", arguments: malformed)
    func refusals(text: String, refusal: RESPRefusal) {
        #expect(Look(text).refusal == refusal)
        #expect(Look(text, cuts: Array(0..<text.utf8.count)).refusal == refusal)
        #expect(Look(text).commands.isEmpty)
    }

    @Test("a length is refused at its digit over the bound, before its line ends")
    func early() {
        #expect(Look("*10002").refusal == nil)
        #expect(Look("*10003").refusal == .elements)
        #expect(Look("*1\r\n$4096").refusal == nil)
        #expect(Look("*1\r\n$4097").refusal == .bulkSize)
    }

    @Test("bounds after AUTH: 10,002 words of 4,096 bytes, 4 MiB in all")
    func member() {
        let many = "*10002\r\n" + String(repeating: "$1\r\na\r\n", count: 10_002)
        #expect(Look(many).commands.first?.count == 10_002)
        let word = "$4096\r\n" + String(repeating: "x", count: 4_096) + "\r\n"
        #expect(Look("*1022\r\n" + String(repeating: word, count: 1_021)).refusal == nil)
        #expect(Look("*1022\r\n" + String(repeating: word, count: 1_022)).refusal == .commandSize)
        #expect(Look("a" + String(repeating: "x", count: 4_095) + "\n").commands.count == 1)
        #expect(Look("a" + String(repeating: "x", count: 4_095)).refusal == nil)
        #expect(Look("a" + String(repeating: "x", count: 4_096)).refusal == .inlineSize)
    }

    @Test("bounds before AUTH: 10 words, 4 KiB in all")
    func stranger() {
        #expect(Look("*10\r\n", .stranger).refusal == nil)
        #expect(Look("*11\r\n", .stranger).refusal == .stranger)
        #expect(Look("*2\r\n$4\r\nAUTH\r\n$4080\r\n", .stranger).refusal == .stranger)
        #expect(Look("*2\r\n$4\r\nAUTH\r\n$4000\r\n", .stranger).refusal == nil)
        #expect(Look("*1\r\n$4097\r\n", .stranger).refusal == .stranger)
        #expect(Look("a b c d e f g h i j k\n", .stranger).refusal == .stranger)
        #expect(Look("a" + String(repeating: "x", count: 5_000), .stranger).refusal == .stranger)
    }

    @Test("offsets follow when the input moves, also in the middle of a command")
    func shifts() {
        let bytes = Array((array("PING") + array("GET", "key")).utf8)
        let first = array("PING").utf8.count
        for cut in first...bytes.count {
            var parser = RESPParser()
            var words: [RESPWord] = []
            let head = Array(bytes[..<cut])
            #expect(parser.next(head.span, within: .member, into: &words) == .command)
            _ = parser.next(head.span, within: .member, into: &words)
            if parser.cursor == bytes.count { continue }
            parser.shift(by: first)
            words.removeAll()
            let rest = Array(bytes[first...])
            #expect(parser.next(rest.span, within: .member, into: &words) == .command)
            #expect(words.map { rest[$0.range].count } == [3, 3])
        }
    }

    @Test("damaged at random, the whole and its pieces are read alike and within the input")
    func damage() {
        var seed: UInt64 = 0x51_75_65_6C_6C
        func random(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        let sound = Array((array("SADD", "m:n", "a@b.c", "") + "ping x\r\n" + array("GET")).utf8)
        let marks = Array("*$\r\n0129-+ \0Aa\"".utf8)
        for _ in 0..<5_000 {
            var bytes = sound
            for _ in 0...random(3) {
                let place = random(bytes.count)
                switch random(3) {
                case 0: bytes[place] = marks[random(marks.count)]
                case 1: bytes.remove(at: place)
                default: bytes.insert(marks[random(marks.count)], at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let cuts = Set((0..<4).map { _ in random(text.utf8.count) }).sorted()
            let whole = Look(text)
            let pieces = Look(text, cuts: cuts)
            #expect(whole.commands == pieces.commands && whole.refusal == pieces.refusal)
            #expect(whole.cursor == pieces.cursor && whole.cursor <= text.utf8.count)
        }
    }

    @Test("every name is found in either case, and nothing that only resembles one")
    func names() {
        for name in RESPName.allCases where name != .unknown {
            for text in ["\(name.text)", "\(name.text)".uppercased()] {
                let bytes = Array(text.utf8)
                #expect(RESPName(RESPWord(0, bytes.count), in: bytes.span) == name, "\(text)")
            }
        }
        for text in ["GE", "GETX", "", "SISMEMBERS", "\u{07}ET", "host", "Host:x", "CONFIG"] {
            let bytes = Array(text.utf8)
            #expect(RESPName(RESPWord(0, bytes.count), in: bytes.span) == .unknown, "\(text)")
        }
        let host = Array("Host:".utf8)
        #expect(RESPName(RESPWord(0, 5), in: host.span) == .crossProtocol)
    }
}

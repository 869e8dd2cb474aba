// Which texts are JSON here: a table in the manner of JSONTestSuite (N. Seriot, "Parsing JSON is a
// Minefield"), with the places that the RFC leaves open decided towards refusal.

import Testing
import Wire

struct JSONTextTests {
    static let valid: [(String, JSONValue)] = [
        ("null", .null), (" true ", .bool(true)), ("\t\r\n false\n", .bool(false)),
        ("0", .integer(0)), ("-1", .integer(-1)), ("-0", .number(-0.0)),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)),
        ("1.5", .number(1.5)), ("1e2", .number(100)), ("1E+2", .number(100)),
        ("25e-2", .number(0.25)), ("1e-400", .number(0)), ("0.0", .number(0)),
        ("\"\"", .string("")), ("\"a\\u0000b\"", .string("a\0b")),
        (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t")),
        (#""\u00e9\u00E9""#, .string("éé")), (#""\uD834\udd1e""#, .string("𝄞")),
        (#""\uFFFF""#, .string("\u{FFFF}")), ("\"\u{7F}\u{2028}\"", .string("\u{7F}\u{2028}")),
        (#""a\tb\tc""#, .string("a\tb\tc")), (#""\u0061""#, .string("a")),
        ("[]", .array([])), ("[ ]", .array([])),
        ("[1,[2]]", .array([.integer(1), .array([.integer(2)])])),
        ("{}", .object([])), ("{ }", .object([])),
        (
            #"{"b":1 , "a" : [] }"#,
            .object([
                JSONMember(name: "b", value: .integer(1)), JSONMember(name: "a", value: .array([])),
            ])
        ),
        (#"{"":0}"#, .object([JSONMember(name: "", value: .integer(0))])),
    ]

    @Test("reads what is JSON", arguments: valid.indices)
    func reads(index: Int) throws {
        let (text, value) = JSONTextTests.valid[index]
        #expect(try JSONValue(parsing: Array(text.utf8)) == value)
    }

    /// Text and the byte at which the reader must stop.
    static let invalid: [(String, Int)] = [
        ("", 0), (" ", 1), ("nul", 0), ("nulL", 0), ("True", 0), ("NaN", 0), ("Infinity", 0),
        ("01", 1), ("-", 1), ("-a", 1), ("+1", 0), (".5", 0), ("1.", 2), ("1.e1", 2), ("1e", 2),
        ("1e+", 3), ("0x1", 1), ("1e400", 0), ("-1e400", 0), ("1 2", 2), ("--1", 1), ("-01", 2),
        ("\"", 1), ("\"a", 2), ("\"\t\"", 1), ("\"\n\"", 1), ("\"\0\"", 1), (#""\x""#, 2),
        (#""\u12""#, 5), (#""\u12G4""#, 5), (#""\U0041""#, 2), ("'a'", 0), (#""\"#, 2),
        (#""\uD800""#, 2), (#""\uDC00""#, 2), (#""\uD800\u0041""#, 2), (#""\uD800\n""#, 2),
        (#""\uD800\uD800""#, 2), (#""\uDC00\uD800""#, 2), (#""\uD83Dx""#, 2),
        (#""\uD800\uE000""#, 2),
        (#""\uDBFF\uFFFF""#, 2),
        ("[", 1), ("]", 0), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3),
        ("[1]]", 3), ("[1}", 2), ("{", 1), ("}", 0), ("{\"a\"}", 4), ("{\"a\":}", 5),
        ("{\"a\":1", 6), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{1:1}", 1), ("{\"a\" 1}", 5),
        ("{\"a\":1 \"b\":2}", 7), ("{,}", 1), ("// c\n1", 0), ("1 // c", 2), ("[1]x", 3),
        ("\u{FEFF}1", 0), ("\u{A0}1", 0), ("\u{B}1", 0), ("{\"a\":1,\"a\":1}", 7),
        (#"{"a":1,"\u0061":2}"#, 7),
    ]

    @Test("refuses what is not, and says at which byte", arguments: invalid.indices)
    func refuses(index: Int) {
        let (text, offset) = JSONTextTests.invalid[index]
        #expect(
            performing: {
                _ = try JSONValue(parsing: Array(text.utf8))
            },
            throws: { error in
                if case JSONError.malformed(offset, _) = error { true } else { false }
            }
        )
    }

    /// Table 3-7 of Unicode, broken at each place.
    static let notUTF8: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0x80],
        [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0x80, 0x80],
        [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE],
    ]

    @Test("refuses bytes that are not UTF-8, at the byte", arguments: notUTF8)
    func refusesBytes(bytes: [UInt8]) {
        let text = Array("\"a".utf8) + bytes + Array("\"".utf8)
        #expect(throws: JSONError.malformed(offset: 2, expected: "UTF-8")) {
            try JSONValue(parsing: text)
        }
    }

    @Test("a name is found byte by byte, and a look-alike is another name")
    func names() throws {
        // U+212A KELVIN SIGN equals "K" under canonical equivalence.
        let tree = try JSONValue(parsing: Array("{\"\u{212A}\":1,\"K\":2}".utf8))
        #expect(tree["K"] == .integer(2))
        #expect(tree["k"] == nil)
        #expect(JSONValue.array([])["K"] == nil)
    }

    @Test("stops at each limit and names it")
    func limits() {
        func error(_ text: String, _ change: (inout JSONLimits) -> Void) -> JSONError? {
            var limits = JSONLimits()
            change(&limits)
            do {
                _ = try JSONValue(parsing: Array(text.utf8), limits: limits)
                return nil
            } catch { return error }
        }
        #expect(error("[[1]]") { $0.depth = 2 } == nil)
        #expect(error("[[[1]]]") { $0.depth = 2 } == .tooLarge(offset: 2, limit: "2 levels"))
        #expect(error("[1,2]") { $0.values = 3 } == nil)
        #expect(error("[1,2,3]") { $0.values = 3 } == .tooLarge(offset: 5, limit: "3 values"))
        #expect(error("{\"a\":1,\"b\":2}") { $0.members = 2 } == nil)
        #expect(
            error("{\"a\":1,\"b\":2}") { $0.members = 1 }
                == .tooLarge(offset: 7, limit: "1 names in an object")
        )
        #expect(error("1234") { $0.bytes = 4 } == nil)
        #expect(error("12345") { $0.bytes = 4 } == .tooLarge(offset: 4, limit: "4 bytes"))
        let deep = String(repeating: "[", count: 100_000)
        #expect(error(deep) { _ in } == .tooLarge(offset: 16, limit: "16 levels"))
    }

    @Test("no error repeats the text, which may be personal")
    func silentErrors() {
        for (text, _) in JSONTextTests.invalid {
            do {
                _ = try JSONValue(parsing: Array("{\"ann@example.org\":\(text)".utf8))
                Issue.record("read: \(text)")
            } catch { #expect(!error.description.contains("ann")) }
        }
    }
}

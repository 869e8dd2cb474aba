// What the writer makes, and that whatever it makes is read back as the same tree.

import Testing
import Wire

struct JSONWriterTests {
    @Test("puts commas between elements and nowhere else")
    func commas() {
        var bytes = Array("> ".utf8)
        bytes.appendJSON { json in
            json.beginObject()
            json.field("a", 1)
            json.key("b")
            json.beginArray()
            json.beginObject()
            json.endObject()
            json.beginArray()
            json.endArray()
            json.null()
            json.bool(false)
            json.endArray()
            json.field("c", "text")
            json.field("d", nil as String?)
            json.field("e", true)
            json.field("f", UInt64.max)
            json.key("g")
            json.time(millis: 0)
            json.endObject()
        }
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                > {"a":1,"b":[{},[],null,false],"c":"text","d":null,"e":true,\
                "f":18446744073709551615,"g":"1970-01-01T00:00:00.000Z"}
                """
        )
    }

    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var bytes: [UInt8] = []
        bytes.appendJSON(body)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("writes whole numbers at their ends")
    func integers() {
        #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.integer(Int64.max) } == "9223372036854775807")
        #expect(written { $0.integer(0) } == "0")
        #expect(written { $0.integer(-10) } == "-10")
        #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    }

    @Test("escapes quotes, backslashes and controls, and nothing else")
    func escapes() {
        #expect(
            written { $0.string("\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}é𝄞" as String) }
                == #""\"\\/\b\f\n\r\t\u0000\u001f"# + "\u{7f}é𝄞\""
        )
        #expect(written { $0.string("a\"b" as StaticString) } == #""a\"b""#)
    }

    @Test("bytes that are not UTF-8 become U+FFFD as Swift's own decoder puts it")
    func repairs() {
        var random = SplitMix(state: 7)
        for bytes in JSONTextTests.notUTF8 {
            let around = Array("a".utf8) + bytes + Array("z".utf8)
            let expected = "\"" + String(decoding: around, as: UTF8.self) + "\""
            #expect(written { $0.string(around.span) } == expected)
        }
        let pool: [UInt8] = [
            0x61, 0x80, 0xBF, 0xC2, 0xC3, 0xE0, 0xA0, 0xED, 0x9F, 0xF0, 0x90, 0xF4, 0x8F, 0xFF,
        ]
        for _ in 0..<20_000 {
            let count = Int(random.next() % 8)
            let bytes = (0..<count).map { _ in pool[Int(random.next() % 14)] }
            let expected = "\"" + String(decoding: bytes, as: UTF8.self) + "\""
            #expect(written { $0.string(bytes.span) } == expected)
        }
    }

    @Test("random trees come back as they were, byte by byte the second time")
    func roundTrips() throws {
        var random = SplitMix(state: 1)
        for _ in 0..<3_000 {
            let tree = random.tree(depth: 4)
            let text = tree.text
            let again = try JSONValue(parsing: Array(text.utf8))
            #expect(again == tree)
            #expect(again.text == text)
        }
    }

    @Test("appends in place: a buffer with room is not reallocated")
    func appendsInPlace() {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4_096)
        let before = unsafe bytes.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
        // Looked at after each append: two copies in turn could end at the first address again.
        for _ in 0..<100 {
            bytes.appendJSON { $0.string("0123456789") }
            let after = unsafe bytes.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
            #expect(before == after)
        }
        #expect(bytes.count == 1_200)
    }
}

/// Steele, Lea and Flood's SplitMix64: the same trees on every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func text() -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "\"", "\\", "\n", "\0", "\u{1f}", "é", "𝄞", "\u{FFFF}", "/", " ", "\u{301}",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<(next() % 12) { text.append(alphabet[Int(next() % 12)]) }
        return String(text)
    }

    mutating func tree(depth: Int) -> JSONValue {
        switch next() % (depth == 0 ? 5 : 7) {
        case 0: return .null
        case 1: return .bool(next() % 2 == 0)
        case 2: return .integer(Int64(bitPattern: next()) >> Int64(next() % 64))
        case 3:
            let double = Double(bitPattern: next())
            return double.isFinite ? .number(double) : .number(0.5)
        case 4: return .string(text())
        case 5: return .array((0..<(next() % 5)).map { _ in tree(depth: depth - 1) })
        default:
            return .object(
                (0..<(next() % 5)).map { index in
                    JSONMember(name: "\(index)" + text(), value: tree(depth: depth - 1))
                }
            )
        }
    }
}

// Values to JSON text, straight into the caller's bytes.
//
// The writer owns the buffer while it writes: it is moved in, grown in place and moved out, so the
// only allocation is the output's own growth. Nesting is two 64-bit stacks, one bit a level: "is
// this level an object?" and "does the next element need a comma before it?". Misuse (a value
// without a name in an object, a level left open) is a programmer's error and traps; no input can
// cause it.
//
//     {"results":[{"decision":"allow"},        level   3  2  1
//                          ^ here              object  1  0  1
//                                              comma   0  1  1
//
// Text that is not UTF-8 becomes U+FFFD, one for each maximal broken piece (Unicode 16, 3.9, table
// 3-8), because an answer with a wrong letter can be read and an answer that is not JSON cannot.

/// Appends one JSON text to a buffer.
///
/// See RFC 8259. At most `depthLimit` levels deep.
public struct JSONWriter: ~Copyable {
    private var bytes: [UInt8]
    private var depth = 0
    private var objectBits: UInt64 = 0
    private var commaBits: UInt64 = 0
    private var followsKey = false

    /// The deepest nesting: one bit of a 64-bit stack for each level.
    public static let depthLimit = 63

    /// Takes the buffer to append to; what it holds already stays in front.
    public init(appendingTo bytes: consuming [UInt8] = []) { self.bytes = consume bytes }

    /// Gives the buffer back.
    ///
    /// Every object and array must have been ended.
    public consuming func finish() -> [UInt8] {
        precondition(depth == 0, "a level of the JSON text is still open")
        return bytes
    }

    /// Opens an object.
    public mutating func beginObject() {
        open(isObject: true)
        bytes.append(UInt8(ascii: "{"))
    }

    /// Closes the object that was opened last.
    public mutating func endObject() {
        precondition(depth > 0 && objectBits & 1 == 1, "no object is open here")
        close()
        bytes.append(UInt8(ascii: "}"))
    }

    /// Opens an array.
    public mutating func beginArray() {
        open(isObject: false)
        bytes.append(UInt8(ascii: "["))
    }

    /// Closes the array that was opened last.
    public mutating func endArray() {
        precondition(depth > 0 && objectBits & 1 == 0, "no array is open here")
        close()
        bytes.append(UInt8(ascii: "]"))
    }

    /// Names the next value; the name needs no copy.
    public mutating func key(_ name: StaticString) {
        beginKey()
        append(quoted: name)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Names the next value.
    public mutating func key(_ name: String) {
        beginKey()
        append(quoted: name.utf8.span)
        bytes.append(UInt8(ascii: ":"))
    }

    /// A string that the program knows.
    public mutating func string(_ text: StaticString) {
        beginValue()
        append(quoted: text)
    }

    /// A string.
    public mutating func string(_ text: String) {
        beginValue()
        append(quoted: text.utf8.span)
    }

    /// A string from bytes that may not be UTF-8.
    public mutating func string(_ text: Span<UInt8>) {
        beginValue()
        append(quoted: text)
    }

    /// A whole number.
    public mutating func integer(_ number: Int) { integer(Int64(number)) }

    /// A whole number.
    public mutating func integer(_ number: Int64) {
        beginValue()
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.append(digitsOf: number.magnitude)
    }

    /// A whole number; beyond 2^53 some readers round it, so ids are written as strings.
    public mutating func integer(_ number: UInt64) {
        beginValue()
        bytes.append(digitsOf: number)
    }

    /// A finite number, in the shortest text that reads back as the same double.
    public mutating func number(_ number: Double) {
        precondition(number.isFinite, "JSON has no infinity and no NaN")
        beginValue()
        bytes.append(contentsOf: number.description.utf8)
    }

    /// `true` or `false`.
    public mutating func bool(_ flag: Bool) {
        beginValue()
        if flag { append(plain: "true") } else { append(plain: "false") }
    }

    /// `null`.
    public mutating func null() {
        beginValue()
        append(plain: "null")
    }

    /// A point in time as an RFC 3339 string in UTC.
    ///
    /// - Parameter millis: milliseconds since 1970.
    public mutating func time(millis: UInt64) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        Timestamp.append(millis: millis, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONWriter {
    /// A name and a string that the program knows.
    public mutating func field(_ name: StaticString, _ text: StaticString) {
        key(name)
        string(text)
    }

    /// A name and a string.
    public mutating func field(_ name: StaticString, _ text: String) {
        key(name)
        string(text)
    }

    /// A name and a string, or `null` for nil.
    public mutating func field(_ name: StaticString, _ text: String?) {
        key(name)
        if let text { string(text) } else { null() }
    }

    /// A name and a whole number.
    public mutating func field(_ name: StaticString, _ number: Int) {
        key(name)
        integer(number)
    }

    /// A name and a whole number.
    public mutating func field(_ name: StaticString, _ number: UInt64) {
        key(name)
        integer(number)
    }

    /// A name and `true` or `false`.
    public mutating func field(_ name: StaticString, _ flag: Bool) {
        key(name)
        bool(flag)
    }

    /// A whole tree, as read by `JSONValue`.
    public mutating func value(_ tree: JSONValue) {
        switch tree {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .integer(let whole): integer(whole)
        case .number(let double): number(double)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for member in members {
                key(member.name)
                value(member.value)
            }
            endObject()
        }
    }
}

extension [UInt8] {
    /// Appends one JSON text in place; the buffer is moved into the writer and back, not copied.
    public mutating func appendJSON(_ body: (inout JSONWriter) -> Void) {
        let taken = self
        self = []
        var writer = JSONWriter(appendingTo: consume taken)
        body(&writer)
        self = writer.finish()
    }
}

// MARK: Nesting

extension JSONWriter {
    private mutating func open(isObject: Bool) {
        beginValue()
        precondition(depth < JSONWriter.depthLimit, "JSON nested too deeply")
        depth += 1
        objectBits = objectBits << 1 | (isObject ? 1 : 0)
        commaBits <<= 1
    }

    private mutating func close() {
        precondition(!followsKey, "a name without its value")
        depth -= 1
        objectBits >>= 1
        commaBits >>= 1
    }

    private mutating func beginKey() {
        precondition(depth > 0 && objectBits & 1 == 1, "names stand in objects only")
        precondition(!followsKey, "a name without its value")
        comma()
        followsKey = true
    }

    private mutating func beginValue() {
        if followsKey {
            followsKey = false
            return
        }
        precondition(depth == 0 || objectBits & 1 == 0, "a value in an object needs its name")
        if depth > 0 { comma() }
    }

    private mutating func comma() {
        if commaBits & 1 == 1 { bytes.append(UInt8(ascii: ",")) }
        commaBits |= 1
    }
}

// MARK: Characters

extension JSONWriter {
    private mutating func append(plain text: StaticString) {
        text.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func append(quoted text: StaticString) {
        text.withUTF8Buffer { unsafe append(quoted: Span(_unsafeElements: $0)) }
    }

    /// Copies runs that need no care in one go; only quotes, controls and broken UTF-8 stop a run.
    private mutating func append(quoted text: Span<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                index += 1
                continue
            }
            let step = byte < 0x80 ? 1 : UTF8Piece.length(text, at: index)
            if step > 0, byte >= 0x80 {
                index += step
                continue
            }
            append(run: text, start..<index)
            if byte < 0x80 { append(escaped: byte) } else { append(plain: "\u{FFFD}") }
            index += step > 0 ? step : -step
            start = index
        }
        append(run: text, start..<text.count)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(run text: Span<UInt8>, _ range: Range<Int>) {
        if range.isEmpty { return }
        unsafe text.extracting(range).withUnsafeBufferPointer {
            unsafe bytes.append(contentsOf: $0)
        }
    }

    private mutating func append(escaped byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            append(plain: "u00")
            append(hex: byte >> 4)
            append(hex: byte & 15)
        }
    }

    private mutating func append(hex digit: UInt8) {
        bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

/// One step through bytes that claim to be UTF-8.
enum UTF8Piece {
    /// The length of the well-formed character at `index`, or minus the length of the broken piece.
    ///
    /// Source: Unicode 16, 3.9, table 3-7 (well-formed sequences).
    static func length(_ text: Span<UInt8>, at index: Int) -> Int {
        let lead = text[index]
        if lead < 0x80 { return 1 }
        let count = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0
        if count == 0 { return -1 }
        var low: UInt8 = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80
        var high: UInt8 = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF
        for offset in 1..<count {
            guard index + offset < text.count else { return -offset }
            let byte = text[index + offset]
            guard byte >= low, byte <= high else { return -offset }
            low = 0x80
            high = 0xBF
        }
        return count
    }
}

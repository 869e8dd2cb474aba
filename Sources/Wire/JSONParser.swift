// The reader behind JSONValue: recursive descent over borrowed bytes, one index, one look ahead.
//
// Like Suppression's ByteCursor the parser is a position, not a view: each step borrows the bytes anew.
// Recursion is bounded by `limits.depth`, work by the byte count (each byte is looked at once or twice)
// except for repeated names, which cost at most `limits.members` comparisons a name.

/// A position in a JSON text.
struct JSONParser {
    private let limits: JSONLimits
    private var index = 0
    private var valuesLeft: Int

    init(limits: JSONLimits) {
        self.limits = limits
        valuesLeft = limits.values
    }

    /// The whole text: white space, one value, white space, end.
    mutating func document(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        skipSpace(bytes)
        let value = try value(bytes, depth: 0)
        skipSpace(bytes)
        guard index == bytes.count else { throw expected("the end of the text") }
        return value
    }

    private mutating func value(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(JSONError) -> JSONValue {
        guard valuesLeft > 0 else {
            throw .tooLarge(offset: index, limit: "\(limits.values) values")
        }
        valuesLeft -= 1
        switch peek(bytes) {
        case UInt8(ascii: "{"): return .object(try members(bytes, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try elements(bytes, depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string(bytes))
        case UInt8(ascii: "t"): return try word(bytes, "true", .bool(true))
        case UInt8(ascii: "f"): return try word(bytes, "false", .bool(false))
        case UInt8(ascii: "n"): return try word(bytes, "null", .null)
        case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return try number(bytes)
        default: throw expected("a value")
        }
    }

    private mutating func members(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(JSONError) -> [JSONMember] {
        try checkDepth(depth)
        index += 1
        var members: [JSONMember] = []
        skipSpace(bytes)
        if take(bytes, "}") { return members }
        while true {
            guard peek(bytes) == UInt8(ascii: "\"") else { throw expected("a name in quotes") }
            guard members.count < limits.members else {
                throw .tooLarge(offset: index, limit: "\(limits.members) names in an object")
            }
            let start = index
            let name = try string(bytes)
            guard !members.contains(where: { isSame($0.name, name) }) else {
                throw .malformed(offset: start, expected: "a name that is not yet used")
            }
            skipSpace(bytes)
            guard take(bytes, ":") else { throw expected("':'") }
            skipSpace(bytes)
            members.append(JSONMember(name: name, value: try value(bytes, depth: depth)))
            skipSpace(bytes)
            if take(bytes, "}") { return members }
            guard take(bytes, ",") else { throw expected("',' or '}'") }
            skipSpace(bytes)
        }
    }

    private mutating func elements(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(JSONError) -> [JSONValue] {
        try checkDepth(depth)
        index += 1
        var elements: [JSONValue] = []
        skipSpace(bytes)
        if take(bytes, "]") { return elements }
        while true {
            elements.append(try value(bytes, depth: depth))
            skipSpace(bytes)
            if take(bytes, "]") { return elements }
            guard take(bytes, ",") else { throw expected("',' or ']'") }
            skipSpace(bytes)
        }
    }

    private func checkDepth(_ depth: Int) throws(JSONError) {
        guard depth <= limits.depth else {
            throw .tooLarge(offset: index, limit: "\(limits.depth) levels")
        }
    }

    private mutating func word(
        _ bytes: Span<UInt8>,
        _ word: String,
        _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        let letters = word.utf8.span
        for offset in letters.indices {
            guard index + offset < bytes.count, bytes[index + offset] == letters[offset] else {
                throw expected("'\(word)'")
            }
        }
        index += letters.count
        return value
    }
}

// MARK: Numbers

extension JSONParser {
    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let start = index
        let isNegative = take(bytes, "-")
        var isWhole = true
        if !take(bytes, "0") { try digits(bytes) }
        if take(bytes, ".") {
            isWhole = false
            try digits(bytes)
        }
        if take(bytes, "e") || take(bytes, "E") {
            isWhole = false
            if !take(bytes, "+") { _ = take(bytes, "-") }
            try digits(bytes)
        }
        let text = copy(bytes, start..<index)
        if isWhole, let whole = Int64(text), !(isNegative && whole == 0) { return .integer(whole) }
        guard let double = Double(text), double.isFinite else {
            throw .malformed(offset: start, expected: "a number that fits a double")
        }
        return .number(double)
    }

    private mutating func digits(_ bytes: Span<UInt8>) throws(JSONError) {
        let start = index
        while let byte = peek(bytes), isDigit(byte) { index += 1 }
        guard index > start else { throw expected("a digit") }
    }
}

// MARK: Strings

extension JSONParser {
    /// Most strings have no escape: one scan, one copy into the string itself.
    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        index += 1
        let start = index
        guard try run(bytes) else {
            var unescaped: [UInt8] = []
            append(bytes, start..<index, to: &unescaped)
            var isLast = false
            while !isLast {
                try escape(bytes, into: &unescaped)
                let next = index
                isLast = try run(bytes)
                append(bytes, next..<index, to: &unescaped)
            }
            index += 1
            return String(decoding: unescaped, as: UTF8.self)
        }
        defer { index += 1 }
        return copy(bytes, start..<index)
    }

    /// Moves over plain characters; true at the closing quote, false at an escape.
    private mutating func run(_ bytes: Span<UInt8>) throws(JSONError) -> Bool {
        while let byte = peek(bytes) {
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") { return false }
            guard byte >= 0x20 else { throw expected("an escape for a control character") }
            let step = byte < 0x80 ? 1 : UTF8Piece.length(bytes, at: index)
            guard step > 0 else { throw expected("UTF-8") }
            index += step
        }
        throw expected("the closing '\"'")
    }

    private mutating func escape(
        _ bytes: Span<UInt8>,
        into text: inout [UInt8]
    ) throws(JSONError) {
        index += 1
        let letter = peek(bytes)
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter ?? 0)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try unicode(bytes)
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw expected("one of \" \\ / b f n r t u")
        }
        index += 1
    }

    /// `uXXXX`, or two of them that make a surrogate pair; the index ends behind the last digit.
    private mutating func unicode(_ bytes: Span<UInt8>) throws(JSONError) -> Unicode.Scalar {
        let start = index
        index += 1
        let high = try hex(bytes)
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high < 0xDC00, take(bytes, "\\"), take(bytes, "u") else {
            throw .malformed(offset: start, expected: "a surrogate pair")
        }
        let low = try hex(bytes)
        guard low >= 0xDC00, low <= 0xDFFF,
            let scalar = Unicode.Scalar(
                0x10000 + UInt32(high - 0xD800) << 10 + UInt32(low - 0xDC00))
        else { throw .malformed(offset: start, expected: "a surrogate pair") }
        return scalar
    }

    private mutating func hex(_ bytes: Span<UInt8>) throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            switch peek(bytes) {
            case let byte? where isDigit(byte):
                value = value << 4 | UInt16(byte - UInt8(ascii: "0"))
            case let byte? where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20):
                value = value << 4 | UInt16((byte | 0x20) - UInt8(ascii: "a") + 10)
            default: throw expected("a hexadecimal digit")
            }
            index += 1
        }
        return value
    }
}

// MARK: Bytes

extension JSONParser {
    private func expected(_ what: String) -> JSONError {
        .malformed(offset: index, expected: what)
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private func peek(_ bytes: Span<UInt8>) -> UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private mutating func take(_ bytes: Span<UInt8>, _ mark: Unicode.Scalar) -> Bool {
        guard peek(bytes) == UInt8(ascii: mark) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while let byte = peek(bytes), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            index += 1
        }
    }

    private func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        unsafe bytes.extracting(range).withUnsafeBufferPointer {
            unsafe String(decoding: $0, as: UTF8.self)
        }
    }

    private func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to text: inout [UInt8]) {
        unsafe bytes.extracting(range).withUnsafeBufferPointer {
            unsafe text.append(contentsOf: $0)
        }
    }
}

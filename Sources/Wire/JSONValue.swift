// JSON text to a tree, strictly: RFC 8259 and nothing else.
//
// Bodies come from strangers, so everything is bounded (bytes, depth, names an object, values in all)
// and every doubt is refused: repeated names, lone surrogates, bytes that are not UTF-8, a byte order
// mark, anything after the value. Two readers that disagree about one text are how checks are passed
// around; a text that only one reading can accept has no such gap. Docs/decisions/0001-json.md says why
// this is ours. Objects are arrays of pairs: they are short, keep their order and hash nothing.

/// Why a text was not read.
public enum JSONError: Error, Equatable, CustomStringConvertible {
    /// Not JSON, or JSON that two readers could take differently.
    case malformed(offset: Int, expected: String)
    /// Beyond one of `JSONLimits`; `limit` names it.
    case tooLarge(offset: Int, limit: String)

    /// One line that says where and what; never a piece of the text, which may be personal.
    public var description: String {
        switch self {
        case .malformed(let offset, let expected): "expected \(expected) at byte \(offset)"
        case .tooLarge(let offset, let limit): "more than the limit of \(limit) at byte \(offset)"
        }
    }
}

/// Bounds of one text.
public struct JSONLimits: Sendable {
    /// Bytes of the whole text. 10,000 addresses of 254 bytes and their quotes are 2.6 MB.
    public var bytes = 4_194_304
    /// Levels of objects and arrays; ours need 5. Also bounds the reader's recursion.
    public var depth = 16
    /// Names of one object; ours have at most 12. Each is compared with all before it.
    public var members = 128
    /// Values in all: 10,000 addresses several times over. Bounds memory, 24 bytes a value.
    public var values = 65_536

    /// The bounds of a request body.
    public init() {}
}

/// A name and its value in an object.
public struct JSONMember: Equatable, Sendable {
    /// The name, escapes resolved.
    public let name: String
    /// What it names.
    public let value: JSONValue

    /// Pairs a name with a value.
    public init(name: String, value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// A JSON text as a tree.
public enum JSONValue: Equatable, Sendable {
    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number written without fraction and exponent that 64 bits hold.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// Text, escapes resolved.
    case string(String)
    /// Values in order.
    case array([JSONValue])
    /// Names and values in the order written; no name twice.
    case object([JSONMember])

    /// Reads exactly one value; white space around it is fine, anything else is not.
    public init(
        parsing bytes: Span<UInt8>,
        limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        guard bytes.count <= limits.bytes else {
            throw .tooLarge(offset: limits.bytes, limit: "\(limits.bytes) bytes")
        }
        var parser = JSONParser(limits: limits)
        self = try parser.document(bytes)
    }

    /// Reads exactly one value from an array of bytes.
    public init(
        parsing bytes: [UInt8],
        limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        try self.init(parsing: bytes.span, limits: limits)
    }

    /// The value of a name; nil when this is no object or has no such name.
    ///
    /// Names are compared byte by byte: Swift's own equality of strings would find the ASCII name of a
    /// field in characters that merely look the same.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { isSame($0.name, name) }?.value
    }

    /// The text, when this is a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The whole number, when this is one.
    public var integer: Int64? { if case .integer(let whole) = self { whole } else { nil } }

    /// The number as a double, whole or not.
    public var double: Double? {
        switch self {
        case .integer(let whole): Double(whole)
        case .number(let double): double
        default: nil
        }
    }

    /// The truth value, when this is one.
    public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }

    /// The elements, when this is an array.
    public var array: [JSONValue]? { if case .array(let all) = self { all } else { nil } }

    /// The members, when this is an object.
    public var members: [JSONMember]? { if case .object(let all) = self { all } else { nil } }

    /// Whether this is `null`.
    public var isNull: Bool { self == .null }

    /// The value as one line of JSON.
    public var text: String {
        var bytes: [UInt8] = []
        bytes.appendJSON { $0.value(self) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Equality byte by byte, without Unicode's canonical equivalence.
func isSame(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}

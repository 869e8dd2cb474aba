// The body of a form, in the two encodings that RFC 8058 allows, parsed in place.
//
//     application/x-www-form-urlencoded     name=value&name=value, percent-encoded, + is a blank
//     multipart/form-data; boundary=B       --B CRLF headers CRLF CRLF value CRLF --B ... --B--
//
// A body decides whether somebody is unsubscribed, so there is one reading of it or none: whatever
// is malformed is refused whole, and refused means a page and no change. Values are found as ranges
// and copied only when asked for.

/// Why a body is no form.
public enum FormError: Error, Equatable {
    /// Another content type.
    case unsupported
    /// Not what the content type promises.
    case malformed
    /// Above one of the limits.
    case tooLarge
}

/// The fields of a form or a query string.
public struct Form {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    private let body: [UInt8]
    private let isEncoded: Bool
    private let fields: [Field]

    /// Reads the body of a POST.
    ///
    /// - Parameters:
    ///   - contentType: the header's value; empty counts as urlencoded.
    ///   - body: at most 4 KiB.
    /// - Throws: why it is no form.
    public init(contentType: [UInt8], body: [UInt8]) throws(FormError) {
        guard body.count <= Limits.formBytes else { throw .tooLarge }
        self.body = body
        let type = MediaType(contentType)
        if contentType.isEmpty || type.isURLEncoded {
            isEncoded = true
            fields = try Form.pairs(body)
        } else if type.isMultipart {
            isEncoded = false
            fields = try Multipart.fields(body, boundary: type.boundary())
        } else {
            throw .unsupported
        }
    }

    /// Reads a query string, without its `?`, or an urlencoded body; a line end behind it is
    /// ignored.
    ///
    /// - Parameter body: at most 4 KiB.
    /// - Throws: `.malformed` or `.tooLarge`.
    public init(urlencoded body: [UInt8]) throws(FormError) {
        guard body.count <= Limits.formBytes else { throw .tooLarge }
        self.body = body
        isEncoded = true
        fields = try Form.pairs(body)
    }

    private static func pairs(_ body: [UInt8]) throws(FormError) -> [Field] {
        var fields: [Field] = []
        fields.reserveCapacity(4)  // a question has three
        var end = body.count
        if end > 0, body[end - 1] == 0x0a { end -= 1 }
        if end > 0, body[end - 1] == 0x0d { end -= 1 }
        var start = 0
        while start < end {
            var at = start
            var equals = -1
            while at < end, body[at] != 0x26 {
                if body[at] == 0x3d, equals < 0 { equals = at }
                at += 1
            }
            if at > start {
                guard fields.count < Limits.formFieldsCount else { throw .tooLarge }
                let split = equals < 0 ? at : equals
                let field = Field(name: start..<split, value: min(split + 1, at)..<at)
                guard Percent.isSound(body.span, in: start..<at) else { throw .malformed }
                fields.append(field)
            }
            start = at + 1
        }
        return fields
    }

    private static func plain(_ body: [UInt8], _ range: Range<Int>) -> [UInt8]? {
        Percent.decode(body.span, in: range, plusIsSpace: true)
    }

    /// The first value of a name; nil when there is none.
    public func value(of name: StaticString) -> [UInt8]? {
        for field in fields where isNamed(field, name) { return decoded(field.value) }
        return nil
    }

    /// Every value of a name, in order.
    public func values(of name: StaticString) -> [[UInt8]] {
        var values: [[UInt8]] = []
        for field in fields where isNamed(field, name) {
            if let value = decoded(field.value) { values.append(value) }
        }
        return values
    }

    /// Whether the form holds RFC 8058's pair `List-Unsubscribe=One-Click`, and no other value of
    /// it.
    public var isOneClick: Bool {
        var isFound = false
        for field in fields where isNamed(field, "List-Unsubscribe") {
            guard isText(field.value, "One-Click") else { return false }
            isFound = true
        }
        return isFound
    }

    private func isNamed(_ field: Field, _ name: StaticString) -> Bool {
        isText(field.name, name)
    }

    /// Whether a part says this word; decoded only where its spelling needs it, which no mailbox
    /// provider's does: six small arrays a click otherwise.
    private func isText(_ range: Range<Int>, _ word: StaticString) -> Bool {
        // Decoding never makes a text longer.
        guard range.count >= word.utf8CodeUnitCount else { return false }
        if isEncoded, range.contains(where: { body[$0] == 0x25 || body[$0] == 0x2b }) {
            return decoded(range)?.equals(word) ?? false
        }
        return range.count == word.utf8CodeUnitCount && body.holds(word, at: range.lowerBound)
    }

    private func decoded(_ range: Range<Int>) -> [UInt8]? {
        isEncoded ? Form.plain(body, range) : Array(body[range])
    }
}

// multipart/form-data (RFC 7578 over RFC 2046): strict delimiters, CRLF only, bounded headers.
//
// The body begins with the first delimiter, perhaps behind one CRLF, and ends with the closing one;
// what follows that is ignored, as RFC 2046 says of an epilogue. A part without a name, a delimiter
// that is cut, a header without its blank line: all of it malformed.

/// The value of Content-Type, as far as forms need it.
struct MediaType {
    private let text: [UInt8]
    /// End of `type/subtype`.
    private let end: Int

    init(_ text: [UInt8]) {
        self.text = text
        var end = 0
        while end < text.count, text[end] != 0x3b { end += 1 }
        while end > 0, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        self.end = end
    }

    var isURLEncoded: Bool { isType("application/x-www-form-urlencoded") }
    var isMultipart: Bool { isType("multipart/form-data") }

    private func isType(_ name: StaticString) -> Bool {
        end == name.utf8CodeUnitCount && text.holds(ignoringCase: name, at: 0)
    }

    /// The boundary parameter: 1 to 70 characters, token or quoted.
    func boundary() throws(FormError) -> [UInt8] {
        guard let boundary = parameter("boundary", in: text, from: end), !boundary.isEmpty,
            boundary.count <= Limits.boundaryBytes, boundary[boundary.count - 1] != 0x20
        else { throw .malformed }
        for byte in boundary where byte < 0x20 || byte >= 0x7f { throw .malformed }
        return boundary
    }
}

enum Multipart {
    static func fields(_ body: [UInt8], boundary: [UInt8]) throws(FormError) -> [Form.Field] {
        var fields: [Form.Field] = []
        var at = isLineEnd(body, 0) ? 2 : 0
        guard isDelimiter(body, at, boundary) else { throw .malformed }
        at += 2 + boundary.count
        while true {
            if at + 1 < body.count, body[at] == 0x2d, body[at + 1] == 0x2d { return fields }
            while at < body.count, body[at] == 0x20 || body[at] == 0x09 { at += 1 }
            guard isLineEnd(body, at) else { throw .malformed }
            guard fields.count < Limits.formFieldsCount else { throw .tooLarge }
            let name = try headers(body, &at)
            let start = at
            while !(isLineEnd(body, at) && isDelimiter(body, at + 2, boundary)) {
                guard at < body.count else { throw .malformed }
                at += 1
            }
            fields.append(Form.Field(name: name, value: start..<at))
            at += 4 + boundary.count
        }
    }

    /// Reads the header lines of a part, from the CRLF before them to behind the blank line.
    private static func headers(
        _ body: [UInt8],
        _ at: inout Int
    ) throws(FormError) -> Range<Int> {
        var name: Range<Int>?
        for _ in 0...Limits.partHeadersCount {
            at += 2
            if isLineEnd(body, at) {
                at += 2
                guard let name else { throw .malformed }
                return name
            }
            let start = at
            while !isLineEnd(body, at) {
                guard at < body.count, body[at] != 0x0a, body[at] != 0x0d else { throw .malformed }
                at += 1
            }
            guard body.holds(ignoringCase: "content-disposition:", at: start) else { continue }
            guard name == nil, let found = parameterRange("name", in: body, from: start, to: at)
            else { throw .malformed }
            name = found
        }
        throw .tooLarge
    }

    private static func isLineEnd(_ body: [UInt8], _ at: Int) -> Bool {
        at + 1 < body.count && body[at] == 0x0d && body[at + 1] == 0x0a
    }

    private static func isDelimiter(_ body: [UInt8], _ at: Int, _ boundary: [UInt8]) -> Bool {
        guard at + 2 + boundary.count <= body.count, body[at] == 0x2d, body[at + 1] == 0x2d
        else { return false }
        for i in 0..<boundary.count where body[at + 2 + i] != boundary[i] { return false }
        return true
    }
}

private func parameter(_ name: StaticString, in text: [UInt8], from start: Int) -> [UInt8]? {
    guard let range = parameterRange(name, in: text, from: start, to: text.count) else {
        return nil
    }
    return Array(text[range])
}

/// The value of `; name=value` or `; name="value"`; nil when missing, cut, or with a backslash
/// inside.
private func parameterRange(
    _ name: StaticString,
    in text: [UInt8],
    from start: Int,
    to end: Int
) -> Range<Int>? {
    var at = start
    while at < end, text[at] != 0x3b { at += 1 }
    while at < end {
        at += 1
        while at < end, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
        let isWanted = text.holds(ignoringCase: name, at: at)
        let nameStart = at
        while at < end, text[at] != 0x3d, text[at] != 0x3b { at += 1 }
        guard at < end, text[at] == 0x3d else { return nil }
        let nameCount = at - nameStart
        at += 1
        let value: Range<Int>
        if at < end, text[at] == 0x22 {
            let open = at + 1
            at = open
            while at < end, text[at] != 0x22 {
                guard text[at] != 0x5c else { return nil }
                at += 1
            }
            guard at < end else { return nil }
            value = open..<at
            at += 1
        } else {
            let open = at
            while at < end, text[at] != 0x3b, text[at] != 0x20, text[at] != 0x09 { at += 1 }
            value = open..<at
        }
        while at < end, text[at] == 0x20 || text[at] == 0x09 { at += 1 }
        guard at == end || text[at] == 0x3b else { return nil }
        if isWanted, nameCount == name.utf8CodeUnitCount { return value }
    }
    return nil
}

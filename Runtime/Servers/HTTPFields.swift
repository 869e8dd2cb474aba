// Judges a head whose grammar is right: the rules between fields, on which desync attacks live.
//
// A server and a proxy that read one of these differently see two different requests, so nothing
// here is forgiven: one Host, one Content-Length or one `chunked`, never both, a target that agrees
// with Host. (RFC 9112, 3.2, 6.1, 6.3; RFC 9110, 8.6.)
//
// A field is sorted by the length of its name first, which most fields do not survive, so sorting
// costs less than comparing.

internal import Wire

/// A request's fields, as they are found; a plain value.
struct HTTPFields {
    /// The request so far.
    var head = RequestHead()
    /// HTTP/1.0 or HTTP/1.1.
    var isVersionKnown = false
    /// CONNECT.
    var isTunnel = false
    /// The Content-Length; 0 without one.
    private(set) var contentLength = 0
    /// The body comes in chunks.
    private(set) var isChunked = false

    /// A Content-Length has been seen.
    var hasLength: Bool { lengths > 0 }
    /// A Transfer-Encoding has been seen.
    var hasCoding: Bool { codings > 0 }

    private var hosts = 0
    private var lengths = 0
    private var codings = 0
    private var isRepeated = false
    private var length = HTTPRange.absent
    private var coding = HTTPRange.absent
    private var expectation = HTTPRange.absent

    /// Keeps a field if it is one of those that Quell reads.
    mutating func take(name: HTTPRange, value: HTTPRange, _ input: Span<UInt8>) {
        let value = trim(value, after: name, input)
        func isNamed(_ text: StaticString) -> Bool { matches(input, name, text) }
        switch name.count {
        case 4 where isNamed("host"):
            hosts += 1
            head.host = value
        case 6 where isNamed("accept"):
            if !head.accept.isPresent { head.accept = value }
        case 6 where isNamed("expect"):
            expectation = once(value, over: expectation)
        case 10 where isNamed("user-agent"):
            head.userAgent = value
        case 12 where isNamed("content-type"):
            head.contentType = once(value, over: head.contentType)
        case 13 where isNamed("authorization"):
            head.authorization = once(value, over: head.authorization)
        case 14 where isNamed("content-length"):
            lengths += 1
            length = value
        case 15 where isNamed("accept-language"):
            if !head.acceptLanguage.isPresent { head.acceptLanguage = value }
        case 15 where isNamed("idempotency-key"):
            head.idempotencyKey = once(value, over: head.idempotencyKey)
        case 17 where isNamed("transfer-encoding"):
            codings += 1
            coding = value
        default: break
        }
    }

    /// Decides whether the head may stand, and fills in what follows from it.
    mutating func judge(_ input: Span<UInt8>) -> HTTPRefusal? {
        guard isVersionKnown else { return .version }
        guard !isTunnel else { return .method }
        guard hosts > 0 else { return .hostMissing }
        guard hosts == 1 else { return .hostRepeated }
        guard !isRepeated else { return .fieldRepeated }
        return judgeHost(input) ?? judgeTarget(input) ?? judgeBody(input) ?? judgeExpect(input)
    }

    /// Of these there is one: a second one is remembered, and refused.
    private mutating func once(_ value: HTTPRange, over before: HTTPRange) -> HTTPRange {
        isRepeated = isRepeated || before.isPresent
        return value
    }

    private func judgeHost(_ input: Span<UInt8>) -> HTTPRefusal? {
        guard head.host.count > 0 else { return .hostInvalid }
        for index in head.host.range where !isHostByte(input[index]) { return .hostInvalid }
        return nil
    }

    private mutating func judgeTarget(_ input: Span<UInt8>) -> HTTPRefusal? {
        let target = head.target.range
        guard let first = target.first else { return .targetInvalid }
        var path = first
        if input[first] == 0x2A {  // "*"
            guard target.count == 1, head.method == .options else { return .targetInvalid }
        } else if input[first] != 0x2F {
            guard let schemeEnd = scheme(input) else { return .targetInvalid }
            path = schemeEnd
            while path < target.upperBound, input[path] != 0x2F, input[path] != 0x3F { path += 1 }
            let authority = HTTPRange(schemeEnd, path)
            guard isSame(input, authority, head.host) else { return .hostMismatch }
            guard path < target.upperBound, input[path] == 0x2F else { return .targetInvalid }
        }
        var query: Int?
        for index in path..<target.upperBound {
            if input[index] == 0x23 { return .targetInvalid }  // "#" never reaches a server
            if query == nil, input[index] == 0x3F { query = index }
        }
        head.path = HTTPRange(path, query ?? target.upperBound)
        if let query { head.query = HTTPRange(query + 1, target.upperBound) }
        return nil
    }

    private mutating func judgeBody(_ input: Span<UInt8>) -> HTTPRefusal? {
        guard codings == 0 || lengths == 0 else { return .lengthAndCoding }
        guard lengths <= 1 else { return .lengthRepeated }
        if codings > 0 {
            guard head.minorVersion == 1 else { return .codingTooEarly }
            guard codings == 1, matches(input, coding, "chunked") else { return .codingUnknown }
            isChunked = true
        }
        if lengths == 1 {
            switch decimal(input, length) {
            case .number(let count): contentLength = count
            case .tooLarge: return .body
            case .none: return .lengthInvalid
            }
        }
        head.hasBody = isChunked || contentLength > 0
        return nil
    }

    private mutating func judgeExpect(_ input: Span<UInt8>) -> HTTPRefusal? {
        guard expectation.isPresent else { return nil }
        guard matches(input, expectation, "100-continue") else { return .expectation }
        // HTTP/1.0 knows no 100 (RFC 9110, 10.1.1).
        head.expectsContinue = head.hasBody && head.minorVersion == 1
        return nil
    }

    /// Offset behind `http://` or `https://` at the target's start.
    private func scheme(_ input: Span<UInt8>) -> Int? {
        let start = Int(head.target.start)
        for text: StaticString in ["http://", "https://"] {
            let end = start + text.utf8CodeUnitCount
            if end <= Int(head.target.end), matches(input, HTTPRange(start, end), text) {
                return end
            }
        }
        return nil
    }

    private func trim(
        _ value: HTTPRange,
        after name: HTTPRange,
        _ input: Span<UInt8>
    ) -> HTTPRange {
        // An empty value may be reported by no callback: it lies behind the colon.
        guard value.isPresent else { return HTTPRange(Int(name.end) + 1, Int(name.end) + 1) }
        var value = value
        while value.count > 0, isBlank(input[Int(value.end) - 1]) { value.end -= 1 }
        while value.count > 0, isBlank(input[Int(value.start)]) { value.start += 1 }
        return value
    }
}

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// Letters, digits, `-._~%:[]` and sub-delims: what RFC 3986 (3.2.2) lets stand in host and port.
private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x3A, 0x41...0x5B, 0x61...0x7A: true  // 0-9 :   A-Z [   a-z
    case 0x5D, 0x2D, 0x2E, 0x5F, 0x7E, 0x25: true  // ] - . _ ~ %
    case 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D: true  // ! $ & ' ( ) * + ; =
    default: false
    }
}

/// ASCII letters of both cases are one.
private func folded(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
}

/// The part equals a lower-case text, whatever its case.
private func matches(_ input: Span<UInt8>, _ part: HTTPRange, _ text: StaticString) -> Bool {
    guard part.count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { text in
        for index in 0..<part.count {
            let wanted = unsafe text[index]
            if folded(input[Int(part.start) + index]) != wanted { return false }
        }
        return true
    }
}

private func isSame(_ input: Span<UInt8>, _ a: HTTPRange, _ b: HTTPRange) -> Bool {
    guard a.count == b.count else { return false }
    for index in 0..<a.count
    where folded(input[Int(a.start) + index]) != folded(input[Int(b.start) + index]) {
        return false
    }
    return true
}

/// What a Content-Length says.
private enum Length {
    case number(Int)
    /// A plain number, but no body that anybody may send here.
    case tooLarge
}

/// Digits only, 1 to 19 (llhttp's own counter ends there); up to our bound it is a number.
private func decimal(_ input: Span<UInt8>, _ part: HTTPRange) -> Length? {
    guard part.count > 0, part.count <= 19 else { return nil }
    var number = 0
    for index in part.range {
        guard input[index] >= 0x30, input[index] <= 0x39 else { return nil }
        number = min(number, Limits.contentLengthBytes + 1) * 10 + Int(input[index] - 0x30)
    }
    return number <= Limits.contentLengthBytes ? .number(number) : .tooLarge
}

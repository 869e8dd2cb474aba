// One response, appended to a buffer that the connection reuses: status line, fields, length, body.
//
//     start -> field* -> send | sendEmpty                      (the length is known)
//                     -> openBody -> append* -> closeBody      (the length is patched in)
//                     -> openStream, then chunks by themselves (nobody knows the length)
//
// Nearly every answer carries a Content-Length: it is whole before it leaves, and one way of
// framing is one way to be wrong. Chunks are for an export, which is larger than memory; HTTP/1.0
// knows none, so there the end of the connection ends it. A length not known yet is left as spaces
// and written right-aligned into them at the end; blanks before a field's value are legal (RFC
// 9112, 5). Whoever writes a body need not think of HEAD: the answer counts it and leaves it out.
// Values may come from functions and strangers, so control bytes in them become blanks, and no
// value can begin a second field.

/// Builds one response. Calls out of the order above are programmer errors and trap.
public struct HTTPAnswer {
    private enum Stage { case empty, fields, body, complete, streaming }

    private var output: [UInt8]
    private var stage = Stage.empty
    private var isBodiless = false
    private var bodyStart = 0
    private let isHead: Bool
    private let closes: Bool
    private let names10: Bool
    private let takesChunks: Bool

    /// Room for the digits of a length that is patched in: 2^31 has ten.
    private static let lengthDigits = 10

    /// Continues a buffer.
    ///
    /// - Parameters:
    ///   - output: responses before this one, which are kept.
    ///   - isHead: the request was HEAD.
    ///   - closes: the connection ends after this answer, and says so.
    ///   - keepsOldAlive: the request was HTTP/1.0 with keep-alive, so the answer names it.
    ///   - takesChunks: the request was HTTP/1.1; without, a streamed answer needs `closes`.
    public init(
        after output: consuming [UInt8],
        isHead: Bool,
        closes: Bool,
        keepsOldAlive: Bool,
        takesChunks: Bool = true
    ) {
        self.output = output
        self.isHead = isHead
        self.closes = closes
        names10 = keepsOldAlive && !closes
        self.takesChunks = takesChunks
    }

    /// The buffer with this answer at its end.
    public consuming func finish() -> [UInt8] { output }

    /// True once the answer is whole.
    public var isComplete: Bool { stage == .complete }

    /// True once the answer is a head whose body is streamed.
    public var isStreaming: Bool { stage == .streaming }

    /// True before the first call.
    public var isEmpty: Bool { stage == .empty }

    /// Writes the status line.
    public mutating func start(_ status: HTTPStatus) {
        precondition(stage == .empty, "an answer has one status")
        stage = .fields
        isBodiless = status.isBodiless
        put(status.line)
        if closes { put("Connection: close\r\n") }
        if names10 { put("Connection: keep-alive\r\n") }
    }

    /// Writes a field whose value is known at compile time.
    public mutating func field(_ name: StaticString, _ value: StaticString) {
        fieldName(name)
        put(value)
        put("\r\n")
    }

    /// Writes a field; control bytes in the value become blanks.
    public mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
        fieldName(name)
        for index in value.indices {
            let byte = value[index]
            output.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte)
        }
        put("\r\n")
    }

    /// Writes a field; control bytes in the value become blanks.
    public mutating func field(_ name: StaticString, _ value: String) {
        field(name, Array(value.utf8).span)
    }

    /// Completes with a body.
    public mutating func send(_ type: StaticString, _ body: Span<UInt8>) {
        field("Content-Type", type)
        send(body)
    }

    /// Completes with a body whose type is known only now, such as a function's.
    public mutating func send(type: Span<UInt8>, _ body: Span<UInt8>) {
        field("Content-Type", type)
        send(body)
    }

    private mutating func send(_ body: Span<UInt8>) {
        fieldName("Content-Length")
        put(number: body.count)
        put("\r\n\r\n")
        if !isHead, !isBodiless { put(body) }
        stage = .complete
    }

    /// Completes with a body of text.
    public mutating func send(_ type: StaticString, _ body: String) {
        var body = body
        body.makeContiguousUTF8()
        send(type, body.utf8.span)
    }

    /// Completes without a body.
    public mutating func sendEmpty() {
        precondition(stage == .fields, "an answer starts with its status")
        if !isBodiless { put("Content-Length: 0\r\n") }
        put("\r\n")
        stage = .complete
    }

    /// Begins a body that is appended piece by piece.
    public mutating func openBody(_ type: StaticString) {
        precondition(!isBodiless, "204 and 304 have no body")
        field("Content-Type", type)
        put("Content-Length:")
        output.append(contentsOf: repeatElement(0x20, count: 1 + Self.lengthDigits))
        put("\r\n\r\n")
        bodyStart = output.count
        stage = .body
    }

    /// Ends the head of an answer whose body is streamed by whoever sends it.
    public mutating func openStream(_ type: StaticString) {
        precondition(!isBodiless, "204 and 304 have no body")
        precondition(takesChunks || closes, "a body without chunks ends with its connection")
        field("Content-Type", type)
        if takesChunks { put("Transfer-Encoding: chunked\r\n") }
        put("\r\n")
        stage = .streaming
    }

    /// Appends to the open body.
    public mutating func append(_ text: StaticString) {
        precondition(stage == .body, "append needs openBody")
        put(text)
    }

    /// Appends to the open body.
    public mutating func append(_ text: String) {
        precondition(stage == .body, "append needs openBody")
        output.append(contentsOf: text.utf8)
    }

    /// Appends to the open body.
    public mutating func append(_ bytes: Span<UInt8>) {
        precondition(stage == .body, "append needs openBody")
        put(bytes)
    }

    /// Appends one byte to the open body.
    public mutating func append(_ byte: UInt8) {
        precondition(stage == .body, "append needs openBody")
        output.append(byte)
    }

    /// Appends a number in decimal to the open body.
    public mutating func append(number: Int) {
        precondition(stage == .body, "append needs openBody")
        put(number: number)
    }

    /// Completes an open body: writes its length into the room left for it.
    public mutating func closeBody() {
        precondition(stage == .body, "closeBody needs openBody")
        var rest = output.count - bodyStart
        var place = bodyStart - 5  // before CR LF CR LF
        repeat {
            output[place] = 0x30 + UInt8(rest % 10)
            rest /= 10
            place -= 1
        } while rest > 0
        if isHead { output.removeLast(output.count - bodyStart) }
        stage = .complete
    }

    /// Completes as a problem (RFC 9457): what was wrong, and in `detail` what to do about it.
    ///
    /// - Parameter type: a URI of the kind of problem, for programs; it is not escaped.
    public mutating func problem(
        _ status: HTTPStatus,
        type: StaticString = "about:blank",
        detail: String
    ) {
        if stage == .empty { start(status) }
        openBody("application/problem+json")
        append("{\"type\":\"")
        append(type)
        append("\",\"title\":")
        append(json: status.reason)
        append(",\"status\":")
        append(number: status.code)
        append(",\"detail\":")
        append(json: detail)
        append("}\n")
        closeBody()
    }

    /// Appends a JSON string, quotes included, to the open body (RFC 8259, 7).
    public mutating func append(json text: String) {
        append(0x22 as UInt8)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: append("\\"); append(byte)
            case 0x00..<0x20:
                append("\\u00")
                append(hex(byte >> 4))
                append(hex(byte & 15))
            default: append(byte)
            }
        }
        append(0x22 as UInt8)
    }

    private func hex(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x57 + digit }

    private mutating func fieldName(_ name: StaticString) {
        precondition(stage == .fields, "fields stand between status and body")
        put(name)
        put(": ")
    }

    private mutating func put(_ text: StaticString) {
        text.withUTF8Buffer { unsafe output.append(contentsOf: $0) }
    }

    private mutating func put(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
    }

    private mutating func put(number: Int) {
        if number < 0 { output.append(0x2D) }
        output.append(digitsOf: UInt64(number.magnitude))
    }
}

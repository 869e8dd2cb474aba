// Every way in which a request fails before any service sees it, with its status and its cure.
//
// The connection ends after each: once framing is in doubt, the next byte has no meaning, and a
// meaning guessed differently by a proxy before us is how requests are smuggled.

public import Wire

/// Why a request was refused by the framing.
public enum HTTPRefusal: UInt8, CaseIterable, Sendable {
    /// The parser did not understand the request line or a field name.
    case malformed
    /// A line ended in LF without CR, or a CR stood alone.
    case bareLineEnd
    /// A field was continued on a line that begins with a blank.
    case foldedField
    /// A blank stood before a field's colon, or the name was empty.
    case badFieldName
    /// A control byte or NUL.
    case controlByte
    /// No Host field.
    case hostMissing
    /// More than one Host field.
    case hostRepeated
    /// A Host that is no host and port.
    case hostInvalid
    /// The target names another host than the Host field.
    case hostMismatch
    /// A target in none of the forms that we serve.
    case targetInvalid
    /// More than one Content-Length, even if equal.
    case lengthRepeated
    /// A Content-Length that is no plain number.
    case lengthInvalid
    /// Content-Length and Transfer-Encoding at once.
    case lengthAndCoding
    /// A Transfer-Encoding other than one `chunked`.
    case codingUnknown
    /// Transfer-Encoding in HTTP/1.0.
    case codingTooEarly
    /// A second field of a kind of which there is one.
    case fieldRepeated
    /// A chunk that is no hex size, bytes, line end.
    case chunkInvalid
    /// Chunk extensions over their bound.
    case chunkExtensions
    /// Trailer fields over their bound, or one that would frame the request.
    case trailers
    /// Neither HTTP/1.0 nor HTTP/1.1.
    case version
    /// CONNECT, or a method that nobody knows.
    case method
    /// An expectation other than `100-continue`.
    case expectation
    /// The request line is over its bound.
    case requestLine
    /// The header block is over its bound of bytes.
    case headerBlock
    /// Too many fields.
    case headerFields
    /// The body is over the route's bound.
    case body
    /// The head did not come in time.
    case headTime
    /// The body did not come in time.
    case bodyTime

    /// The status to answer with.
    public var status: HTTPStatus {
        switch self {
        case .body: .contentTooLarge
        case .requestLine: .uriTooLong
        case .headerBlock, .headerFields: .headTooLarge
        case .headTime, .bodyTime: .requestTimeout
        case .version: .versionNotSupported
        case .codingUnknown, .method: .notImplemented
        case .expectation: .expectationFailed
        default: .badRequest
        }
    }

    /// The bytes themselves were wrong, not their number or their pace: a fault of the peer.
    public var isMalformed: Bool {
        switch self {
        case .body, .headTime, .bodyTime: false
        default: true
        }
    }

    /// What to do about it.
    public var detail: String {
        switch self {
        case .malformed: "Send a request line and fields as in RFC 9112, sections 3 and 5."
        case .bareLineEnd: "End every line with CR LF, and use neither byte alone."
        case .foldedField: "Write every field on one line."
        case .badFieldName: "Put the colon directly behind the field's name."
        case .controlByte: "Leave control bytes out of the request line and the fields."
        case .hostMissing: "Send one Host field, in HTTP/1.0 too."
        case .hostRepeated: "Send exactly one Host field."
        case .hostInvalid: "Write Host as a name or address, with an optional :port."
        case .hostMismatch: "Name the same host in the target and in Host, or send the path only."
        case .targetInvalid: "Send a target that begins with / and has no fragment."
        case .lengthRepeated: "Send Content-Length once."
        case .lengthInvalid: "Write Content-Length as one decimal number below 2^50."
        case .lengthAndCoding: "Send either Content-Length or Transfer-Encoding, never both."
        case .codingUnknown: "Use Transfer-Encoding: chunked, or send a Content-Length."
        case .codingTooEarly: "Use HTTP/1.1 for chunks, or send a Content-Length."
        case .fieldRepeated:
            "Send Authorization, Content-Type, Idempotency-Key and Expect at most once each."
        case .chunkInvalid: "Write a chunk as 1 to 8 hex digits, CR LF, that many bytes, CR LF."
        case .chunkExtensions: "Leave chunk extensions out; 256 bytes a request are ignored."
        case .trailers: "Leave trailer fields out; 4096 bytes are ignored, if they frame nothing."
        case .version: "Use HTTP/1.1."
        case .method: "Use GET, HEAD, POST, PUT, DELETE, OPTIONS or PATCH."
        case .expectation: "Send Expect: 100-continue, or no Expect."
        case .requestLine: "Keep the request line within 8192 bytes."
        case .headerBlock: "Keep all header fields together within 16384 bytes."
        case .headerFields: "Send at most 64 header fields."
        case .body: "Send a smaller body, in several requests if need be."
        case .headTime: "Send the whole head within 5 seconds of its first byte."
        case .bodyTime: "Send the body within 10 seconds, or at 16 kB a second and more."
        }
    }
}

// The small words of HTTP/1.1 (RFC 9110, 9112): methods, statuses, and where a field lies.
//
// A request is never cut into strings. It stays where it was read, and a `RequestHead` says at
// which offsets its parts lie, so serving one allocates nothing.

/// What a request asks to be done; methods that we serve nowhere are `other`.
public enum HTTPMethod: UInt8, Sendable {
    /// Read.
    case get
    /// Read the fields only; answers carry no body.
    case head
    /// Act.
    case post
    /// Replace.
    case put
    /// Remove.
    case delete
    /// Ask what is possible.
    case options
    /// Change in part.
    case patch
    /// Any further method that the parser knows.
    case other
}

/// A status code with its whole status line, so that writing it is one copy.
public struct HTTPStatus: Sendable, Equatable {
    /// 200 to 599.
    public let code: Int
    /// `HTTP/1.1 200 OK` with its line end.
    let line: StaticString

    private init(_ code: Int, _ line: StaticString) {
        self.code = code
        self.line = line
    }

    /// The status of a number that something else chose, such as a function; nil if we never send
    /// it.
    public init?(code: Int) {
        guard let known = HTTPStatus.all.first(where: { $0.code == code }) else { return nil }
        self = known
    }

    /// The words after the number.
    public var reason: String {
        String(line.description.dropFirst(13).dropLast(1))  // CRLF is one Character
    }

    /// True for the two that never have a body, nor its length.
    public var isBodiless: Bool { code == 204 || code == 304 }

    /// Equal numbers are equal statuses.
    public static func == (a: HTTPStatus, b: HTTPStatus) -> Bool { a.code == b.code }

    /// Done.
    public static let ok = HTTPStatus(200, "HTTP/1.1 200 OK\r\n")
    /// Made.
    public static let created = HTTPStatus(201, "HTTP/1.1 201 Created\r\n")
    /// Taken, not done yet.
    public static let accepted = HTTPStatus(202, "HTTP/1.1 202 Accepted\r\n")
    /// Done, with nothing to say.
    public static let noContent = HTTPStatus(204, "HTTP/1.1 204 No Content\r\n")
    /// Unchanged since the caller's copy.
    public static let notModified = HTTPStatus(304, "HTTP/1.1 304 Not Modified\r\n")
    /// Malformed.
    public static let badRequest = HTTPStatus(400, "HTTP/1.1 400 Bad Request\r\n")
    /// No key, or not a known one.
    public static let unauthorized = HTTPStatus(401, "HTTP/1.1 401 Unauthorized\r\n")
    /// The key lacks the scope.
    public static let forbidden = HTTPStatus(403, "HTTP/1.1 403 Forbidden\r\n")
    /// Nothing there.
    public static let notFound = HTTPStatus(404, "HTTP/1.1 404 Not Found\r\n")
    /// Something there, but not for this method.
    public static let methodNotAllowed = HTTPStatus(405, "HTTP/1.1 405 Method Not Allowed\r\n")
    /// No form that we have is acceptable.
    public static let notAcceptable = HTTPStatus(406, "HTTP/1.1 406 Not Acceptable\r\n")
    /// The request came too slowly.
    public static let requestTimeout = HTTPStatus(408, "HTTP/1.1 408 Request Timeout\r\n")
    /// Not in this state.
    public static let conflict = HTTPStatus(409, "HTTP/1.1 409 Conflict\r\n")
    /// It was there and is not any more.
    public static let gone = HTTPStatus(410, "HTTP/1.1 410 Gone\r\n")
    /// The body is over the route's bound.
    public static let contentTooLarge = HTTPStatus(413, "HTTP/1.1 413 Content Too Large\r\n")
    /// The request line is over its bound.
    public static let uriTooLong = HTTPStatus(414, "HTTP/1.1 414 URI Too Long\r\n")
    /// The body is of a kind that the route does not read.
    public static let unsupportedMediaType = HTTPStatus(
        415,
        "HTTP/1.1 415 Unsupported Media Type\r\n"
    )
    /// `Expect` asks for something other than 100-continue.
    public static let expectationFailed = HTTPStatus(417, "HTTP/1.1 417 Expectation Failed\r\n")
    /// Understood, and contradictory.
    public static let unprocessable = HTTPStatus(422, "HTTP/1.1 422 Unprocessable Content\r\n")
    /// Over a quota.
    public static let tooManyRequests = HTTPStatus(429, "HTTP/1.1 429 Too Many Requests\r\n")
    /// The header block is over its bound.
    public static let headTooLarge = HTTPStatus(
        431,
        "HTTP/1.1 431 Request Header Fields Too Large\r\n"
    )
    /// Our fault.
    public static let internalError = HTTPStatus(500, "HTTP/1.1 500 Internal Server Error\r\n")
    /// A transfer coding or method that we do not know.
    public static let notImplemented = HTTPStatus(501, "HTTP/1.1 501 Not Implemented\r\n")
    /// Something behind us failed.
    public static let badGateway = HTTPStatus(502, "HTTP/1.1 502 Bad Gateway\r\n")
    /// Not now; comes with `Retry-After`.
    public static let unavailable = HTTPStatus(503, "HTTP/1.1 503 Service Unavailable\r\n")
    /// Something behind us was too slow.
    public static let gatewayTimeout = HTTPStatus(504, "HTTP/1.1 504 Gateway Timeout\r\n")
    /// Neither HTTP/1.0 nor HTTP/1.1.
    public static let versionNotSupported = HTTPStatus(
        505,
        "HTTP/1.1 505 HTTP Version Not Supported\r\n"
    )

    private static let all: [HTTPStatus] = [
        ok, created, accepted, noContent, notModified, badRequest, unauthorized, forbidden,
        notFound, methodNotAllowed, notAcceptable, requestTimeout, conflict, gone,
        contentTooLarge, uriTooLong, unsupportedMediaType, expectationFailed, unprocessable,
        tooManyRequests, headTooLarge, internalError, notImplemented, badGateway, unavailable,
        gatewayTimeout, versionNotSupported,
    ]
}

/// Where a part of a request lies in the bytes of its connection.
public struct HTTPRange: Sendable, Equatable {
    /// Offset of the first byte; -1 if the part is absent.
    public var start: Int32
    /// Offset after the last byte.
    public var end: Int32

    /// From `start` up to, not including, `end`.
    public init(_ start: Int, _ end: Int) {
        self.start = Int32(start)
        self.end = Int32(end)
    }

    /// A part that the request does not have; distinct from an empty one.
    public static let absent = HTTPRange(-1, -1)

    /// True unless absent; an empty part is present.
    public var isPresent: Bool { start >= 0 }

    /// Its length in bytes; 0 if absent.
    public var count: Int { Int(end - start) }

    /// For `Span.extracting`; `0..<0` if absent.
    public var range: Range<Int> { isPresent ? Int(start)..<Int(end) : 0..<0 }
}

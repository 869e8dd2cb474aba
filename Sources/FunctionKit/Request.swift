// What a function is told. Everything it may know is in here: it has no clock, no generator, no
// socket, so the same request gives the same answer on every node, in a shadow run and in a replay
// (DESIGN 9).

public import Suppression

/// The method of an HTTP request.
public enum Method: UInt8, Sendable {
    /// GET.
    case get = 1
    /// HEAD; the host drops the body of the answer.
    case head = 2
    /// POST.
    case post = 3
    /// OPTIONS.
    case options = 4
    /// Anything else.
    case other = 5
}

/// What the host read from a link token and looked up about it.
public struct TokenClaims: Equatable, Sendable {
    /// What the link stops.
    public let scope: Scope
    /// For whom.
    public let person: Person
    /// Display name of the tenant, UTF-8.
    public let tenantName: [UInt8]
    /// Display name of the stream; empty for all of the tenant.
    public let streamName: [UInt8]
    /// Display name of the topic; empty for all of the stream.
    public let topicName: [UInt8]

    /// Puts claims together.
    public init(
        scope: Scope,
        person: Person,
        tenantName: [UInt8],
        streamName: [UInt8],
        topicName: [UInt8]
    ) {
        self.scope = scope
        self.person = person
        self.tenantName = tenantName
        self.streamName = streamName
        self.topicName = topicName
    }
}

/// What the host did before it called the function: the function reports it, it does not decide it.
public enum Outcome: UInt8, Sendable {
    /// Nothing: show the page.
    case page = 1
    /// Staged the link's own suppression after an RFC 8058 POST.
    case oneClick = 2
    /// Staged it after the page's button.
    case confirmed = 3
    /// The same, and the person asked for all mail of the tenant: the function stages that.
    case confirmedAll = 4
    /// Staged the consent that an undo token names.
    case undone = 5
    /// An undo token was too old or not for this link.
    case undoRefused = 6
    /// The link does not open; there are no claims.
    case badToken = 7
    /// Nothing: the request went to /f/NAME/ and has no link, so no claims either.
    case direct = 8
    /// Staged what was chosen on the preferences page; the body says what.
    case chosen = 9
}

/// One request.
public struct Request: Sendable {
    /// How.
    public let method: Method
    /// Path without the token, such as `/u/`; of /f/NAME/ what follows that.
    public let path: [UInt8]
    /// What follows the `?`; empty for links.
    public let query: [UInt8]
    /// Body, at most 4 KiB.
    public let body: [UInt8]
    /// Value of Content-Type.
    public let contentType: [UInt8]
    /// Value of Accept-Language.
    public let acceptLanguage: [UInt8]
    /// Wall clock, milliseconds since 1970.
    public let nowMillis: UInt64
    /// Names the request, first half.
    public let requestHigh: UInt64
    /// Names the request, second half.
    public let requestLow: UInt64
    /// The only randomness there is.
    public let seed: UInt64
    /// Whom and what it is about; nil exactly for `.badToken` and `.direct`.
    public let claims: TokenClaims?
    /// What the host has done.
    public let outcome: Outcome
    /// Topics of the link's stream, by name; only for the preferences page, at most 32.
    public let topics: [TopicChoice]

    /// Puts a request together.
    public init(
        method: Method,
        path: [UInt8] = [],
        query: [UInt8] = [],
        body: [UInt8] = [],
        contentType: [UInt8] = [],
        acceptLanguage: [UInt8] = [],
        nowMillis: UInt64,
        requestHigh: UInt64 = 0,
        requestLow: UInt64 = 0,
        seed: UInt64 = 0,
        claims: TokenClaims?,
        outcome: Outcome,
        topics: [TopicChoice] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.contentType = contentType
        self.acceptLanguage = acceptLanguage
        self.nowMillis = nowMillis
        self.requestHigh = requestHigh
        self.requestLow = requestLow
        self.seed = seed
        self.claims = claims
        self.outcome = outcome
        self.topics = topics
    }
}

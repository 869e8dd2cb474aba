// What check answers, and how the marks of one person become it.
//
// The walk sees every mark of (tenant, recipient), widest scope first, and keeps those that touch
// the asked scope and block the stream's class. One live mark is enough to deny; which one is named
// follows the precedence of DESIGN 4. Nothing here can say allow by mistake of omission: `unknown`
// is decided where freshness is known (the lease), and damage counts as a live mark.

/// May a message be sent?
public enum Decision: UInt8, Sendable {
    /// Positively yes, and fresh. The only value that means send.
    case allow
    /// Positively no.
    case deny
    /// This node cannot know; treat as no for now.
    case unknown

    /// The word in the API.
    public var name: String {
        switch self {
        case .allow: "allow"
        case .deny: "deny"
        case .unknown: "unknown"
        }
    }
}

/// One check: which mail to whom.
public struct Query: Sendable {
    /// The legal sender and the person.
    public let person: Person
    /// The stream of the message.
    public let stream: StreamID
    /// The topic of the message, or `.any` for mail that belongs to no topic.
    public let topic: TopicID
    /// What the stream carries.
    public let streamClass: StreamClass

    /// Asks about one message.
    public init(person: Person, stream: StreamID, topic: TopicID, streamClass: StreamClass) {
        self.person = person
        self.stream = stream
        self.topic = topic
        self.streamClass = streamClass
    }

    /// Whether a mark at this scope concerns the message.
    public func touches(_ scope: Scope) -> Bool {
        if scope.stream == .any { return true }
        guard scope.stream == stream else { return false }
        return scope.topic == .any || scope.topic == topic
    }
}

/// The answer to a query.
public struct Verdict: Equatable, Sendable {
    /// May it be sent?
    public let decision: Decision
    /// The winning reason of a deny; nil otherwise.
    public let reason: Reason?
    /// When the winning mark's oldest live dot was minted; nil when not known.
    public let since: HybridTime?

    /// Puts an answer together.
    public init(decision: Decision, reason: Reason? = nil, since: HybridTime? = nil) {
        self.decision = decision
        self.reason = reason
        self.since = since
    }

    /// Fresh and unmarked.
    public static let allow = Verdict(decision: .allow)
    /// This node cannot know.
    public static let unknown = Verdict(decision: .unknown)
}

/// Collects the marks of one person and gives the verdict that they alone justify.
public struct Judgement {
    private let query: Query
    private let nowSeconds: UInt64
    private var winner: (reason: Reason, scope: Scope, since: HybridTime?)?

    /// Begins with nothing known against the message.
    ///
    /// - Parameter nowSeconds: wall clock, for expiry alone.
    public init(_ query: Query, nowSeconds: UInt64) {
        self.query = query
        self.nowSeconds = nowSeconds
    }

    /// Takes one mark of the person into account.
    ///
    /// - Parameter mark: nil when its bytes are damaged, which suppresses.
    public mutating func consider(_ key: MarkKey, _ mark: Mark?) {
        guard query.touches(key.scope), key.reason.blocks(query.streamClass) else { return }
        if let mark, !mark.isSuppressed(atSeconds: nowSeconds) { return }
        if let winner {
            let held = (winner.reason.precedence, -winner.scope.width)
            guard (key.reason.precedence, -key.scope.width) < held else { return }
        }
        winner = (key.reason, key.scope, mark?.since(atSeconds: nowSeconds))
    }

    /// Deny with its reason, or nil when no mark stands against the message.
    public var denial: Verdict? {
        guard let winner else { return nil }
        return Verdict(decision: .deny, reason: winner.reason, since: winner.since)
    }
}

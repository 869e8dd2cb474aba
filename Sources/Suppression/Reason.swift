// Why somebody must not be written to, and which mail each reason stops.
//
// Both are structs over a byte, not enums: a node one version older must keep, forward and obey a
// reason that it has never heard of (DESIGN 4). What is unknown blocks everything.

/// What kind of mail a stream carries; decides which reasons block it.
public enum StreamClass: UInt8, Sendable {
    /// Needs consent: every reason blocks it.
    case marketing = 1
    /// Receipts, password resets: an unsubscribe does not stop them, a dead mailbox does.
    case transactional = 2

    /// The word used in the CLI and the API.
    public var name: String { self == .marketing ? "marketing" : "transactional" }

    /// Two sides that disagree end with the class that blocks more (DESIGN 8).
    public func merged(with other: StreamClass) -> StreamClass {
        self == other ? self : .marketing
    }
}

/// Why a mark suppresses.
public struct Reason: Hashable, Comparable, Sendable {
    /// The byte on disk and wire.
    public let raw: UInt8

    /// Wraps a byte; values that this version does not know are legal.
    public init(raw: UInt8) { self.raw = raw }

    /// The person asked to stop.
    public static let unsubscribe = Reason(raw: 1)
    /// The person reported the mail as spam.
    public static let complaint = Reason(raw: 2)
    /// The mailbox does not exist.
    public static let hardBounce = Reason(raw: 3)
    /// The mailbox refused for now; expires.
    public static let softBounce = Reason(raw: 4)
    /// Somebody at the sender said so.
    public static let manual = Reason(raw: 5)
    /// Came with a list from another system.
    public static let imported = Reason(raw: 6)
    /// A court, a regulator, a minor: nothing may be sent.
    public static let legal = Reason(raw: 7)
    /// The person asked to be forgotten.
    public static let erasure = Reason(raw: 8)
    /// The person asked for some quiet; expires.
    public static let pause = Reason(raw: 9)

    /// Every reason that this version knows, in order of precedence (DESIGN 4).
    public static let known: [Reason] = [
        .legal, .erasure, .complaint, .unsubscribe, .hardBounce, .manual, .imported, .softBounce,
        .pause,
    ]

    /// The word used in the CLI and the API; nil for a reason of a newer version.
    public var name: String? {
        switch self {
        case .unsubscribe: "unsubscribe"
        case .complaint: "complaint"
        case .hardBounce: "hard_bounce"
        case .softBounce: "soft_bounce"
        case .manual: "manual"
        case .imported: "import"
        case .legal: "legal"
        case .erasure: "erasure"
        case .pause: "pause"
        default: nil
        }
    }

    /// Finds a reason by its word.
    public init?(named name: String) {
        guard let found = Reason.known.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Smaller wins the reply; unknown reasons come last but still deny.
    public var precedence: Int {
        switch self {
        case .legal: 0
        case .erasure: 1
        case .complaint: 2
        case .unsubscribe: 3
        case .hardBounce: 4
        case .manual: 5
        case .imported: 6
        case .softBounce: 7
        case .pause: 8
        default: 9
        }
    }

    /// Whether a live mark of this reason stops mail of this class.
    public func blocks(_ streamClass: StreamClass) -> Bool {
        if streamClass == .marketing { return true }
        switch self {
        case .unsubscribe, .complaint, .softBounce, .imported, .pause: return false
        default: return true
        }
    }

    /// The scope that a mark of this reason is written at: some reasons are never narrow.
    public func widened(_ scope: Scope) -> Scope {
        switch self {
        case .complaint, .legal, .erasure: .tenant
        default: scope
        }
    }

    /// Only these two may end by themselves.
    public var mayExpire: Bool { self == .softBounce || self == .pause }

    /// Orders by byte, as the keys on disk do.
    public static func < (a: Reason, b: Reason) -> Bool { a.raw < b.raw }
}

/// Through which door a write came; for people and audit, never for a decision.
public struct Source: Hashable, Sendable {
    /// The byte on disk and wire.
    public let raw: UInt8

    /// Wraps a byte; values that this version does not know are legal.
    public init(raw: UInt8) { self.raw = raw }

    /// RFC 8058 POST by a mailbox provider.
    public static let oneClick = Source(raw: 1)
    /// The confirmation page.
    public static let page = Source(raw: 2)
    /// The HTTP API.
    public static let api = Source(raw: 3)
    /// A bulk import.
    public static let imported = Source(raw: 4)
    /// RESP `SADD`.
    public static let resp = Source(raw: 5)
    /// A deployed function.
    public static let function = Source(raw: 6)

    /// The word used in the API.
    public var name: String {
        switch self {
        case .oneClick: "one-click"
        case .page: "page"
        case .api: "api"
        case .imported: "import"
        case .resp: "resp"
        case .function: "function"
        default: "unknown"
        }
    }
}

/// Hybrid logical clock: wall milliseconds (48 bits) | counter (16 bits).
///
/// For people, audit and expiry only; it never picks a winner (DESIGN 4). Source: Kulkarni et al.,
/// "Logical Physical Clocks" (2014).
public struct HybridTime: Hashable, Comparable, Sendable {
    /// Milliseconds and counter together.
    public let raw: UInt64

    /// Wraps a stored or received time.
    public init(raw: UInt64) { self.raw = raw }

    /// Milliseconds since 1970.
    public var wallMillis: UInt64 { raw >> 16 }

    /// The next time to stamp: later than `self` and not before the wall clock.
    public func next(wallMillis: UInt64) -> HybridTime {
        HybridTime(raw: max(raw + 1, wallMillis << 16))
    }

    /// Orders by time.
    public static func < (a: HybridTime, b: HybridTime) -> Bool { a.raw < b.raw }
}

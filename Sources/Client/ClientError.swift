// What can go wrong, by what the caller does about it.

/// Why a call has no answer.
public enum ClientError: Error, Equatable, CustomStringConvertible {
    /// The address or the key has a form that none has: correct the configuration.
    case invalidAddress(String)
    /// No node, no answer in time, or half an answer: try another node, or later.
    case unreachable(String)
    /// 401 or 403: use another key.
    case notPermitted(String)
    /// The node understood and refused: title and detail of RFC 9457 say why.
    case refused(status: Int, title: String, detail: String)
    /// What came is no answer of Quell: wrong port, wrong server, or a proxy's page.
    case malformedAnswer(String)

    /// One line; holds no key, token or address of a person.
    public var description: String {
        switch self {
        case .invalidAddress(let why), .unreachable(let why), .notPermitted(let why),
            .malformedAnswer(let why):
            why
        case .refused(let status, let title, let detail):
            detail.isEmpty ? "\(status) \(title)" : "\(status) \(title): \(detail)"
        }
    }
}

/// Bounds of one client.
public struct ClientLimits: Sendable {
    /// Until a connection stands. A node in the same region answers a SYN within 1 ms; 2 s allows for
    /// one lost SYN (retried after 1 s).
    public var connectMillis = 2_000
    /// A whole call, connecting included: the node's own deadline of 2 s for a write, times five.
    public var answerMillis = 10_000
    /// Body of an answer: 10,000 links of about 600 bytes are 6 MB.
    public var answerBytes = 16_777_216
    /// Head of an answer; ours are below 300 bytes, proxies add some.
    public var headBytes = 16_384

    /// The bounds for a worker beside its node.
    public init() {}

    /// Addresses that one check or links call takes (DESIGN 10.2).
    public static let batchAddressesCount = 10_000
}

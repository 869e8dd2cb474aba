// What calls give back: the fields that a program acts on, and the node's own line of JSON.
//
// Fields are read by name and the rest is left alone, so an answer of a newer node is still read. A
// missing field that decides something makes the whole answer malformed; one that only informs is
// nil.

public import Suppression
internal import Wire

/// May one message be sent?
public struct CheckResult: Equatable, Sendable {
    /// Only `.allow` means send.
    public let decision: Decision
    /// The winning reason of a deny, such as `unsubscribe`; `invalid` for a malformed address.
    public let reason: String?
    /// Since when, RFC 3339.
    public let since: String?

    /// Positively allowed; anything else means do not send.
    public var mayBeSent: Bool { decision == .allow }
    /// The node could tell; otherwise ask again later.
    public var isKnown: Bool { decision != .unknown }
    /// `allow`, `deny` or `unknown`.
    public var word: String { decision.name }

    static let unknown = CheckResult(decision: .unknown, reason: nil, since: nil)

    init(decision: Decision, reason: String?, since: String?) {
        self.decision = decision
        self.reason = reason
        self.since = since
    }

    /// Anything but the two words that we know is `.unknown`.
    init(_ json: JSONValue) {
        let word = json["decision"]?.string ?? ""
        let known: [Decision] = [.allow, .deny]
        decision = known.first { $0.name == word } ?? .unknown
        reason = json["reason"]?.string
        since = json["since"]?.string
    }
}

/// The answer to a check; usable without looking at the failure, because then all is unknown.
public struct CheckAnswer: Sendable {
    /// Exactly one for each address asked, in order.
    public internal(set) var results: [CheckResult]
    /// Why some or all are unknown; nil when every address was answered.
    public internal(set) var failure: ClientError?
    /// Age of the node's proof of freshness; nil when it has none.
    public internal(set) var stalenessMillis: Int64?
    /// The node that answered.
    public internal(set) var node: String?
}

/// A suppression that is durable.
public struct Suppressed: Sendable {
    /// Opaque; names this very write.
    public let id: String
    /// `quorum` or `local`.
    public let durability: String
    /// The node's answer as one line of JSON.
    public let json: String
}

/// What became of a consent.
public enum ConsentOutcome: Sendable {
    /// It lifted this many suppressions; `json` is the node's answer.
    case covered(count: Int, json: String)
    /// It lifted nothing: it must name what it lifts, and these ids are what stands now.
    case idsNeeded([String])
}

/// Rows, and the node's answer as one line of JSON.
public struct Listing<Row: Sendable>: Sendable {
    /// One row an element.
    public let rows: [Row]
    /// The node's answer as one line of JSON.
    public let json: String
}

/// One mark of a person.
public struct ShownMark: Sendable {
    /// The stream, `*` for all; nil when the node knows its number but not its name.
    public let stream: String?
    /// The topic, `*` for all; nil as above.
    public let topic: String?
    /// Why.
    public let reason: String
    /// Whether it suppresses now, or was lifted.
    public let isSuppressed: Bool
    /// Since when, RFC 3339.
    public let since: String?
    /// What a consent must name to lift it.
    public let ids: [String]
    /// Through which door it came.
    public let source: String?

    init?(_ json: JSONValue) {
        guard let reason = json["reason"]?.string, let isSuppressed = json["suppressed"]?.bool,
            let ids = json["ids"]?.array
        else { return nil }
        self.reason = reason
        self.isSuppressed = isSuppressed
        self.ids = ids.compactMap(\.string)
        stream = json["stream"]?.string
        topic = json["topic"]?.string
        since = json["since"]?.string
        source = json["source"]?.string
    }
}

/// An unsubscribe link and the two headers that carry it.
public struct Link: Sendable {
    /// The sealed token inside the URL.
    public let token: String
    /// What a person opens.
    public let url: String
    /// Value of `List-Unsubscribe`.
    public let listUnsubscribe: String
    /// Value of `List-Unsubscribe-Post`.
    public let listUnsubscribePost: String

    init?(_ json: JSONValue) {
        guard let token = json["token"]?.string, let url = json["url"]?.string,
            let headers = json["headers"],
            let listUnsubscribe = headers["List-Unsubscribe"]?.string,
            let listUnsubscribePost = headers["List-Unsubscribe-Post"]?.string
        else { return nil }
        self.token = token
        self.url = url
        self.listUnsubscribe = listUnsubscribe
        self.listUnsubscribePost = listUnsubscribePost
    }
}

/// How one node sees another.
public struct PeerStatus: Sendable {
    /// Its name.
    public let name: String
    /// `alive`, `suspect`, `unreachable`, `left` or `evicted`.
    public let state: String
    /// Round trip; nil when not measured.
    public let roundTripMillis: Double?
    /// Writes that it does not hold yet; nil when not known.
    public let behind: Int64?

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let state = json["state"]?.string else { return nil }
        self.name = name
        self.state = state
        roundTripMillis = json["rtt_ms"]?.double
        behind = json["behind"]?.integer
    }
}

/// How far a node is on its way into the cluster.
public struct JoinStatus: Sendable {
    /// Of the writes that the others held when it came, in percent.
    public let percent: Int64
    /// How many writes that were.
    public let of: Int64
    /// Bytes of pages a second.
    public let bytesPerSecond: Int64
    /// Nodes whose marks were compared with its own.
    public let compared: Int64

    init?(_ json: JSONValue?) {
        guard let json, let percent = json["percent"]?.integer, let of = json["of"]?.integer
        else { return nil }
        self.percent = percent
        self.of = of
        bytesPerSecond = json["bytes_per_second"]?.integer ?? 0
        compared = json["compared"]?.integer ?? 0
    }
}

/// How a node is (DESIGN 10.5).
public struct NodeStatus: Sendable {
    /// Its name.
    public let name: String
    /// Its number, for ever.
    public let nodeID: String
    /// `voter`, `learner` or `edge`.
    public let role: String
    /// Its failure domain.
    public let zone: String
    /// Whether it serves.
    public let isReady: Bool
    /// Whether it may say allow.
    public let isLeaseValid: Bool
    /// Age of its proof of freshness; nil when it has none.
    public let stalenessMillis: Int64?
    /// Marks that it holds.
    public let marksCount: Int64
    /// Equal sets of marks have equal digests; nil when the node computes none.
    public let digest: String?
    /// Own writes that no majority of voters is known to hold; nil when the node does not say.
    public let owed: Int64?
    /// How far it is on its way into the cluster; nil when it is a part of it.
    public let joining: JoinStatus?
    /// The others, as it sees them.
    public let peers: [PeerStatus]
    /// The node's answer as one line of JSON.
    public let json: String

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let isReady = json["ready"]?.bool,
            let isLeaseValid = json["lease"]?["valid"]?.bool,
            let marksCount = json["marks"]?["count"]?.integer
        else { return nil }
        self.name = name
        self.isReady = isReady
        self.isLeaseValid = isLeaseValid
        self.marksCount = marksCount
        nodeID = json["node_id"]?.string ?? ""
        role = json["role"]?.string ?? ""
        zone = json["zone"]?.string ?? ""
        stalenessMillis = json["lease"]?["staleness_ms"]?.integer
        digest = json["marks"]?["digest"]?.string
        owed = json["owed"]?.integer
        joining = JoinStatus(json["joining"])
        peers = (json["peers"]?.array ?? []).compactMap(PeerStatus.init)
        self.json = json.text
    }
}

// The calls of a repair: one that waits for its end, and one that asks how far it is.

internal import Wire

/// How a node's marks compared with those of one peer (DESIGN 10.5).
public struct RepairRow: Sendable {
    /// The peer's name.
    public let peer: String
    /// Keys that differed.
    public let differences: Int64
    /// Marks given to the peer.
    public let pushed: Int64
    /// Marks got from it.
    public let pulled: Int64
    /// Payload of all messages, both ways.
    public let bytes: Int64
    /// Payload for each byte that was missing; nil without differences.
    public let ratio: Double?
    /// How often one side waited for the other.
    public let roundTrips: Int64
    /// From the first word to the last.
    public let seconds: Double
    /// Why the peer could not be compared with; nil when it was.
    public let failure: String?

    init?(_ json: JSONValue) {
        guard let peer = json["peer"]?.string, let differences = json["differences"]?.integer
        else { return nil }
        self.peer = peer
        self.differences = differences
        pushed = json["pushed"]?.integer ?? 0
        pulled = json["pulled"]?.integer ?? 0
        bytes = (json["bytes_sent"]?.integer ?? 0) + (json["bytes_received"]?.integer ?? 0)
        ratio = json["ratio"]?.double
        roundTrips = json["round_trips"]?.integer ?? 0
        seconds = json["seconds"]?.double ?? 0
        failure = json["failure"]?.string
    }
}

/// How a repair ended.
public struct RepairOutcome: Sendable {
    /// Whether all peers have what this node has, and it what they have.
    public let isEqual: Bool
    /// One row a peer.
    public let peers: [RepairRow]
    /// Own marks with a wrong checksum; nil when nobody asked.
    public let damagedCount: Int64?
    /// Whether the sketch in memory is that of the marks on the disk; nil when nobody asked.
    public let isMemoryEqual: Bool?
    /// The node's answer as one line of JSON.
    public let json: String
}

/// How far a repair is.
public struct RepairProgress: Sendable {
    /// With whom it compares now; nil between two.
    public let peer: String?
    /// Differences found so far, as far as this node knows.
    public let found: Int64
    /// Those of them that are mended, or counted in a dry run.
    public let settled: Int64
}

extension ClientLimits {
    /// For a call that mends: a node of 10 M marks that begins with none takes minutes.
    public static var forRepair: ClientLimits {
        var limits = ClientLimits()
        limits.answerMillis = 3_600_000
        return limits
    }
}

extension QuellClient {
    /// Compares this node's marks with those of its peers and mends what differs.
    ///
    /// - Parameters:
    ///   - peer: the only one to compare with; nil for all.
    ///   - isDry: changes nothing.
    ///   - isDeep: reads every own mark again first.
    public func repair(
        peer: String?,
        isDry: Bool,
        isDeep: Bool
    ) throws(ClientError) -> RepairOutcome {
        var request = Request(post: "/v1/repair") { json in
            if let peer { json.field("peer", peer) }
            json.field("dry_run", isDry)
            json.field("deep", isDeep)
        }
        request.isRepeatable = false
        let json = try ask(request)
        guard let isEqual = json["equal"]?.bool, let peers = json["peers"]?.array else {
            throw unexpected("equal")
        }
        return RepairOutcome(
            isEqual: isEqual,
            peers: peers.compactMap(RepairRow.init),
            damagedCount: json["deep"]?["marks_damaged"]?.integer,
            isMemoryEqual: json["deep"]?["memory_equal"]?.bool,
            json: json.text
        )
    }

    /// How far the repair is that runs now; nil when none does.
    public func repairProgress() throws(ClientError) -> RepairProgress? {
        let json = try ask(Request(.get, "/v1/repair"))
        guard json["running"]?.bool == true else { return nil }
        return RepairProgress(
            peer: json["peer"]?.string,
            found: json["found"]?.integer ?? 0,
            settled: json["settled"]?.integer ?? 0
        )
    }
}

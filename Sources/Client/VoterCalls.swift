// The calls about who belongs: voters, and members that go.

internal import Wire

/// One slot of the voters, as the asked node sees it.
public struct VoterRow: Sendable {
    /// The slot's name.
    public let name: String
    /// The node that it is bound to, as hexadecimal digits.
    public let nodeID: String
    /// Where it stands.
    public let zone: String
    /// The generation that bound it.
    public let since: Int64
    /// `staying`, and in a joint generation `leaving` or `joining`.
    public let side: String
    /// The asked node has a link to it.
    public let isLinked: Bool
    /// It has caught up, and its confirmations count.
    public let isSeated: Bool

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let nodeID = json["node_id"]?.string,
            let zone = json["zone"]?.string, let side = json["side"]?.string,
            let since = json["since"]?.integer
        else { return nil }
        self.name = name
        self.nodeID = nodeID
        self.zone = zone
        self.side = side
        self.since = since
        isLinked = json["linked"]?.bool ?? false
        isSeated = json["seated"]?.bool ?? false
    }
}

/// A generation of the voters.
public struct VoterListing: Sendable {
    /// Counts the changes.
    public let generation: Int64
    /// A change is under way: two parties must agree.
    public let isJoint: Bool
    /// The slots.
    public let rows: [VoterRow]
    /// The node's answer as one line of JSON.
    public let json: String
}

/// A member that was ruled out.
public struct Evicted: Sendable {
    /// Writes of it that no majority of the voters is known to hold.
    public let owed: Int64
    /// The change, with the node's answer.
    public let changed: Changed
}

extension QuellClient {
    /// Lets the asked node leave; it ends.
    public func leave() throws(ClientError) -> Changed {
        try change(Request(post: "/v1/leave") { _ in })
    }

    /// Rules a member out for ever.
    public func evict(_ name: String, isID: Bool) throws(ClientError) -> Evicted {
        let json = try ask(Request(post: "/v1/evict") { $0.field(isID ? "node_id" : "name", name) })
        guard let owed = json["owed"]?.integer else { throw unexpected("eviction") }
        return Evicted(owed: owed, changed: Changed(json: json.text))
    }

    /// The voters in force on this node.
    public func voters() throws(ClientError) -> VoterListing {
        let json = try ask(Request(.get, "/v1/voters"))
        let listing = try listing(json, "voters", VoterRow.init)
        guard let generation = json["generation"]?.integer, let isJoint = json["joint"]?.bool else {
            throw unexpected("voters")
        }
        return VoterListing(
            generation: generation,
            isJoint: isJoint,
            rows: listing.rows,
            json: listing.json
        )
    }

    /// Binds a slot to the node that has this name now.
    public func replaceVoter(_ name: String, by: String) throws(ClientError) -> Changed {
        try change(
            Request(post: "/v1/voters") { json in
                json.field("action", "replace")
                json.field("name", name)
                json.field("by", by)
            }
        )
    }

    /// Adds or removes voters.
    ///
    /// - Parameter action: `add` or `remove`.
    public func changeVoters(
        _ action: String,
        _ names: [String]
    ) throws(ClientError) -> Changed {
        try change(
            Request(post: "/v1/voters") { json in
                json.field("action", action)
                json.key("names")
                json.beginArray()
                for name in names { json.string(name) }
                json.endArray()
            }
        )
    }
}

// The calls of an operator: status, and the registers of tenants, streams, topics and API keys.
//
// They go to an admin listener with an admin key. Adding what is there already answers with what is
// there, so repeating is harmless; only a new API key is minted once, because its text is shown
// once.

internal import Wire

/// A tenant's register.
public struct TenantRow: Sendable {
    /// Its name.
    public let name: String
    /// Its number as hexadecimal digits.
    public let id: String
    /// Ended for ever.
    public let isDeleted: Bool

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let id = json["id"]?.string else { return nil }
        self.name = name
        self.id = id
        isDeleted = json["deleted"]?.bool ?? false
    }
}

/// A stream's register.
public struct StreamRow: Sendable {
    /// Its name.
    public let name: String
    /// Its number as hexadecimal digits.
    public let id: String
    /// `marketing` or `transactional`.
    public let streamClass: String
    /// Ended for ever.
    public let isDeleted: Bool

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let id = json["id"]?.string,
            let streamClass = json["class"]?.string
        else { return nil }
        self.name = name
        self.id = id
        self.streamClass = streamClass
        isDeleted = json["deleted"]?.bool ?? false
    }
}

/// A topic's register.
public struct TopicRow: Sendable {
    /// The stream that it is in.
    public let stream: String
    /// Its name.
    public let name: String
    /// Its number as hexadecimal digits.
    public let id: String
    /// Ended for ever.
    public let isDeleted: Bool

    init?(_ json: JSONValue) {
        guard let stream = json["stream"]?.string, let name = json["name"]?.string,
            let id = json["id"]?.string
        else { return nil }
        self.stream = stream
        self.name = name
        self.id = id
        isDeleted = json["deleted"]?.bool ?? false
    }
}

/// An API key's register; the key itself is not in it.
public struct KeyRow: Sendable {
    /// Its name.
    public let name: String
    /// What it may do.
    public let scopes: [String]
    /// Ended for ever.
    public let isRevoked: Bool

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let scopes = json["scopes"]?.array,
            let isRevoked = json["revoked"]?.bool
        else { return nil }
        self.name = name
        self.scopes = scopes.compactMap(\.string)
        self.isRevoked = isRevoked
    }
}

/// A node as another one knows it.
public struct MemberRow: Sendable {
    /// Its name.
    public let name: String
    /// Its number as hexadecimal digits.
    public let nodeID: String
    /// Its failure domain.
    public let zone: String
    /// `voter`, `learner` or `edge`.
    public let role: String
    /// Where other nodes reach it.
    public let address: String
    /// `alive`, `suspect`, `unreachable`, `left` or `evicted`.
    public let state: String
    /// Milliseconds; nil when not measured, as for the node that was asked.
    public let roundTripMillis: Double?

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let nodeID = json["node_id"]?.string,
            let state = json["state"]?.string
        else { return nil }
        self.name = name
        self.nodeID = nodeID
        self.state = state
        zone = json["zone"]?.string ?? ""
        role = json["role"]?.string ?? ""
        address = json["address"]?.string ?? ""
        roundTripMillis = json["rtt_ms"]?.double
    }
}

/// A key that was just made: the only time that its text is seen.
public struct MintedKey: Sendable {
    /// The bearer text.
    public let key: String
    /// The node's answer as one line of JSON.
    public let json: String
}

/// One register that was added or ended; `json` is the node's answer.
public struct Changed: Sendable {
    /// The node's answer as one line of JSON.
    public let json: String
}

extension QuellClient {
    /// How this node is.
    public func status() throws(ClientError) -> NodeStatus {
        guard let status = NodeStatus(try ask(Request(.get, "/v1/status"))) else {
            throw unexpected("status")
        }
        return status
    }

    /// Every node that this one knows, itself included.
    public func members() throws(ClientError) -> Listing<MemberRow> {
        try listing(try ask(Request(.get, "/v1/members")), "members", MemberRow.init)
    }

    /// All tenants.
    public func tenants() throws(ClientError) -> Listing<TenantRow> {
        try listing(try ask(Request(.get, "/v1/tenants")), "tenants", TenantRow.init)
    }

    /// Adds a tenant with its own pepper and token key.
    public func addTenant(_ name: String) throws(ClientError) -> Changed {
        try change(Request(post: "/v1/tenants") { $0.field("name", name) })
    }

    /// Ends a tenant for ever; lifts nothing.
    public func removeTenant(_ name: String) throws(ClientError) -> Changed {
        try change(Request(.delete, "/v1/tenants", query: [("tenant", name)]))
    }

    /// The streams of a tenant.
    public func streams(
        tenant: String
    ) throws(ClientError) -> Listing<StreamRow> {
        let json = try ask(Request(.get, "/v1/streams", query: [("tenant", tenant)]))
        return try listing(json, "streams", StreamRow.init)
    }

    /// Adds a stream.
    ///
    /// - Parameter streamClass: `marketing` or `transactional`.
    public func addStream(
        tenant: String,
        name: String,
        streamClass: String
    ) throws(ClientError) -> Changed {
        try change(
            Request(post: "/v1/streams") { json in
                json.field("tenant", tenant)
                json.field("name", name)
                json.field("class", streamClass)
            }
        )
    }

    /// Ends a stream for ever; lifts nothing.
    public func removeStream(
        tenant: String,
        name: String
    ) throws(ClientError) -> Changed {
        let query: [(StaticString, String)] = [("tenant", tenant), ("stream", name)]
        return try change(Request(.delete, "/v1/streams", query: query))
    }

    /// The topics of all streams of a tenant.
    public func topics(tenant: String) throws(ClientError) -> Listing<TopicRow> {
        let json = try ask(Request(.get, "/v1/topics", query: [("tenant", tenant)]))
        return try listing(json, "topics", TopicRow.init)
    }

    /// Adds a topic to a stream.
    public func addTopic(
        tenant: String,
        stream: String,
        name: String
    ) throws(ClientError) -> Changed {
        try change(
            Request(post: "/v1/topics") { json in
                json.field("tenant", tenant)
                json.field("stream", stream)
                json.field("name", name)
            }
        )
    }

    /// Ends a topic for ever; lifts nothing.
    public func removeTopic(
        tenant: String,
        stream: String,
        name: String
    ) throws(ClientError) -> Changed {
        let query: [(StaticString, String)] = [
            ("tenant", tenant), ("stream", stream), ("topic", name),
        ]
        return try change(Request(.delete, "/v1/topics", query: query))
    }

    /// The API keys of a tenant, without their texts.
    public func keys(tenant: String) throws(ClientError) -> Listing<KeyRow> {
        let json = try ask(Request(.get, "/v1/keys", query: [("tenant", tenant)]))
        return try listing(json, "keys", KeyRow.init)
    }

    /// Makes an API key; its text is in this answer and nowhere else.
    public func addKey(
        tenant: String,
        name: String,
        scopes: [String]
    ) throws(ClientError) -> MintedKey {
        var request = Request(post: "/v1/keys") { json in
            json.field("tenant", tenant)
            json.field("name", name)
            json.strings("scopes", scopes[...])
        }
        request.isRepeatable = false
        let json = try ask(request)
        guard let key = json["key"]?.string else { throw unexpected("key") }
        return MintedKey(key: key, json: json.text)
    }

    /// Revokes an API key for ever.
    public func removeKey(
        tenant: String,
        name: String
    ) throws(ClientError) -> Changed {
        let query: [(StaticString, String)] = [("tenant", tenant), ("name", name)]
        return try change(Request(.delete, "/v1/keys", query: query))
    }

    func change(_ request: Request) throws(ClientError) -> Changed {
        Changed(json: try ask(request).text)
    }
}

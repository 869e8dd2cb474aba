// The calls about functions: publish, activate, roll back, probe, and who may sign.

internal import Wire

/// An artifact that a node has taken.
public struct PublishedFunction: Sendable {
    /// The function.
    public let name: String
    /// Its identity in hexadecimal digits.
    public let digest: String
    /// The node's answer as one line of JSON.
    public let json: String
}

/// A version that serves from now on.
public struct ActivatedFunction: Sendable {
    /// The function.
    public let name: String
    /// Its identity; nil for what the nodes came with.
    public let digest: String?
    /// Counts the activations of this name.
    public let generation: Int64
    /// The node's answer as one line of JSON.
    public let json: String
}

/// What every serving loop of a node runs.
public struct ProbedFunction: Sendable {
    /// The digest that all loops run; nil for the built-in, or when they differ.
    public let digest: String?
    /// All loops answered every smoke request of it.
    public let isWell: Bool
}

/// A function as a node serves it.
public struct FunctionRow: Sendable {
    /// Its name.
    public let name: String
    /// What serves.
    public let digest: String
    /// Counts the activations of this name.
    public let generation: Int64
    /// `deployed` or `built-in`.
    public let source: String
    /// What is wrong with it, or went wrong last.
    public let error: String?
    /// Calls so far.
    public let calls: Int64
    /// The last lines that it logged.
    public let log: [String]

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let digest = json["digest"]?.string,
            let source = json["source"]?.string
        else { return nil }
        self.name = name
        self.digest = digest
        self.source = source
        generation = json["generation"]?.integer ?? 0
        error = json["error"]?.string
        calls = json["calls"]?.integer ?? 0
        log = json["log"]?.array?.compactMap(\.string) ?? []
    }
}

/// A version on one node.
public struct VersionPlace: Sendable {
    /// The node.
    public let node: String
    /// `active`, `ready`, `preparing`, `failed`, `absent` or `unreachable`.
    public let state: String
    /// Why it failed.
    public let why: String?

    /// Puts a place together.
    public init(node: String, state: String, why: String?) {
        self.node = node
        self.state = state
        self.why = why
    }
}

/// A version on all nodes.
public struct VersionRow: Sendable {
    /// The function.
    public let name: String
    /// Its identity.
    public let digest: String
    /// When it was published, RFC 3339.
    public let published: String
    /// Node by node, the asked one first.
    public let places: [VersionPlace]

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let digest = json["digest"]?.string,
            let nodes = json["nodes"]?.array
        else { return nil }
        self.name = name
        self.digest = digest
        published = json["published"]?.string ?? ""
        places = nodes.compactMap { node in
            guard let name = node["name"]?.string, let state = node["state"]?.string else {
                return nil
            }
            return VersionPlace(node: name, state: state, why: node["why"]?.string)
        }
    }
}

/// All functions and versions, as one node sees them.
public struct FunctionListing: Sendable {
    /// The node that was asked.
    public let node: String
    /// What serves there.
    public let functions: [FunctionRow]
    /// What was published, by name, the newest first.
    public let versions: [VersionRow]
    /// The node's answer as one line of JSON.
    public let json: String
}

/// Somebody whose signature makes an artifact worth running.
public struct DeployerRow: Sendable {
    /// The public key in hexadecimal digits.
    public let key: String
    /// What people call the key.
    public let name: String
    /// Ended for ever.
    public let isRevoked: Bool

    init?(_ json: JSONValue) {
        guard let key = json["key"]?.string, let name = json["name"]?.string else { return nil }
        self.key = key
        self.name = name
        isRevoked = json["revoked"]?.bool ?? false
    }
}

extension QuellClient {
    /// Hands an artifact to the node, which spreads it.
    public func publishFunction(_ bytes: [UInt8]) throws(ClientError) -> PublishedFunction {
        var request = Request(.post, "/v1/functions")
        request.body = bytes
        request.contentType = "application/octet-stream"
        let json = try ask(request)
        guard let name = json["name"]?.string, let digest = json["digest"]?.string else {
            throw unexpected("published function")
        }
        return PublishedFunction(name: name, digest: digest, json: json.text)
    }

    /// Lets a published version serve on every node.
    public func activateFunction(
        _ name: String,
        digest: String
    ) throws(ClientError) -> ActivatedFunction {
        var request = Request(post: "/v1/functions/activate") { json in
            json.field("name", name)
            json.field("digest", digest)
        }
        request.isRepeatable = false
        return try activated(request)
    }

    /// Lets the version serve that did before.
    public func rollBackFunction(_ name: String) throws(ClientError) -> ActivatedFunction {
        var request = Request(post: "/v1/functions/rollback") { $0.field("name", name) }
        request.isRepeatable = false
        return try activated(request)
    }

    private func activated(_ request: Request) throws(ClientError) -> ActivatedFunction {
        let json = try ask(request)
        guard let name = json["name"]?.string, let generation = json["generation"]?.integer else {
            throw unexpected("activation")
        }
        return ActivatedFunction(
            name: name,
            digest: json["digest"]?.string,
            generation: generation,
            json: json.text
        )
    }

    /// Asks every serving loop of the node for its smoke requests.
    public func probeFunction(_ name: String) throws(ClientError) -> ProbedFunction {
        let json = try ask(Request(post: "/v1/functions/probe") { $0.field("name", name) })
        guard let isWell = json["well"]?.bool else { throw unexpected("probe") }
        return ProbedFunction(digest: json["digest"]?.string, isWell: isWell)
    }

    /// What serves on the node, and what became of each version.
    public func functions() throws(ClientError) -> FunctionListing {
        let json = try ask(Request(.get, "/v1/functions"))
        guard let functions = json["functions"]?.array, let versions = json["versions"]?.array,
            let node = json["node"]?.string
        else { throw unexpected("functions") }
        return FunctionListing(
            node: node,
            functions: functions.compactMap(FunctionRow.init),
            versions: versions.compactMap(VersionRow.init),
            json: json.text
        )
    }

    /// Whose signature counts.
    public func deployers() throws(ClientError) -> Listing<DeployerRow> {
        try listing(try ask(Request(.get, "/v1/deployers")), "deployers", DeployerRow.init)
    }

    /// Lets a key sign functions.
    public func addDeployer(key: String, name: String) throws(ClientError) -> Changed {
        try change(
            Request(post: "/v1/deployers") { json in
                json.field("key", key)
                json.field("name", name)
            }
        )
    }

    /// Ends a key for ever; what it has signed and is active goes on.
    public func removeDeployer(key: String) throws(ClientError) -> Changed {
        try change(Request(.delete, "/v1/deployers", query: [("key", key)]))
    }
}

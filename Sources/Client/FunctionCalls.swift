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
    /// What is tried beside it from now on.
    public let trial: TrialRow?
    /// The node's answer as one line of JSON.
    public let json: String
}

/// What is to be done with a version beside the one that serves.
public enum FunctionTrial: String, Sendable {
    /// It answers a share of recipients.
    case canary
    /// It is asked a share of requests as well, and its answers are compared.
    case shadow
}

/// A version on trial, as a register says it.
public struct TrialRow: Sendable {
    /// `canary` or `shadow`.
    public let kind: String
    /// Of 100 recipients.
    public let percent: Int64
    /// Which version.
    public let digest: String

    init?(_ json: JSONValue?) {
        guard let json, let kind = json["kind"]?.string, let digest = json["digest"]?.string,
            let percent = json["percent"]?.integer
        else { return nil }
        self.kind = kind
        self.percent = percent
        self.digest = digest
    }
}

/// What one node has seen of a version that is watched.
public struct TrialReportRow: Sendable {
    /// The node.
    public let node: String
    /// The version.
    public let digest: String
    /// The node calls it broken.
    public let isBroken: Bool
    /// How a call failed last.
    public let cause: String?
    /// Calls.
    public let calls: Int64
    /// Of them failed.
    public let failed: Int64
    /// Answers compared with those that were given.
    public let compared: Int64
    /// Of them others.
    public let differing: Int64
    /// Of them allows where the given one denies.
    public let loosened: Int64

    init?(_ json: JSONValue) {
        guard let node = json["node"]?.string, let digest = json["digest"]?.string else {
            return nil
        }
        self.node = node
        self.digest = digest
        isBroken = json["broken"]?.bool ?? false
        cause = json["cause"]?.string
        calls = json["calls"]?.integer ?? 0
        failed = json["failed"]?.integer ?? 0
        compared = json["compared"]?.integer ?? 0
        differing = json["differing"]?.integer ?? 0
        loosened = json["loosened"]?.integer ?? 0
    }
}

/// What the register of a function says.
public struct ActivationRow: Sendable {
    /// The function.
    public let name: String
    /// Counts the activations of this name.
    public let generation: Int64
    /// What serves; nil: what the nodes came with.
    public let digest: String?
    /// What is tried beside it.
    public let trial: TrialRow?
    /// What voters took back with this generation.
    public let reverted: String?
    /// Who said so and why, a line each.
    public let votes: [String]
    /// What nodes have seen of the versions that are watched.
    public let reports: [TrialReportRow]

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let generation = json["generation"]?.integer
        else { return nil }
        self.name = name
        self.generation = generation
        digest = json["digest"]?.string
        trial = TrialRow(json["trial"])
        reverted = json["reverted"]?["digest"]?.string
        votes = (json["reverted"]?["votes"]?.array ?? []).map { vote in
            let (node, cause) = (vote["node"]?.string ?? "", vote["cause"]?.string ?? "")
            let (failed, calls) = (vote["failed"]?.integer ?? 0, vote["calls"]?.integer ?? 0)
            return "\(node): \(cause), \(failed) of \(calls) calls"
        }
        reports = json["reports"]?.array?.compactMap(TrialReportRow.init) ?? []
    }
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
    /// `active`, `canary`, `shadow`, `ready`, `preparing`, `failed`, `absent` or `unreachable`.
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
    /// What the registers say.
    public let activations: [ActivationRow]
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

    /// Puts a version on trial, changes its share, or ends the trial with 0 percent.
    ///
    /// - Parameter digest: nil: the version that is on trial already.
    public func tryFunction(
        _ name: String,
        _ trial: FunctionTrial,
        percent: Int,
        digest: String?
    ) throws(ClientError) -> ActivatedFunction {
        var request = Request(post: "/v1/functions/\(trial.rawValue)") { json in
            json.field("name", name)
            json.field("percent", percent)
            if let digest { json.field("digest", digest) }
        }
        request.isRepeatable = false
        return try activated(request)
    }

    /// Lets the version serve that is on trial.
    public func promoteFunction(_ name: String) throws(ClientError) -> ActivatedFunction {
        var request = Request(post: "/v1/functions/promote") { $0.field("name", name) }
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
            trial: TrialRow(json["trial"]),
            json: json.text
        )
    }

    /// Asks every serving loop of the node for its smoke requests.
    ///
    /// - Parameter digest: the version that is asked for; nil: what serves.
    public func probeFunction(
        _ name: String,
        digest: String? = nil
    ) throws(ClientError) -> ProbedFunction {
        let request = Request(post: "/v1/functions/probe") { json in
            json.field("name", name)
            if let digest { json.field("digest", digest) }
        }
        let json = try ask(request)
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
            activations: json["activations"]?.array?.compactMap(ActivationRow.init) ?? [],
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

// Upgrades, as an operator asks for them.

internal import Wire

/// What one member runs.
public struct ReleaseRow: Sendable {
    /// The member.
    public let name: String
    /// The newest format that it reads and speaks; nil when it was not reached.
    public let runs: Int64?

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string else { return nil }
        self.name = name
        runs = json["runs"]?.integer
    }
}

/// What every member runs.
public struct Releases: Sendable {
    /// Of the asked node's disk.
    public let format: Int64
    /// Whether what the asked node runs is written everywhere.
    public let isFinalized: Bool
    /// The members.
    public let rows: [ReleaseRow]
    /// The node's answer as one line of JSON.
    public let json: String
}

extension QuellClient {
    /// What every member runs, as the asked node sees it.
    public func releases() throws(ClientError) -> Releases {
        let json = try ask(Request(.get, "/v1/upgrade"))
        let listing = try listing(json, "members", ReleaseRow.init)
        guard let format = json["format"]?.integer, let isFinalized = json["finalized"]?.bool
        else { throw unexpected("format") }
        return Releases(
            format: format,
            isFinalized: isFinalized,
            rows: listing.rows,
            json: listing.json
        )
    }

    /// Lets every node write the newest format from now on.
    public func finalizeUpgrade() throws(ClientError) -> Changed {
        try change(Request(post: "/v1/upgrade") { $0.field("action", "finalize") })
    }
}

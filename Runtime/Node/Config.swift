// The configuration of one node, checked as a whole before anything is opened.
//
// Three layers (file, environment, flags) become one table of texts with their places; only then
// are texts read as numbers, durations and addresses, so every complaint can name where the text
// stands.

public import Cluster
import Foundation

/// Everything that `quell serve` needs to know.
public struct Config: Sendable {
    /// The operator's word for the node.
    public var name: String
    /// Absolute path of the data directory.
    public var dataDirectory: String
    /// The address that listeners bind.
    public var listenHost: String
    /// The host under which others reach this node.
    public var advertiseHost: String
    /// The failure domain.
    public var zone: String
    /// The larger failure domain.
    public var region: String
    /// Mint a new cluster if the data directory is empty.
    public var bootstrap: Bool
    /// The voters' names at bootstrap.
    public var voters: [String]
    /// Peers to dial.
    public var join: [PeerAddress]
    /// Path of the cluster key; nil: beside the data directory's own.
    public var clusterKeyFile: String
    /// Path of the admin key, read at bootstrap only.
    public var adminKeyFile: String
    /// Serving loops, at least 1.
    public var loops: Int
    /// S, in nanoseconds.
    public var stalenessBoundNanos: UInt64
    /// Nanoseconds between background repairs; 0 for never.
    public var repairIntervalNanos: UInt64
    /// Bytes of pages that are taken in a second.
    public var pullBytesPerSecond: UInt64
    /// The formats of this process; not a key of the configuration.
    public var release: Release
    /// What public opt-outs get past the deadline.
    public var policy: Policy
    /// The base of unsubscribe links, no slash at the end.
    public var publicURL: String
    /// Public HTTP.
    public var httpPort: Int
    /// Admin HTTP.
    public var adminPort: Int
    /// RESP.
    public var respPort: Int
    /// Peers, TCP and UDP.
    public var peerPort: Int
    /// Postfix policy.
    public var policyPort: Int
    /// Postfix socketmap.
    public var socketmapPort: Int
    /// LMTP.
    public var lmtpPort: Int
    /// Run functions as wasm modules; false: the built-ins.
    public var runsWasm: Bool
    /// Absolute path of the folder with `NAME.wasm`; nil: what ships beside the program.
    public var functionsFolder: String?
    /// Least severe level that is logged.
    public var logLevel: String

    /// Joins the layers and checks the result.
    ///
    /// - Parameters:
    ///   - file: path of a YAML file, or nil.
    ///   - environment: the process environment; only `QUELL_*` of known keys is read.
    ///   - flags: what the command line set.
    public init(
        file: String?,
        environment: [String: String],
        flags: [ConfigKey: String]
    ) throws(ConfigError) {
        var values: [ConfigKey: ConfigValue] = [:]
        if let file { values = try ConfigFile.read(path: file) }
        for key in ConfigKey.allCases {
            if let text = environment[key.variable] {
                values[key] = ConfigValue(text: text, place: key.variable)
            }
            if let text = flags[key] { values[key] = ConfigValue(text: text, place: key.flag) }
        }
        try self.init(ConfigReader(values: values), Release(environment: environment))
    }

    private init(_ reader: ConfigReader, _ release: Release) throws(ConfigError) {
        self.release = release
        name = try reader.word(.name, default: "n1")
        dataDirectory = absolute(reader.text(.dataDirectory, default: "quell-data"))
        let base = try reader.number(.basePort, default: 8_100, in: 1...65_529)
        listenHost = reader.text(.listen, default: "127.0.0.1")
        advertiseHost = reader.text(.advertise, default: listenHost)
        zone = try reader.word(.zone, default: "z1")
        region = try reader.word(.region, default: "local")
        bootstrap = try reader.flag(.bootstrap)
        voters = reader.list(.voters, default: [name])
        join = try reader.addresses(.join)
        clusterKeyFile = absolute(reader.text(.clusterKey, default: "keys/cluster.key"))
        let beside = (clusterKeyFile as NSString).deletingLastPathComponent
        adminKeyFile = absolute(reader.text(.adminKeyFile, default: beside + "/admin.key"))
        let cores = ProcessInfo.processInfo.activeProcessorCount
        loops = try reader.number(.loops, default: cores, in: 1...256)
        stalenessBoundNanos = try reader.duration(
            .stalenessBound,
            default: "60s",
            in: 5_000_000_000...600_000_000_000
        )
        repairIntervalNanos = try reader.duration(
            .repairInterval,
            default: "60s",
            in: 0...86_400_000_000_000
        )
        pullBytesPerSecond = try reader.bytesPerSecond(
            .pullRate,
            default: Cluster.Limits.pullBytesPerSecond
        )
        policy = try reader.choice(
            .policy,
            default: "available",
            ["available": .available, "strict": .strict]
        )
        httpPort = try reader.port(.httpPort, base, 0)
        adminPort = try reader.port(.adminPort, base, 1)
        respPort = try reader.port(.respPort, base, 2)
        peerPort = try reader.port(.peerPort, base, 3)
        policyPort = try reader.port(.policyPort, base, 4)
        socketmapPort = try reader.port(.socketmapPort, base, 5)
        lmtpPort = try reader.port(.lmtpPort, base, 6)
        publicURL = try reader.url(
            .publicURL,
            default: "http://\(advertiseHost):\(httpPort)"
        )
        runsWasm = try reader.choice(
            .functions,
            default: "built-in",
            ["built-in": false, "wasm": true]
        )
        let folder = reader.text(.functionsFolder, default: "")
        functionsFolder = folder.isEmpty ? nil : absolute(folder)
        let levels = ["debug", "info", "notice", "warning", "error"]
        logLevel = try reader.choice(
            .logLevel,
            default: "info",
            Dictionary(uniqueKeysWithValues: levels.map { ($0, $0) })
        )
        try checkTogether(reader)
    }

    /// Rules that concern more than one key.
    private func checkTogether(_ reader: ConfigReader) throws(ConfigError) {
        let isLoopback = listenHost == "::1" || listenHost.hasPrefix("127.")
        if !isLoopback, try !reader.flag(.insecureListen) {
            throw ConfigError(
                "\(reader.place(.listen)): \(listenHost) is not loopback and Quell speaks no TLS; "
                    + "put a TLS proxy in front and listen on loopback, or pass --insecure-listen"
            )
        }
        let holds = try reader.choice(.holds, default: "all", ["all": true, "cache": false])
        if !holds {
            throw ConfigError(
                "\(reader.place(.holds)): this version has no cache nodes yet; use `all`"
            )
        }
        if ![1, 3, 5].contains(voters.count) || Set(voters).count != voters.count {
            throw ConfigError(
                "\(reader.place(.voters)): name 1, 3 or 5 different voters, not \(voters.count)"
            )
        }
        if bootstrap, voters == [name], !join.isEmpty {
            throw ConfigError(
                "\(reader.place(.join)): a new cluster of one voter has nobody to join; "
                    + "leave out either --join or --bootstrap"
            )
        }
        let ports = [
            httpPort, adminPort, respPort, peerPort, policyPort, socketmapPort, lmtpPort,
        ]
        if Set(ports).count != ports.count {
            throw ConfigError("two listeners share a port; give each of the *_port keys its own")
        }
    }
}

/// Where a peer listens.
public struct PeerAddress: Equatable, Sendable {
    /// An IPv4 or IPv6 literal, or `localhost`.
    public let host: String
    /// Its peer port.
    public let port: Int
}

private func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    return FileManager.default.currentDirectoryPath + "/" + path
}

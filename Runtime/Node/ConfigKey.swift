// Every key of the configuration, once: the YAML key, and from it the flag and the environment
// variable.
//
//     base_port: 8200        QUELL_BASE_PORT=8200        --base-port 8200
//
// Flags beat the environment, the environment beats the file. `quell.example.yaml` explains each
// key, and a house rule checks that it explains all of them.

/// A key of the configuration.
public enum ConfigKey: String, CaseIterable, Sendable {
    /// The operator's word for the node.
    case name = "name"
    /// The data directory.
    case dataDirectory = "data"
    /// B: every port that is not set by itself counts from here.
    case basePort = "base_port"
    /// The address that listeners bind.
    case listen = "listen"
    /// The host under which others reach this node.
    case advertise = "advertise"
    /// Allows public listeners beyond loopback without TLS in front.
    case insecureListen = "insecure_listen"
    /// The failure domain.
    case zone = "zone"
    /// The larger failure domain.
    case region = "region"
    /// Peers to join, host:port each.
    case join = "join"
    /// Mints a new cluster, once.
    case bootstrap = "bootstrap"
    /// The voters' names at bootstrap.
    case voters = "voters"
    /// The file with the cluster key.
    case clusterKey = "cluster_key"
    /// The file with the admin key, needed at bootstrap only.
    case adminKeyFile = "admin_key_file"
    /// A full copy, or verdicts only.
    case holds = "holds"
    /// Serving loops.
    case loops = "loops"
    /// S of DESIGN 6.
    case stalenessBound = "staleness_bound"
    /// How often the background repair runs.
    case repairInterval = "repair_interval"
    /// How fast pages of others are taken in.
    case pullRate = "pull_rate"
    /// What to answer past the acknowledgment deadline.
    case policy = "policy"
    /// The base of unsubscribe links.
    case publicURL = "public_url"
    /// Public HTTP, B.
    case httpPort = "http_port"
    /// Admin HTTP, B + 1.
    case adminPort = "admin_port"
    /// RESP, B + 2.
    case respPort = "resp_port"
    /// Peers, B + 3.
    case peerPort = "peer_port"
    /// Postfix policy, B + 4.
    case policyPort = "policy_port"
    /// Postfix socketmap, B + 5.
    case socketmapPort = "socketmap_port"
    /// LMTP, B + 6.
    case lmtpPort = "lmtp_port"
    /// Whether functions run as wasm.
    case functions = "functions"
    /// Where their modules are.
    case functionsFolder = "functions_dir"
    /// Least severe level that is logged.
    case logLevel = "log_level"

    /// The flag, without value.
    public var flag: String { "--" + rawValue.map { $0 == "_" ? "-" : String($0) }.joined() }

    /// The environment variable.
    public var variable: String { "QUELL_" + rawValue.uppercased() }
}

// cluster.json: how client verbs find the nodes of a local cluster, and `dev` finds it again
// (DESIGN 10.1). It holds the API key and the admin key, so it is 0600 and replaced atomically.

import Foundation

struct ClusterFile: Codable, Equatable, Sendable {
    struct Node: Codable, Equatable, Sendable {
        var name: String
        var pid: Int
        var http: String
        var admin: String
        var resp: String
        var peer: String
        var policy: String
        var socketmap: String
        var directory: String
        /// The full argv of the node itself: foreground, from any directory, no secret in it.
        var command: [String]

        enum CodingKeys: String, CodingKey {
            case name, pid, http, admin, resp, peer, policy, socketmap, command
            case directory = "data"
        }
    }

    var tenant: String
    var apiKey: String
    var adminKey: String
    var nodes: [Node]

    enum CodingKeys: String, CodingKey {
        case tenant, nodes
        case apiKey = "api_key"
        case adminKey = "admin_key"
    }

    /// Reads and checks the file.
    static func read(_ path: String) throws(Failure) -> ClusterFile {
        let bytes = try Files.read(path, limitBytes: 1_048_576)
        let file: ClusterFile
        do {
            file = try JSONDecoder().decode(ClusterFile.self, from: Data(bytes))
        } catch {
            throw Failure(.configuration, "\(path): no cluster.json; start `quell dev` again")
        }
        guard !file.nodes.isEmpty, file.nodes.allSatisfy({ !$0.command.isEmpty }) else {
            throw Failure(.configuration, "\(path): names no node; start `quell dev` again")
        }
        return file
    }

    /// Replaces the file, readable by its owner only.
    func write(_ path: String) throws(Failure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        let text: Data
        do { text = try encoder.encode(self) } catch {
            throw Failure(.internal, "\(path): cannot be written as JSON: \(error)")
        }
        try Files.replace(path, Array(text) + [0x0a], mode: 0o600)
    }
}

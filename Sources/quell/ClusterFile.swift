// cluster.json: how client verbs find the nodes of a local cluster, and `dev` finds it again (DESIGN
// 10.1). It holds the API key and the admin key, so it is 0600 and replaced atomically.

import Foundation
import Wire

struct ClusterFile: Equatable, Sendable {
    struct Node: Equatable, Sendable {
        var name: String
        var pid: Int
        var http: String
        var admin: String
        var resp: String
        var peer: String
        var policy: String
        var socketmap: String
        var directory: String
        var command: [String]
    }

    var tenant: String
    var apiKey: String
    var adminKey: String
    var nodes: [Node]

    /// Reads and checks the file.
    static func read(_ path: String) throws(Failure) -> ClusterFile {
        let bytes = try Files.read(path, limitBytes: 1_048_576)
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch {
            throw Failure(.configuration, "\(path): not JSON (\(error)); start `quell dev` again")
        }
        guard let tenant = json["tenant"]?.string, let apiKey = json["api_key"]?.string,
            let adminKey = json["admin_key"]?.string, let nodes = json["nodes"]?.array
        else { throw Failure(.configuration, "\(path): no cluster.json; start `quell dev` again") }
        let read = nodes.compactMap { Node($0) }
        guard read.count == nodes.count, !read.isEmpty else {
            throw Failure(.configuration, "\(path): names no usable node; start `quell dev` again")
        }
        return ClusterFile(tenant: tenant, apiKey: apiKey, adminKey: adminKey, nodes: read)
    }

    /// Replaces the file, readable by its owner only.
    func write(_ path: String) throws(Failure) {
        var bytes: [UInt8] = []
        bytes.appendJSON { json in
            json.beginObject()
            json.field("tenant", tenant)
            json.field("api_key", apiKey)
            json.field("admin_key", adminKey)
            json.key("nodes")
            json.beginArray()
            for node in nodes { node.write(into: &json) }
            json.endArray()
            json.endObject()
        }
        try Files.replace(path, bytes + [0x0a], mode: 0o600)
    }
}

extension ClusterFile.Node {
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let pid = json["pid"]?.integer,
            let http = json["http"]?.string, let admin = json["admin"]?.string,
            let directory = json["data"]?.string,
            let command = json["command"]?.array?.compactMap(\.string), !command.isEmpty
        else { return nil }
        self.init(
            name: name,
            pid: Int(pid),
            http: http,
            admin: admin,
            resp: json["resp"]?.string ?? "",
            peer: json["peer"]?.string ?? "",
            policy: json["policy"]?.string ?? "",
            socketmap: json["socketmap"]?.string ?? "",
            directory: directory,
            command: command
        )
    }

    func write(into json: inout JSONWriter) {
        json.beginObject()
        json.field("name", name)
        json.field("pid", pid)
        json.field("http", http)
        json.field("admin", admin)
        json.field("resp", resp)
        json.field("peer", peer)
        json.field("policy", policy)
        json.field("socketmap", socketmap)
        json.field("data", directory)
        json.key("command")
        json.beginArray()
        for word in command { json.string(word) }
        json.endArray()
        json.endObject()
    }
}

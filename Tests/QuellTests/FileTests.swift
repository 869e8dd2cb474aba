// The files that the command line writes: secrets, whole, readable by nobody else, never
// overwritten by accident.

import Foundation
import Testing

@testable import quell

struct FileTests {
    /// A fresh directory for one test.
    private func directory() throws -> String {
        let path = NSTemporaryDirectory() + "quell-files-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        return path
    }

    private func mode(_ path: String) throws -> Int {
        let all = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(all[.posixPermissions] as? Int)
    }

    private let file = ClusterFile(
        tenant: "demo",
        apiKey: "qk_a",
        adminKey: "qa_b",
        nodes: [
            ClusterFile.Node(
                name: "n1",
                pid: 7,
                http: "127.0.0.1:8100",
                admin: "127.0.0.1:8101",
                resp: "127.0.0.1:8102",
                peer: "127.0.0.1:8103",
                policy: "127.0.0.1:8104",
                socketmap: "127.0.0.1:8105",
                directory: "/var/lib/quell/n1",
                command: ["/usr/bin/quell", "serve", "--name", "a \"b\" ä"]
            )
        ]
    )

    @Test("cluster.json comes back as it was written, under the names of the contract")
    func roundTrip() throws {
        let path = try directory() + "/cluster.json"
        try file.write(path)
        #expect(try ClusterFile.read(path) == file)
        #expect(try mode(path) == 0o600)
        let text = String(decoding: try Files.read(path, limitBytes: 4_096), as: UTF8.self)
        for name in [
            "tenant", "api_key", "admin_key", "nodes", "name", "pid", "http", "admin", "resp",
            "peer", "policy", "socketmap", "data", "command",
        ] { #expect(text.contains("\"\(name)\":")) }
    }

    @Test("a file left beside by somebody else does not lend its mode to a secret")
    func staleNeighbour() throws {
        let path = try directory() + "/cluster.json"
        #expect(
            FileManager.default.createFile(
                atPath: path + ".part",
                contents: Data("old and longer than".utf8),
                attributes: [.posixPermissions: 0o644]
            )
        )
        try Files.replace(path, Array("new".utf8), mode: 0o600)
        #expect(try Files.read(path, limitBytes: 100) == Array("new".utf8))
        #expect(try mode(path) == 0o600)
    }

    @Test("a symbolic link beside is not written through")
    func staleLink() throws {
        let directory = try directory()
        let victim = directory + "/victim"
        #expect(FileManager.default.createFile(atPath: victim, contents: Data("mine".utf8)))
        try FileManager.default.createSymbolicLink(
            atPath: directory + "/admin.key.part",
            withDestinationPath: victim
        )
        try Files.create(directory + "/admin.key", Array("secret".utf8), mode: 0o600)
        #expect(try Files.read(victim, limitBytes: 100) == Array("mine".utf8))
    }

    @Test("what is there is not overwritten, and nothing is left beside it")
    func refusesToOverwrite() throws {
        let directory = try directory()
        let path = directory + "/admin.key"
        try Files.create(path, Array("first".utf8), mode: 0o600)
        let failure = try #require(throws: Failure.self) {
            try Files.create(path, Array("second".utf8), mode: 0o600)
        }
        #expect(failure.code == .configuration)
        #expect(failure.description.hasPrefix(path + ": exists; "))
        #expect(try Files.read(path, limitBytes: 100) == Array("first".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["admin.key"])
    }

    @Test(
        "a file that is no cluster.json is named, with what to do",
        arguments: [
            "", "{}", "[]", #"{"tenant":"t","api_key":"a","admin_key":"b","nodes":[]}"#,
            #"{"tenant":"t","api_key":"a","admin_key":"b","nodes":[{"name":"n1"}]}"#,
        ]
    )
    func notCluster(text: String) throws {
        let path = try directory() + "/cluster.json"
        try Files.create(path, Array(text.utf8), mode: 0o600)
        let failure = try #require(throws: Failure.self) { try ClusterFile.read(path) }
        #expect(failure.code == .configuration)
        #expect(failure.description.contains(path))
        #expect(failure.description.contains("; "))
        #expect(throws: Failure.self) { try ClusterFile.read(path + ".none") }
    }

    @Test("init makes three keys of their forms, and never a second time")
    func initKeys() throws {
        let directory = try directory() + "/keys"
        try KeyFiles.create(in: directory)
        #expect(try mode(directory) == 0o700)
        func text(_ name: String) throws -> String {
            #expect(try mode("\(directory)/\(name)") == 0o600)
            let bytes = try Files.read("\(directory)/\(name)", limitBytes: 1_024)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(try text("cluster.key").wholeMatch(of: /[0-9a-f]{64}\n/) != nil)
        #expect(try text("deployer.key").wholeMatch(of: /[0-9a-f]{64}\n/) != nil)
        #expect(try text("admin.key").wholeMatch(of: /qa_[A-Za-z0-9_-]{43}\n/) != nil)
        let before = try text("cluster.key")
        #expect(throws: Failure.self) { try KeyFiles.create(in: directory) }
        #expect(try text("cluster.key") == before)
    }
}

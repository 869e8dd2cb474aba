// The configuration: which layer wins, and that every mistake is named where it stands.

import Cluster
import Foundation
import Testing

@testable import Node

private func config(
    _ yaml: String? = nil,
    _ environment: [String: String] = [:],
    _ flags: [ConfigKey: String] = [:]
) throws -> Config {
    guard let yaml else { return try Config(file: nil, environment: environment, flags: flags) }
    let path = NSTemporaryDirectory() + "quell-config-\(UUID().uuidString).yaml"
    try yaml.write(toFile: path, atomically: true, encoding: .utf8)
    defer { unsafe unlink(path) }
    return try Config(file: path, environment: environment, flags: flags)
}

private func complaint(_ yaml: String, _ flags: [ConfigKey: String] = [:]) -> String {
    do {
        _ = try config(yaml, [:], flags)
        return ""
    } catch { return "\(error)" }
}

@Suite struct ConfigTests {
    @Test("flags beat the environment, the environment beats the file, the file beats defaults")
    func layers() throws {
        #expect(try config().basePort8100)
        #expect(try config("base_port: 9000\n").httpPort == 9_000)
        let environment = ["QUELL_BASE_PORT": "9100"]
        #expect(try config("base_port: 9000\n", environment).httpPort == 9_100)
        #expect(try config("base_port: 9000\n", environment, [.basePort: "9200"]).httpPort == 9_200)
    }

    @Test("ports follow the base unless they are set themselves")
    func ports() throws {
        let read = try config("base_port: 9000\nadmin_port: 7000\n")
        #expect((read.httpPort, read.adminPort, read.respPort) == (9_000, 7_000, 9_002))
        #expect((read.peerPort, read.policyPort, read.socketmapPort) == (9_003, 9_004, 9_005))
        #expect(complaint("http_port: 9000\nadmin_port: 9000\n").contains("share a port"))
    }

    @Test("durations, words and choices are read, with their bounds")
    func values() throws {
        let read = try config("staleness_bound: 5m\npolicy: strict\nloops: 3\n")
        #expect(read.stalenessBoundNanos == 300_000_000_000)
        #expect(read.policy == .strict)
        #expect(read.loops == 3)
        #expect(complaint("staleness_bound: 4s\n").contains("outside 5s to 600s"))
        #expect(complaint("staleness_bound: soon\n").contains("write 500ms, 60s"))
        #expect(complaint("policy: maybe\n").contains("available, strict"))
        #expect(complaint("name: a b\n").contains("no name"))
        #expect(complaint("loops: 0\n").contains("1 to 256"))
        #expect(complaint("public_url: ftp://x\n").contains("no URL"))
    }

    @Test("an unknown key is refused with its line and the nearest known one")
    func unknownKeys() {
        let text = complaint("name: n1\nbase_prot: 9000\n")
        #expect(text.contains(":2: unknown key `base_prot`"))
        #expect(text.contains("did you mean `base_port`?"))
        #expect(complaint("colour: red\n").contains("quell.example.yaml"))
        #expect(complaint("name: a\nname: b\n").isEmpty == false)
        #expect(complaint("- a\n- b\n").contains("key: value"))
        #expect(complaint("name: {a: b}\n").contains("plain value"))
    }

    @Test("plain HTTP beyond loopback needs a word of consent")
    func insecure() throws {
        #expect(complaint("listen: 0.0.0.0\n").contains("--insecure-listen"))
        #expect(try config("listen: 0.0.0.0\ninsecure_listen: true\n").listenHost == "0.0.0.0")
        #expect(try config("listen: 127.0.0.9\n").listenHost == "127.0.0.9")
    }

    @Test("what this version cannot do is refused, not ignored")
    func later() {
        #expect(complaint("holds: cache\n").contains("no cache nodes"))
    }

    @Test("voters are 1, 3 or 5 different names; peers are numeric addresses")
    func cluster() throws {
        #expect(complaint("voters: [n1, n2]\n").contains("1, 3 or 5"))
        #expect(complaint("voters: [n1, n1, n2]\n").contains("different"))
        #expect(complaint("join: [a]\n").contains("is no address"))
        #expect(complaint("join: ['10.0.0.2:70000']\n").contains("10.0.0.2:8103"))
        #expect(complaint("join: ['n2.example.com:8103']\n").contains("names are not looked up"))
        #expect(complaint("join: [':1']\n").contains("is no address"))
        let text = "voters: [n1, n2, n3]\njoin: ['10.0.0.2:8103', '[::1]:9', 'localhost:1']\n"
        let joined = try config(text).join
        #expect(joined.map(\.host) == ["10.0.0.2", "::1", "127.0.0.1"])
        #expect(joined.map(\.port) == [8_103, 9, 1])
        #expect(complaint("bootstrap: true\njoin: ['10.0.0.2:1']\n").contains("nobody to join"))
    }
}

extension Config {
    fileprivate var basePort8100: Bool { httpPort == 8_100 && adminPort == 8_101 }
}

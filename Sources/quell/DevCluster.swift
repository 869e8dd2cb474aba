// What `quell dev` does, step by step:
//
//     keys (once) ─► spawn nodes ─► alive ─► demo tenant (once) ─► cluster.json ─► ready ─► greet
//
// Whatever fails on the way, nothing stays running and the exit code is not 0.

import Client
import Foundation
import Glibc
import Node

struct DevCluster {
    private let directory: String
    private let basePort: Int
    private let nodesCount: Int
    private let forwarded: [(flag: String, value: String?)]
    private var file: ClusterFile
    private var pids: [Int32] = []

    private var clusterPath: String { directory + "/cluster.json" }

    init(
        directory: String,
        basePort: Int,
        nodesCount: Int,
        forwarded: [(flag: String, value: String?)]
    ) {
        self.nodesCount = nodesCount
        self.directory = DevCluster.absolute(directory)
        self.basePort = basePort
        self.forwarded = forwarded
        file = ClusterFile(tenant: "demo", apiKey: "", adminKey: "", nodes: [])
    }

    /// Starts everything and returns when all nodes are ready.
    mutating func start() throws {
        let isFirst = !FileManager.default.fileExists(atPath: clusterPath)
        try prepare(isFirst: isFirst)
        do {
            for i in file.nodes.indices {
                let node = file.nodes[i]
                let pid = try Spawn.start(node.command, logPath: logPath(node))
                pids.append(pid)
                file.nodes[i].pid = Int(pid)
            }
            try wait(for: "/livez", seconds: 30)
            if isFirst {
                file.apiKey = try populate()
                try waitForCatalog(seconds: 30)
            }
            try file.write(clusterPath)
            try wait(for: "/readyz", seconds: 30)
        } catch {
            stop()
            throw error
        }
    }

    private mutating func prepare(isFirst: Bool) throws {
        if !isFirst {
            let old = try ClusterFile.read(clusterPath)
            for node in old.nodes {
                if let pid = Spawn.owner(of: node.directory) {
                    throw Failure(
                        .configuration,
                        "\(node.name) is already running as pid \(pid); "
                            + "use it, or `quell dev stop --dir \(directory)` first"
                    )
                }
            }
            guard old.nodes.count == nodesCount else {
                throw Failure(
                    .configuration,
                    "\(directory) holds a cluster of \(old.nodes.count) nodes, not \(nodesCount); "
                        + "pass --nodes \(old.nodes.count), or another --dir"
                )
            }
            file = old
        } else {
            try makeDirectory(directory)
            let keys = directory + "/keys"
            if !FileManager.default.fileExists(atPath: keys + "/cluster.key") {
                try KeyFiles.create(in: keys)
            }
            let text = try Files.read(keys + "/admin.key", limitBytes: 1_024)
            file.adminKey = String(decoding: text.filter { $0 > 0x20 }, as: UTF8.self)
        }
        file.nodes = try (0..<nodesCount).map { try node(index: $0) }
    }

    /// The first 1, 3 or 5 of the nodes vote.
    private var voters: [String] {
        let count = nodesCount >= 5 ? 5 : nodesCount >= 3 ? 3 : 1
        return (1...count).map { "n\($0)" }
    }

    private func node(index: Int) throws -> ClusterFile.Node {
        let name = "n\(index + 1)"
        let base = basePort + 10 * index
        let home = "\(directory)/\(name)"
        var command = [
            try executable(), "serve", "--name", name, "--data", home, "--base-port", "\(base)",
            "--zone", "z\(index + 1)", "--cluster-key", directory + "/keys/cluster.key",
        ]
        if voters.contains(name) {
            command += ["--bootstrap", "--voters", voters.joined(separator: ",")]
        }
        let others = (0..<nodesCount).filter { $0 != index }
        let isAlone = voters == [name]
        if !others.isEmpty, !isAlone {
            let peers = others.map { "127.0.0.1:\(basePort + 10 * $0 + 3)" }
            command += ["--join", peers.joined(separator: ",")]
        }
        for (flag, value) in forwarded {
            if let value { command += [flag, value] }
        }
        func port(_ offset: Int) -> String { "127.0.0.1:\(base + offset)" }
        return ClusterFile.Node(
            name: name,
            pid: 0,
            http: port(0),
            admin: port(1),
            resp: port(2),
            peer: port(3),
            policy: port(4),
            socketmap: port(5),
            directory: home,
            command: command
        )
    }

    /// The path as it was typed, made absolute; found in PATH, it is what the kernel runs.
    private func executable() throws(Failure) -> String {
        let typed = CommandLine.arguments.first ?? ""
        if typed.contains("/") { return DevCluster.absolute(typed) }
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            throw Failure(.internal, "/proc/self/exe cannot be read; mount /proc")
        }
    }

    /// Waits until every node answers 200, or one has ended.
    private func wait(for path: String, seconds: Int) throws {
        var against: [String] = []
        for _ in 0..<(seconds * 20) {
            against = []
            for (node, pid) in zip(file.nodes, pids) {
                if let code = Spawn.ended(pid) { throw died(node, code) }
                if let why = complaint(node, path) { against.append("\(node.name): \(why)") }
            }
            if against.isEmpty { return }
            usleep(50_000)
        }
        throw Failure(
            .internal,
            "all nodes were stopped, as not all answered \(path) within \(seconds) s "
                + "(\(against.joined(separator: "; "))); see \(directory)/*.log"
        )
    }

    private func complaint(_ node: ClusterFile.Node, _ path: String) -> String? {
        do throws(ClientError) {
            let client = try QuellClient(address: node.admin, key: "")
            return try client.complaint(path)
        } catch { return error.description }
    }

    /// The node's last words are the reason.
    private func died(_ node: ClusterFile.Node, _ code: Int32) -> Failure {
        let log = FileManager.default.contents(atPath: logPath(node)) ?? Data()
        let lines = String(decoding: log, as: UTF8.self).split(separator: "\n")
        let reason = lines.last { $0.hasPrefix("quell: ") }?.dropFirst(7) ?? "see \(logPath(node))"
        return Failure(
            code == 78 ? .configuration : .internal,
            "\(node.name) exited with \(code): \(reason)"
        )
    }

    /// Creates the demo tenant and its API key.
    private func populate() throws -> String {
        guard let node = file.nodes.first else { return "" }
        let admin = try QuellClient(address: node.admin, key: file.adminKey)
        // The first registers are written by the node itself right after it starts to listen.
        for attempt in 0..<400 {
            do {
                _ = try admin.addTenant("demo")
                break
            } catch {
                if attempt == 399 { throw error }
                usleep(50_000)
            }
        }
        _ = try admin.addStream(tenant: "demo", name: "marketing", streamClass: "marketing")
        _ = try admin.addStream(
            tenant: "demo",
            name: "transactional",
            streamClass: "transactional"
        )
        for (stream, topic) in DevCluster.topics {
            _ = try admin.addTopic(tenant: "demo", stream: stream, name: topic)
        }
        let scopes = ["check", "suppress", "consent", "import", "export", "link"]
        // A crash between this call and writing cluster.json loses the key text; a fresh name
        // works.
        let name = "dev-\(UInt32.random(in: 0...UInt32.max))"
        return try admin.addKey(tenant: "demo", name: name, scopes: scopes).key
    }

    /// Waits until every node knows the demo tenant with all its streams and topics.
    private func waitForCatalog(seconds: Int) throws {
        for node in file.nodes {
            var isKnown = false
            for _ in 0..<(seconds * 20) where !isKnown {
                isKnown = knowsAll(node)
                if !isKnown { usleep(50_000) }
            }
            guard isKnown else {
                throw Failure(
                    .internal,
                    "\(node.name) did not learn the demo tenant within \(seconds) s; "
                        + "see \(logPath(node))"
                )
            }
        }
    }

    private func knowsAll(_ node: ClusterFile.Node) -> Bool {
        do {
            let client = try QuellClient(address: node.http, key: file.apiKey)
            for (stream, topic) in DevCluster.topics {
                _ = try client.links(stream: stream, topic: topic, addresses: ["ada@example.com"])
            }
            return true
        } catch { return false }
    }

    private static let topics = [
        ("marketing", "news"), ("marketing", "offers"), ("transactional", "receipts"),
    ]

    /// Says what runs and what to try first, with the real path.
    func greet(isMailReady: Bool) {
        guard let node = file.nodes.first, let quell = node.command.first else { return }
        let count = file.nodes.count
        let are = count == 1 ? "1 node is ready; its" : "\(count) nodes are ready; their"
        print("\(are) files are in \(directory)\n")
        do {
            let client = try QuellClient(address: node.http, key: file.apiKey)
            let links = try client.links(
                stream: "marketing",
                topic: "news",
                addresses: ["ada@example.com"]
            )
            if let link = links.rows.first {
                print("Open this link as ada@example.com would:\n  \(link.url)\n")
            }
        } catch {
            print("(no link could be made: \(error))\n")
        }
        let options = "--stream marketing --topic news --cluster \(clusterPath)"
        print("Ask whether news may be sent to her, before and after:")
        print("  \(quell) check ada@example.com \(options)\n")
        if !isMailReady {
            print(
                "Links in real mail need https: pass --public-url https://unsubscribe.example.com"
            )
        }
        fflush(nil)
    }

    /// Stays in the foreground until Ctrl-C, then ends the nodes.
    mutating func watch() throws {
        print("Press Ctrl-C to stop.")
        fflush(nil)
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGINT)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        var reported: Set<Int32> = []
        var lastCode: Int32 = 0
        while true {
            var second = timespec(tv_sec: 1, tv_nsec: 0)
            if unsafe sigtimedwait(&signals, nil, &second) > 0 { break }
            for (node, pid) in zip(file.nodes, pids) where !reported.contains(pid) {
                guard let code = Spawn.ended(pid) else { continue }
                reported.insert(pid)
                lastCode = code
                print("\(node.name) (pid \(pid)) ended with \(code); its log is \(logPath(node))")
                fflush(nil)
            }
            if reported.count == pids.count {
                // Told to end by `quell dev stop`, it did as it was told.
                guard lastCode != 0 else { return print("all nodes have ended") }
                throw Failure(.internal, "no node is left; see \(directory)/*.log")
            }
        }
        stop()
    }

    private func stop() {
        for node in file.nodes {
            guard let pid = Spawn.owner(of: node.directory) else { continue }
            _ = Spawn.stop(owner: pid, of: node.directory, seconds: 10)
        }
        for pid in pids where Spawn.ended(pid) == nil { kill(pid, SIGKILL) }
    }

    private func logPath(_ node: ClusterFile.Node) -> String { "\(directory)/\(node.name).log" }

    private func makeDirectory(_ path: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw Failure(.configuration, "\(path): cannot be created; choose another --dir")
        }
    }

    static func absolute(_ path: String) -> String {
        let full =
            path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return (full as NSString).standardizingPath
    }
}

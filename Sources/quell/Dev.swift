// `quell dev`: a local cluster of real processes, ready to try in one command.

import ArgumentParser
import Client
import Foundation
import Glibc

struct Dev: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a local cluster of real processes with a demo tenant.",
        discussion: """
            Nodes listen on loopback. The tenant `demo` has the streams `marketing` (topics \
            news and offers) and `transactional` (topic receipts). Running it again on the same \
            directory starts the same cluster again.

            EXAMPLE
              quell dev --detach
              quell link ada@example.com --stream marketing --topic news
              quell dev stop
            """,
        subcommands: [DevStart.self, DevStop.self],
        defaultSubcommand: DevStart.self
    )
}

struct DevStart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the cluster. (default)"
    )

    @Option(name: .long, help: "Number of nodes, 1 to 9; the first 1, 3 or 5 vote.")
    var nodes = 3
    @Option(name: .long, help: "Directory of keys, data, logs and cluster.json.")
    var dir = ".quell/dev"
    @Option(name: .long, help: "First port; node i gets ten ports from base + 10 i.")
    var basePort = 8_100
    @Flag(name: .long, help: "Return when all nodes are ready.")
    var detach = false
    @Option(name: .long, help: "As in `quell serve`.")
    var stalenessBound: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var policy: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var publicURL: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var loops: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var repairInterval: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var holds: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var functions: String?
    @Option(name: .long, help: "As in `quell serve`.")
    var functionsDir: String?

    func run() throws {
        guard (1...9).contains(nodes) else {
            throw Failure(.usage, "--nodes \(nodes): choose 1 to 9")
        }
        var cluster = DevCluster(
            directory: dir,
            basePort: basePort,
            nodesCount: nodes,
            forwarded: forwarded
        )
        try cluster.start()
        cluster.greet(isMailReady: publicURL?.hasPrefix("https://") == true)
        if !detach { try cluster.watch() }
    }

    private var forwarded: [(flag: String, value: String?)] {
        [
            ("--staleness-bound", stalenessBound), ("--policy", policy),
            ("--public-url", publicURL), ("--loops", loops),
            ("--repair-interval", repairInterval), ("--holds", holds),
            ("--functions", functions), ("--functions-dir", functionsDir.map(DevCluster.absolute)),
        ]
    }
}

struct DevStop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the cluster's nodes, also restarted or suspended ones."
    )

    @Option(name: .long, help: "Directory of the cluster.")
    var dir = ".quell/dev"

    func run() throws {
        let path = DevCluster.absolute(dir) + "/cluster.json"
        let file = try ClusterFile.read(path)
        var running = 0
        for node in file.nodes {
            guard let pid = Spawn.owner(of: node.directory) else { continue }
            running += 1
            let isClean = Spawn.stop(owner: pid, of: node.directory, seconds: 10)
            print("\(node.name) (pid \(pid)) \(isClean ? "stopped" : "did not end and was killed")")
        }
        if running == 0 { print("nothing was running in \(dir)") }
    }
}

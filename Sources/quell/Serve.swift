// `quell serve`: one node, in the foreground, until a signal ends it.

import ArgumentParser
import Foundation
import Node

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one node in the foreground.",
        discussion: """
            Every option is also a key of the YAML file and a variable: --base-port is base_port \
            and QUELL_BASE_PORT. Flags beat the environment, the environment beats the file.

            EXAMPLE: the first node of a new cluster
              quell init keys
              quell serve --bootstrap --name n1 --data /var/lib/quell --cluster-key keys/cluster.key

            SIGTERM finishes what is in flight, checkpoints and exits 0.
            """
    )

    @Option(name: .long, help: "YAML file; quell.example.yaml explains every key.")
    var config: String?
    @Option(name: .long, help: "The node's name. (default: n1)")
    var name: String?
    @Option(name: .customLong("data"), help: "Data directory. (default: quell-data)")
    var directory: String?
    @Option(name: .long, help: "Public HTTP port; the other ports follow it. (default: 8100)")
    var basePort: String?
    @Option(name: .long, help: "Address that listeners bind. (default: 127.0.0.1)")
    var listen: String?
    @Option(name: .long, help: "Host under which others reach this node.")
    var advertise: String?
    @Flag(name: .long, help: "Allow plain HTTP beyond loopback.")
    var insecureListen = false
    @Option(name: .long, help: "Failure domain. (default: z1)")
    var zone: String?
    @Option(name: .long, help: "Larger failure domain. (default: local)")
    var region: String?
    @Option(name: .long, help: "Peers to join, host:port,...")
    var join: String?
    @Flag(name: .long, help: "Create a cluster if the data directory is empty.")
    var bootstrap = false
    @Option(name: .long, help: "Names of the voters at bootstrap, n1,n2,n3.")
    var voters: String?
    @Option(name: .long, help: "File with the cluster key, from `quell init`.")
    var clusterKey: String?
    @Option(name: .long, help: "File with the admin key; read at bootstrap. (default: beside it)")
    var adminKeyFile: String?
    @Option(name: .long, help: "all: a full copy; cache: verdicts only. (default: all)")
    var holds: String?
    @Option(name: .long, help: "Serving loops. (default: cores)")
    var loops: String?
    @Option(name: .long, help: "Oldest proof that still allows. (default: 60s)")
    var stalenessBound: String?
    @Option(name: .long, help: "Between background repairs, 0 for never. (default: 60s)")
    var repairInterval: String?
    @Option(name: .long, help: "Bytes of others' pages taken in a second. (default: 8MiB)")
    var pullRate: String?
    @Option(name: .long, help: "available or strict. (default: available)")
    var policy: String?
    @Option(name: .long, help: "Base of unsubscribe links, such as https://u.example.com.")
    var publicURL: String?
    @Option(name: .long, help: "built-in, or wasm: functions in a sandbox. (default: built-in)")
    var functions: String?
    @Option(name: .long, help: "Folder with unsubscribe.wasm and check.wasm.")
    var functionsDir: String?
    @Option(name: .long, help: "debug, info, notice, warning or error. (default: info)")
    var logLevel: String?

    func run() throws {
        let config: Config
        do {
            config = try Config(
                file: self.config,
                environment: ProcessInfo.processInfo.environment,
                flags: flags
            )
        } catch { throw Failure(.configuration, error.description) }
        do {
            try Node.run(config)
        } catch {
            switch error {
            case .configuration(let line): throw Failure(.configuration, line)
            case .broken(let line): throw Failure(.internal, line)
            }
        }
    }

    private var flags: [ConfigKey: String] {
        let given: [(ConfigKey, String?)] = [
            (.name, name), (.dataDirectory, directory), (.basePort, basePort), (.listen, listen),
            (.advertise, advertise), (.insecureListen, insecureListen ? "true" : nil),
            (.zone, zone), (.region, region), (.join, join),
            (.bootstrap, bootstrap ? "true" : nil), (.voters, voters), (.clusterKey, clusterKey),
            (.adminKeyFile, adminKeyFile), (.holds, holds), (.loops, loops),
            (.stalenessBound, stalenessBound), (.repairInterval, repairInterval),
            (.pullRate, pullRate), (.policy, policy), (.publicURL, publicURL),
            (.functions, functions),
            (.functionsFolder, functionsDir), (.logLevel, logLevel),
        ]
        return Dictionary(
            uniqueKeysWithValues: given.compactMap { key, value in value.map { (key, $0) } }
        )
    }
}

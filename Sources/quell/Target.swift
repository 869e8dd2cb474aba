// Which node a verb talks to, and as whom.
//
//     --cluster FILE  ►  QUELL_URL + QUELL_API_KEY (QUELL_ADMIN_URL + QUELL_ADMIN_KEY)
//                     ►  .quell/dev/cluster.json
//
// With several nodes the next one is tried when one cannot be reached; an answer is an answer, also
// a refusal.

import ArgumentParser
import Client
import Foundation

/// The option that every client verb has.
struct Target: ParsableArguments {
    @Option(
        name: .long,
        help: "cluster.json of the nodes. (default: QUELL_URL, else .quell/dev/cluster.json)"
    )
    var cluster: String?

    private static let localPath = ".quell/dev/cluster.json"

    /// The file that is looked into when no variable names a node.
    var clusterPath: String { cluster ?? Target.localPath }

    /// Addresses and key of one kind of listener.
    struct Doors {
        let addresses: [String]
        let key: String
        let tenant: String?
    }

    /// The public listeners.
    func publicDoors() throws(Failure) -> Doors {
        try doors(url: "QUELL_URL", key: "QUELL_API_KEY") { file in
            Doors(addresses: file.nodes.map(\.http), key: file.apiKey, tenant: file.tenant)
        }
    }

    /// The admin listeners.
    func adminDoors() throws(Failure) -> Doors {
        try doors(url: "QUELL_ADMIN_URL", key: "QUELL_ADMIN_KEY") { file in
            Doors(addresses: file.nodes.map(\.admin), key: file.adminKey, tenant: file.tenant)
        }
    }

    private func doors(
        url: String,
        key: String,
        _ from: (ClusterFile) -> Doors
    ) throws(Failure) -> Doors {
        if let cluster { return from(try ClusterFile.read(cluster)) }
        let environment = ProcessInfo.processInfo.environment
        if let address = environment[url] {
            guard let secret = environment[key] else {
                throw Failure(.configuration, "\(url) is set but \(key) is not; set both")
            }
            return Doors(addresses: [address], key: secret, tenant: nil)
        }
        guard FileManager.default.fileExists(atPath: Target.localPath) else {
            throw Failure(
                .configuration,
                "no cluster named; pass --cluster FILE, set \(url) and \(key), or run `quell dev`"
            )
        }
        return from(try ClusterFile.read(Target.localPath))
    }
}

extension Target.Doors {
    /// Runs a call on the first node that can be reached.
    func call<R>(_ body: (QuellClient) throws(ClientError) -> R) throws(Failure) -> R {
        var last = "no node is named"
        for address in addresses {
            do throws(ClientError) {
                return try body(try QuellClient(address: address, key: key))
            } catch {
                guard case .unreachable(let why) = error else { throw Failure(error) }
                last = why
            }
        }
        throw Failure(.unreachable, "\(last); is the node running?")
    }
}

extension Failure {
    /// The exit code that fits what the client met.
    init(_ error: ClientError) {
        switch error {
        case .invalidAddress(let why): self.init(.configuration, why)
        case .unreachable(let why): self.init(.unreachable, "\(why); is the node running?")
        case .notPermitted(let why): self.init(.notPermitted, why)
        case .malformedAnswer(let why): self.init(.internal, why)
        case .refused(let status, _, _):
            self.init(status == 503 ? .unreachable : .usage, error.description)
        }
    }
}

/// The scope options of most verbs.
struct ScopeOptions: ParsableArguments {
    @Option(name: .long, help: "Stream of the message; * for every stream.")
    var stream: String

    @Option(name: .long, help: "Topic of the stream; * for every topic.")
    var topic = "*"
}

/// Ends the process with a code that is an answer, not a failure.
func finish(_ code: FailureCode) -> Never {
    fflush(nil)
    Foundation.exit(code.rawValue)
}

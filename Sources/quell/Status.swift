// `quell status` and `quell members`: what every node says of itself.

import ArgumentParser
import Client
import Foundation

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every node: ready, lease, marks, and whether all are equal.",
        discussion: """
            Exit code 1: the nodes are not equal. 2: a node was not reached.

            EXAMPLE
              quell status --json
            """
    )

    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let doors = try target.adminDoors()
        var nodes: [NodeStatus] = []
        var missed: [String] = []
        for address in doors.addresses {
            do throws(ClientError) {
                nodes.append(try QuellClient(address: address, key: doors.key).status())
            } catch {
                guard case .unreachable(let why) = error else { throw Failure(error) }
                missed.append(why)
            }
        }
        if nodes.isEmpty {
            throw Failure(.unreachable, "\(missed.first ?? "no node"); is the node running?")
        }
        let isEqual =
            missed.isEmpty && Set(nodes.map { "\($0.marksCount) \($0.digest ?? "")" }).count == 1
        if json {
            let rows: JSONText.Value = .list(nodes.map(\.json))
            print(JSONText.object([("equal", .flag(isEqual)), ("nodes", rows)]))
        } else {
            write(nodes, missed, isEqual)
        }
        if !missed.isEmpty { finish(.unknown) }
        if !isEqual { finish(.no) }
    }

    private func write(_ nodes: [NodeStatus], _ missed: [String], _ isEqual: Bool) {
        for node in nodes {
            let lease =
                node.isLeaseValid ? "lease \(node.stalenessMillis ?? 0) ms old" : "NO LEASE"
            let state = node.isReady ? "ready" : "NOT READY"
            print(
                "\(node.name)\t\(state)\t\(node.role)\t\(node.zone)\t\(lease)\t"
                    + "\(node.marksCount) marks\tid \(node.nodeID)"
            )
        }
        for why in missed { print("not reached: \(why)") }
        if missed.isEmpty, nodes.count > 1 {
            print(isEqual ? "all equal" : "NOT EQUAL at this moment; ask again in a second")
        }
    }
}

struct Members: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the peers that a node knows.",
        discussion: "EXAMPLE\n  quell members"
    )

    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let status = try target.adminDoors().call { client throws(ClientError) in
            try client.status()
        }
        if json { return print(status.json) }
        if status.peers.isEmpty { print("\(status.name) knows no other node") }
        for peer in status.peers {
            let trip = peer.roundTripMillis.map { "\($0) ms" } ?? "-"
            print("\(peer.name)\t\(peer.state)\t\(trip)\t\(peer.behind ?? 0) behind")
        }
    }
}

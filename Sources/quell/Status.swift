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
        abstract: "Show every node that a node knows, and how it believes it to be.",
        discussion: """
            States: alive, suspect (does not answer), unreachable (did not answer for long; nothing
            of it is forgotten), left, evicted.

            EXAMPLE
              quell members
            """
    )

    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let members = try target.adminDoors().call { client throws(ClientError) in
            try client.members()
        }
        if json { return print(members.json) }
        for member in members.rows {
            let trip = member.roundTripMillis.map { "\($0) ms" } ?? "-"
            print(
                "\(member.name)\t\(member.state)\t\(member.role)\t\(member.zone)\t"
                    + "\(member.address)\t\(trip)\tid \(member.nodeID)"
            )
        }
    }
}

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
        var seen = try Survey(doors)
        // Digests are of what is checkpointed, a tenth of a second behind the writes, and the nodes
        // are asked one after the other: only nodes that stay different are.
        while seen.isReached, !seen.isEqual, seen.times < Survey.timesMost {
            Thread.sleep(forTimeInterval: Survey.pauseSeconds)
            try seen.ask(doors)
        }
        if json {
            let rows: JSONText.Value = .list(seen.nodes.map(\.json))
            let members: [(String, JSONText.Value)] = [
                ("equal", .flag(seen.isReached && seen.isEqual)),
                ("asked", .number(seen.times)), ("nodes", rows),
            ]
            print(JSONText.object(members))
        } else {
            write(seen)
        }
        if !seen.isReached { finish(.unknown) }
        if !seen.isEqual { finish(.no) }
    }

    private func write(_ seen: Survey) {
        for node in seen.nodes {
            let lease =
                node.isLeaseValid ? "lease \(node.stalenessMillis ?? 0) ms old" : "NO LEASE"
            let state = node.isReady ? "ready" : "NOT READY"
            print(
                "\(node.name)\t\(state)\t\(node.role)\t\(node.zone)\t\(lease)\t"
                    + "\(node.marksCount) marks\t\(debts(of: node))\tid \(node.nodeID)"
            )
            if let joining = node.joining {
                print(
                    "\tjoining: \(joining.percent) % of \(joining.of) writes, "
                        + "\(joining.bytesPerSecond / 1_024) KiB/s, "
                        + "compared with \(joining.compared) others"
                )
            }
        }
        for why in seen.missed { print("not reached: \(why)") }
        if seen.isReached, seen.nodes.count > 1 {
            print(
                seen.isEqual
                    ? "all equal"
                    : "NOT EQUAL, asked \(seen.times) times in a second; "
                        + "ask again when no writes are under way"
            )
        }
    }

    /// What the node still has to bring to others.
    private func debts(of node: NodeStatus) -> String {
        var debts = node.peers.filter { ($0.behind ?? 0) > 0 }
            .map { "\($0.name) \($0.behind ?? 0) behind" }
        if let owed = node.owed, owed > 0 { debts.append("OWES \(owed) to the voters") }
        return debts.isEmpty ? "nothing owed" : debts.joined(separator: ", ")
    }
}

/// What all nodes say, asked one after the other.
struct Survey {
    /// Six times, five pauses: a second.
    static let timesMost: Int64 = 6
    static let pauseSeconds = 0.2

    private(set) var nodes: [NodeStatus] = []
    private(set) var missed: [String] = []
    private(set) var times: Int64 = 0

    /// Asks for the first time.
    init(_ doors: Target.Doors) throws { try ask(doors) }

    /// Every node answered.
    var isReached: Bool { missed.isEmpty }

    /// Those that answered hold the same marks.
    var isEqual: Bool { Set(nodes.map { "\($0.marksCount) \($0.digest ?? "")" }).count == 1 }

    /// Asks every node, and forgets what they said before.
    mutating func ask(_ doors: Target.Doors) throws {
        nodes = []
        missed = []
        times += 1
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

// `quell voters list|replace|add|remove`: the fixed set whose disks count.

import ArgumentParser
import Client
import Foundation

struct Voters: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show or change the voters: the nodes whose disks make a write durable.",
        discussion: """
            A voter is a slot that is bound to one node. A node that lost its disk comes back as
            another node and counts for nothing until `replace` binds it; it then catches up from
            the others before its word counts.

            EXAMPLE
              quell voters list
              quell voters replace n2
            """,
        subcommands: [List.self, Replace.self, Add.self, Remove.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the voters in force, and how far each has caught up."
        )
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let voters = try options.call { client throws(ClientError) in try client.voters() }
            if options.json { return print(voters.json) }
            print("generation \(voters.generation)" + (voters.isJoint ? ", joint" : ""))
            for row in voters.rows {
                let word = row.isSeated ? "seated" : row.isLinked ? "learner" : "not reached"
                let side = row.side == "staying" ? "" : "\t\(row.side)"
                print("\(row.name)\t\(row.zone)\t\(word)\tid \(row.nodeID)\(side)")
            }
        }
    }

    struct Replace: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bind a slot to the node that has its name now, or to another one.",
            discussion: """
                The others must be there: both of three, or three of five, since the new node
                catches up from them.

                EXAMPLE
                  quell voters replace n2
                  quell voters replace n2 --by n4
                """
        )
        @Argument(help: "The slot.") var name: String
        @Option(name: .long, help: "The node to bind. (default: the one with the slot's name)")
        var by: String?
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let node = by ?? name
            let done = try options.call { client throws(ClientError) in
                try client.replaceVoter(name, by: node)
            }
            options.say(done, "\(name) is bound to \(node), which catches up now")
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make more nodes voters, up to 3 or 5 in all.",
            discussion: "EXAMPLE\n  quell voters add n4 n5"
        )
        @Argument(help: "Nodes that have joined.") var names: [String]
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.changeVoters("add", names)
            }
            options.say(done, "\(names.joined(separator: ", ")): voters once they caught up")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make fewer nodes voters, down to 3 or 1; they stay members.",
            discussion: "EXAMPLE\n  quell voters remove n4 n5"
        )
        @Argument(help: "Slots.") var names: [String]
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.changeVoters("remove", names)
            }
            options.say(done, "\(names.joined(separator: ", ")): no voters once the rest caught up")
        }
    }
}

// `quell upgrade status|finalize`: when every member runs the new release, its formats are written.

import ArgumentParser
import Client

struct UpgradeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Show what each member runs, and end an upgrade.",
        discussion: """
            Nodes are upgraded one by one: stop, replace the program, start. Each reads and speaks
            its own format and the one before, and goes on writing the one before, so any of them
            can be put back. `finalize` ends that: from then on the older program refuses the data.

            EXAMPLE
              quell upgrade status
              quell upgrade finalize
            """,
        subcommands: [Show.self, Finalize.self]
    )

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Show the format that each member runs, and the one on this node's disk."
        )
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let seen = try options.call { client throws(ClientError) in try client.releases() }
            if options.json { return print(seen.json) }
            print("disk format \(seen.format)" + (seen.isFinalized ? ", finalized" : ""))
            for row in seen.rows {
                print("\(row.name)\t\(row.runs.map { "runs \($0)" } ?? "not reached")")
            }
        }
    }

    struct Finalize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Write the new format from now on; the release before cannot be started again.",
            discussion: """
                Possible once every member is reached and runs it; says who does not.

                EXAMPLE
                  quell upgrade finalize
                """
        )
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.finalizeUpgrade()
            }
            options.say(done, "finalized: every node writes the new format now")
        }
    }
}

// The root command: which verbs there are, and how every failure ends.

import ArgumentParser
import Foundation
import Glibc
import Node

@main struct Quell: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quell",
        abstract: "Make \"stop writing to me\" certain.",
        version: Build.words,
        subcommands: [
            Init.self, Serve.self, Dev.self, Check.self, Suppress.self, Consent.self, Show.self,
            MakeLink.self, Import.self, Export.self, Status.self, Members.self, Repair.self,
            TenantVerb.self, StreamVerb.self, TopicVerb.self, KeyVerb.self, DeployerVerb.self,
            Voters.self, Leave.self, Evict.self, UpgradeVerb.self, Fn.self, FunctionChild.self,
        ]
    )

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("quell: \(failure.description)\n".utf8))
            Glibc.exit(failure.code.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

// `quell fn canary|shadow|promote`: a version beside the one that serves, and what becomes of it.
//
//     deploy DIR --canary 10 ─► canary NAME 50 ─► promote NAME
//                                     └─► voters take it back by themselves when it breaks
//     shadow DIR ─► status: compared, differing ─► promote NAME, refused while it would allow more

import ArgumentParser
import Client
import Foundation
import Node

/// Options of verbs that change what serves.
struct FnChange: ParsableArguments {
    @OptionGroup var options: DeployOptions
    @Flag(name: .long, help: "Print JSON.") var json = false

    /// Does it, and proves it on every node.
    ///
    /// - Parameter conflict: the exit code for what the nodes refuse as things are (409), where it
    ///   has one of its own.
    func run(
        conflict: FailureCode? = nil,
        _ body: (QuellClient) throws(ClientError) -> ActivatedFunction
    ) throws {
        let deployer = Deployer(try options.target.adminDoors())
        var refusal: String?
        let done: Deployment
        do throws(Failure) {
            done = try deployer.change { client throws(ClientError) in
                do throws(ClientError) {
                    return try body(client)
                } catch {
                    if case .refused(409, _, let detail) = error { refusal = detail }
                    throw error
                }
            }
        } catch {
            guard let refusal, let conflict else { throw error }
            throw Failure(conflict, refusal)
        }
        done.report(isJSON: json)
    }
}

struct FnCanary: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "canary",
        abstract: "Let the version on trial answer another share of recipients.",
        discussion: """
            Whoever is in the share stays in it as it grows. 0 ends the trial. Where the canary \
            fails, what serves answers in the same request; when a majority of voters finds it \
            broken, it is taken back.

            EXAMPLE
              quell fn canary greet 50
            """
    )
    @Argument(help: "The function.") var name: String
    @Argument(help: "Of 100 recipients.") var percent: Int
    @Option(name: .long, help: "A published version. (default: the one on trial)")
    var digest: String?
    @OptionGroup var change: FnChange

    func run() throws {
        try change.run { client throws(ClientError) in
            try client.tryFunction(name, .canary, percent: percent, digest: digest)
        }
    }
}

struct FnShadow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadow",
        abstract: "Ask a version a share of requests, beside the one that serves.",
        discussion: """
            Its answers are compared and thrown away, as is all that it would stage. \
            `quell fn status` counts the differences.

            EXAMPLE
              quell fn shadow check ./check
              quell fn shadow check 5c0e... --percent 50
            """
    )
    @Argument(help: "The function.") var name: String
    @Argument(help: "Folder with function.yaml, or the digest of a published version.")
    var version: String?
    @Option(name: .long, help: "Of 100 requests; 0 ends the trial.") var percent = 10
    @OptionGroup var change: FnChange

    func run() throws {
        let isDigest = version?.count == 64 && version?.allSatisfy(\.isHexDigit) == true
        if let version, !isDigest {
            let folder = try FnFolder.parse([version]).project()
            guard folder.name == name else {
                throw Failure(.usage, "\(version): is \(folder.name), not \(name)")
            }
            let packed = try BuiltFunction(folder).proved(try change.options.key())
            let deployer = Deployer(try change.options.target.adminDoors())
            return try deployer.deploy(packed, (kind: .shadow, percent: percent))
                .report(isJSON: change.json)
        }
        try change.run { client throws(ClientError) in
            try client.tryFunction(name, .shadow, percent: percent, digest: version)
        }
    }
}

struct FnPromote: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Let the version serve that is on trial.",
        discussion: """
            Exit code 1: as a shadow it has allowed what the version that serves denies, or \
            another activation is under way; nothing was changed.

            EXAMPLE
              quell fn promote greet
            """
    )
    @Argument(help: "The function.") var name: String
    @OptionGroup var change: FnChange

    func run() throws {
        try change.run(conflict: .no) { client throws(ClientError) in
            try client.promoteFunction(name)
        }
    }
}

// `quell fn list|status|logs` and `quell deployer`: what serves, where, what it says, and whose
// signature counts.

import ArgumentParser
import Client
import Foundation
import Node

/// Options of verbs that only look.
struct FnLook: ParsableArguments {
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print JSON.") var json = false

    /// What the first reachable node says.
    func listing() throws(Failure) -> FunctionListing {
        try target.adminDoors().call { client throws(ClientError) in try client.functions() }
    }
}

struct FnList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List functions and what serves of each.",
        discussion: "EXAMPLE\n  quell fn list"
    )
    @OptionGroup var look: FnLook

    func run() throws {
        let listing = try look.listing()
        if look.json { return print(listing.json) }
        for row in listing.functions {
            print("\(row.name)\t\(row.source)\tgeneration \(row.generation)\t\(row.digest)")
        }
    }
}

struct FnStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show every version on every node, and why one cannot serve.",
        discussion: "EXAMPLE\n  quell fn status greet"
    )
    @Argument(help: "One function. (default: all)") var name: String?
    @OptionGroup var look: FnLook

    func run() throws {
        let listing = try look.listing()
        if look.json { return print(listing.json) }
        for row in listing.functions where name ?? row.name == row.name {
            let error = row.error.map { "\tlast error: \($0)" } ?? ""
            print("\(row.name)\t\(row.source)\t\(row.calls) calls on \(listing.node)\(error)")
        }
        for row in listing.activations where name ?? row.name == row.name { show(row) }
        for row in listing.versions where name ?? row.name == row.name {
            print("\(row.name)\t\(row.digest.prefix(12))\tpublished \(row.published)")
            for place in row.places {
                print("  \(place.node)\t\(place.state)\(place.why.map { "\t\($0)" } ?? "")")
            }
        }
    }
}

extension FnStatus {
    /// What is tried, what voters took back and why, and what nodes have seen.
    private func show(_ row: ActivationRow) {
        if let trial = row.trial {
            print("\(row.name)\t\(trial.kind) \(trial.digest.prefix(12)) for \(trial.percent) %")
        }
        if let reverted = row.reverted {
            print("\(row.name)\tvoters took back \(reverted.prefix(12))")
            for vote in row.votes { print("  \(vote)") }
        }
        for report in row.reports {
            var words = ["\(report.failed) of \(report.calls) calls failed"]
            if report.isBroken { words.append("broken: \(report.cause ?? "no word")") }
            if row.trial?.kind == "shadow", report.digest == row.trial?.digest {
                words.append("\(report.compared) compared")
                words.append("\(report.differing) differ")
                words.append("\(report.loosened) would allow more")
            }
            print("  \(report.node)\t\(report.digest.prefix(12))\t\(words.joined(separator: ", "))")
        }
    }
}

struct FnLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show the last lines that a function logged, node by node.",
        discussion: "EXAMPLE\n  quell fn logs greet"
    )
    @Argument(help: "The function.") var name: String
    @OptionGroup var look: FnLook

    func run() throws {
        let doors = try look.target.adminDoors()
        var rows: [String] = []
        var reached = 0
        for address in doors.addresses {
            let listing: FunctionListing
            do throws(ClientError) {
                listing = try QuellClient(address: address, key: doors.key).functions()
            } catch {
                guard case .unreachable = error else { throw Failure(error) }
                continue
            }
            reached += 1
            let lines = listing.functions.first { $0.name == name }?.log ?? []
            for line in lines {
                rows.append(
                    look.json
                        ? JSONText.object([("node", .text(listing.node)), ("line", .text(line))])
                        : "\(listing.node)\t\(line)"
                )
            }
        }
        guard reached > 0 else {
            throw Failure(.unreachable, "no node can be reached; is one running?")
        }
        if look.json {
            print(JSONText.object([("name", .text(name)), ("lines", .list(rows))]))
        } else {
            for row in rows { print(row) }
        }
    }
}

struct DeployerVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deployer",
        abstract: "Add, list or end the keys whose signature makes a function worth running.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Trust a deployer key.",
            discussion: "EXAMPLE\n  quell deployer add keys/deployer.key --name ci"
        )
        @Argument(help: "deployer.key, or the 64 hexadecimal digits of a public key.")
        var key: String
        @Option(name: .long, help: "What people call the key.") var name = "deployer"
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let isPublic = key.count == 64 && key.allSatisfy(\.isHexDigit)
            let text =
                isPublic
                ? key : FunctionProject.publicKey(of: try Files.read(key, limitBytes: 1_024))
            guard let text else {
                throw Failure(.configuration, "\(key): no deployer key; `quell init` makes one")
            }
            let done = try options.call { client throws(ClientError) in
                try client.addDeployer(key: text, name: name)
            }
            options.say(done, "\(text) may deploy")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List deployer keys.")
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let rows = try options.call { client throws(ClientError) in try client.deployers() }
            options.list(rows) { "\($0.name)\t\($0.key)\($0.isRevoked ? "\trevoked" : "")" }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "End a deployer key for ever; what it signed and is active goes on."
        )
        @Argument(help: "The 64 hexadecimal digits of the public key.") var key: String
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.removeDeployer(key: key)
            }
            options.say(done, "\(key) may deploy no more")
        }
    }
}

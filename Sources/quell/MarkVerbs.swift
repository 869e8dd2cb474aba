// `quell suppress`, `show`, `consent`, `link`: what a person at the sender does to one address.

import ArgumentParser
import Client
import Foundation

struct Suppress: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop mail to an address; returns when that is durable.",
        discussion: """
            EXAMPLE
              quell suppress ada@example.com --stream marketing --topic news
              quell suppress ada@example.com --stream '*' --reason complaint
            """
    )

    @Argument(help: "The address.")
    var address: String
    @OptionGroup var scope: ScopeOptions
    @Option(
        name: .long,
        help: """
            unsubscribe, complaint, hard_bounce, soft_bounce, manual, import, legal, erasure or pause.
            """
    )
    var reason = "unsubscribe"
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print the node's JSON.")
    var json = false

    func run() throws {
        let done = try target.publicDoors().call { client throws(ClientError) in
            try client.suppress(
                address: address,
                stream: scope.stream,
                topic: scope.topic,
                reason: reason
            )
        }
        if json { return print(done.json) }
        print("suppressed \(address) in \(scope.stream):\(scope.topic) (\(done.durability))")
    }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every mark of an address.",
        discussion: "EXAMPLE\n  quell show ada@example.com"
    )

    @Argument(help: "The address.")
    var address: String
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print the node's JSON.")
    var json = false

    func run() throws {
        let listing = try target.publicDoors().call { client throws(ClientError) in
            try client.show(address: address)
        }
        if json { return print(listing.json) }
        if listing.rows.isEmpty { print("nothing is known of \(address)") }
        for mark in listing.rows {
            let state = mark.isSuppressed ? "suppressed" : "lifted"
            let place = "\(mark.stream ?? "?"):\(mark.topic ?? "?")"
            let since = mark.since.map { " since \($0)" } ?? ""
            let source = mark.source.map { " by \($0)" } ?? ""
            print("\(place)\t\(mark.reason)\t\(state)\(since)\(source)")
            for id in mark.ids { print("\tid \(id)") }
        }
    }
}

struct Consent: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lift marks by naming them; the only verb that does.",
        discussion: """
            Without --observed nothing is lifted: the ids are printed, and the exit code is 1. Look at \
            them, then pass each one that the person agreed to lift.

            EXAMPLE
              quell consent ada@example.com --stream marketing --topic news --method double-opt-in
              quell consent ada@example.com --stream marketing --topic news --method double-opt-in \\
                --observed ID
            """
    )

    @Argument(help: "The address.")
    var address: String
    @OptionGroup var scope: ScopeOptions
    @Option(name: .long, help: "Reason of the mark to lift.")
    var reason = "unsubscribe"
    @Option(name: .long, help: "An id that `quell show` or this verb printed; repeatable.")
    var observed: [String] = []
    @Option(name: .long, help: "How the person agreed, such as double-opt-in or phone.")
    var method: String
    @Option(name: .long, help: "More evidence, NAME=VALUE; repeatable.")
    var evidence: [String] = []
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        var proof = [(name: "method", value: method)]
        for item in evidence {
            let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw Failure(.usage, "--evidence \(item): write NAME=VALUE")
            }
            proof.append((name: parts[0], value: parts[1]))
        }
        let outcome = try target.publicDoors().call { client throws(ClientError) in
            try client.consent(
                address: address,
                stream: scope.stream,
                topic: scope.topic,
                reason: reason,
                observed: observed.isEmpty ? nil : observed,
                evidence: proof
            )
        }
        switch outcome {
        case .covered(let count, let text):
            if json { return print(text) }
            print("lifted \(count) of \(address) in \(scope.stream):\(scope.topic) (\(reason))")
        case .idsNeeded(let ids):
            if json {
                let quoted = ids.map { "\"\($0)\"" }
                print(JSONText.object([("ids", .list(quoted))]))
            } else if ids.isEmpty {
                print("nothing stands against \(address) there; nothing to lift")
            } else {
                print("nothing was lifted; name what the person agreed to lift:")
                for id in ids { print("  --observed \(id)") }
            }
            finish(.no)
        }
    }
}

struct MakeLink: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link",
        abstract: "Make an unsubscribe link and the headers for a message.",
        discussion: "EXAMPLE\n  quell link ada@example.com --stream marketing --topic news"
    )

    @Argument(help: "The address.")
    var address: String
    @OptionGroup var scope: ScopeOptions
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print the node's JSON.")
    var json = false

    func run() throws {
        let listing = try target.publicDoors().call { client throws(ClientError) in
            try client.links(stream: scope.stream, topic: scope.topic, addresses: [address])
        }
        if json { return print(listing.json) }
        for link in listing.rows {
            print(link.url)
            print("\nList-Unsubscribe: \(link.listUnsubscribe)")
            print("List-Unsubscribe-Post: \(link.listUnsubscribePost)")
        }
    }
}

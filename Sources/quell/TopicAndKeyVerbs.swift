// `quell topic` and `quell key`: the registers inside a tenant that change most.

import ArgumentParser
import Client
import Foundation

struct TopicVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Add, list or end topics of a stream.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a topic.",
            discussion: "EXAMPLE\n  quell topic add events --stream marketing"
        )
        @Argument(help: "1 to 64 of a-z 0-9 . _ -") var name: String
        @Option(name: .long, help: "Its stream.") var stream: String
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let done = try options.register.call { client throws(ClientError) in
                try client.addTopic(tenant: tenant, stream: stream, name: name)
            }
            options.register.say(done, "topic \(name) of \(stream) is there")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List topics.")
        @Option(name: .long, help: "Only of this stream.") var stream: String?
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let rows = try options.register.call { client throws(ClientError) in
                try client.topics(tenant: tenant)
            }
            if options.register.json { return print(rows.json) }
            for row in rows.rows where stream == nil || row.stream == stream {
                print("\(row.stream)\t\(row.name)\t\(row.id)\(row.isDeleted ? "\tdeleted" : "")")
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "End a topic for ever; its marks and links stay."
        )
        @Argument(help: "The topic.") var name: String
        @Option(name: .long, help: "Its stream.") var stream: String
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let done = try options.register.call { client throws(ClientError) in
                try client.removeTopic(tenant: tenant, stream: stream, name: name)
            }
            options.register.say(done, "topic \(name) is ended; nothing was lifted")
        }
    }
}

struct KeyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Add, list or revoke API keys.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an API key; its text is shown once.",
            discussion: "EXAMPLE\n  quell key add worker --scopes check,link"
        )
        @Argument(help: "1 to 64 of a-z 0-9 . _ -") var name: String
        @Option(name: .long, help: "Of: check, suppress, consent, import, export, link.")
        var scopes: String
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let words = scopes.split(separator: ",").map(String.init)
            let made = try options.register.call { client throws(ClientError) in
                try client.addKey(tenant: tenant, name: name, scopes: words)
            }
            print(options.register.json ? made.json : made.key)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List API keys, not their texts.")
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let rows = try options.register.call { client throws(ClientError) in
                try client.keys(tenant: tenant)
            }
            options.register.list(rows) {
                let scopes = $0.scopes.joined(separator: ",")
                return "\($0.name)\t\(scopes)\($0.isRevoked ? "\trevoked" : "")"
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Revoke an API key for ever."
        )
        @Argument(help: "The key's name.") var name: String
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let done = try options.register.call { client throws(ClientError) in
                try client.removeKey(tenant: tenant, name: name)
            }
            options.register.say(done, "key \(name) is revoked")
        }
    }
}

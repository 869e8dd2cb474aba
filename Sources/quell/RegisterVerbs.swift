// `quell tenant|stream|topic|key add|list|rm`: the registers, as an operator keeps them.

import ArgumentParser
import Client
import Foundation

/// Options of every register verb.
struct RegisterOptions: ParsableArguments {
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print the node's JSON.")
    var json = false

    /// Runs a call on an admin listener.
    func call<R>(_ body: (QuellClient) throws(ClientError) -> R) throws(Failure) -> R {
        try target.adminDoors().call(body)
    }

    /// Says what was done.
    func say(_ changed: Changed, _ line: String) { print(json ? changed.json : line) }

    /// Prints rows, or the node's JSON.
    func list<Row>(_ listing: Listing<Row>, _ line: (Row) -> String) {
        if json { return print(listing.json) }
        for row in listing.rows { print(line(row)) }
    }
}

/// Options of register verbs inside a tenant.
struct TenantOptions: ParsableArguments {
    @Option(name: .long, help: "The tenant. (default: the one in cluster.json)")
    var tenant: String?
    @OptionGroup var register: RegisterOptions

    func name() throws(Failure) -> String {
        if let tenant { return tenant }
        if let tenant = try register.target.adminDoors().tenant { return tenant }
        throw Failure(.usage, "no tenant named; pass --tenant NAME")
    }
}

private func mark(_ isDeleted: Bool) -> String { isDeleted ? "\tdeleted" : "" }

struct TenantVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant",
        abstract: "Add, list or end tenants.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a tenant.",
            discussion: "EXAMPLE\n  quell tenant add acme"
        )
        @Argument(help: "1 to 64 of a-z 0-9 . _ -") var name: String
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.addTenant(name)
            }
            options.say(done, "tenant \(name) is there")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tenants.")
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let rows = try options.call { client throws(ClientError) in try client.tenants() }
            options.list(rows) { "\($0.name)\t\($0.id)\(mark($0.isDeleted))" }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "End a tenant for ever; its marks and links stay."
        )
        @Argument(help: "The tenant.") var name: String
        @OptionGroup var options: RegisterOptions

        func run() throws {
            let done = try options.call { client throws(ClientError) in
                try client.removeTenant(name)
            }
            options.say(done, "tenant \(name) is ended; nothing was lifted")
        }
    }
}

struct StreamVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "Add, list or end streams.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a stream.",
            discussion: "EXAMPLE\n  quell stream add receipts --class transactional"
        )
        @Argument(help: "1 to 64 of a-z 0-9 . _ -") var name: String
        @Option(name: .customLong("class"), help: "marketing or transactional.")
        var streamClass = "marketing"
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let done = try options.register.call { client throws(ClientError) in
                try client.addStream(tenant: tenant, name: name, streamClass: streamClass)
            }
            options.register.say(done, "stream \(name) (\(streamClass)) of \(tenant) is there")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List streams.")
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let rows = try options.register.call { client throws(ClientError) in
                try client.streams(tenant: tenant)
            }
            options.register.list(rows) {
                "\($0.name)\t\($0.streamClass)\t\($0.id)\(mark($0.isDeleted))"
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "End a stream for ever; its marks and links stay."
        )
        @Argument(help: "The stream.") var name: String
        @OptionGroup var options: TenantOptions

        func run() throws {
            let tenant = try options.name()
            let done = try options.register.call { client throws(ClientError) in
                try client.removeStream(tenant: tenant, name: name)
            }
            options.register.say(done, "stream \(name) is ended; nothing was lifted")
        }
    }
}

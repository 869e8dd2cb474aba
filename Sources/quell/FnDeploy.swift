// `quell fn publish|deploy|rollback`: a version onto every node, and the one before back.
//
//     deploy   build ─► fixtures ─► sign ─► publish ─► all live nodes ready ─► activate
//                                                         └─► ask every loop of every node
//
// Nothing is activated that some live node has refused; the version that serves goes on.

import ArgumentParser
import Client
import Foundation
import Node

/// Where to deploy, and who signs.
struct DeployOptions: ParsableArguments {
    @OptionGroup var target: Target
    @Option(
        name: .long,
        help: "deployer.key. (default: QUELL_DEPLOYER_KEY, else keys/ beside cluster.json)"
    )
    var deployerKey: String?

    /// The text of the deployer's key.
    func key() throws(Failure) -> [UInt8] {
        let path =
            deployerKey ?? ProcessInfo.processInfo.environment["QUELL_DEPLOYER_KEY"]
            ?? URL(filePath: target.clusterPath).deletingLastPathComponent()
            .appending(path: "keys/deployer.key").path()
        let text = try Files.read(path, limitBytes: 1_024)
        guard FunctionProject.publicKey(of: text) != nil else {
            throw Failure(.configuration, "\(path): no deployer key; `quell init DIR` makes one")
        }
        return text
    }
}

/// What a deploy has come to.
struct Deployment {
    let activated: ActivatedFunction
    /// Node by node.
    var places: [VersionPlace]
    let millis: Int64

    /// Section 10.5's shape.
    var json: String {
        let rows = places.map {
            JSONText.object([("name", .text($0.node)), ("state", .text($0.state))])
        }
        let trial = activated.trial.map { trial in
            [(trial.kind, JSONText.Value.text(trial.digest)), ("percent", .number(trial.percent))]
        }
        return JSONText.object(
            [
                ("name", .text(activated.name)), ("digest", .maybe(activated.digest)),
                ("generation", .number(activated.generation)),
            ] + (trial ?? []) + [("nodes", .list(rows)), ("millis", .number(millis))]
        )
    }

    var isEverywhere: Bool {
        let done = ["active", "canary", "shadow", "unreachable"]
        return places.allSatisfy { done.contains($0.state) }
    }

    /// Prints it, and ends with 2 when some live node does not run it.
    func report(isJSON: Bool) {
        if isJSON {
            print(json)
        } else {
            for place in places { print("\(place.node)\t\(place.state)") }
            let digest = activated.digest.map { String($0.prefix(12)) } ?? "built-in"
            let trial = activated.trial.map { trial in
                ", \(trial.kind) \(trial.digest.prefix(12)) for \(trial.percent) %"
            }
            print(
                "\(activated.name) \(digest)\(trial ?? ""), generation \(activated.generation), "
                    + "in \(millis) ms"
            )
        }
        if !isEverywhere { finish(.unknown) }
    }
}

/// One deploy, step by step.
struct Deployer {
    let doors: Target.Doors
    private let started = ProcessInfo.processInfo.systemUptime

    init(_ doors: Target.Doors) { self.doors = doors }

    private var millis: Int64 { Int64((ProcessInfo.processInfo.systemUptime - started) * 1_000) }

    /// Publishes, waits, activates, probes.
    ///
    /// - Parameter trial: what to do with it beside what serves; nil: it serves.
    func deploy(
        _ packed: PackedFunction,
        _ trial: (kind: FunctionTrial, percent: Int)? = nil
    ) throws(Failure) -> Deployment {
        let published = try doors.call { client throws(ClientError) in
            try client.publishFunction(packed.bytes)
        }
        try waitUntilReady(published)
        if let trial {
            return try change { client throws(ClientError) in
                try client.tryFunction(
                    published.name,
                    trial.kind,
                    percent: trial.percent,
                    digest: published.digest
                )
            }
        }
        return try change { client throws(ClientError) in
            try client.activateFunction(published.name, digest: published.digest)
        }
    }

    /// Has a register written, and asks every loop whether it follows.
    func change(
        _ body: (QuellClient) throws(ClientError) -> ActivatedFunction
    ) throws(Failure) -> Deployment {
        try proved(try doors.call(body))
    }

    private func places(_ digest: String) throws(Failure) -> [VersionPlace] {
        let listing = try doors.call { client throws(ClientError) in try client.functions() }
        return listing.versions.first { $0.digest == digest }?.places ?? []
    }

    /// Every live node has it ready; the first that cannot ends the deploy.
    private func waitUntilReady(_ published: PublishedFunction) throws(Failure) {
        var places: [VersionPlace] = []
        for _ in 0..<1_200 {
            places = try self.places(published.digest)
            for place in places where place.state == "failed" {
                throw Failure(
                    .configuration,
                    "\(place.node) refuses \(published.name): \(place.why ?? "no word")"
                )
            }
            let live = places.filter { $0.state != "unreachable" }
            if !live.isEmpty, live.allSatisfy({ $0.state == "ready" || $0.state == "active" }) {
                return
            }
            usleep(25_000)
        }
        let late = places.filter { $0.state == "preparing" || $0.state == "absent" }.map(\.node)
        throw Failure(
            .unreachable,
            "\(late.joined(separator: ", ")) did not become ready within 30 s; "
                + "nothing was activated; see `quell fn status`"
        )
    }

    /// Asks every loop of every node that can be reached, until all run the new version.
    private func proved(_ activated: ActivatedFunction) throws(Failure) -> Deployment {
        var states: [VersionPlace] = []
        for _ in 0..<200 {
            states = doors.addresses.compactMap { probe($0, activated) }
            if states.allSatisfy({ $0.state != "behind" }) { break }
            usleep(25_000)
        }
        if let digest = activated.trial?.digest ?? activated.digest, doors.addresses.count == 1 {
            // One door alone is known: what it hears of the others.
            let others = try places(digest).filter { place in
                !states.contains { $0.node == place.node }
            }
            states += others
        }
        return Deployment(activated: activated, places: states, millis: millis)
    }

    private func probe(_ address: String, _ activated: ActivatedFunction) -> VersionPlace? {
        do throws(ClientError) {
            let client = try QuellClient(address: address, key: doors.key)
            let listing = try client.functions()
            let row = listing.functions.first { $0.name == activated.name }
            // Back to what the nodes came with: a module, where one is configured.
            let first = row?.source == "deployed" ? row?.digest : nil
            let wanted = activated.trial?.digest ?? activated.digest
            let found = try client.probeFunction(activated.name, digest: wanted)
            let isThere =
                found.digest == wanted ?? first && found.isWell
                && (row?.generation ?? activated.generation) == activated.generation
            return VersionPlace(
                node: listing.node,
                state: isThere ? activated.trial?.kind ?? "active" : "behind",
                why: row?.error
            )
        } catch {
            guard case .unreachable = error else {
                return VersionPlace(node: address, state: "failed", why: error.description)
            }
            return VersionPlace(node: address, state: "unreachable", why: nil)
        }
    }
}

struct FnPublish: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Build, test, sign and hand a version to the nodes, without activating it.",
        discussion: "EXAMPLE\n  quell fn publish greet"
    )
    @OptionGroup var folder: FnFolder
    @OptionGroup var options: DeployOptions

    func run() throws {
        let packed = try BuiltFunction(try folder.project()).proved(try options.key())
        let done = try options.target.adminDoors().call { client throws(ClientError) in
            try client.publishFunction(packed.bytes)
        }
        print(folder.json ? done.json : "\(done.name) \(done.digest) is published")
    }
}

struct FnDeploy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy",
        abstract: "Build, test, sign, publish and activate a version on every node.",
        discussion: """
            Every live node verifies, compiles and tries the version before it is activated; then \
            every serving loop of every node is asked whether it runs it.

            Exit code 2: it is active, and a live node does not run it yet.

            With --canary or --shadow the version that serves goes on; see `quell fn canary` and \
            `quell fn shadow`.

            EXAMPLE
              quell fn deploy greet --json
              quell fn deploy greet --canary 10
            """
    )
    @OptionGroup var folder: FnFolder
    @OptionGroup var options: DeployOptions
    @Option(name: .long, help: "Let it answer this share of recipients only, in percent.")
    var canary: Int?
    @Option(name: .long, help: "Ask it this share of requests beside what serves, in percent.")
    var shadow: Int?

    func validate() throws {
        if canary != nil, shadow != nil { throw ValidationError("use --canary or --shadow") }
        for percent in [canary, shadow].compactMap({ $0 }) where !(1...100).contains(percent) {
            throw ValidationError("\(percent): a share is 1 to 100 percent")
        }
    }

    func run() throws {
        let doors = try options.target.adminDoors()
        let key = try options.key()
        let packed = try BuiltFunction(try folder.project()).proved(key)
        let trial =
            canary.map { (kind: FunctionTrial.canary, percent: $0) }
            ?? shadow.map { (kind: FunctionTrial.shadow, percent: $0) }
        try Deployer(doors).deploy(packed, trial).report(isJSON: folder.json)
    }
}

struct FnRollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Let the version serve again that served before, or end a trial.",
        discussion: "It compiles nothing.\n\nEXAMPLE\n  quell fn rollback greet"
    )
    @Argument(help: "The function.") var name: String
    @OptionGroup var change: FnChange

    func run() throws {
        try change.run { client throws(ClientError) in try client.rollBackFunction(name) }
    }
}

extension BuiltFunction {
    /// The signed artifact, once every fixture has passed.
    func proved(_ deployerKey: [UInt8]) throws(Failure) -> PackedFunction {
        for report in try tried() {
            guard let problem = report.problem else { continue }
            throw Failure(
                .configuration,
                "\(project.folder)/\(report.name): \(problem); nothing was deployed"
            )
        }
        return try packed(deployerKey)
    }
}

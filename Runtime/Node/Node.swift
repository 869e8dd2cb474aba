// One node, put together: configuration in, threads out.
//
//     keys ─► peer port ─► store (lock, replay) ─► catalog ─► serving loops ─► node loop (here)
//
// The peer port is bound first and without SO_REUSEPORT, so a second node on the same ports is
// refused before it touches anything. The order of the rest is the order in which a mistake is
// cheapest.

import Cluster
import EventLoop
import Foundation
import FunctionHost
import Storage
import Suppression
import Synchronization
import Token

/// Why a node ended or never began.
public enum NodeFailure: Error, CustomStringConvertible {
    /// Nothing was started; exit 78.
    case configuration(String)
    /// It ran and had to stop; exit 70.
    case broken(String)

    /// One line.
    public var description: String {
        switch self {
        case .configuration(let line), .broken(let line): line
        }
    }
}

/// What the node loop needs from the start-up.
struct NodeParts {
    let config: Config
    let loop: Loop
    let store: Store
    let mailbox: Mailbox<NodeMessage>
    let reports: Mailbox<StoreEvent>
    let doors: [LoopDoor]
    let metrics = NodeMetrics()
    let clusterKey: ClusterKey
    let identity: Opened
    let log: NodeLog
    let catalog: Catalog
    let boot: Boot
    let firstRegisters: [Register]

    init(
        config: Config,
        loop: Loop,
        mailbox: Mailbox<NodeMessage>,
        reports: Mailbox<StoreEvent>,
        doors: [LoopDoor],
        clusterKey: ClusterKey,
        identity: Opened,
        log: NodeLog
    ) throws {
        self.config = config
        self.loop = loop
        store = identity.store
        self.mailbox = mailbox
        self.reports = reports
        self.doors = doors
        self.clusterKey = clusterKey
        self.identity = identity
        self.log = log
        firstRegisters = try Keys.firstRegisters(config, identity, clusterKey)
        let registers = identity.registers.map { ($0.name, $0) }
        catalog = Catalog(
            registers: Dictionary(registers, uniquingKeysWith: { $0.wins(over: $1) ? $0 : $1 }),
            clusterKey: clusterKey
        )
        let voters = try NodeParts.voters(config, catalog, firstRegisters)
        var boot = Boot(
            own: Origin(node: identity.nodeID, epoch: identity.epoch),
            voters: voters,
            held: identity.heldSet,
            nextLocalSequence: identity.nextLocalSequence,
            // A copy may be an old one. A lone voter has nobody to catch up with: whoever moves
            // its directory answers for it.
            isRestored: identity.restored != nil || identity.isCopied && voters.slots.count > 1,
            isDamaged: identity.damage.isOfState,
            seed: UInt64.random(in: .min ... .max)
        )
        boot.notes = identity.notes
        boot.isJoining = identity.isJoining
        boot.bounds.pullBytesPerSecond = config.pullBytesPerSecond
        self.boot = boot
        metrics.marks.set(identity.marksCount)
    }

    private static func voters(
        _ config: Config,
        _ catalog: Catalog,
        _ first: [Register]
    ) throws -> VoterSet {
        if let voters = catalog.voters { return voters }
        for register in first {
            if case .voters(let set) = try Setting(register) { return set }
        }
        // The voters come with the registers, from whoever founds the cluster or has it.
        if !config.join.isEmpty { return VoterSet(generation: 0, slots: []) }
        throw NodeFailure.configuration(
            "\(config.dataDirectory): holds no voters; use --bootstrap in an empty directory"
        )
    }
}

/// A running node.
public enum Node {
    /// Runs a node on the calling thread until a signal ends it.
    ///
    /// - Throws: `.configuration` when it could not start, `.broken` when it had to stop.
    public static func run(_ config: Config) throws(NodeFailure) {
        ignoreBrokenPipe()
        Crash.endAtOnce()
        let log = NodeLog(name: config.name, level: config.logLevel)
        let clusterKey = try Keys.clusterKey(config)
        let ending: Ending?
        do {
            ending = try start(config, clusterKey, log)
        } catch let failure as NodeFailure {
            throw failure
        } catch let error as LoopError {
            throw .configuration(portAdvice(error))
        } catch let error as StorageError {
            throw .configuration(advice(error, config))
        } catch {
            throw .configuration("\(error)")
        }
        if case .failed(let why) = ending { throw .broken(why) }
    }

    private static func start(
        _ config: Config,
        _ clusterKey: ClusterKey,
        _ log: NodeLog
    ) throws -> Ending? {
        let loop = try Loop()
        let mailbox = try Mailbox<NodeMessage>(loop: loop, bound: Limits.nodeMailboxCount)
        let reports = try Mailbox<StoreEvent>(loop: loop, bound: Limits.storeReportsCount)
        do {
            return try serve(config, clusterKey, log, loop, mailbox, reports)
        } catch {
            // A loop must close empty; on this path nothing but the mailboxes is open.
            mailbox.close()
            reports.close()
            loop.close()
            throw error
        }
    }

    private static func serve(
        _ config: Config,
        _ clusterKey: ClusterKey,
        _ log: NodeLog,
        _ loop: Loop,
        _ mailbox: Mailbox<NodeMessage>,
        _ reports: Mailbox<StoreEvent>
    ) throws -> Ending? {
        for port in [config.peerPort, config.httpPort, config.adminPort, config.respPort] {
            try PortOwner.probe(host: config.listenHost, port: port)
        }
        try PortOwner.probe(host: config.listenHost, port: config.peerPort, SOCK_DGRAM)
        var options = StoreOptions()
        options.format = UInt64(config.release.format)
        let opened = try Store.open(directory: config.dataDirectory, options: options) { event in
            // False only when the node loop has gone or stands still; see storeReportsCount.
            _ = reports.post(event)
        }
        do {
            let threads = try (0..<config.loops).map {
                try ServingThread(index: $0, config: config)
            }
            let parts = try NodeParts(
                config: config,
                loop: loop,
                mailbox: mailbox,
                reports: reports,
                doors: threads.map(\.door),
                clusterKey: clusterKey,
                identity: opened,
                log: log
            )
            return try run(parts, threads)
        } catch {
            _ = opened.store.close(deadlineMillis: 0)
            throw error
        }
    }

    private static func run(
        _ parts: NodeParts,
        _ threads: [ServingThread]
    ) throws -> Ending? {
        let keeper = MarkKeeper(filter: parts.identity.filter)
        let view = View(
            reader: try parts.store.reader(),
            shared: keeper.published.reader(),
            door: nil,
            boundNanos: parts.config.stalenessBoundNanos
        )
        let functions = Functions.start(parts)
        parts.metrics.functions.withLock { $0 = functions.runtime }
        let node = NodeLoop(parts, keeper: keeper, view: view, functions: functions)
        report(parts)
        node.signals = try Signals(on: parts.loop, [.terminate, .interrupt]) { [unowned node] _ in
            node.end(.signal)
        }
        for thread in threads {
            thread.begin(
                ServingStart(
                    store: parts.store,
                    memory: keeper.published,
                    node: parts.mailbox,
                    metrics: parts.metrics,
                    catalog: parts.catalog,
                    functions: functions.runtime
                )
            )
        }
        node.beginRollout(functions.contents.artifacts.map(\.notice))
        try node.run()
        let isEmpty = parts.store.close(deadlineMillis: 5_000)
        parts.log.notice("stopped", ["log.empty": "\(isEmpty)"])
        return node.ending
    }

    private static func report(_ parts: NodeParts) {
        let opened = parts.identity
        let log = parts.log
        log.notice(
            "started",
            [
                "node.id": hexText(opened.nodeID.raw), "node.epoch": hexText(opened.epoch.raw),
                "marks.count": "\(opened.marksCount)",
            ]
        )
        if let why = opened.restored {
            log.warning("restored directory: no lease, checks answer unknown", ["cause": why])
        }
        if opened.damage.isUnequal {
            log.warning("the marks are not those that this node wrote: run `quell repair`", [:])
        }
        if !opened.damage.isEmpty {
            log.warning(
                "damaged values: no lease, checks answer unknown",
                ["marks.damaged": "\(opened.damage.marks)"]
            )
        }
        for name in parts.catalog.unusable {
            log.warning("a register cannot be used", ["register.name": name])
        }
    }

    /// The directory is named once, also by errors that do not know it.
    private static func advice(_ error: StorageError, _ config: Config) -> String {
        let line = "\(error)"
        if line.contains(config.dataDirectory) { return line }
        return "\(config.dataDirectory): \(line)"
    }

    private static func portAdvice(_ error: LoopError) -> String {
        if case .addressInUse(let address) = error {
            let owner = PortOwner.describe(address)
            return "\(address) is in use\(owner); stop that process or choose another --base-port"
        }
        return "\(error)"
    }
}

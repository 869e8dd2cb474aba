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
    let metrics: NodeMetrics
    let clusterKey: ClusterKey
    let identity: Opened
    let log: NodeLog
    let catalog: Catalog
    let boot: Boot
    let firstRegisters: [Register]
}

/// A running node.
public enum Node {
    /// Runs a node on the calling thread until a signal ends it.
    ///
    /// - Throws: `.configuration` when it could not start, `.broken` when it had to stop.
    public static func run(_ config: Config) throws(NodeFailure) {
        ignoreBrokenPipe()
        let log = NodeLog(name: config.name, level: config.logLevel)
        let clusterKey = try Keys.clusterKey(config)
        do {
            try start(config, clusterKey, log)
        } catch let failure as NodeFailure {
            throw failure
        } catch let error as LoopError {
            throw .configuration(portAdvice(error))
        } catch let error as StorageError {
            throw .configuration("\(config.dataDirectory): \(error)")
        } catch {
            throw .configuration("\(error)")
        }
    }

    private static func start(
        _ config: Config,
        _ clusterKey: ClusterKey,
        _ log: NodeLog
    ) throws {
        let loop = try Loop()
        let mailbox = try Mailbox<NodeMessage>(loop: loop, bound: Limits.nodeMailboxCount)
        let reports = try Mailbox<StoreEvent>(loop: loop, bound: Limits.storeReportsCount)
        let guardian = PortGuard()
        let listener = try Listener(
            on: loop,
            host: config.listenHost,
            port: config.peerPort,
            owner: guardian
        )
        let opened = try Store.open(directory: config.dataDirectory) { event in
            // False only when the node loop has gone or stands still; see storeReportsCount.
            _ = reports.post(event)
        }
        let firstRegisters = try Keys.firstRegisters(config, opened, clusterKey)
        let catalog = Catalog(
            registers: Dictionary(
                opened.registers.map { ($0.name, $0) },
                uniquingKeysWith: { $0.wins(over: $1) ? $0 : $1 }
            ),
            clusterKey: clusterKey
        )
        let voters = try voters(config, opened, catalog, firstRegisters)
        let metrics = NodeMetrics()
        metrics.marks.set(opened.marksCount)
        metrics.writable.set(1)
        report(opened, catalog, log)
        var threads: [ServingThread] = []
        for index in 0..<config.loops {
            threads.append(try ServingThread(index: index, config: config))
        }
        let doors = threads.map(\.door)
        let parts = NodeParts(
            config: config,
            loop: loop,
            store: opened.store,
            mailbox: mailbox,
            reports: reports,
            doors: doors,
            metrics: metrics,
            clusterKey: clusterKey,
            identity: opened,
            log: log,
            catalog: catalog,
            boot: Boot(
                own: Origin(node: opened.nodeID, epoch: opened.epoch),
                voters: voters,
                held: opened.heldSet,
                nextLocalSequence: opened.nextLocalSequence,
                isRestored: opened.restored != nil || !opened.damage.isEmpty
            ),
            firstRegisters: firstRegisters
        )
        let node = NodeLoop(
            parts,
            view: View(
                reader: try opened.store.reader(),
                door: nil,
                boundNanos: config.stalenessBoundNanos
            )
        )
        for thread in threads {
            thread.begin(
                ServingStart(
                    store: opened.store,
                    node: mailbox,
                    metrics: metrics,
                    catalog: catalog
                )
            )
        }
        node.onFinish = { listener.close() }
        try node.run()
        try finish(node, opened.store, log)
    }

    /// Checkpoints to the log's end and says how it went.
    private static func finish(_ node: NodeLoop, _ store: Store, _ log: NodeLog) throws {
        let isEmpty = store.close(deadlineMillis: 5_000)
        log.notice("stopped", ["log.empty": "\(isEmpty)"])
        if case .failed(let why) = node.ending { throw NodeFailure.broken(why) }
    }

    private static func voters(
        _ config: Config,
        _ opened: Opened,
        _ catalog: Catalog,
        _ first: [Register]
    ) throws -> VoterSet {
        if let voters = catalog.voters { return voters }
        for register in first {
            if case .voters(let set) = try Setting(register) { return set }
        }
        throw NodeFailure.configuration(
            "\(config.dataDirectory): holds no voters; use --bootstrap in an empty directory"
        )
    }

    private static func report(_ opened: Opened, _ catalog: Catalog, _ log: NodeLog) {
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
        if !opened.damage.isEmpty {
            log.warning(
                "damaged values: no lease, checks answer unknown",
                ["marks.damaged": "\(opened.damage.marks)"]
            )
        }
        for name in catalog.unusable {
            log.warning("a register cannot be used", ["register.name": name])
        }
    }

    private static func portAdvice(_ error: LoopError) -> String {
        if case .addressInUse(let address) = error {
            let owner = PortOwner.describe(address)
            return "\(address) is in use\(owner); stop that process or choose another --base-port"
        }
        return "\(error)"
    }
}

/// Holds the peer port until peers can speak: whoever connects is closed at once.
private final class PortGuard: ListenerOwner {
    func listener(_ listener: Listener, accepted stream: EventLoop.Stream) { stream.close() }
}

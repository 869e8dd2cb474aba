// The node loop: one thread that owns the Core, the log's next batch and the admin listener.
//
// Each turn: drain the mailbox, step the Core once per event, execute the effects in order, post
// one batch to the log. Nothing here decides; it carries out.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Synchronization
import Token

final class NodeLoop: Turn {
    let config: Config
    let loop: Loop
    let store: Store
    let mailbox: Mailbox<NodeMessage>
    let reports: Mailbox<StoreEvent>
    let doors: [LoopDoor]
    let metrics: NodeMetrics
    let clusterKey: ClusterKey
    let identity: Opened
    let firstRegisters: [Register]
    let log: NodeLog
    let keeper: MarkKeeper
    var core: Core
    var catalog: Catalog
    private(set) var lease = Lease.void
    var view: View
    var admin: HTTPServer?
    private(set) var peers: PeerDoor
    var desk: RepairDesk
    var deploys: RolloutDesk
    /// A cluster was founded by this life.
    var hasFounded = false
    private var ticker: EventLoop.Timer?
    /// What ends it in good order; there before anybody can see that the node answers.
    var signals: Signals?
    private var messages: [NodeMessage] = []
    private var events: [StoreEvent] = []
    private var effects: [Effect] = []
    private var pages: [PageRead] = []
    var nextVoters: VoterSet?
    /// What this turn shows to every serving loop: marks and leases, in order.
    private var shown: [LoopMessage] = []
    /// What it answers to each of them; leaves after all was shown to all.
    private var answers: [[LoopMessage]] = []
    private var batch: [Change] = []
    private var batchFirst: UInt64 = 0
    var waiters: [Ticket: Waiter] = [:]
    var nextTicket: UInt64 = 1
    var lastPersisted: UInt64
    private var checkpointed: UInt64
    private var shownThrough: UInt64
    var backlog = ImportBacklog()
    private(set) var digest: MarkDigest?
    var catalogOwed: Set<Int> = []
    private(set) var listening: Set<Int> = []
    /// The log refused a write for want of space, and has taken none since.
    private(set) var isLogFull = false
    /// When the full disk was last tried.
    var triedNanos: UInt64 = 0
    /// Own writes that no majority of voters was known to hold when last asked.
    var owed: HeldSet
    var progress: PeerProgress
    var joining: Joining
    var upgrade: Upgrade
    private var drained: Set<Int> = []
    private var drainDeadlineNanos: UInt64?
    /// When a node that has left ends.
    var farewellNanos: UInt64?
    private var lastTickNanos: UInt64 = 0
    /// Why the node must end; nil while it is well.
    private(set) var ending: Ending?

    init(
        _ parts: NodeParts,
        keeper: MarkKeeper,
        view: consuming View,
        functions: FunctionStart
    ) {
        self.keeper = keeper
        config = parts.config
        loop = parts.loop
        store = parts.store
        mailbox = parts.mailbox
        reports = parts.reports
        doors = parts.doors
        answers = Array(repeating: [], count: parts.doors.count)
        metrics = parts.metrics
        clusterKey = parts.clusterKey
        identity = parts.identity
        firstRegisters = parts.firstRegisters
        log = parts.log
        catalog = parts.catalog
        core = Core(parts.boot)
        owed = parts.identity.ownWrites
        progress = PeerProgress(own: parts.boot.own)
        joining = Joining(isJoining: parts.boot.isJoining)
        upgrade = Upgrade(format: parts.identity.format)
        peers = PeerDoor(log: parts.log, release: parts.config.release) { _ in }
        desk = RepairDesk(
            of: parts.boot,
            isDamaged: parts.identity.damage.isOfState,
            intervalNanos: parts.config.repairIntervalNanos
        )
        deploys = RolloutDesk(
            functions,
            own: parts.identity.nodeID,
            voters: parts.boot.voters,
            parts.mailbox
        )
        lastPersisted = parts.identity.nextLocalSequence - 1
        checkpointed = parts.identity.watermark
        shownThrough = parts.identity.watermark
        digest = parts.identity.digest
        self.view = view
    }

    /// Serves until a signal or a failure ends it.
    func run() throws {
        loop.turn = self
        var options = HTTPOptions()
        options.connections = Limits.adminConnectionsCount
        let admin = try HTTPServer(loop: loop, service: self, options: options)
        peers = PeerDoor(log: log, release: config.release, members: memberDoor()) {
            [unowned self] in heard($0)
        }
        do {
            try admin.listen(host: config.listenHost, port: config.adminPort)
            try peers.open(on: loop, ownIdentity, clusterKey.derivedKey("links-1"), config)
        } catch {
            // A loop closes only once all on it is closed; peers that did not open are.
            admin.close()
            signals?.close()
            throw error
        }
        self.admin = admin
        ticker = try EventLoop.Timer(
            on: loop,
            after: 0,
            every: Limits.tickMillis
        ) { [unowned self] in tick() }
        if let key = catalog.sketchKey { store.adopt(key) }
        if catalog.registers.isEmpty { bootstrap() }
        joiningBegins()
        loop.run()
        loop.close()
    }

    func turn(loop: Loop) {
        reports.drain(into: &events)
        for event in events { stored(event) }
        mailbox.drain(into: &messages)
        for message in messages { take(message) }
        peers.serveReady()
        repairTurn()
        rolloutTurn()
        watchSpread()
        serveAdmin()
        // Peers first: their commits run beside ours, and any majority may answer.
        peers.flush()
        flushBatch()
        flushDoors()
        admin?.flush()
        view.endTurn()
        finishIfDrained()
    }

    /// The two clocks, read now.
    func now() -> Instant {
        Instant(bootNanos: Clock.bootNanoseconds(), wallMillis: Clock.wallMilliseconds())
    }

    private func take(_ message: NodeMessage) {
        switch message {
        case .write(let write): requested(write)
        case .checkpoint(let loop, let caller):
            store.requestCheckpoint()
            tell(loop, .checkpointing(caller, through: shownThrough))
        case .listening(let index): listening.insert(index)
        case .drained(let index): drained.insert(index)
        case .broken(_, let why): end(.failed(why))
        case .probed(let number, let digest, let isWell): probed(number, digest, isWell)
        case .function(let result): took(result)
        }
    }

    private func stored(_ event: StoreEvent) {
        switch event {
        case .committed(let through, let count, let nanoseconds):
            metrics.logCommit.record(nanoseconds: nanoseconds)
            metrics.logRecords.add(UInt64(count))
            isLogFull = false
            step(.committed(through: through))
        case .refused(let sequences, let error):
            log.warning("the log refused writes", error)
            isLogFull = true
            progress.refused()
            step(.refused(first: sequences.lowerBound, last: sequences.upperBound))
        case .checkpointRefused(let error): log.warning("the checkpoint waits", error)
        case .failed(let error):
            log.error("the store failed; nothing is acknowledged any more", error)
            metrics.failed.set(1)
            step(.failed)
        case .checkpointed(let through, let marks, let digest, let nanoseconds):
            metrics.checkpoint.record(nanoseconds: nanoseconds)
            metrics.marks.set(marks)
            checkpointed = max(checkpointed, through)
            self.digest = digest
            keeper.checkpointed(through: through)
            backlog.checkpointed(through: through)
            step(.checkpointed(through: through))
        case .filled: keeper.filled()
        case .frozen(let sketch, let marks):
            repair(.frozen(sketch, marksCount: UInt64(marks)))
        case .audited(let audit): audited(audit)
        case .writable: isLogFull = false
        case .raised(let file, let format): raised(file, to: format)
        }
        metrics.checkpointLag.set(Int(lastPersisted - min(lastPersisted, checkpointed)))
    }

    // MARK: effects

    func step(_ event: Event) {
        effects.removeAll(keepingCapacity: true)
        core.step(event, now: now(), into: &effects)
        for effect in effects { execute(effect) }
        // A page read and a generation adopted are events of their own.
        while !pages.isEmpty || nextVoters != nil {
            effects.removeAll(keepingCapacity: true)
            if let voters = nextVoters.take() {
                evictReplaced(core.votersInForce, by: voters)
                core.step(.voters(voters), now: now(), into: &effects)
            } else {
                core.step(.page(pages.removeFirst()), now: now(), into: &effects)
            }
            for effect in effects { execute(effect) }
        }
    }

    private func execute(_ effect: Effect) {
        switch effect {
        case .persist(let sequence, let change):
            if batch.isEmpty { batchFirst = sequence }
            batch.append(change)
            lastPersisted = sequence
            backlog.persist(sequence, change)
            progress.persisted(change) { Clock.bootNanoseconds() }
        case .show(let sequence, let change): show(sequence, change)
        case .vouch(let lease):
            self.lease = lease
            view.vouch(lease)
            shown.append(.vouch(lease))
        case .acknowledge(let ticket, let durability, let dots):
            acknowledge(ticket, durability, dots)
        case .refuse(let ticket, let refusal):
            if let waiter = waiters.removeValue(forKey: ticket) { answer(waiter, refusal) }
        case .send(let node, let message):
            progress.said(message)
            peers.send(message, to: node)
        case .readPage(let request): readPage(request)
        case .halt: end(.failed("the disk failed; see the log line above"))
        }
    }

    /// Hands whole marks to the Core's log; nil when there is no room now.
    func merge(_ rows: [RepairRow]) -> UInt64? {
        effects.removeAll(keepingCapacity: true)
        let through = core.merge(rows, into: &effects)
        for effect in effects { execute(effect) }
        return through
    }

    /// The answer comes back as an event, in this turn but not within this step.
    private func readPage(_ request: PageRequest) {
        do {
            pages.append(PageRead(request, try view.page(for: request)))
        } catch {
            log.warning("a page for a peer could not be read", error)
            pages.append(PageRead(request, nil))
        }
    }

    /// Memory first: then whoever hears of the change from a loop finds it on every loop.
    private func show(_ sequence: UInt64, _ change: Change) {
        keeper.insert(change)
        shownThrough = max(shownThrough, sequence)
        if change.isImport, !view.isForImports {
            do {
                return try keeper.insertRecent(sequence, change)
            } catch { log.warning("no memory for an import; its marks go the slow way", error) }
        }
        view.show(sequence, change)
        shown.append(.show(sequence: sequence, change))
        if let register = change.register { adopt(register) }
    }

    private func acknowledge(_ ticket: Ticket, _ durability: Durability, _ dots: DotRange) {
        if durability == .local { owed.insert(dots.interval, of: dots.origin) }
        switch waiters.removeValue(forKey: ticket) {
        case .serving(let loop, let caller):
            // If the mailbox is full the caller times out and asks again; the write is durable.
            tell(loop, .acknowledged(caller, durability, dots))
        case .admin(let exchange, let answer):
            _ = admin?.complete(exchange) { answer.write(into: &$0) }
        case .bootstrap:
            log.notice("a cluster was created", ["node.id": hexText(identity.nodeID.raw)])
        case .nobody, nil: break
        }
    }

    func flushBatch() {
        guard !batch.isEmpty else { return }
        let last = batchFirst + UInt64(batch.count) - 1
        let isTaken = store.append(LogBatch(firstSequence: batchFirst, changes: batch))
        batch = []
        if !isTaken { step(.refused(first: batchFirst, last: last)) }
    }

    /// Answers a serving loop at the end of this turn.
    func tell(_ loop: Int, _ message: LoopMessage) { answers[loop].append(message) }

    /// Once a turn: first what is shown, to every loop, then the answers. What one loop's caller
    /// has heard of, every loop knows or knows that it missed it.
    private func flushDoors() {
        if !shown.isEmpty {
            for door in doors { door.show(shown) }
            shown.removeAll(keepingCapacity: true)
        }
        for loop in answers.indices where !answers[loop].isEmpty {
            // Where there is no room the callers time out and ask again.
            _ = doors[loop].mailbox.post(contentsOf: answers[loop])
            answers[loop].removeAll(keepingCapacity: true)
        }
    }

    // MARK: time and end

    private func tick() {
        let now = Clock.bootNanoseconds()
        if lastTickNanos > 0 {
            let due = lastTickNanos + Limits.tickMillis * 1_000_000
            metrics.loopLag.record(nanoseconds: now - min(now, due))
        }
        lastTickNanos = now
        step(.ticked)
        joiningTick()
        upgradeTick()
        repairTick()
        rolloutTick(now: now)
        foundIfComplete()
        do { try view.renew() } catch { log.warning("the state cannot be read", error) }
        for index in catalogOwed { postCatalog(to: index) }
        if let larger = keeper.grow(shown: shownThrough) {
            log.notice("the recipient filter grows", ["filter.bytes": "\(larger.bytes)"])
            store.fill(larger, through: shownThrough)
        }
        keeper.reclaim()
        metrics.filterBytes.set(keeper.bytes)
        tickPeers()
        let staleness = lease.stalenessNanos(now: now)
        metrics.stalenessMillis.set(staleness.map { Int($0 / 1_000_000) } ?? -1)
        tryDisk(now: now)
        publishReadiness()
        if now >= drainDeadlineNanos ?? .max { finish() }
        if now >= farewellNanos ?? .max { end(.signal) }
    }

    /// Begins to end: no new connections, what is in flight finishes.
    func end(_ why: Ending) {
        guard ending == nil else { return }
        ending = why
        publishReadiness()
        drainDeadlineNanos = Clock.bootNanoseconds() + Limits.drainNanos
        for door in doors { _ = door.mailbox.post(.drain) }
        admin?.drain()
        peers.drain()
    }

    private func finishIfDrained() {
        guard ending != nil, loop.turn != nil else { return }
        if drained.count == doors.count, waiters.isEmpty, admin?.isDrained ?? true { finish() }
    }

    private func finish() {
        loop.turn = nil
        _ = deploys.thread.post(.end)
        admin?.close()
        peers.close()
        ticker?.close()
        signals?.close()
        mailbox.close()
        reports.close()
        view.close()
        loop.stop()
    }
}

// A serving loop: one thread, its own listener on the shared port, its own view of the marks.
//
// It answers checks by itself and sends writes to the node loop. A write waits here as a
// `PendingWrite` with the response already made; the response leaves only when the gate has said
// yes (the output gate of DESIGN 5).

import Address
import Cluster
import EventLoop
import FunctionKit
import Servers
import Storage
import Suppression
import Token
import Wire

/// What must be said once the gate has decided.
struct PendingWrite {
    /// The shape of the answer.
    enum Answer {
        /// A page or a one-click answer at /u/, and who it is for.
        case optOut(Response, tenant: TenantID, keys: [MarkKey])
        /// POST /v1/suppressions.
        case suppression(tenant: TenantID, MarkKey)
        /// POST /v1/consents.
        case consent(covered: Int)
        /// A run of RESP `SADD`: one reply a command.
        case resp([RESPOwed])
        /// One part of an import.
        case imported
        /// What a function at /f/NAME/ answered.
        case direct(Response)
    }

    let answer: Answer
    let startedNanos: UInt64
}

/// An API key as it was presented, and what it opens under the present catalog.
struct RecognisedKey {
    let text: [UInt8]
    let tenant: KnownTenant
    let key: KnownKey
}

final class ServingLoop: Turn {
    let index: Int
    let config: Config
    let door: LoopDoor
    let node: Mailbox<NodeMessage>
    let nodeMetrics: NodeMetrics
    let listUnsubscribe: ListUnsubscribe
    private let loop: Loop
    private var server: HTTPServer?
    private var sweeper: EventLoop.Timer?
    private var messages: [LoopMessage] = []
    /// Writes of this turn; they leave together at its end.
    private var writes: [NodeMessage] = []
    private var pending: [Caller: PendingWrite] = [:]
    private var resp: RESPServer?
    private var isDraining = false
    private var lastTurnNanos: UInt64 = 0
    var view: View
    var catalog: Catalog
    var scratch = CanonicalAddress()
    var prepared = PreparedChecks()
    let functions: LoopFunctions
    var recognised: [RecognisedKey] = []
    var imports: [Exchange: ImportSession] = [:]
    /// Rows that may still be read in this turn.
    var importRows = Limits.importRowsPerTurnCount
    private var importTimer: EventLoop.Timer?
    var jobs: [Exchange: any Job] = [:]

    init(
        index: Int,
        config: Config,
        loop: Loop,
        door: LoopDoor,
        node: Mailbox<NodeMessage>,
        nodeMetrics: NodeMetrics,
        reader: consuming ReadTransaction,
        shared: Published<MarkMemory>.Reader,
        catalog: Catalog,
        functions: LoopFunctions
    ) throws {
        self.index = index
        self.config = config
        self.loop = loop
        self.door = door
        self.node = node
        self.nodeMetrics = nodeMetrics
        self.catalog = catalog
        self.functions = functions
        listUnsubscribe = try ListUnsubscribe(publicURL: config.publicURL)
        view = View(
            reader: reader,
            shared: shared,
            door: door,
            boundNanos: config.stalenessBoundNanos
        )
    }

    /// Binds the public listener and serves until drained.
    func run() throws {
        let share = ConnectionShare.each(
            descriptors: Descriptors.raised(),
            servers: 2 * config.loops
        )
        var httpOptions = HTTPOptions()
        httpOptions.connections = share
        let server = try HTTPServer(loop: loop, service: self, options: httpOptions)
        do {
            try server.listen(host: config.listenHost, port: config.httpPort, sharePort: true)
        } catch {
            server.close()
            throw error
        }
        var options = RESPOptions()
        options.version = Version.number
        options.connections = share
        let resp = try RESPServer(loop: loop, service: self, options: options)
        do {
            try resp.listen(host: config.listenHost, port: config.respPort, sharePort: true)
        } catch {
            server.close()
            resp.close()
            throw error
        }
        self.server = server
        self.resp = resp
        importTimer = try EventLoop.Timer(on: loop, after: 0) { [unowned self] in
            goOnImporting(retries: true)
        }
        sweeper = try EventLoop.Timer(on: loop, after: 500, every: 500) { [unowned self] in
            refuseOverdue()
        }
        loop.turn = self
        _ = node.post(.listening(loop: index))
        loop.run()
        loop.close()
    }

    /// Drains the mailbox, serves what is parsed, flushes each connection once; then there is time
    /// for shadows.
    func turn(loop: Loop) {
        guard let server, let resp else { return }
        door.mailbox.drain(into: &messages)
        for message in messages { take(message, server, resp) }
        importRows = Limits.importRowsPerTurnCount
        server.serveReady()
        resp.serveReady()
        if stepJobs() { loop.again() }
        goOnImporting(retries: false)
        flushWrites()
        server.flush()
        resp.flush()
        view.endTurn()
        functions.compare()
        publish(server)
        if isDraining, server.isDrained, resp.isDrained { finish(server, resp) }
    }

    private func take(_ message: LoopMessage, _ server: HTTPServer, _ resp: RESPServer) {
        switch message {
        case .show(let sequence, let change): view.show(sequence, change)
        case .vouch(let lease):
            view.vouch(lease)
            trim()
            // The state may have reached what an export waits for.
            for job in jobs.values { (job as? ExportJob)?.lookAgain() }
        case .checkpointing(let caller, let through):
            (jobs[caller.exchange] as? ExportJob)?.through = through
        case .catalog(let newer):
            catalog = newer
            recognised.removeAll()
        case .acknowledged(let caller, let durability, let dots):
            complete(caller) { answer, started in
                acknowledged(answer, durability, dots, started)
            }
        case .refused(let caller, let refusal):
            complete(caller) { _, _ in .refused(refusal) }
        case .functions(let runtime): functions.adopt(runtime)
        case .probe(let number, let function, let version):
            let found = functions.probe(function, version)
            _ = node.post(
                .probed(number, digest: found?.digest, isWell: found?.isWell ?? true)
            )
        case .drain:
            isDraining = true
            server.drain()
            resp.drain()
        }
    }

    /// An idle loop still lets its overlay go, once per lease.
    private func trim() {
        do { try view.renew() } catch {
            // The next check finds the same fault and answers unknown; there is nothing to add
            // here.
            view.vouch(.void)
        }
    }

    private func publish(_ server: HTTPServer) {
        let counters = server.counters
        door.metrics.requests.set(counters.requests)
        door.metrics.connections.set(counters.open)
        door.metrics.refusedRequests.set(counters.refusedInAll)
    }

    private func finish(_ server: HTTPServer, _ resp: RESPServer) {
        server.close()
        resp.close()
        sweeper?.close()
        importTimer?.close()
        door.mailbox.close()
        self.server = nil
        self.resp = nil
        view.close()
        _ = node.post(.drained(loop: index))
        loop.stop()
    }

    /// Sends a write to the node loop with this turn's others; the answer waits for the gate.
    ///
    /// One by one, the first of a turn woke the node loop, which sent it to the peers and the log
    /// alone: more frames, more commits and more changes of thread.
    func send(
        _ drafts: [Draft],
        policy: Policy,
        stamp: RequestStamp? = nil,
        isOptOut: Bool = false,
        caller: Caller,
        pending answer: PendingWrite.Answer
    ) {
        let message = WriteMessage(
            loop: index,
            caller: caller,
            drafts: drafts,
            policy: policy,
            stamp: stamp,
            isOptOut: isOptOut
        )
        writes.append(.write(message))
        pending[caller] = PendingWrite(
            answer: answer,
            startedNanos: Clock.bootNanoseconds()
        )
    }

    /// What the node loop has no room for is refused; imports offer it again.
    private func flushWrites() {
        guard !writes.isEmpty else { return }
        for case .write(let message) in writes[node.post(contentsOf: writes)...] {
            complete(message.caller) { _, _ in .refused(.busy) }
        }
        writes.removeAll(keepingCapacity: true)
    }

    private func complete(
        _ caller: Caller,
        _ decide: (PendingWrite.Answer, UInt64) -> WriteOutcome
    ) {
        guard let waiting = pending.removeValue(forKey: caller) else { return }
        let outcome = decide(waiting.answer, waiting.startedNanos)
        if case .refused(let refusal) = outcome {
            door.metrics.refusals[Int(refusal.rawValue)].add()
        }
        // False means that the caller has gone; the write is durable all the same.
        switch caller.door {
        case .http:
            _ = server?.complete(caller.exchange) { outcome.write(waiting.answer, into: &$0) }
        case .resp:
            _ = resp?.complete(caller.exchange) { outcome.write(waiting.answer, into: &$0) }
        case .imports: importAnswered(caller, outcome)
        }
    }

    /// Looks after imports while there are any.
    func watchImports() {
        if imports.isEmpty {
            importTimer?.stop()
        } else {
            importTimer?.start(after: Limits.importRetryMillis, every: Limits.importRetryMillis)
        }
    }

    // MARK: streamed bodies and answers

    /// Completes an answer that was promised for later; nothing when the connection is gone.
    func completeHTTP(_ exchange: Exchange, _ body: (inout HTTPAnswer) -> Void) {
        _ = server?.complete(exchange, body)
    }

    func beginHTTP(_ exchange: Exchange, _ body: (inout HTTPAnswer) -> Void) {
        _ = server?.begin(exchange, body)
    }

    /// False when the writer should wait for `drained`.
    func sendHTTP(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Bool {
        server?.send(exchange, bytes) ?? false
    }

    func finishHTTP(_ exchange: Exchange) { server?.finish(exchange) }

    /// Ends an answer that cannot be given whole: a reader must not take a part for the whole.
    func abortHTTP(_ exchange: Exchange, hasBegun: Bool) {
        if hasBegun {
            server?.abort(exchange)
        } else {
            completeHTTP(exchange) {
                $0.unavailable("This node cannot read its state. Ask another node.")
            }
        }
    }

    /// Counts an invalid token against its sender; false when that is over the limit.
    func withinBudget(_ exchange: Exchange) -> Bool { server?.spend(exchange) ?? true }

    func resume(_ exchange: Exchange) { server?.resume(exchange) }

    private func acknowledged(
        _ answer: PendingWrite.Answer,
        _ durability: Durability,
        _ dots: DotRange,
        _ startedNanos: UInt64
    ) -> WriteOutcome {
        door.metrics.acknowledge.record(
            nanoseconds: Clock.bootNanoseconds() - startedNanos
        )
        switch durability {
        case .quorum: door.metrics.quorumAcknowledgments.add()
        case .local: door.metrics.localAcknowledgments.add()
        }
        switch answer {
        case .optOut(let response, let tenant, let keys):
            return .durable(
                durability,
                text: undo(response, tenant: tenant, keys: keys, dots)
            )
        case .suppression(let tenant, let key):
            return .durable(durability, text: consentID(tenant: tenant, key, dots.dot(0)))
        case .consent, .resp, .imported, .direct: return .durable(durability, text: [])
        }
    }

    /// The page with its undo token, which names exactly the dots of this response.
    private func undo(
        _ response: Response,
        tenant: TenantID,
        keys: [MarkKey],
        _ dots: DotRange
    ) -> [UInt8] {
        guard response.hasUndoPlace, let ring = catalog.tenant(tenant)?.ring,
            let person = keys.first?.person
        else { return response.body }
        let items = keys.enumerated().map { UndoItem(key: $1, dot: dots.dot($0)) }
        var filled = response
        do {
            filled.fillUndo(
                try ring.sealUndo(items, of: person, nowMillis: Clock.wallMilliseconds())
            )
        } catch { filled.fillUndo([]) }
        return filled.body
    }

    /// The opaque id that a consent may name later; empty when the tenant's keys are gone.
    func consentID(tenant: TenantID, _ key: MarkKey, _ dot: Dot) -> [UInt8] {
        guard let ring = catalog.tenant(tenant)?.ring else { return [] }
        do { return try ring.sealConsent(dot, of: key) } catch { return [] }
    }

    /// Callers that the node loop never answered are told to come again.
    private func refuseOverdue() {
        let now = Clock.bootNanoseconds()
        let overdue = pending.filter {
            now - $0.value.startedNanos > Limits.answerDeadlineNanos
        }
        for caller in overdue.keys {
            complete(caller) { _, _ in .refused(.notDurable) }
        }
        if lastTurnNanos > 0 {
            let lag = now - lastTurnNanos
            door.metrics.loopLag.record(
                nanoseconds: lag > 500_000_000 ? lag - 500_000_000 : 0
            )
        }
        lastTurnNanos = now
    }

    /// The two clocks, read now.
    func now() -> Instant {
        Instant(
            bootNanos: Clock.bootNanoseconds(),
            wallMillis: Clock.wallMilliseconds()
        )
    }
}

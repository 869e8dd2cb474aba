// Answers that are too long for one turn: a batch of checks, an export.
//
// A turn does a bounded piece of each and then serves the others; the loop does not sleep while a
// piece is left. So a client that asks for 10,000 verdicts delays nobody else's single check by
// more than one piece.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Wire

/// Work for one exchange, done piece by piece.
protocol Job: AnyObject {
    var exchange: Exchange { get }
    /// True while it waits for its reader, or for the state.
    var isWaiting: Bool { get set }
    /// Does a piece; true when the answer is complete.
    func step(on loop: ServingLoop) -> Bool
}

extension ServingLoop {
    /// Does a piece of every job.
    ///
    /// - Returns: true while some job can go on at once.
    func stepJobs() -> Bool {
        var isBusy = false
        for job in jobs.values where !job.isWaiting {
            if job.step(on: self) {
                jobs[job.exchange] = nil
            } else if !job.isWaiting {
                isBusy = true
            }
        }
        return isBusy
    }
}

/// POST /v1/check with more addresses than one turn answers.
final class CheckJob: Job {
    let exchange: Exchange
    var isWaiting = false
    private let addresses: [[UInt8]]
    private let tenant: TenantID
    private let scope: Scope
    private let streamClass: StreamClass
    private var verdicts: [(Verdict, isValid: Bool)] = []
    private var stalenessNanos: UInt64?

    init(
        _ exchange: Exchange,
        _ addresses: [[UInt8]],
        _ tenant: TenantID,
        _ scope: Scope,
        _ streamClass: StreamClass
    ) {
        self.exchange = exchange
        self.addresses = addresses
        self.tenant = tenant
        self.scope = scope
        self.streamClass = streamClass
        verdicts.reserveCapacity(addresses.count)
    }

    func step(on loop: ServingLoop) -> Bool {
        guard let tenant = loop.catalog.tenant(tenant), !tenant.isDeleted else {
            loop.completeHTTP(exchange) {
                $0.problem(.unauthorized, detail: "The tenant was deleted.")
            }
            return true
        }
        let piece = addresses[verdicts.count...].prefix(Limits.checksPerTurnCount)
        // Each piece holds the lease against its own `now`; the answer names the oldest.
        stalenessNanos = loop.judge(piece, scope, streamClass, tenant, into: &verdicts)
        guard verdicts.count == addresses.count else { return false }
        loop.completeHTTP(exchange) {
            $0.checks(self.verdicts, self.stalenessNanos, node: loop.config.name)
        }
        return true
    }
}

/// GET /v1/export: every mark of a tenant, a line each, as the state has it.
final class ExportJob: Job {
    let exchange: Exchange
    var isWaiting = true
    private let tenant: TenantID
    /// Nothing is read before the state shows this; nil until the node loop has said.
    var through: UInt64? { didSet { isWaiting = false } }
    private var waitsForState = true
    private var last: MarkKey?
    private var hasBegun = false

    init(_ exchange: Exchange, _ tenant: TenantID) {
        self.exchange = exchange
        self.tenant = tenant
    }

    func step(on loop: ServingLoop) -> Bool {
        guard let through else {
            isWaiting = true
            return false
        }
        do {
            guard let tenant = loop.catalog.tenant(tenant) else {
                loop.abortHTTP(exchange, hasBegun: hasBegun)
                return true
            }
            waitsForState = try waitsForState && !loop.view.shows(through)
            if waitsForState {
                isWaiting = true
                return false
            }
            return try write(tenant, on: loop)
        } catch {
            // A stream that ends without its last chunk is an error to every client.
            loop.abortHTTP(exchange, hasBegun: hasBegun)
            return true
        }
    }

    /// A turn may have brought what it waits for.
    func lookAgain() {
        if waitsForState, through != nil { isWaiting = false }
    }

    private func write(_ tenant: KnownTenant, on loop: ServingLoop) throws -> Bool {
        if !hasBegun {
            hasBegun = true
            loop.beginHTTP(exchange) {
                $0.start(.ok)
                $0.openStream("application/x-ndjson")
            }
        }
        let seconds = loop.now().wallMillis / 1_000
        var lines: [UInt8] = []
        var count = 0
        var newest = last
        try loop.view.forEachMark(
            of: tenant.id,
            after: last,
            limit: Limits.exportPerTurnCount
        ) { key, mark in
            count += 1
            newest = key
            lines.appendExportRow(ExportRow(key, mark, tenant, atSeconds: seconds))
        }
        last = newest
        if !lines.isEmpty, !loop.sendHTTP(exchange, lines.span) { isWaiting = true }
        guard count < Limits.exportPerTurnCount else { return false }
        loop.finishHTTP(exchange)
        return true
    }
}

extension ExportRow {
    /// A mark with the names of its scope; damage counts as suppressed.
    init(_ key: MarkKey, _ mark: Mark?, _ tenant: KnownTenant, atSeconds seconds: UInt64) {
        let words = tenant.words(of: key.scope)
        let live = mark?.suppressions.filter { $0.isLive(atSeconds: seconds) } ?? []
        self.init(
            recipient: key.person.recipient,
            stream: words?.stream,
            topic: words?.topic,
            reason: key.reason,
            isSuppressed: mark == nil || !live.isEmpty,
            sinceMillis: live.map(\.time.wallMillis).filter { $0 > 0 }.min(),
            untilMillis: mark?.end(atSeconds: seconds).map { $0 * 1_000 },
            ids: nil,
            source: live.max { $0.time < $1.time }?.source
        )
    }
}

extension ServingLoop {
    /// Begins an export; the node loop says up to where the state must be.
    func export(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (tenant, _) = try authorize(call, .export)
        guard call.method == .get else {
            answer.methodNotAllowed("GET")
            return .answered
        }
        guard jobs.count < Limits.jobsCount,
            node.post(.checkpoint(loop: index, Caller(door: .http, exchange: exchange)))
        else {
            answer.unavailable("Too many long answers run on this loop; try again later.")
            return .answered
        }
        jobs[exchange] = ExportJob(exchange, tenant.id)
        return .later
    }
}

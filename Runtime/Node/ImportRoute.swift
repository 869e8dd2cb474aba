// POST /v1/import: a list of any length, as fast as the log takes it and no faster.
//
//     body ──► rows ──► digests ──► parts of 512 people ──► node loop
//       ▲                               │ at most 8 on their way
//       └──── resume ◄──── acknowledged ┘
//
// A turn reads a bounded number of rows, all imports of a loop together, so that another client's
// check never waits for a list. When enough parts are on their way the connection is not read any
// further, and TCP tells the sender. What the node loop is too busy for is offered again; only a
// disk that fails or stays full ends an import before its list does, and says how far it came.
// Importing the same list again is harmless: a row that is suppressed already counts as that.

import Address
import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Wire

/// What makes a row say nothing new: tenant and scope are the import's own.
struct ImportKey: Hashable {
    let recipient: Recipient
    let reason: Reason
}

/// People of the part that is being filled, who share a reason.
private struct ImportPart {
    let reason: Reason
    var recipients: [Recipient] = []
    var millis: [UInt64] = []
}

/// One import on its way.
final class ImportSession {
    let exchange: Exchange
    let tenant: TenantID
    let scope: Scope
    let reason: Reason
    var parser: ImportParser
    var batch = ImportBatch()
    /// Digests of the batch; nil for what is no address.
    var people: [Recipient?] = []
    /// The part that is being filled, by reason: most lists have one.
    private var parts: [ImportPart] = []
    /// People in it.
    private(set) var staged = 0
    /// Its keys: a second row for one of them says nothing more.
    var keys: Set<ImportKey> = []
    /// Sent and not acknowledged, by part.
    var inFlight: [UInt32: [Draft]] = [:]
    /// Refused as busy: offered again.
    var refused: Set<UInt32> = []
    var lastPart: UInt32 = 0
    var accepted = 0
    var already = 0
    var invalid = 0
    var rejected: [(line: Int, why: String)] = []
    /// Took less than it was offered.
    var isPaused = false
    var hasEnded = false
    /// Boot time of the last acknowledgment, or of the beginning.
    var progressNanos: UInt64

    init(
        _ exchange: Exchange,
        _ tenant: TenantID,
        _ scope: Scope,
        _ reason: Reason,
        _ format: ImportFormat,
        nanos: UInt64
    ) {
        self.exchange = exchange
        self.tenant = tenant
        self.scope = scope
        self.reason = reason
        parser = ImportParser(format: format)
        progressNanos = nanos
    }

    var hasRoom: Bool { inFlight.count < Limits.importPartsCount }

    func stage(_ recipient: Recipient, _ reason: Reason, _ millis: UInt64) {
        staged += 1
        var at = 0
        while at < parts.count, parts[at].reason != reason { at += 1 }
        if at == parts.count { parts.append(ImportPart(reason: reason)) }
        parts[at].recipients.append(recipient)
        parts[at].millis.append(millis)
    }

    /// What was staged, a list a reason, and begins the next part.
    func takePart() -> [Draft] {
        let drafts = parts.map { part in
            Draft.list(
                SuppressionList(
                    tenant: tenant,
                    scope: scope,
                    reason: part.reason,
                    source: .imported,
                    recipients: part.recipients,
                    millis: part.millis.contains { $0 > 0 } ? part.millis : []
                )
            )
        }
        parts.removeAll(keepingCapacity: true)
        staged = 0
        keys.removeAll(keepingCapacity: true)
        return drafts
    }

    func reject(_ line: Int, _ why: String) {
        invalid += 1
        if rejected.count < Limits.importRejectedCount { rejected.append((line, why)) }
    }
}

extension ServingLoop {
    /// Begins an import; the body follows.
    func beginImport(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (tenant, _) = try authorize(call, .bulkImport)
        guard call.method == .post else {
            answer.methodNotAllowed("POST")
            return .answered
        }
        guard let format = ImportFormat(contentType: call.contentType.span) else {
            throw Refused(
                .unsupportedMediaType,
                "Send `Content-Type: text/csv` or `application/x-ndjson`."
            )
        }
        guard let stream = call.parameter("stream") else {
            throw Refused(.badRequest, "`stream` is missing from the query.")
        }
        let scope = try resolveWide(tenant, stream: stream, topic: call.parameter("topic") ?? [])
        var reason = Reason.imported
        if let word = call.parameter("reason") {
            guard let named = Reason(named: String(decoding: word, as: UTF8.self)) else {
                let known = Reason.known.compactMap(\.name).joined(separator: ", ")
                throw Refused(.badRequest, "`reason` must be one of: \(known).")
            }
            reason = named
        }
        guard imports.count < Limits.importsCount else {
            answer.unavailable("\(Limits.importsCount) imports run on this loop; try again later.")
            return .answered
        }
        imports[exchange] = ImportSession(
            exchange,
            tenant.id,
            scope,
            reason,
            format,
            nanos: Clock.bootNanoseconds()
        )
        watchImports()
        return .later
    }

    /// Takes some of a body; what is left is offered again.
    func receiveImport(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Int {
        // Answered early: the connection drops the rest.
        guard let session = imports[exchange] else { return bytes.count }
        var taken = 0
        while taken < bytes.count, session.hasRoom, importRows > 0 {
            let rest = bytes.extracting(taken..<bytes.count)
            let room = min(Limits.importPartCount - session.staged, importRows)
            taken += session.parser.parse(rest, limit: room, into: &session.batch)
            stage(session)
            if session.parser.isEnded { break }
        }
        session.isPaused = taken < bytes.count
        if session.parser.isEnded {
            endImport(session)
            return bytes.count
        }
        return taken
    }

    /// The body has ended: what the parser still holds is the last row.
    func endImport(_ session: ImportSession) {
        guard !session.hasEnded else { return }
        session.hasEnded = true
        session.parser.finish(into: &session.batch)
        stage(session)
        sendPart(session)
        finishIfDone(session)
    }

    /// Turns the rows read so far into drafts.
    private func stage(_ session: ImportSession) {
        importRows -= session.batch.count
        for refusal in session.batch.refusals {
            session.reject(refusal.line, refusal.fault.description)
        }
        guard let tenant = catalog.tenant(session.tenant), !tenant.isDeleted else {
            session.batch.removeAll()
            return stop(session, "The tenant was deleted.")
        }
        digest(session, tenant)
        for at in session.batch.rows.indices { stage(at, session) }
        session.batch.removeAll()
        if session.staged >= Limits.importPartCount { sendPart(session) }
    }

    /// First all digests, each asking for its line of the filter, then all look-ups.
    private func digest(_ session: ImportSession, _ tenant: KnownTenant) {
        let filter = view.memory().filter
        session.people.removeAll(keepingCapacity: true)
        let text = session.batch.text
        for row in session.batch.rows {
            let recipient = recipient(text.span.extracting(row.address), tenant)
            if let recipient { filter.prefetch(recipient) }
            session.people.append(recipient)
        }
    }

    private func stage(_ at: Int, _ session: ImportSession) {
        let row = session.batch.rows[at]
        var reason = session.reason
        if let word = row.reason, !word.isEmpty {
            let name = String(decoding: session.batch.text[word], as: UTF8.self)
            guard let named = Reason(named: name) else {
                return session.reject(row.line, "`reason` is none that this version knows")
            }
            reason = named
        }
        guard let recipient = session.people[at] else {
            return session.reject(row.line, "`address` is no e-mail address")
        }
        guard session.keys.insert(ImportKey(recipient: recipient, reason: reason)).inserted else {
            session.already += 1
            return
        }
        let key = MarkKey(
            person: Person(tenant: session.tenant, recipient: recipient),
            scope: session.scope,
            reason: reason
        )
        if isSuppressed(key) { session.already += 1 } else { session.accepted += 1 }
        session.stage(recipient, reason, row.createdAtMillis ?? 0)
    }

    /// Whether this very key was suppressed before; the marks are read only for people that the
    /// filter has seen.
    func isSuppressed(_ key: MarkKey) -> Bool {
        let memory = view.memory()
        guard memory.filter.hasSeen(key.person, key.scope) else { return false }
        do {
            let seconds = now().wallMillis / 1_000
            if try view.mark(key)?.isSuppressed(atSeconds: seconds) ?? true { return true }
        } catch { return true }  // only a count; the write goes on in any case
        return memory.hasSeenRecently(key)
    }

    private func sendPart(_ session: ImportSession) {
        guard session.staged > 0 else { return }
        session.lastPart += 1
        session.inFlight[session.lastPart] = session.takePart()
        offer(session.lastPart, session)
    }

    private func offer(_ part: UInt32, _ session: ImportSession) {
        guard let drafts = session.inFlight[part] else { return }
        session.refused.remove(part)
        let caller = Caller(door: .imports, exchange: session.exchange, part: part)
        send(drafts, policy: .strict, caller: caller, pending: .imported)
    }

    /// The gate has decided about a part.
    func importAnswered(_ caller: Caller, _ outcome: WriteOutcome) {
        guard let session = imports[caller.exchange] else { return }
        switch outcome {
        case .durable:
            session.inFlight[caller.part] = nil
            session.progressNanos = Clock.bootNanoseconds()
            finishIfDone(session)
        case .refused(.busy), .refused(.notDurable): session.refused.insert(caller.part)
        case .refused(let refusal): stop(session, refusal.detail)
        }
    }

    /// Offers refused parts again, and lets paused imports go on; once a turn and by the timer.
    func goOnImporting(retries: Bool) {
        if retries, imports.isEmpty { return watchImports() }
        for session in imports.values {
            if retries {
                for part in session.refused { offer(part, session) }
                let silent = Clock.bootNanoseconds() - session.progressNanos
                if !session.refused.isEmpty, silent > Limits.importSilenceNanos {
                    stop(session, "The node has been too busy for a minute.")
                    continue
                }
            }
            if session.isPaused, session.hasRoom {
                session.isPaused = false
                resume(session.exchange)
            }
        }
    }

    private func finishIfDone(_ session: ImportSession) {
        guard session.hasEnded, session.inFlight.isEmpty else { return }
        imports[session.exchange] = nil
        guard
            session.accepted + session.already > 0 || session.rejected.first?.line != 1
                || session.invalid != 1
        else {
            // Nothing but a first line that names no address: the whole list is malformed.
            return completeHTTP(session.exchange) {
                $0.problem(.badRequest, detail: "Line 1: \(session.rejected[0].why).")
            }
        }
        completeHTTP(session.exchange) { answer in
            answer.json { json in
                json.beginObject()
                json.field("accepted", session.accepted)
                json.field("already", session.already)
                json.field("invalid", session.invalid)
                json.key("rejected")
                json.beginArray()
                // Rows that have no address were seen before the addresses were read.
                for (line, why) in session.rejected.sorted(by: { $0.line < $1.line }) {
                    json.beginObject()
                    json.field("line", line)
                    json.field("why", why)
                    json.endObject()
                }
                json.endArray()
                json.endObject()
            }
        }
    }

    /// Ends an import before its list; what was acknowledged stays.
    private func stop(_ session: ImportSession, _ why: String) {
        guard imports.removeValue(forKey: session.exchange) != nil else { return }
        let waiting = session.inFlight.count * Limits.importPartCount
        let kept = max(session.accepted + session.already - waiting - session.staged, 0)
        completeHTTP(session.exchange) {
            $0.unavailable(
                "\(why) At least \(kept) rows are stored. Importing the list again is harmless."
            )
        }
    }
}

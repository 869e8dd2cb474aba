// /v1/check: may these messages be sent?
//
// Every answer carries how stale the proof was. A malformed address is `deny` with reason
// `invalid`, a message whose freshness cannot be proved is `unknown`; only a positive `allow` means
// send.

import Cluster
import EventLoop
import FunctionKit
import Servers
import Suppression
import Wire

extension ServingLoop {
    func check(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (tenant, _) = try authorize(call, .check)
        switch call.method {
        case .get, .head:
            guard let address = call.parameter("address") else {
                throw Refused(.badRequest, "Pass ?stream=NAME&topic=NAME&address=ADDRESS.")
            }
            return try check([address], call, tenant, exchange, into: &answer)
        case .post where call.mediaType == Array("text/plain".utf8):
            return try check(lines(call.body), call, tenant, exchange, into: &answer)
        case .post:
            let body = try call.json()
            let addresses = try body.addresses().map { Array($0.utf8) }
            return try answerChecks(
                addresses,
                stream: Array(try body.required("stream").utf8),
                topic: Array((try body.optional("topic") ?? "*").utf8),
                tenant,
                exchange,
                into: &answer
            )
        default:
            answer.methodNotAllowed("GET, HEAD, POST")
            return .answered
        }
    }

    private func check(
        _ addresses: [[UInt8]],
        _ call: Call,
        _ tenant: KnownTenant,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        guard let stream = call.parameter("stream") else {
            throw Refused(.badRequest, "`stream` is missing from the query.")
        }
        return try answerChecks(
            addresses,
            stream: stream,
            topic: call.parameter("topic") ?? [],
            tenant,
            exchange,
            into: &answer
        )
    }

    /// One address a line; a CR before the LF and a missing last LF are fine.
    private func lines(_ body: [UInt8]) throws -> [[UInt8]] {
        var lines = body.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            line.last == 0x0d ? Array(line.dropLast()) : Array(line)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard (1...Limits.batchAddressesCount).contains(lines.count) else {
            throw Refused(
                .badRequest,
                "Send 1 to \(Limits.batchAddressesCount) addresses, one a line."
            )
        }
        return lines
    }

    private func answerChecks(
        _ addresses: [[UInt8]],
        stream: [UInt8],
        topic: [UInt8],
        _ tenant: KnownTenant,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (scope, streamClass) = try resolve(tenant, stream: stream, topic: topic)
        guard addresses.count <= Limits.checksPerTurnCount else {
            guard jobs.count < Limits.jobsCount else {
                answer.unavailable("Too many long answers run on this loop; try again later.")
                return .answered
            }
            jobs[exchange] = CheckJob(exchange, addresses, tenant.id, scope, streamClass)
            return .later
        }
        var verdicts: [(Verdict, isValid: Bool)] = []
        verdicts.reserveCapacity(addresses.count)
        let staleness = judge(addresses[...], scope, streamClass, tenant, into: &verdicts)
        answer.checks(verdicts, staleness, node: config.name)
        return .answered
    }

    /// Judges some addresses against one `now`.
    ///
    /// - Returns: how stale the proof was, in nanoseconds; nil without one.
    func judge(
        _ addresses: ArraySlice<[UInt8]>,
        _ scope: Scope,
        _ streamClass: StreamClass,
        _ tenant: KnownTenant,
        into verdicts: inout [(Verdict, isValid: Bool)]
    ) -> UInt64? {
        // Read after the request's last byte: this is the `now` that the lease is held against.
        let asked = now()
        var queries: [Query?] = []
        queries.reserveCapacity(addresses.count)
        let first = verdicts.count
        for address in addresses {
            guard let recipient = recipient(address.span, tenant) else {
                verdicts.append((Verdict(decision: .deny), false))
                queries.append(nil)
                continue
            }
            let query = Query(
                person: Person(tenant: tenant.id, recipient: recipient),
                stream: scope.stream,
                topic: scope.topic,
                streamClass: streamClass
            )
            verdicts.append((view.verdict(query, now: asked), true))
            queries.append(query)
        }
        functions.tighten(queries, tenant.id, now: asked, &verdicts[first...])
        var counts = DecisionCounts()
        for (verdict, _) in verdicts[first...] { counts.add(verdict.decision) }
        door.metrics.count(counts)
        let spent = Clock.bootNanoseconds() - asked.bootNanos
        let count = UInt64(max(addresses.count, 1))
        door.metrics.checkAnswer.record(nanoseconds: spent / count, times: count)
        return view.lease.stalenessNanos(now: asked.bootNanos)
    }
}

extension HTTPAnswer {
    /// The answer of a check.
    mutating func checks(
        _ verdicts: [(Verdict, isValid: Bool)],
        _ stalenessNanos: UInt64?,
        node: String
    ) {
        json { json in
            json.beginObject()
            json.key("results")
            json.beginArray()
            for (verdict, isValid) in verdicts { json.verdict(verdict, isValid: isValid) }
            json.endArray()
            json.staleness(stalenessNanos)
            json.field("node", node)
            json.endObject()
        }
    }
}

extension JSONWriter {
    /// `{"decision","reason","since"}`
    mutating func verdict(_ verdict: Verdict, isValid: Bool) {
        beginObject()
        field("decision", verdict.decision.name)
        if isValid {
            field("reason", verdict.reason.map { $0.name ?? "newer" })
        } else {
            field("reason", "invalid")
        }
        key("since")
        if let since = verdict.since, since.raw > 0 {
            time(millis: since.wallMillis)
        } else {
            null()
        }
        endObject()
    }

    /// `staleness_ms`, null without a proof.
    mutating func staleness(_ nanos: UInt64?) {
        key("staleness_ms")
        if let nanos { integer(nanos / 1_000_000) } else { null() }
    }
}

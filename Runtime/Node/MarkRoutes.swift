// /v1/suppressions and /v1/consents: write a mark, show what stands, lift by naming what was shown.

import Address
import Cluster
import FunctionKit
import Servers
import Suppression
import Token
import Wire

extension ServingLoop {
    func suppressions(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (tenant, key) = try authorize(call, .suppress)
        switch call.method {
        case .get, .head:
            guard let address = call.parameter("address") else {
                throw Refused(.badRequest, "Pass ?address=ADDRESS.")
            }
            try show(address, tenant, into: &answer)
            return .answered
        case .post: break
        default:
            answer.methodNotAllowed("GET, HEAD, POST")
            return .answered
        }
        let body = try call.json()
        let mark = try markKey(body, tenant, reason: .unsubscribe)
        let stamp = try stamp(call, tenant, key)
        let draft = Draft.suppress(mark, source: .api, expiresSeconds: 0)
        send(
            [draft],
            policy: .strict,
            stamp: stamp,
            caller: Caller(door: .http, exchange: exchange),
            pending: .suppression(tenant: tenant.id, mark)
        )
        return .later
    }

    func consents(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let (tenant, key) = try authorize(call, .consent)
        guard call.method == .post else {
            answer.methodNotAllowed("POST")
            return .answered
        }
        let body = try call.json()
        let mark = try markKey(body, tenant, reason: nil)
        guard let observed = body["observed"], !observed.isNull else {
            let ids = try standing(mark).map { consentID(tenant: tenant.id, mark, $0) }
            answer.needsObserved(ids)
            return .answered
        }
        let evidence = try evidence(body)
        let dots = try observedDots(observed, mark, tenant)
        let draft = Draft.consent(mark, covers: dots, evidence: evidence)
        send(
            [draft],
            policy: .strict,
            stamp: try stamp(call, tenant, key),
            caller: Caller(door: .http, exchange: exchange),
            pending: .consent(covered: dots.count)
        )
        return .later
    }

    /// address, stream, topic, reason -> key.
    private func markKey(
        _ body: JSONValue,
        _ tenant: KnownTenant,
        reason fallback: Reason?
    ) throws -> MarkKey {
        let address = Array(try body.required("address").utf8)
        let scope = try resolveWide(
            tenant,
            stream: Array(try body.required("stream").utf8),
            topic: Array((try body.optional("topic") ?? "*").utf8)
        )
        let word = try body.optional("reason")
        guard let reason = word.map({ Reason(named: $0) }) ?? fallback else {
            let known = Reason.known.compactMap(\.name).joined(separator: ", ")
            throw Refused(.badRequest, "`reason` must be one of: \(known).")
        }
        guard let recipient = recipient(address.span, tenant) else {
            throw Refused(.badRequest, "`address` is no e-mail address.")
        }
        let person = Person(tenant: tenant.id, recipient: recipient)
        return MarkKey(person: person, scope: scope, reason: reason)
    }

    /// The dots that suppress this key now.
    private func standing(_ key: MarkKey) throws -> [Dot] {
        try view.mark(key)?.suppressions.map(\.dot) ?? []
    }

    private func observedDots(
        _ observed: JSONValue,
        _ key: MarkKey,
        _ tenant: KnownTenant
    ) throws -> [Dot] {
        guard let items = observed.array,
            (1...Suppression.Limits.consentDotsCount).contains(items.count)
        else { throw Refused(.badRequest, "`observed` must be a list of ids that were shown.") }
        return try items.map { item in
            guard let text = item.string.map({ Array($0.utf8) }) else {
                throw Refused(.badRequest, "`observed` holds something that is no string.")
            }
            do { return try tenant.ring.openConsent(text.span, of: key) } catch {
                throw Refused(
                    .badRequest,
                    "An id in `observed` is not of this address, scope and reason; ask for the ids."
                )
            }
        }
    }

    /// The evidence object as compact JSON, with a `method`.
    private func evidence(_ body: JSONValue) throws -> [UInt8] {
        guard let evidence = body["evidence"], evidence.members != nil,
            evidence["method"]?.string?.isEmpty == false
        else {
            throw Refused(
                .badRequest,
                "`evidence` must say how the person agreed, such as {\"method\":\"double-opt-in\"}."
            )
        }
        let text = Array(evidence.text.utf8)
        // Evidence is stored as it came, and addresses are not stored.
        let address = try body.required("address").lowercased()
        guard !evidence.text.lowercased().contains(address) else {
            throw Refused(
                .badRequest,
                "`evidence` holds the address itself; name a record of yours instead."
            )
        }
        guard text.count <= Suppression.Limits.evidenceBytes else {
            throw Refused(.contentTooLarge, "`evidence` is longer than 4 KiB.")
        }
        return text
    }

    /// The idempotency key as it will be remembered.
    private func stamp(
        _ call: Call,
        _ tenant: KnownTenant,
        _ key: KnownKey
    ) throws -> RequestStamp? {
        guard !call.idempotencyKey.isEmpty else { return nil }
        guard call.idempotencyKey.count <= Limits.idempotencyKeyBytes else {
            throw Refused(.badRequest, "`Idempotency-Key` is longer than 256 bytes.")
        }
        let id = tenant.digester.requestID(
            apiKey: key.hash.span,
            header: call.idempotencyKey.span
        )
        var bound = call.path
        bound.append(contentsOf: call.body)
        return RequestStamp(id: id, body: SipHash.checksum.hash(bound.span))
    }

    private func show(
        _ address: [UInt8],
        _ tenant: KnownTenant,
        into answer: inout HTTPAnswer
    ) throws {
        guard let recipient = recipient(address.span, tenant) else {
            throw Refused(.badRequest, "`address` is no e-mail address.")
        }
        let seconds = now().wallMillis / 1_000
        var shown: [(key: MarkKey, mark: Mark?)] = []
        try view.forEachMark(of: Person(tenant: tenant.id, recipient: recipient)) {
            shown.append(($0, $1))
        }
        answer.json { json in
            json.beginObject()
            json.key("marks")
            json.beginArray()
            for (key, mark) in shown { self.write(key, mark, tenant, seconds, into: &json) }
            json.endArray()
            json.endObject()
        }
    }

    private func write(
        _ key: MarkKey,
        _ mark: Mark?,
        _ tenant: KnownTenant,
        _ seconds: UInt64,
        into json: inout JSONWriter
    ) {
        let words = tenant.words(of: key.scope)
        json.beginObject()
        json.field("stream", words.map { String(decoding: $0.stream, as: UTF8.self) })
        json.field("topic", words.map { String(decoding: $0.topic, as: UTF8.self) })
        json.field("reason", key.reason.name ?? "newer")
        json.field("suppressed", mark?.isSuppressed(atSeconds: seconds) ?? true)
        json.key("since")
        if let since = mark?.since(atSeconds: seconds) {
            json.time(millis: since.wallMillis)
        } else {
            json.null()
        }
        if let end = mark?.end(atSeconds: seconds) {
            json.key("until")
            json.time(millis: end * 1_000)
        }
        json.key("ids")
        json.beginArray()
        for suppression in mark?.suppressions ?? [] {
            json.string(consentID(tenant: tenant.id, key, suppression.dot).span)
        }
        json.endArray()
        json.field("source", mark?.suppressions.last?.source.name)
        json.endObject()
    }
}

extension HTTPAnswer {
    /// 409: a consent must name what it lifts; these are the ids to name.
    mutating func needsObserved(_ ids: [[UInt8]]) {
        var bytes: [UInt8] = []
        bytes.appendJSON { json in
            json.beginObject()
            json.field("type", "about:blank")
            json.field("title", "Conflict")
            json.field("status", 409)
            json.field("detail", "Pass the ids that this consent lifts as `observed`.")
            json.key("ids")
            json.beginArray()
            for id in ids { json.string(id.span) }
            json.endArray()
            json.endObject()
        }
        start(.conflict)
        send("application/problem+json", bytes.span)
    }
}

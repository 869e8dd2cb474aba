// The public listener: which path goes where, and who may.
//
//     /u/{token}          anybody with the link        OptOutRoute.swift
//     /v1/check           scope check                  CheckRoute.swift
//     /v1/suppressions    scope suppress               MarkRoutes.swift
//     /v1/consents        scope consent                MarkRoutes.swift
//     /v1/links           scope link                   LinkRoute.swift
//     /v1/import          scope import, streamed       ImportRoute.swift
//     /v1/export          scope export, streamed       Jobs.swift
//     /f/NAME/...         anybody; staging: suppress   DirectRoute.swift
//     /livez /readyz      anybody                      here
//
// A handler either answers at once or sends a write to the node loop and answers later.

import Address
import Cluster
import EventLoop
import FunctionKit
import Servers
import Suppression
import Token
import Wire

/// Why a request cannot be served, as the caller will read it.
struct Refused: Error {
    let status: HTTPStatus
    let detail: String

    init(_ status: HTTPStatus, _ detail: String) {
        self.status = status
        self.detail = detail
    }
}

extension ServingLoop: HTTPService {
    func plan(head: borrowing RequestHead, bytes: Span<UInt8>) -> BodyPlan {
        switch Route(bytes.extracting(head.path.range)) {
        case .optOut: .whole(limit: Limits.optOutBodyBytes)
        case .check, .links: .whole(limit: Limits.batchBodyBytes)
        case .imports: .streamed
        default: .whole(limit: Limits.apiBodyBytes)
        }
    }

    func begin(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        do {
            return try beginImport(Call(head, bytes), exchange, into: &answer)
        } catch let refused as Refused {
            answer.problem(refused.status, detail: refused.detail)
        } catch {
            answer.unavailable("This node cannot read its state. Ask another node.")
        }
        return .answered
    }

    func receive(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Int {
        receiveImport(exchange, bytes)
    }

    func bodyEnded(_ exchange: Exchange) {
        if let session = imports[exchange] { endImport(session) }
    }

    func abandoned(_ exchange: Exchange) {
        imports[exchange] = nil
        jobs[exchange] = nil
    }

    func drained(_ exchange: Exchange) { jobs[exchange]?.isWaiting = false }

    func serve(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        let call = Call(head, bytes)
        do {
            switch Route(bytes.extracting(head.path.range)) {
            case .optOut(let token):
                return optOut(call, token: Array(call.path[token...]), exchange, into: &answer)
            case .check: return try check(call, exchange, into: &answer)
            case .suppressions: return try suppressions(call, exchange, into: &answer)
            case .consents: return try consents(call, exchange, into: &answer)
            case .links: return try links(call, into: &answer)
            case .export: return try export(call, exchange, into: &answer)
            case .direct: return try direct(call, exchange, into: &answer)
            // Served whole only when it has no body.
            case .imports:
                _ = try authorize(call, .bulkImport)
                if call.method != .post {
                    answer.methodNotAllowed("POST")
                } else {
                    answer.problem(.badRequest, detail: "Send the list as the request's body.")
                }
            case .live:
                answer.start(.ok)
                answer.send("text/plain; charset=utf-8", "alive\n")
            case .ready: ready(call, into: &answer)
            case .unknown:
                answer.problem(
                    .notFound,
                    detail: "No such path on the public listener; see the README."
                )
            }
        } catch let refused as Refused {
            answer.problem(refused.status, detail: refused.detail)
        } catch {
            answer.unavailable("This node cannot read its state. Ask another node.")
        }
        return .answered
    }

    /// Checks key and scope, and finds the tenant.
    func authorize(_ call: Call, _ scope: KeyScopes) throws -> (KnownTenant, KnownKey) {
        guard let text = call.bearer() else {
            throw Refused(
                .unauthorized,
                "Send `Authorization: Bearer KEY` with a key of scope \(scope.words[0])."
            )
        }
        let (tenant, key) = try recognise(text)
        guard key.scopes.contains(scope) else {
            throw Refused(.forbidden, "This API key lacks the scope `\(scope.words[0])`.")
        }
        return (tenant, key)
    }

    /// Whose key this is. A worker presents one key for ever, and hashing it costs a third of a
    /// check; so the last few are remembered until the catalog changes.
    private func recognise(_ text: [UInt8]) throws -> (KnownTenant, KnownKey) {
        for known in recognised where constantTimeEqual(known.text, text) {
            return (known.tenant, known.key)
        }
        guard let presented = ApiKey(text: text.span), let key = catalog.key(hash: presented.hash),
            let tenant = catalog.tenant(key.tenant), !tenant.isDeleted
        else { throw Refused(.unauthorized, "This API key is unknown or revoked.") }
        if recognised.count >= Limits.recognisedKeysCount { recognised.removeFirst() }
        recognised.append(RecognisedKey(text: text, tenant: tenant, key: key))
        return (tenant, key)
    }

    /// Finds stream and topic by name; `*` and a missing topic mean all.
    func resolve(
        _ tenant: KnownTenant,
        stream: [UInt8],
        topic: [UInt8]
    ) throws(Refused) -> (scope: Scope, streamClass: StreamClass) {
        try tenant.place(stream: stream.span, topic: topic.span)
    }

    /// Like `resolve`, where `*` as the stream means the whole tenant.
    func resolveWide(
        _ tenant: KnownTenant,
        stream: [UInt8],
        topic: [UInt8]
    ) throws -> Scope {
        if stream == [UInt8(ascii: "*")] { return .tenant }
        return try resolve(tenant, stream: stream, topic: topic).scope
    }

    /// The digest of an address; nil when the address is malformed.
    func recipient(_ address: Span<UInt8>, _ tenant: KnownTenant) -> Recipient? {
        do {
            try scratch.read(address)
        } catch { return nil }
        return tenant.digester.recipient(of: scratch)
    }

    private func ready(_ call: Call, into answer: inout HTTPAnswer) {
        let forOptOuts = call.parameter("for") == Array("unsubscribe".utf8)
        let now = Instant(
            bootNanos: Clock.bootNanoseconds(),
            wallMillis: Clock.wallMilliseconds()
        )
        var cause = (forOptOuts ? nodeMetrics.writability : nodeMetrics.readiness)
            .unready(now: now.bootNanos)
        // The node loop may have renewed the lease and this loop missed what it vouches for.
        if cause == nil, !forOptOuts, !view.mayAllow(now) { cause = .noLease }
        answer.readiness(cause)
    }
}

/// The paths of the public listener.
enum Route {
    case optOut(tokenAt: Int)
    case check, suppressions, consents, links, imports, export, direct, live, ready, unknown

    init(_ path: Span<UInt8>) {
        if path.starts(with: "/u/") {
            self = .optOut(tokenAt: 3)
        } else if path.starts(with: "/f/") {
            self = .direct
        } else if path.equals("/v1/check") {
            self = .check
        } else if path.equals("/v1/suppressions") {
            self = .suppressions
        } else if path.equals("/v1/consents") {
            self = .consents
        } else if path.equals("/v1/links") {
            self = .links
        } else if path.equals("/v1/import") {
            self = .imports
        } else if path.equals("/v1/export") {
            self = .export
        } else if path.equals("/livez") {
            self = .live
        } else if path.equals("/readyz") {
            self = .ready
        } else {
            self = .unknown
        }
    }
}

extension Span<UInt8> {
    func starts(with prefix: StaticString) -> Bool {
        guard count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { buffer in
            for i in 0..<buffer.count where unsafe buffer[i] != self[i] { return false }
            return true
        }
    }

    func equals(_ word: StaticString) -> Bool {
        count == word.utf8CodeUnitCount && starts(with: word)
    }
}

extension KnownTenant {
    /// Finds stream and topic by name; `*` and an empty topic mean all.
    func place(
        stream: Span<UInt8>,
        topic: Span<UInt8>
    ) throws(Refused) -> (scope: Scope, streamClass: StreamClass) {
        guard let entry = streams.find(stream), !entry.isDeleted else {
            throw Refused(.notFound, "Unknown stream; `quell stream list` shows them.")
        }
        if topic.isEmpty || topic.equals("*") {
            return (Scope(stream: entry.id, topic: .any), entry.streamClass)
        }
        guard let found = entry.topics.find(topic), !found.isDeleted else {
            throw Refused(.notFound, "Unknown topic of this stream; `quell topic list` shows them.")
        }
        return (Scope(stream: entry.id, topic: found.id), entry.streamClass)
    }
}

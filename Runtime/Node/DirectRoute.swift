// /f/NAME/...: what deployed functions answer.
//
// Status, content type and body are the function's, headers are ours. To anybody, and at once; but
// a function that may stage suppressions (`capabilities: {stage: [suppress]}`) is asked only with
// an API key of scope `suppress`: else anybody who finds the path could opt out anybody. People are
// those of the key's tenant, and the answer leaves when all that was staged is acknowledged.

import Cluster
import FunctionHost
import FunctionKit
import Servers
import Suppression
import Token
import Wire

extension ServingLoop {
    func direct(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let rest = call.path.dropFirst(3)
        let name = Array(rest.prefix { $0 != UInt8(ascii: "/") })
        let path = Array(rest.dropFirst(name.count + 1))
        guard call.method != .options else {
            answer.start(.noContent)
            answer.field("Allow", "GET, HEAD, OPTIONS, POST")
            answer.sendEmpty()
            return .answered
        }
        let tenant = functions.stages(name) ? try authorize(call, .suppress).0 : nil
        let bytes = call.path.count + call.query.count + call.body.count
        guard bytes <= Limits.directRequestBytes else {
            answer.problem(
                .contentTooLarge,
                detail: "A function takes \(Limits.directRequestBytes) bytes of path and body."
            )
            return .answered
        }
        let method: Method =
            switch call.method {
            case .get: .get
            case .head: .head
            case .post: .post
            default: .other
            }
        let request = Request(
            method: method,
            path: path,
            query: call.query,
            body: call.body,
            contentType: call.contentType,
            acceptLanguage: call.acceptLanguage,
            nowMillis: now().wallMillis,
            claims: nil,
            outcome: .direct
        )
        switch functions.direct(name, request, mayStage: tenant != nil) {
        case .unknown:
            answer.problem(.notFound, detail: "No such function; `quell fn list` shows them.")
        case .methods(let methods):
            answer.methodNotAllowed(allowed(methods))
        case .failed:
            answer.unavailable("No version of this function could answer; `quell fn status`.")
        case .answer(let reply):
            let keys = try tenant.map { try marks(reply.effects, $0) } ?? []
            guard !keys.isEmpty else {
                reply.response.write(into: &answer, durability: nil)
                return .answered
            }
            send(
                keys.map { draft($0, .function) },
                policy: config.policy,
                caller: Caller(door: .http, exchange: exchange),
                pending: .direct(reply.response)
            )
            return .later
        }
        return .answered
    }

    /// The marks that effects on addresses stand for, each once.
    ///
    /// What is no address is nobody's: a service that reports one would send it again for ever.
    private func marks(_ effects: [AddressEffect], _ tenant: KnownTenant) throws -> [MarkKey] {
        var keys: [MarkKey] = []
        for effect in effects {
            let scope =
                effect.stream.isEmpty
                ? .tenant
                : try resolve(tenant, stream: effect.stream, topic: effect.topic).scope
            guard let recipient = recipient(effect.address.span, tenant) else { continue }
            let person = Person(tenant: tenant.id, recipient: recipient)
            let key = MarkKey(person: person, scope: scope, reason: effect.reason)
            if !keys.contains(key) { keys.append(key) }
        }
        return keys
    }
}

/// The value of `Allow`.
private func allowed(_ methods: [FunctionMethod]) -> StaticString {
    switch (methods.contains(.get), methods.contains(.head), methods.contains(.post)) {
    case (true, true, true): "GET, HEAD, POST"
    case (true, true, false): "GET, HEAD"
    case (true, false, true): "GET, POST"
    case (true, false, false): "GET"
    case (false, true, true): "HEAD, POST"
    case (false, true, false): "HEAD"
    case (false, false, _): "POST"
    }
}

extension Response {
    /// Whether its status is one that this server sends.
    var isSendable: Bool { HTTPStatus(code: Int(status)) != nil }

    /// Sends the answer of a function at /f/NAME/.
    func write(into answer: inout HTTPAnswer, durability: Durability?) {
        let status = HTTPStatus(code: Int(status)) ?? .internalError
        answer.start(status)
        answer.field("Cache-Control", "no-store")
        answer.field("X-Content-Type-Options", "nosniff")
        if let durability { answer.field("Quell-Durability", durability.header) }
        if status.isBodiless { return answer.sendEmpty() }
        answer.send(type: contentType.span, body.span)
    }
}

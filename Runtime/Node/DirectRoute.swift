// /f/NAME/...: what deployed functions answer to anybody.
//
// Status, content type and body are the function's, headers are ours. No key is asked for: a
// function that wants one looks for it in the request's body. Nothing is staged, so an answer
// leaves at once.

import Cluster
import FunctionHost
import FunctionKit
import Servers
import Wire

extension ServingLoop {
    func direct(_ call: Call, into answer: inout HTTPAnswer) {
        let rest = call.path.dropFirst(3)
        let name = Array(rest.prefix { $0 != UInt8(ascii: "/") })
        let path = Array(rest.dropFirst(name.count + 1))
        guard call.method != .options else {
            answer.start(.noContent)
            answer.field("Allow", "GET, HEAD, OPTIONS, POST")
            return answer.sendEmpty()
        }
        let bytes = call.path.count + call.query.count + call.body.count
        guard bytes <= Limits.directRequestBytes else {
            return answer.problem(
                .contentTooLarge,
                detail: "A function takes \(Limits.directRequestBytes) bytes of path and body."
            )
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
        switch functions.direct(name, request) {
        case .unknown:
            answer.problem(.notFound, detail: "No such function; `quell fn list` shows them.")
        case .methods(let methods):
            answer.methodNotAllowed(allowed(methods))
        case .failed:
            answer.unavailable("No version of this function could answer; `quell fn status`.")
        case .answer(let response): response.write(into: &answer)
        }
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
    fileprivate func write(into answer: inout HTTPAnswer) {
        let status = HTTPStatus(code: Int(status)) ?? .internalError
        answer.start(status)
        answer.field("Cache-Control", "no-store")
        answer.field("X-Content-Type-Options", "nosniff")
        if status.isBodiless { return answer.sendEmpty() }
        answer.send(type: contentType.span, body.span)
    }
}

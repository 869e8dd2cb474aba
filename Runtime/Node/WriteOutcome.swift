// What a caller hears about a write: the words for every answer of the gate, in one place.

import Cluster
import FunctionKit
import Servers
import Suppression
import Wire

/// The gate's decision, ready to be written out.
enum WriteOutcome {
    /// Acknowledged; `text` is the page or the id that the answer carries.
    case durable(Durability, text: [UInt8])
    /// Not acknowledged.
    case refused(Refusal)

    func write(_ waiting: PendingWrite.Answer, into answer: inout HTTPAnswer) {
        switch self {
        case .durable(let durability, let text):
            switch waiting {
            case .optOut(let response, _, _):
                response.write(body: text, durability: durability, into: &answer)
            case .suppression:
                answer.json { json in
                    json.beginObject()
                    json.key("id")
                    json.string(text.span)
                    json.field("durability", durability.name)
                    json.endObject()
                }
            case .direct(let response): response.write(into: &answer, durability: durability)
            case .resp, .imported: break  // never here: each has its own writer
            case .consent(let covered):
                answer.json { json in
                    json.beginObject()
                    json.field("covered", covered)
                    json.endObject()
                }
            }
        case .refused(let refusal): refusal.write(into: &answer)
        }
    }
}

extension WriteOutcome {
    /// One reply for each command of the run that waited.
    func write(_ waiting: PendingWrite.Answer, into replies: inout RESPReplies) {
        guard case .resp(let owed) = waiting else { return }
        for reply in owed {
            switch (self, reply) {
            case (_, .error(let text)): replies.error(text)
            case (.durable, .added(let count)): replies.integer(count)
            case (.refused(let refusal), .added): replies.error(refusal.respError)
            }
        }
    }
}

extension Refusal {
    /// The error of RESP; a client library raises it.
    var respError: StaticString {
        switch self {
        case .notDurable: "NOTDURABLE not yet on enough disks; nothing is lost, send it again"
        case .full: "NOTDURABLE this node's disk is full; ask another node"
        case .busy: "NOTDURABLE too many writes wait; send it again in a moment"
        case .failed: "NOTDURABLE this node's disk failed; ask another node"
        case .otherBody, .unobserved, .superseded, .notChosen, .unready:
            "ERR the request was refused"
        }
    }

    /// What went wrong, what is safe to assume, what to do.
    var detail: String {
        switch self {
        case .notDurable:
            "The request is not yet on enough disks. Nothing is lost; send it again."
        case .full: "This node's disk is full and it takes no writes. Ask another node."
        case .busy: "Too many writes wait already. Send it again in a moment."
        case .failed: "This node's disk failed and it takes no writes. Ask another node."
        case .otherBody:
            "This Idempotency-Key came before with another body. Use a fresh key."
        case .unobserved:
            "An id in `observed` names a write that this node does not hold. Ask for the ids again."
        case .superseded:
            "Another change of the voters came first. Look at `quell voters list`, then repeat."
        case .notChosen:
            "No majority of the voters answered in time. The change may still come into force; "
                + "look at `quell voters list`."
        case .unready:
            "Too few other voters have caught up to stand in for that slot. Wait until "
                + "`quell voters list` shows them seated."
        }
    }

    func write(into answer: inout HTTPAnswer) {
        switch self {
        case .otherBody: answer.problem(.unprocessable, detail: detail)
        case .unobserved, .superseded, .unready: answer.problem(.conflict, detail: detail)
        case .notDurable, .full, .busy, .failed, .notChosen:
            answer.unavailable(detail)
        }
    }
}

extension Response {
    /// Sends a function's response with the headers that every page must carry.
    func write(body: [UInt8], durability: Durability?, into answer: inout HTTPAnswer) {
        answer.start(HTTPStatus.of(status))
        for header in PageHeaders.all { answer.field(header.name, header.value) }
        if let durability { answer.field("Quell-Durability", durability.header) }
        answer.send(type: contentType.span, body.span)
    }
}

extension Durability {
    /// The value of `Quell-Durability`.
    var header: StaticString {
        switch self {
        case .quorum: "quorum"
        case .local: "local"
        }
    }
}

extension HTTPStatus {
    /// The statuses that a function may choose; anything else is a bad response.
    static func of(_ code: UInt16) -> HTTPStatus {
        switch code {
        case 200: .ok
        case 404: .notFound
        default: .internalError
        }
    }
}

extension HTTPAnswer {
    /// A whole 200 answer in JSON.
    mutating func json(_ body: (inout JSONWriter) -> Void) {
        json(status: .ok, body)
    }

    /// A whole answer in JSON.
    mutating func json(status: HTTPStatus, _ body: (inout JSONWriter) -> Void) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Limits.jsonAnswerBytes)
        bytes.appendJSON(body)
        start(status)
        send("application/json", bytes.span)
    }

    /// 405 with the methods that would work.
    mutating func methodNotAllowed(_ allowed: StaticString) {
        problem(.methodNotAllowed, "Allow", allowed, "Allowed here: \(allowed).")
    }

    /// 503 with Retry-After.
    mutating func unavailable(_ detail: String) {
        problem(.unavailable, "Retry-After", "2", detail)
    }

    /// A problem document with one more field in its head.
    private mutating func problem(
        _ status: HTTPStatus,
        _ name: StaticString,
        _ value: StaticString,
        _ detail: String
    ) {
        var bytes: [UInt8] = []
        bytes.appendJSON { json in
            json.beginObject()
            json.field("type", "about:blank")
            json.field("title", status.reason)
            json.field("status", status.code)
            json.field("detail", detail)
            json.endObject()
        }
        start(status)
        field(name, value)
        send("application/problem+json", bytes.span)
    }
}

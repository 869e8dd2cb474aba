// A blocking client for one node: one connection, kept alive, every call with a deadline.
//
//     idle ──call──► stale? ─yes─► connect ─┐
//                      └─no───────────────►─┴─ send ─► read ─► answer ─► idle (or closed)
//                                               │ closed before a byte of the answer came, on a
//                                               │ connection that was used before
//                                               └─► once more on a fresh one, if that is harmless
//
// A kept connection that the node closed in the same instant looks exactly like a lost request,
// hence the one repeat, and only for calls that may be done twice. Nothing else is repeated here:
// whether to try another node is the caller's choice.

import Suppression
internal import Wire

/// Talks to one listener of one node; for one thread at a time.
public final class QuellClient {
    private let endpoint: Endpoint
    private let key: String
    private let limits: ClientLimits
    private var parser: AnswerParser
    private var connection: Connection?
    private var buffer: [UInt8]

    /// Prepares a client; the first call connects.
    ///
    /// - Parameters:
    ///   - address: `host:port` or `http://host:port` of a public or an admin listener.
    ///   - key: an API key, or an admin key for an admin listener; empty to send none.
    /// - Throws: `.invalidAddress` only.
    public init(
        address: String,
        key: String,
        limits: ClientLimits = ClientLimits()
    ) throws(ClientError) {
        let endpoint = try Endpoint(address)
        guard key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalidAddress("the key holds characters that no key has; copy it again")
        }
        self.endpoint = endpoint
        self.key = key
        self.limits = limits
        parser = AnswerParser(limits: limits)
        buffer = [UInt8](repeating: 0, count: 16_384)
    }

    /// What a probe such as `/livez` or `/readyz` says against its node; nil for 200.
    public func complaint(_ path: String) throws(ClientError) -> String? {
        let answer = try exchange(Request(.get, path))
        if answer.status == 200 { return nil }
        return String(decoding: answer.body.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// A request to a node.
struct Request {
    enum Method: String {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    let method: Method
    let path: String
    var body: [UInt8]?
    var contentType = "application/json"
    var idempotencyKey: String?
    /// Doing it twice is as good as doing it once.
    var isRepeatable: Bool

    init(_ method: Method, _ path: String, query: [(StaticString, String)] = []) {
        self.method = method
        var target = path
        for (index, (name, value)) in query.enumerated() {
            target += "\(index == 0 ? "?" : "&")\(name)=\(Request.escaped(value))"
        }
        self.path = target
        isRepeatable = true
    }

    /// A request with a JSON object as its body.
    init(post path: String, _ body: (inout JSONWriter) -> Void) {
        self.init(.post, path)
        var bytes: [UInt8] = []
        bytes.appendJSON { json in
            json.beginObject()
            body(&json)
            json.endObject()
        }
        self.body = bytes
    }

    /// Percent-encoding of all that RFC 3986 does not call unreserved.
    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes to send.
    func bytes(to authority: String, key: String) -> [UInt8] {
        var head = "\(method.rawValue) \(path) HTTP/1.1\r\nHost: \(authority)\r\n"
        head += "Accept: application/json\r\n"
        if !key.isEmpty { head += "Authorization: Bearer \(key)\r\n" }
        if let idempotencyKey { head += "Idempotency-Key: \(idempotencyKey)\r\n" }
        if let body {
            head += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        }
        return Array(head.utf8) + Array("\r\n".utf8) + (body ?? [])
    }
}

// MARK: Asking

extension QuellClient {
    /// Asks and reads a JSON answer; every other status than 2xx becomes an error.
    func ask(_ request: Request) throws(ClientError) -> JSONValue {
        let answer = try exchange(request)
        guard (200...299).contains(answer.status) else { throw refusal(answer) }
        return try json(answer)
    }

    /// One request, one answer, whatever its status.
    ///
    /// - Parameter take: gets the body of a 200 as it comes; then only silence, not length, ends
    ///   the call.
    func exchange(
        _ request: Request,
        streaming take: (([UInt8]) -> Void)? = nil
    ) throws(ClientError) -> Answer {
        let deadline = Deadline(afterMillis: limits.answerMillis)
        let bytes = request.bytes(to: endpoint.authority, key: key)
        let kept = connection
        connection = nil
        if let kept, !kept.isStale() {
            do throws(Broken) {
                return try converse(kept, bytes, deadline, take)
            } catch {
                guard case .lost = error, request.isRepeatable else { throw failure(error) }
            }
        }
        let early = deadline.earlier(afterMillis: limits.connectMillis)
        let fresh = try Connection(to: endpoint, deadline: early)
        do throws(Broken) {
            return try converse(fresh, bytes, deadline, take)
        } catch { throw failure(error) }
    }

    /// Sends, reads the answer, and keeps the connection when the answer came whole.
    private func converse(
        _ connection: Connection,
        _ bytes: [UInt8],
        _ deadline: Deadline,
        _ take: (([UInt8]) -> Void)?
    ) throws(Broken) -> Answer {
        parser.begin(streams: take != nil)
        var deadline = deadline
        let isSent = try connection.send(bytes, deadline)
        var isSilent = true
        while true {
            let count = try connection.receive(into: &buffer, deadline, isSilent: isSilent)
            isSilent = false
            if take != nil { deadline = Deadline(afterMillis: limits.answerMillis) }
            defer { if let take { parser.takeBody(take) } }
            switch count == 0 ? parser.finish() : parser.feed(buffer, count: count) {
            case .more: continue
            case .whole(let answer):
                if isSent && answer.keepsAlive { self.connection = connection }
                return answer
            case .broken(let why):
                throw count == 0 ? .closed : .malformed(why)
            }
        }
    }

    private func failure(_ broken: Broken) -> ClientError {
        let text = "\(endpoint.authority): \(broken.text)"
        if case .malformed = broken { return .malformedAnswer(text) }
        return .unreachable(text)
    }

    /// The error for a status that is no success, in the node's own words (RFC 9457).
    func refusal(_ answer: Answer) -> ClientError {
        let problem: JSONValue
        do { problem = try json(answer) } catch { problem = .null }
        let title = oneLine(problem["title"]?.string ?? "")
        let detail = oneLine(problem["detail"]?.string ?? "")
        switch answer.status {
        case 401, 403:
            let words = detail.isEmpty ? "the node refused this key" : detail
            return .notPermitted("\(endpoint.authority): \(words)")
        default:
            let known = title.isEmpty ? "answer of \(endpoint.authority)" : title
            return .refused(status: answer.status, title: known, detail: detail)
        }
    }

    /// The body as a tree.
    func json(_ answer: Answer) throws(ClientError) -> JSONValue {
        var bounds = JSONLimits()
        bounds.bytes = limits.answerBytes
        // 10,000 links are 60,000 values; a node with a longer list is none of ours.
        bounds.values = 1_000_000
        do throws(JSONError) {
            return try JSONValue(parsing: answer.body, limits: bounds)
        } catch {
            throw .malformedAnswer("\(endpoint.authority): the answer is not JSON: \(error)")
        }
    }

    /// The error for JSON that is not the answer to this call.
    func unexpected(_ what: StaticString) -> ClientError {
        .malformedAnswer("\(endpoint.authority): the answer holds no \(what); is it a Quell node?")
    }

    /// Words from the network, safe for a terminal.
    private func oneLine(_ text: String) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(500) {
            let isControl = scalar.properties.generalCategory == .control
            line.append(isControl ? " " : scalar)
        }
        return String(line)
    }
}

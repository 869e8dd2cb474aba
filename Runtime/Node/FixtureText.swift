// Fixtures that people read: a request and an answer of a function at /f/NAME/, as HTTP shows them.
//
//     GET /f/greet/Ada?lang=en            200 text/plain; charset=utf-8
//     Accept-Language: en
//                                         Hello, Ada!
//     (a blank line, then the body)       (a blank line, then the body, to the last byte)
//
// What an answer stages stands in its head: `Suppress: hard_bounce marketing:news a@example.org`,
// with `*` for all mail and `marketing` for a whole stream.
//
// Line ends may be LF or CRLF in the head; the body is taken as it is. Time, request id and seed
// are fixed, so an answer that needs none of chance is the same every time.

import FunctionKit
import Suppression

enum FixtureText {
    /// The wall clock of fixtures: 2023-11-14, as good as any.
    private static let nowMillis: UInt64 = 1_700_000_000_000

    /// Reads a request; throws what is wrong with it, after the file's name.
    static func request(_ bytes: [UInt8], function: String) throws(ConfigError) -> [UInt8] {
        let (head, body) = split(bytes)
        let words = (head.first ?? "").split(separator: " ")
        let methods: [Substring: Method] = [
            "GET": .get, "HEAD": .head, "POST": .post, "OPTIONS": .options,
        ]
        guard words.count == 2, let method = methods[words[0]] else {
            throw ConfigError("line 1 is no request; write `GET /f/\(function)/`")
        }
        let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let prefix = "/f/\(function)"
        guard target[0] == prefix || target[0].hasPrefix(prefix + "/") else {
            throw ConfigError("line 1 asks for \(target[0]); write `\(prefix)/...`")
        }
        var fields: [String: String] = [:]
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else {
                throw ConfigError("`\(line)` is no header; write `Name: value`")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        let request = Request(
            method: method,
            path: Array(target[0].utf8.dropFirst(prefix.utf8.count + 1)),
            query: target.count > 1 ? Array(target[1].utf8) : [],
            body: body,
            contentType: Array((fields["content-type"] ?? "").utf8),
            acceptLanguage: Array((fields["accept-language"] ?? "").utf8),
            nowMillis: nowMillis,
            claims: nil,
            outcome: .direct
        )
        do throws(AbiError) {
            return try Abi.encode(request)
        } catch { throw ConfigError("is longer than a request may be") }
    }

    /// Reads an answer.
    static func answer(_ bytes: [UInt8]) throws(ConfigError) -> [UInt8] {
        let (head, body) = split(bytes)
        let words = (head.first ?? "").split(separator: " ", maxSplits: 1)
        guard words.count == 2, let status = UInt16(words[0]) else {
            throw ConfigError("line 1 is no answer; write `200 text/plain; charset=utf-8`")
        }
        let response = Response(status: status, contentType: Array(words[1].utf8), body: body)
        var context = Context()
        for line in head.dropFirst() { try stage(line, in: &context) }
        guard let encoded = Abi.encode(response, context) else {
            throw ConfigError("is longer than an answer may be")
        }
        return encoded
    }

    private static func stage(_ line: String, in context: inout Context) throws(ConfigError) {
        let words = line.split(separator: " ")
        guard words.count == 4, words[0] == "Suppress:", let reason = Reason(named: "\(words[1])")
        else { throw ConfigError("`\(line)` is no effect; write `Suppress: REASON * ADDRESS`") }
        let scope = words[2].split(separator: ":", maxSplits: 1).map { Array($0.utf8) }
        let isAll = words[2] == "*"
        context.suppress(
            address: Array(words[3].utf8),
            stream: isAll ? [] : scope[0],
            topic: scope.count > 1 ? scope[1] : [],
            reason
        )
    }

    /// The lines before the first empty one, and the bytes after it.
    private static func split(_ bytes: [UInt8]) -> (head: [String], body: [UInt8]) {
        var head: [String] = []
        var at = 0
        while at < bytes.count {
            let end = bytes[at...].firstIndex(of: 0x0a) ?? bytes.count
            var line = bytes[at..<end]
            if line.last == 0x0d { line.removeLast() }
            at = min(end + 1, bytes.count)
            if line.isEmpty { return (head, Array(bytes[at...])) }
            head.append(String(decoding: line, as: UTF8.self))
        }
        return (head, [])
    }
}

// The client against servers that answer well, badly, slowly or not at all: whatever happens, only
// a positive answer is an allow.

import Client
import Suppression
import Testing

private let allow = #"{"results":[{"decision":"allow","reason":null,"since":null}],"node":"n1"}"#

/// What one address gets when each connection ends with these lines.
private func decisions(_ lines: Line...) throws -> [Decision] {
    let node = try Conversations(lines.map { [$0] })
    defer { node.end() }
    let client = try node.client()
    return client.check(stream: "s", addresses: ["a@b.c"]).results.map(\.decision)
}

@Suite struct ClientTests {
    @Test("a whole answer is an allow, however it is cut, chunked too")
    func whole() throws {
        #expect(try decisions(.last(answer(allow))) == [.allow])
        #expect(try decisions(.pieces(answer(allow).map(String.init))) == [.allow])
        let length = String(allow.utf8.count, radix: 16)
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(length)\r\n\(allow)\r\n"
            + "0\r\n\r\n"
        #expect(try decisions(.last(chunked)) == [.allow])
    }

    @Test(
        "anything else is unknown, never allow",
        arguments: [
            .hangUp, .last("garbage\r\n\r\n"), .last(String(answer(allow).dropLast(3))),
            .last(answer("{}")), .last(answer(#"{"results":[]}"#)), .last(answer("not json")),
            .last(answer(#"{"results":[{"decision":"ALLOW"}]}"#)),
            .last(answer(#"{"results":[{"decision":["allow"]}]}"#)),
            .last(answer(#"{"results":[{"decision":"deny","decision":"allow"}]}"#)),
            .last(answer(#"{"results":[{"decision":"allow"},{"decision":"allow"}]}"#)),
            .last(answer(allow, status: "503 Service Unavailable")),
            .last(answer(allow, status: "302 Found")),
        ] as [Line]
    )
    func failClosed(line: Line) throws {
        #expect(try decisions(line) == [.unknown])
    }

    @Test("a server that accepts and says nothing costs the deadline and no more")
    func silence() throws {
        var limits = ClientLimits()
        limits.answerMillis = 20
        let node = try Conversations([[.silence]])
        defer { node.end() }
        let answer = try node.client(limits).check(stream: "s", addresses: ["a@b.c"])
        #expect(answer.results.map(\.decision) == [.unknown])
        #expect(answer.failure == .unreachable("127.0.0.1:\(node.port): no answer in time"))
    }

    @Test("nobody there: unreachable, and unknown")
    func nobody() throws {
        let client = try QuellClient(address: "127.0.0.1:1", key: "")
        let answer = client.check(stream: "s", addresses: ["a@b.c", "d@e.f"])
        #expect(answer.results.map(\.decision) == [.unknown, .unknown])
        guard case .unreachable = answer.failure else {
            Issue.record("\(String(describing: answer.failure))")
            return
        }
    }

    @Test("a wrong key and a refusal are told apart, in the node's own words")
    func refusals() throws {
        let problem = #"{"title":"Unauthorized","status":401,"detail":"This API key is unknown."}"#
        let refused = answer(problem, status: "401 Unauthorized")
        let node = try Conversations([[.say(refused)]])
        defer { node.end() }
        let client = try node.client()
        let error = try #require(throws: ClientError.self) { try client.show(address: "a@b.c") }
        guard case .notPermitted(let why) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(why.contains("This API key is unknown."))
    }

    @Test("an address that is none is refused before anything is sent")
    func addresses() {
        for address in ["", "no port", "http://", "127.0.0.1:99999", "https://a:1"] {
            #expect(throws: ClientError.self) { try QuellClient(address: address, key: "") }
        }
    }
}

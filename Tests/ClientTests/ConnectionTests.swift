// Between calls: what is kept, what is noticed, what is done twice and what never is.

import Client
import Suppression
import Testing

private let allowed = answer(#"{"results":[{"decision":"allow"}],"staleness_ms":7,"node":"n1"}"#)
private let stored = answer(#"{"id":"i1","durability":"quorum"}"#)

private func check(_ client: QuellClient) -> Decision? {
    client.check(stream: "s", addresses: ["a@b.c"]).results.first?.decision
}

struct ConnectionTests {
    @Test("calls share one connection, and a request says what the contract says")
    func keptAlive() throws {
        let node = try Conversations([[.say(allowed), .say(stored)]])
        defer { node.end() }
        let client = try node.client()
        let answer = client.check(stream: "s", topic: "t", addresses: ["a@b.c"])
        #expect(answer.results.map(\.mayBeSent) == [true])
        #expect(answer.stalenessMillis == 7)
        #expect(answer.node == "n1")
        let done = try client.suppress(address: "a\"@b.c", stream: "s", idempotencyKey: "k-1")
        #expect(done.durability == "quorum")
        #expect(node.requests.count == 2)
        #expect(
            node.requests.first == """
                POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1:\(node.port)\r\n\
                Accept: application/json\r\nAuthorization: Bearer qk_test\r\n\
                Content-Type: application/json\r\nContent-Length: 48\r\n\r\n\
                {"stream":"s","topic":"t","addresses":["a@b.c"]}
                """
        )
        let suppression = try #require(node.requests.last)
        #expect(suppression.contains("\r\nIdempotency-Key: k-1\r\n"))
        #expect(
            suppression.hasSuffix(
                #"{"address":"a\"@b.c","stream":"s","topic":"*","reason":"unsubscribe"}"#
            )
        )
    }

    @Test("a node that closes after its answer costs nobody an error")
    func closedWhileIdle() throws {
        let node = try Conversations([[.last(allowed)], [.last(allowed)], [.last(allowed)]])
        defer { node.end() }
        let client = try node.client()
        for _ in 0..<3 { #expect(check(client) == .allow) }
    }

    @Test(
        "a connection closed before a call is seen to be, so that what is never repeated works too"
    )
    func closedBefore() throws {
        let minted = answer(#"{"tenant":"t","name":"n","key":"qk_1","scopes":[]}"#)
        let node = try Conversations([[.last(allowed)], [.last(minted)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(node.waitForClose())
        #expect(try client.addKey(tenant: "t", name: "n", scopes: ["check"]).key == "qk_1")
    }

    @Test("`Connection: close` is obeyed")
    func asksToClose() throws {
        let closing = answer(
            #"{"results":[{"decision":"allow"}]}"#,
            fields: "Connection: close\r\n"
        )
        // A second request on the first connection would be answered with a deny.
        let denied = answer(#"{"results":[{"decision":"deny"}]}"#)
        let node = try Conversations([[.say(closing), .say(denied)], [.say(allowed)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(check(client) == .allow)
    }

    @Test("bytes behind an answer never answer the next call")
    func trailingBytes() throws {
        let denied = answer(#"{"results":[{"decision":"deny"}]}"#)
        let node = try Conversations([[.say(denied + allowed)], [.say(denied)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .deny)
        #expect(check(client) == .deny)
    }

    @Test("a request lost on a kept connection is made once more, with the same idempotency key")
    func repeated() throws {
        let node = try Conversations([[.say(allowed), .hangUp], [.say(stored)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(try client.suppress(address: "a@b.c", stream: "s").id == "i1")
        let requests = node.requests
        try #require(requests.count == 3)
        #expect(requests[1] == requests[2])
        #expect(requests[1].contains("Idempotency-Key: "))
    }

    @Test("once, not twice")
    func repeatedOnce() throws {
        let node = try Conversations([[.say(allowed), .hangUp], [.hangUp], [.say(allowed)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(check(client) == .unknown)
        #expect(node.requests.count == 3)
    }

    @Test("minting a key is never repeated: the first may have made one")
    func neverRepeated() throws {
        let minted = answer(#"{"tenant":"t","name":"n","key":"qk_1","scopes":[]}"#)
        let node = try Conversations([[.say(allowed), .hangUp], [.say(minted)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(
            throws: ClientError.unreachable(
                "127.0.0.1:\(node.port): the connection was closed without an answer"
            )
        ) {
            try client.addKey(tenant: "t", name: "n", scopes: ["check"])
        }
        #expect(node.requests.count == 2)
    }

    @Test("an answer that was begun is never asked for again")
    func cutAnswers() throws {
        let node = try Conversations([[.say(allowed), .last("HTTP/1.1 200")], [.say(allowed)]])
        defer { node.end() }
        let client = try node.client()
        #expect(check(client) == .allow)
        #expect(check(client) == .unknown)
        #expect(check(client) == .allow)
    }

    @Test("two random idempotency keys differ, and one with a line break is refused")
    func idempotencyKeys() throws {
        let node = try Conversations([[.say(stored), .say(stored)]])
        defer { node.end() }
        let client = try node.client()
        for _ in 0..<2 { _ = try client.suppress(address: "a@b.c", stream: "s") }
        #expect(Set(node.requests).count == 2)
        #expect(throws: ClientError.self) {
            try client.suppress(address: "a@b.c", stream: "s", idempotencyKey: "a\r\nX: y")
        }
        #expect(throws: ClientError.self) { try QuellClient(address: "h:1", key: "a\r\nX: y") }
        #expect(node.requests.count == 2)
    }

    @Test("a consent without ids gets them; the answer to one with ids is its count")
    func consents() throws {
        let needed = answer(#"{"title":"Conflict","ids":["i1","i2"]}"#, status: "409 Conflict")
        let other = answer(#"{"title":"Conflict","detail":"no"}"#, status: "409 Conflict")
        let covered = answer(#"{"covered":2}"#)
        let node = try Conversations([[.say(needed), .say(covered), .say(other)]])
        defer { node.end() }
        let client = try node.client()
        func consent(_ observed: [String]?) throws -> ConsentOutcome {
            try client.consent(
                address: "a@b.c",
                stream: "s",
                topic: "t",
                reason: "unsubscribe",
                observed: observed,
                evidence: [(name: "method", value: "phone")]
            )
        }
        guard case .idsNeeded(["i1", "i2"]) = try consent(nil) else {
            Issue.record("no ids")
            return
        }
        guard case .covered(2, _) = try consent(["i1", "i2"]) else {
            Issue.record("not covered")
            return
        }
        #expect(throws: ClientError.refused(status: 409, title: "Conflict", detail: "no")) {
            _ = try consent(["i3"])
        }
        #expect(node.requests[0].hasSuffix(#""evidence":{"method":"phone"}}"#))
        #expect(!node.requests[0].contains("observed"))
        #expect(node.requests[1].contains(#""observed":["i1","i2"]"#))
    }

    @Test("the node's words reach a terminal without its control characters")
    func controls() throws {
        let problem = #"{"title":"Not Found","detail":"a\u001b[2Jb\nc"}"#
        let node = try Conversations([[.say(answer(problem, status: "404 Not Found"))]])
        defer { node.end() }
        let client = try node.client()
        #expect(
            throws: ClientError.refused(status: 404, title: "Not Found", detail: "a [2Jb c")
        ) { try client.tenants() }
        #expect(node.requests.first?.hasPrefix("GET /v1/tenants HTTP/1.1\r\n") == true)
    }

    @Test("query values are escaped, byte by byte")
    func escapes() throws {
        let node = try Conversations([[.say(answer(#"{"marks":[]}"#))]])
        defer { node.end() }
        let client = try node.client()
        #expect(try client.show(address: "ä+b&c=d @e.f\r\n").rows.isEmpty)
        let line = node.requests.first?.prefix { $0 != "\r\n" }
        #expect(
            line == "GET /v1/suppressions?address=%C3%A4%2Bb%26c%3Dd%20%40e.f%0D%0A HTTP/1.1"
        )
    }

    @Test("past 10,000 addresses the rest is asked for too; what fails is unknown, in its place")
    func batches() throws {
        let one = #"{"decision":"allow"}"#
        let many = Array(repeating: one, count: 10_000).joined(separator: ",")
        let first = answer("{\"results\":[\(many)]}")
        let node = try Conversations([
            [.say(first), .say(allowed), .say(first), .hangUp], [.hangUp],
        ])
        defer { node.end() }
        let client = try node.client()
        let addresses = Array(repeating: "a@b.c", count: 10_001)
        let whole = client.check(stream: "s", addresses: addresses)
        #expect(whole.results.count == 10_001)
        #expect(whole.failure == nil)
        #expect(whole.results.count(where: { $0.mayBeSent }) == 10_001)
        let half = client.check(stream: "s", addresses: addresses)
        #expect(half.results.count == 10_001)
        #expect(half.results.count(where: { $0.mayBeSent }) == 10_000)
        #expect(half.results.last?.decision == .unknown)
        #expect(half.failure != nil)
        #expect(client.check(stream: "s", addresses: []).results.isEmpty)
    }
}

// Whole requests over real sockets: order, lifetimes, promises, caps.

import EventLoop
import Servers
import Testing
import Wire

private let host = "Host: h\r\n"

@Suite struct ServerTests {
    @Test("three pipelined requests get three answers in order, in one write")
    func pipelined() throws {
        let rig = try Rig()
        let client = try rig.client(
            "GET /1 HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n"
                + "GET /3 HTTP/1.1\r\n\(host)\r\n"
        )
        rig.until { client.got.hasSuffix("/3") }
        let one = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n/"
        #expect(client.got == one + "1" + one + "2" + one + "3")
        #expect(rig.server.counters.requests == 3)
        rig.close()
    }

    @Test("more requests than one turn serves are all served")
    func fairness() throws {
        let rig = try Rig()
        let one = "GET /x HTTP/1.1\r\n\(host)\r\n"
        let client = Client(String(repeating: one, count: 1_000))
        client.reads = false  // so that no event but the server's own wish moves the loop
        rig.clients.append(
            try Stream.connect(
                on: rig.loop,
                host: "127.0.0.1",
                port: rig.server.ports[0],
                owner: client
            )
        )
        rig.until { rig.routes.served == 1_000 }
        rig.clients[0].startReading()
        rig.until { client.statuses.count == 1_000 }
        rig.close()
    }

    @Test("HEAD has the length and no body, close and 1.0 are kept to")
    func lifetimes() throws {
        let rig = try Rig()
        let head = try rig.client("HEAD /ab HTTP/1.1\r\n\(host)Connection: close\r\n\r\n")
        let old = try rig.client("GET /a HTTP/1.0\r\n\(host)Connection: keep-alive\r\n\r\n")
        let oldest = try rig.client("GET /a HTTP/1.0\r\n\(host)\r\n")
        rig.until { head.hasFinished && oldest.hasFinished && !old.got.isEmpty }
        #expect(
            head.got == "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                + "Content-Length: 3\r\n\r\n"
        )
        #expect(old.got.contains("Connection: keep-alive\r\n") && !old.hasFinished)
        #expect(oldest.got.contains("Connection: close\r\n"))
        rig.close()
    }

    @Test("a refused request is answered as a problem, and the connection ends")
    func problem() throws {
        let rig = try Rig()
        let client = try rig.client("GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\(host)\r\n")
        rig.until { client.hasFinished }
        #expect(client.statuses == ["400"])
        #expect(client.got.contains("Content-Type: application/problem+json\r\n"))
        #expect(client.got.contains("Connection: close\r\n"))
        #expect(client.got.contains("\"status\":400,\"detail\":\"Send one Host field"))
        #expect(rig.server.counters.refused(.hostMissing) == 1)
        #expect(rig.routes.served == 0)
        rig.close()
    }

    @Test("chunks arrive as one body; 100 Continue comes before it is sent")
    func bodies() throws {
        let rig = try Rig()
        let client = try rig.client(
            "POST /echo HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n"
                + "Expect: 100-continue\r\n\r\n"
        )
        rig.until { client.got == "HTTP/1.1 100 Continue\r\n\r\n" }
        client.send("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", on: rig.clients[0])
        rig.until { client.got.hasSuffix("abcdef") }
        #expect(client.statuses == ["100", "200"])
        rig.close()
    }

    @Test("a body over the route's bound is 413 before it is read")
    func tooLarge() throws {
        let rig = try Rig()
        let client = try rig.client("POST /echo HTTP/1.1\r\n\(host)Content-Length: 100001\r\n\r\n")
        rig.until { client.hasFinished }
        #expect(client.statuses == ["413"])
        rig.close()
    }

    @Test("a promised answer comes later, and the next request waits for it")
    func later() throws {
        let rig = try Rig()
        let client = try rig.client(
            "GET /later HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n"
        )
        rig.until { rig.routes.waiting.count == 1 }
        #expect(client.got.isEmpty && rig.routes.served == 1)
        let exchange = rig.routes.waiting[0]
        #expect(rig.server.peer(exchange)?.isEmpty == false)
        let isDone = rig.server.complete(exchange) { answer in
            answer.start(.unavailable)
            answer.field("Retry-After", "1")
            answer.sendEmpty()
        }
        #expect(isDone)
        rig.until { client.got.hasSuffix("/2") }
        #expect(client.statuses == ["503", "200"])
        #expect(!rig.server.complete(exchange) { _ in Issue.record("answered twice") })
        rig.close()
    }

    @Test("an answer for a gone connection is harmless, also when its slot is taken again")
    func completionAfterClose() throws {
        let rig = try Rig()
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 1 }
        let stale = rig.routes.waiting[0]
        rig.clients[0].close()
        // The peer's end is seen while its request waits; it is not the server's end yet.
        let next = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 2 }
        rig.server.complete(stale) { answer in
            answer.start(.ok)
            answer.sendEmpty()
        }
        rig.until { rig.server.counters.open == 1 }
        #expect(!rig.server.complete(stale) { _ in Issue.record("answered a dead request") })
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")  // takes the freed slot
        rig.until { rig.routes.waiting.count == 3 }
        #expect(!rig.server.complete(stale) { _ in Issue.record("answered a stranger") })
        #expect(rig.server.peer(stale) == nil)
        #expect(next.got.isEmpty)
        rig.close()
    }

    @Test("connections over the cap are turned away")
    func cap() throws {
        let rig = try Rig { $0.connections = 1 }
        let first = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { !first.got.isEmpty }
        let second = try rig.client("GET /2 HTTP/1.1\r\n\(host)\r\n")
        rig.until { second.hasFinished }
        #expect(second.got.isEmpty && rig.server.counters.turnedAway == 1)
        rig.close()
    }
}

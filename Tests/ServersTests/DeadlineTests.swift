// What happens to the slow, the silent and the deaf; time is a number that the test passes in.

import EventLoop
import Servers
import Testing
import Wire

private let host = "Host: h\r\n"

@Suite struct DeadlineTests {
    @Test("a head that takes 5 seconds is 408, and not before")
    func slowHead() throws {
        let rig = try Rig()
        let client = try rig.client("GET / HTTP/1.1\r\nHost:")
        rig.until { rig.server.counters.receivedBytes > 0 }
        rig.server.sweep(now: 5_000)
        #expect(rig.server.counters.refused(.headTime) == 0)
        rig.server.sweep(now: 5_001)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["408"])
        rig.close()
    }

    @Test("dripping bytes do not extend a head's time")
    func drip() throws {
        let rig = try Rig()
        let client = try rig.client("GET / HT")
        rig.until { rig.server.counters.receivedBytes == 8 }
        rig.server.sweep(now: 4_000)
        client.send("TP/1.1\r\n", on: rig.clients[0])
        rig.until { rig.server.counters.receivedBytes == 16 }
        rig.server.sweep(now: 5_001)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["408"])
        rig.close()
    }

    @Test("a body has 10 seconds and what the slowest rate adds")
    func slowBody() throws {
        let rig = try Rig()
        let client = try rig.client("POST /echo HTTP/1.1\r\n\(host)Content-Length: 50000\r\n\r\n")
        rig.until { rig.server.counters.receivedBytes > 0 }
        let head = rig.server.counters.receivedBytes
        client.send(String(repeating: "x", count: 16_000), on: rig.clients[0])
        rig.until { rig.server.counters.receivedBytes == head + 16_000 }
        rig.server.sweep(now: 11_000)
        #expect(rig.server.counters.refused(.bodyTime) == 0)
        rig.server.sweep(now: 11_001)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["408"])
        rig.close()
    }

    @Test("a silent kept connection ends without a word after 30 seconds")
    func idle() throws {
        let rig = try Rig()
        let client = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { client.got.hasSuffix("/1") }
        rig.server.sweep(now: 30_000)
        #expect(rig.server.counters.open == 1)
        rig.server.sweep(now: 30_001)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["200"])
        rig.close()
    }

    @Test("a request that waits for its answer has no deadline here")
    func waiting() throws {
        let rig = try Rig()
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 1 }
        rig.server.sweep(now: 1_000_000)
        #expect(rig.server.counters.open == 1)
        rig.close()
    }

    @Test("a reader that stops reading is served no further, and ends after 10 seconds")
    func deaf() throws {
        let rig = try Rig()
        let one = "GET /big HTTP/1.1\r\n\(host)\r\n"
        let client = Client(String(repeating: one, count: 200))
        client.reads = false
        rig.clients.append(
            try Stream.connect(
                on: rig.loop,
                host: "127.0.0.1",
                port: rig.server.ports[0],
                owner: client
            )
        )
        rig.until { rig.server.counters.requests > 0 && rig.loop.isQuiet(rig) }
        #expect(rig.routes.served < 20 && rig.server.counters.open == 1)
        rig.server.sweep(now: 1)
        rig.server.sweep(now: 10_002)
        rig.until { rig.server.counters.open == 0 }
        #expect(rig.server.counters.stalled == 1)
        rig.close()
    }

    @Test("drain ends idle connections, lets the others answer, and then is done")
    func drain() throws {
        let rig = try Rig()
        let idle = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        let busy = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { !idle.got.isEmpty && rig.routes.waiting.count == 1 }
        rig.server.drain()
        rig.until { idle.hasFinished }
        #expect(!rig.server.isDrained && rig.server.ports.isEmpty)
        rig.server.complete(rig.routes.waiting[0]) { answer in
            answer.start(.ok)
            answer.sendEmpty()
        }
        rig.until { rig.server.isDrained }
        #expect(busy.statuses == ["200"] && busy.got.contains("Connection: close\r\n"))
        rig.close()
    }

    @Test("a client that closes its half still gets its answers")
    func halfClose() throws {
        let rig = try Rig()
        let client = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 1 }
        rig.clients[0].shutdown()
        var turns = 0
        rig.until {
            turns += 1
            if turns < 4 { rig.loop.again() }
            return turns == 4
        }
        rig.server.complete(rig.routes.waiting[0]) { answer in
            answer.start(.ok)
            answer.sendEmpty()
        }
        rig.until { client.hasFinished }
        #expect(client.statuses == ["200"])
        rig.close()
    }
}

extension Loop {
    /// True when twenty turns in a row brought no request: the server has stopped serving.
    func isQuiet(_ rig: Rig) -> Bool {
        if rig.quiet.served != rig.routes.served { rig.quiet = (rig.routes.served, 0) }
        rig.quiet.turns += 1
        if rig.quiet.turns < 20 { again() }
        return rig.quiet.turns >= 20
    }
}

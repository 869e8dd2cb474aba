// Answers larger than memory: chunks exactly, a reader that decides the pace, and what ends them.

import EventLoop
import Servers
import Testing
import Wire

private let host = "Host: h\r\n"
private let head =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
    + "Transfer-Encoding: chunked\r\n\r\n"

extension Rig {
    /// Waits for `/later` requests, and begins to answer the last one.
    func beginExport(_ count: Int = 1) -> Exchange {
        until { [routes] in routes.waiting.count == count }
        let exchange = routes.waiting[count - 1]
        let isBegun = server.begin(exchange) { answer in
            answer.start(.ok)
            answer.openStream("application/x-ndjson")
        }
        #expect(isBegun)
        return exchange
    }

    func send(_ text: String, for exchange: Exchange) -> Bool {
        server.send(exchange, Array(text.utf8).span)
    }
}

@Suite struct AnswerStreamTests {
    @Test("an answer comes in chunks, ends with the empty one, and the next request is served")
    func chunks() throws {
        let rig = try Rig()
        let client = try rig.client(
            "GET /later HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n"
        )
        let exchange = rig.beginExport()
        let isFirst = rig.send("{\"a\":1}\n", for: exchange)
        let isEmpty = rig.send("", for: exchange)
        #expect(isFirst && isEmpty)
        rig.until { client.got.hasSuffix("\r\n") && client.got.contains("a") }
        let isNext = rig.send("0123456789ABCDEFG", for: exchange)
        #expect(isNext)
        rig.server.finish(exchange)
        rig.until { client.got.hasSuffix("/2") }
        let body = "8\r\n{\"a\":1}\n\r\n11\r\n0123456789ABCDEFG\r\n0\r\n\r\n"
        #expect(client.got.hasPrefix(head + body + "HTTP/1.1 200 OK\r\n"))
        #expect(!rig.send("late", for: exchange))
        rig.server.finish(exchange)
        rig.close()
        #expect(rig.routes.gone.isEmpty, "it was finished")
    }

    @Test("HTTP/1.0 has no chunks: the connection's end is the answer's, keep-alive or not")
    func old() throws {
        let rig = try Rig()
        let client = try rig.client(
            "GET /later HTTP/1.0\r\n\(host)Connection: keep-alive\r\n\r\n"
        )
        let exchange = rig.beginExport()
        _ = rig.send("one\n", for: exchange)
        _ = rig.send("two\n", for: exchange)
        rig.server.finish(exchange)
        rig.until { client.hasFinished }
        #expect(
            client.got == "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                + "Content-Type: application/x-ndjson\r\n\r\none\ntwo\n"
        )
        rig.close()
    }

    @Test("HEAD has the fields, and not the body")
    func fieldsOnly() throws {
        let rig = try Rig()
        let client = try rig.client(
            "HEAD /later HTTP/1.1\r\n\(host)\r\nGET /2 HTTP/1.1\r\n\(host)\r\n"
        )
        let exchange = rig.beginExport()
        #expect(rig.send(String(repeating: "x", count: 100_000), for: exchange))
        rig.server.finish(exchange)
        rig.until { client.got.hasSuffix("/2") }
        #expect(client.got.contains("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n"))
        rig.close()
    }

    @Test("an answer to a streamed body may be streamed")
    func afterBody() throws {
        let rig = try Rig()
        let client = try rig.client(
            "POST /import HTTP/1.1\r\n\(host)Content-Length: 3\r\n\r\nabc"
                + "GET /2 HTTP/1.1\r\n\(host)\r\n"
        )
        rig.until { rig.routes.ended.count == 1 }
        rig.server.begin(rig.routes.ended[0]) { answer in
            answer.start(.ok)
            answer.openStream("text/plain")
        }
        _ = rig.send("x", for: rig.routes.ended[0])
        rig.server.finish(rig.routes.ended[0])
        rig.until { client.got.hasSuffix("/2") }
        #expect(client.got.contains("\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"))
        rig.close()
    }

    @Test("a writer that was told to wait hears when the queue has fallen, also at once")
    func drainedAtOnce() throws {
        let rig = try Rig()
        let client = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        let exchange = rig.beginExport()
        #expect(rig.send("a", for: exchange))
        #expect(!rig.send(String(repeating: "x", count: 65_536), for: exchange))
        #expect(rig.routes.drains == 0)
        rig.until { rig.routes.drains == 1 }
        rig.pass(turns: 10)
        #expect(rig.routes.drains == 1)
        rig.server.finish(exchange)
        rig.until { client.got.hasSuffix("0\r\n\r\n") }
        rig.close()
    }

    @Test("16 MiB wait for a reader that does not read, and then all of it comes")
    func slowReader() throws {
        let rig = try Rig()
        let client = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n", reads: false)
        client.keeps = false
        let piece = [UInt8](repeating: 0x78, count: 4_096)
        let exchange = rig.beginExport()
        var sent = 0
        func fill() {
            while sent < 4_096 {
                sent += 1
                if !rig.server.send(exchange, piece.span) { return }
            }
            rig.server.finish(exchange)
        }
        rig.routes.onDrained = { _ in fill() }
        fill()
        // Until the kernel's buffers are full: 200 turns without a `drained`.
        var before = -1
        var still = 0
        rig.until {
            still = rig.routes.drains == before ? still + 1 : 0
            before = rig.routes.drains
            if still < 200 { rig.loop.again() }
            return still >= 200
        }
        #expect(sent < 4_096 && rig.routes.drains > 0)
        rig.clients[0].startReading()
        let expected = head.utf8.count + 4_096 * (6 + 4_096 + 2) + 5
        rig.until { client.gotBytes >= expected }
        #expect(client.gotBytes == expected && rig.routes.gone.isEmpty)
        rig.close()
    }

    @Test("a reader that takes nothing for 10 seconds is ended, and the service told once")
    func stalled() throws {
        let rig = try Rig()
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n", reads: false)
        let exchange = rig.beginExport()
        let piece = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<12 { rig.server.send(exchange, piece.span) }
        rig.pass(turns: 50)
        rig.server.sweep(now: 1)
        rig.server.sweep(now: 10_001)
        #expect(rig.routes.gone.isEmpty)
        rig.server.sweep(now: 10_002)
        rig.until { rig.server.counters.open == 0 }
        #expect(rig.server.counters.stalled == 1 && rig.routes.gone == [exchange])
        let isTaken = rig.server.send(exchange, piece.span)
        #expect(!isTaken)
        rig.close()
        #expect(rig.routes.gone.count == 1)
    }

    @Test("a writer that never waits ends its connection past 16 MiB, not the node")
    func overflow() throws {
        let rig = try Rig()
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n", reads: false)
        let exchange = rig.beginExport()
        let piece = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<30 { rig.server.send(exchange, piece.span) }
        rig.until { rig.routes.gone.count == 1 }
        #expect(rig.server.counters.stalled == 1 && rig.server.counters.open == 0)
        rig.close()
    }

    @Test("a reader that goes away is told to the service once")
    func gone() throws {
        let rig = try Rig()
        let client = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        let exchange = rig.beginExport()
        _ = rig.send("x", for: exchange)
        rig.until { client.got.hasSuffix("x\r\n") }
        rig.clients[0].close()
        rig.until {
            _ = rig.send("x", for: exchange)
            rig.loop.again()
            return rig.server.counters.open == 0
        }
        rig.pass(turns: 5)
        #expect(rig.routes.gone == [exchange])
        rig.close()
    }

    @Test("what a slow reader is owed when the connection closes is not cut after 2 seconds")
    func lastAnswerIsWhole() throws {
        let rig = try Rig()
        let client = try rig.client("GET /later HTTP/1.0\r\n\(host)\r\n", reads: false)
        client.keeps = false
        let exchange = rig.beginExport()
        let piece = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<12 { rig.server.send(exchange, piece.span) }
        rig.server.finish(exchange)
        rig.pass(turns: 50)
        rig.server.sweep(now: 5_000)
        rig.clients[0].startReading()
        rig.until { client.hasFinished }
        #expect(client.gotBytes > 12 << 20)
        rig.close()
    }
}

// Bodies without bound: whole whatever their framing, at the service's pace, and let go when lost.

import EventLoop
import Servers
import Testing
import Wire

private let host = "Host: h\r\n"
private let importHead = "POST /import HTTP/1.1\r\n\(host)"

/// Bytes that repeat nowhere near a power of two.
private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 251) } }

/// A body in chunks of odd sizes, from 1 byte to more than a read brings.
private func chunked(_ body: [UInt8]) -> [UInt8] {
    let sizes = [1, 7, 4_093, 70_001, 16, 65_536, 333]
    var framed: [UInt8] = []
    var from = 0
    var turn = 0
    while from < body.count {
        let count = min(sizes[turn % sizes.count], body.count - from)
        framed += Array("\(String(count, radix: 16))\r\n".utf8) + body[from..<from + count]
        framed += [0x0D, 0x0A]
        from += count
        turn += 1
    }
    return framed + Array("0\r\n\r\n".utf8)
}

extension Rig {
    /// Answers every streamed body at its end with the number of bytes that came.
    func answersAtEnd() {
        routes.onEnd = { [self] exchange in
            server.complete(exchange) { answer in
                answer.start(.ok)
                answer.send("text/plain", "\(routes.came.count)")
            }
        }
    }

    func send(_ bytes: [UInt8], to index: Int = 0) { clients[index].write(bytes.span) }
}

@Suite struct BodyStreamTests {
    @Test(
        "5 MiB arrive whole, 64 KiB a turn at most, and the next request is served",
        arguments: [
            false, true,
        ]
    )
    func large(isChunked: Bool) throws {
        let rig = try Rig()
        rig.answersAtEnd()
        let body = pattern(5 << 20)
        let field = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        let client = try rig.client("\(importHead)\(field)\r\n\r\n")
        rig.until { rig.routes.begun.count == 1 }
        rig.send((isChunked ? chunked(body) : body) + Array("GET /2 HTTP/1.1\r\n\(host)\r\n".utf8))
        rig.until { client.got.hasSuffix("/2") }
        #expect(client.statuses == ["200", "200"])
        #expect(client.got.contains("\r\n\r\n5242880"))
        let isSame = rig.routes.came == body
        #expect(isSame)
        #expect(rig.routes.mostInTurn <= 65_536)
        #expect(rig.routes.ended == rig.routes.begun && rig.routes.gone.isEmpty)
        rig.close()
        #expect(rig.routes.gone.isEmpty, "it was answered")
    }

    @Test("a body that came with its head, and one behind another, need no further byte")
    func pipelined() throws {
        let rig = try Rig()
        rig.answersAtEnd()
        let one = "\(importHead)Content-Length: 3\r\n\r\nabc"
        let two = "\(importHead)Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
        let none = "\(importHead)Content-Length: 0\r\n\r\n"
        let client = try rig.client(one + two + none + one)
        rig.until { client.statuses.count == 4 }
        #expect(client.statuses == ["200", "200", "200", "200"])
        #expect(String(decoding: rig.routes.came, as: UTF8.self) == "abcdeabc")
        #expect(rig.routes.begun.count == 3 && rig.routes.served == 1)
        rig.close()
    }

    @Test(
        "while the service takes nothing, no more than two reads are kept",
        arguments: [
            false, true,
        ]
    )
    func paused(isChunked: Bool) throws {
        let rig = try Rig()
        rig.answersAtEnd()
        rig.routes.take = { _ in 0 }
        let body = pattern(5 << 20)
        let field = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        let client = try rig.client("\(importHead)\(field)\r\n\r\n")
        rig.until { rig.routes.begun.count == 1 }
        rig.send(isChunked ? chunked(body) : body)
        rig.until { rig.server.counters.receivedBytes > 65_536 }
        rig.pass(turns: 100)
        #expect(rig.server.counters.receivedBytes <= 2 * 65_536 + 100)
        #expect(rig.routes.came.isEmpty && rig.routes.offers == 1, "one offer until resume")
        rig.routes.take = { max(1, $0 / 2) }
        rig.until {
            for exchange in rig.routes.begun { rig.server.resume(exchange) }
            return rig.routes.came.count > 1 << 20
        }
        rig.routes.take = { $0 }
        rig.server.resume(rig.routes.begun[0])
        rig.until { client.statuses == ["200"] }
        let isSame = rig.routes.came == body
        #expect(isSame)
        rig.close()
    }

    @Test("resume from within receive is not lost")
    func resumeInside() throws {
        let rig = try Rig()
        rig.answersAtEnd()
        rig.routes.take = { _ in 1 }
        rig.routes.onReceive = { rig.server.resume($0) }
        let client = try rig.client("\(importHead)Content-Length: 50\r\n\r\n")
        rig.until { rig.routes.begun.count == 1 }
        rig.send(pattern(50))
        rig.until { client.statuses == ["200"] }
        #expect(rig.routes.came == pattern(50))
        rig.close()
    }

    @Test("a connection that ends in its body is abandoned once", arguments: [false, true])
    func abandoned(isReset: Bool) throws {
        let rig = try Rig()
        // Who closes with unread bytes resets: the 100 that nobody reads.
        let expect = isReset ? "Expect: 100-continue\r\n" : ""
        _ = try rig.client("\(importHead)\(expect)Content-Length: 9\r\n\r\n", reads: !isReset)
        rig.until { rig.routes.begun.count == 1 }
        rig.send(Array("abc".utf8))
        rig.until { rig.routes.came.count == 3 }
        rig.clients[0].close()
        rig.until { rig.routes.gone.count == 1 && rig.server.counters.open == 0 }
        rig.pass(turns: 10)
        #expect(rig.routes.gone == rig.routes.begun && rig.routes.ended.isEmpty)
        #expect(!rig.server.complete(rig.routes.begun[0]) { _ in Issue.record("it is gone") })
        rig.server.resume(rig.routes.begun[0])
        rig.close()
        #expect(rig.routes.gone.count == 1)
    }

    @Test("closing the server abandons what it was receiving")
    func closed() throws {
        let rig = try Rig()
        _ = try rig.client("\(importHead)Content-Length: 9\r\n\r\nabc")
        rig.until { rig.routes.came.count == 3 }
        rig.close()
        #expect(rig.routes.gone == rig.routes.begun)
    }

    @Test("broken chunks are 400 and abandoned once, also while the service is paused")
    func broken() throws {
        let rig = try Rig()
        rig.routes.take = { _ in 0 }
        let head = "\(importHead)Transfer-Encoding: chunked\r\n\r\n"
        let client = try rig.client(head + "5\r\nhello\r\n")
        rig.until { rig.routes.begun.count == 1 }
        rig.send(Array("nothex\r\n".utf8))
        rig.until { client.hasFinished }
        #expect(client.statuses == ["400"])
        #expect(rig.server.counters.refused(.chunkInvalid) == 1)
        #expect(rig.routes.gone == rig.routes.begun && rig.routes.ended.isEmpty)
        rig.until { rig.server.counters.open == 0 }
        #expect(rig.routes.gone.count == 1)
        rig.close()
    }

    @Test("an answer in the middle of the body is sent, and the connection ends")
    func early() throws {
        let rig = try Rig()
        rig.routes.onReceive = { exchange in
            rig.server.complete(exchange) { $0.problem(.contentTooLarge, detail: "Enough.") }
        }
        let client = try rig.client("\(importHead)Content-Length: 1000000\r\n\r\nabc")
        rig.until { !client.got.isEmpty }
        rig.send(pattern(1_000))
        rig.until { client.hasFinished }
        #expect(client.statuses == ["413"])
        #expect(client.got.contains("Connection: close\r\n"))
        #expect(rig.routes.came.count == 3)
        rig.until { rig.server.counters.open == 0 }
        #expect(rig.routes.gone.isEmpty && rig.routes.ended.isEmpty)
        rig.close()
    }

    @Test("a refusal of the head comes without 100, and the body behind it is dropped")
    func refused() throws {
        let rig = try Rig()
        let client = try rig.client(
            "POST /import/no HTTP/1.1\r\n\(host)Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"
        )
        rig.until { client.hasFinished }
        #expect(client.statuses == ["415"] && client.got.contains("Connection: close\r\n"))
        let other = try rig.client(
            "POST /import/no HTTP/1.1\r\n\(host)Content-Length: 9\r\n\r\n"
                + "GET /2 HT"
        )
        rig.until { other.hasFinished }
        #expect(other.statuses == ["415"] && rig.routes.served == 0 && rig.routes.gone.isEmpty)
        rig.close()
    }

    @Test("100 Continue invites the body")
    func invited() throws {
        let rig = try Rig()
        rig.answersAtEnd()
        let client = try rig.client(
            "\(importHead)Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
        rig.until { client.got == "HTTP/1.1 100 Continue\r\n\r\n" }
        rig.send(Array("abc".utf8))
        rig.until { client.statuses == ["100", "200"] }
        rig.close()
    }

    @Test("a body of more than 2^31 bytes is begun")
    func huge() throws {
        let rig = try Rig()
        _ = try rig.client("\(importHead)Content-Length: 8589934592\r\n\r\nabc")
        rig.until { rig.routes.came.count == 3 }
        rig.close()
    }

    @Test("time in which we did not read is not the peer's; silence and slowness are")
    func bodyTime() throws {
        let rig = try Rig()
        rig.routes.take = { _ in 0 }
        let client = try rig.client("\(importHead)Content-Length: 200000\r\n\r\n")
        rig.until { rig.routes.begun.count == 1 }
        let head = rig.server.counters.receivedBytes
        rig.send(pattern(100_000))
        rig.until { rig.server.counters.receivedBytes >= head + 65_536 }
        rig.pass(turns: 20)
        rig.server.sweep(now: 1_000_000)
        #expect(rig.server.counters.refusedInAll == 0)
        rig.routes.take = { $0 }
        rig.server.resume(rig.routes.begun[0])
        rig.until { rig.routes.came.count == 100_000 }
        rig.server.sweep(now: 1_016_250)
        #expect(rig.server.counters.refusedInAll == 0, "10 s and 6.25 s for 100,000 bytes")
        rig.server.sweep(now: 1_016_251)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["408"] && rig.routes.gone == rig.routes.begun)
        rig.close()
    }

    @Test("who sent much may not be silent for long")
    func silence() throws {
        let rig = try Rig()
        let client = try rig.client("\(importHead)Content-Length: 9000000\r\n\r\n")
        rig.until { rig.routes.begun.count == 1 }
        rig.send(pattern(1 << 20))
        rig.until { rig.routes.came.count == 1 << 20 }
        rig.server.sweep(now: 30_000)
        #expect(rig.server.counters.refusedInAll == 0)
        rig.server.sweep(now: 30_001)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["408"])
        rig.close()
    }

    @Test("beside a body as fast as it can, a small request is served in the next turns")
    func fairness() throws {
        let rig = try Rig()
        _ = try rig.client("\(importHead)Content-Length: 16777216\r\n\r\n")
        let other = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.begun.count == 1 && !other.got.isEmpty }
        rig.send(pattern(16 << 20))
        for step in 1...20 {
            rig.until { rig.routes.came.count >= step << 18 }
            let before = (turns: rig.turns, served: rig.routes.served)
            other.send("GET /1 HTTP/1.1\r\n\(host)\r\n", on: rig.clients[1])
            rig.until { rig.routes.served > before.served }
            #expect(rig.turns - before.turns <= 3, "two turns an iteration, and one to begin with")
        }
        #expect(rig.routes.came.count < 16 << 20, "the body was still coming")
        rig.close()
    }
}

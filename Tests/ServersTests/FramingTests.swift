// The framing alone, no socket: what passes, what is refused, and that packets do not matter.

import Testing
import Wire

@testable import Servers

/// What the framing made of some bytes: requests as text, then how it ended.
struct Reading: Equatable {
    var requests: [String] = []
    var refusal: HTTPRefusal?
    var isIdle = true
}

/// Feeds `text` cut at the given places, as a connection would.
func read(_ text: String, cuts: [Int] = [], limit: Int = 1 << 20) -> Reading {
    let bytes = Array(text.utf8)
    var framing = HTTPFraming()
    var reading = Reading()
    var input: [UInt8] = []
    var from = 0
    for cut in cuts + [bytes.count] {
        input += bytes[from..<cut]
        from = cut
        while reading.refusal == nil {
            var step = framing.advance(&input)
            if step == .head { step = framing.allow(bodyBytes: limit) }
            if step == .more, framing.isInBody { step = framing.advance(&input) }
            if case .refused(let refusal) = step { reading.refusal = refusal }
            guard step == .ready else { break }
            reading.requests.append(describe(framing.head, input))
            framing.begin()
        }
        framing.compact(&input)
    }
    reading.isIdle = framing.isIdle(input.span)
    return reading
}

private func describe(_ head: RequestHead, _ input: [UInt8]) -> String {
    func text(_ range: HTTPRange) -> String {
        range.isPresent ? String(decoding: input[range.range], as: UTF8.self) : "-"
    }
    let life = head.keepAlive ? "stay" : "close"
    let parts = [
        "\(head.method)", text(head.path), text(head.query), text(head.host),
        text(head.contentType), text(head.authorization), "1.\(head.minorVersion)", life,
        text(head.body),
    ]
    return parts.joined(separator: " ")
}

@Suite struct FramingTests {
    @Test("reads the fields that Quell reads, trimmed, whatever their case")
    func fields() {
        let reading = read(
            "POST /u/abc?x=1&y HTTP/1.1\r\nHOST:  a.example:80 \r\ncontent-TYPE:\ttext/plain\t\r\n"
                + "Authorization: Bearer k\r\nX-Other: \r\nContent-Length: 4\r\n\r\nbody"
        )
        #expect(
            reading.requests == [
                "post /u/abc x=1&y a.example:80 text/plain Bearer k 1.1 stay body"
            ]
        )
        #expect(reading.isIdle)
    }

    @Test("three requests in one packet are three requests")
    func pipelining() {
        let one = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
        let two = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
        let reading = read(one + two + one)
        #expect(
            reading.requests == [
                "get /a - h - - 1.1 stay ", "post /b - h - - 1.1 stay hi",
                "get /a - h - - 1.1 stay ",
            ]
        )
    }

    @Test("chunks become one body, extensions and trailers are dropped")
    func chunked() {
        let reading = read(
            "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "3\r\nabc\r\n1;x=y\r\nd\r\n00A\r\n0123456789\r\n0\r\nDigest: 9\r\n\r\n"
                + "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        #expect(
            reading.requests == [
                "post /c - h - - 1.1 stay abcd0123456789", "get / - h - - 1.1 stay ",
            ]
        )
    }

    @Test("connection lifetimes follow version and Connection")
    func lifetimes() {
        func life(_ version: String, _ fields: String) -> String {
            let request = read("GET / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n").requests.first
            return request.map { $0.contains("stay") ? "stay" : "close" } ?? "refused"
        }
        #expect(life("1.1", "") == "stay")
        #expect(life("1.1", "Connection: close\r\n") == "close")
        #expect(life("1.1", "Connection: x, Close\r\n") == "close")
        #expect(life("1.0", "") == "close")
        #expect(life("1.0", "Connection: keep-alive\r\n") == "stay")
    }

    @Test("an offer to upgrade is declined by answering as usual")
    func upgrade() {
        let offer = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        #expect(read(offer + offer).requests.count == 2)
    }

    @Test("the absolute form agrees with Host, and * is for OPTIONS")
    func forms() {
        let absolute = "GET http://A.example:8100/p?q HTTP/1.1\r\nHost: a.EXAMPLE:8100\r\n\r\n"
        #expect(read(absolute).requests == ["get /p q a.EXAMPLE:8100 - - 1.1 stay "])
        let star = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(read(star).requests == ["options * - h - - 1.1 stay "])
    }

    @Test("an empty line before a request is refused, because other readers refuse it")
    func emptyLine() {
        #expect(read("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").refusal == .malformed)
    }

    @Test("cutting the bytes anywhere, once or everywhere, changes nothing", arguments: stories)
    func cuts(story: String) {
        let whole = read(story)
        #expect(!whole.requests.isEmpty)
        let count = story.utf8.count
        for cut in 0...count {
            #expect(read(story, cuts: [cut]) == whole, "cut at \(cut)")
        }
        #expect(read(story, cuts: Array(0..<count)) == whole, "cut everywhere")
    }

    @Test("a body in one-byte chunks takes no more memory than the body")
    func chunkMemory() {
        var framing = HTTPFraming()
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        var input = Array(head.utf8)
        #expect(framing.advance(&input) == .head)
        #expect(framing.allow(bodyBytes: 10_000) == .more)
        var most = 0
        for _ in 0..<10_000 {
            input += Array("1;x\r\na\r\n".utf8)
            let step = framing.advance(&input)
            if case .refused(let refusal) = step { #expect(refusal == .chunkExtensions) }
            guard step == .more else { break }
            most = max(most, input.count - head.utf8.count - framing.bodyBytes)
        }
        #expect(most == 0)
        #expect(framing.bodyBytes > 100)
    }

    @Test("a head is as small as it says")
    func headSize() {
        #expect(MemoryLayout<RequestHead>.size <= 96)
    }

    @Test("refusals do not depend on packets either")
    func cutRefusals() {
        for row in refusals {
            let count = row.text.utf8.count
            guard count < 1_000 else { continue }
            let reading = read(row.text, cuts: Array(0..<count))
            #expect(reading.refusal == row.refusal, "\(row.why)")
        }
    }
}

/// Streams of requests that are all in order.
private let stories = [
    "GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\n\r\n",
    "POST /u/t HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        + "Content-Length: 26\r\n\r\nList-Unsubscribe=One-ClickGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;n=v\r\nhello\r\n"
        + "7\r\n, world\r\n0\r\nX-T: 1\r\n\r\nGET /d HTTP/1.0\r\nHost: h\r\n\r\n",
    "PUT /e HTTP/1.1\r\nHost: h\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
        + "DELETE http://h/f HTTP/1.1\r\nHost: h\r\n\r\n",
]

@Suite struct StreamedFramingTests {
    /// Feeds `text` cut at the given places and takes the body in odd pieces; then the framing of
    /// what follows it.
    private func stream(_ text: String, cuts: [Int]) -> (body: String, next: Bool) {
        let bytes = Array(text.utf8)
        var framing = HTTPFraming()
        var input: [UInt8] = []
        var body: [UInt8] = []
        var from = 0
        var isNext = false
        for cut in cuts + [bytes.count] {
            input += bytes[from..<cut]
            from = cut
            if !framing.isWhole {
                var step = framing.advance(&input)
                if step == .head {
                    framing.stream(&input)
                    step = framing.advance(&input)
                }
            }
            while !framing.pending.isEmpty {
                let count = min(3, framing.pending.count)
                body += input[framing.pending.prefix(count)]
                framing.take(count, of: &input)
            }
            if framing.isWhole, !isNext {
                isNext = true
                framing.begin()
                framing.compact(&input)
                _ = framing.advance(&input)
            }
        }
        return (String(decoding: body, as: UTF8.self), isNext && framing.isWhole)
    }

    @Test(
        "a streamed body is the whole body, wherever it is cut",
        arguments: [
            "Content-Length: 12\r\n\r\nhello, world",
            "Transfer-Encoding: chunked\r\n\r\n5;n=v\r\nhello\r\n7\r\n, world\r\n0\r\nX: 1\r\n\r\n",
        ]
    )
    func cuts(rest: String) {
        let next = "GET /d HTTP/1.1\r\nHost: h\r\n\r\n"
        let text = "POST /c HTTP/1.1\r\nHost: h\r\n" + rest
        for cut in 0...text.utf8.count {
            let read = stream(text + next, cuts: [cut])
            #expect(read.body == "hello, world" && read.next, "cut at \(cut)")
        }
        let count = text.utf8.count
        let everywhere = stream(text + next, cuts: Array(0...count))
        #expect(everywhere.body == "hello, world" && everywhere.next)
    }
}

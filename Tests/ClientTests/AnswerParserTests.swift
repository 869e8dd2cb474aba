// The reading of answers alone: cut anywhere, too long, too short, followed by more.

import Testing

@testable import Client

private func feed(_ text: String, limits: ClientLimits = ClientLimits()) -> AnswerParser.Progress {
    let parser = AnswerParser(limits: limits)
    parser.begin()
    let bytes = Array(text.utf8)
    return parser.feed(bytes, count: bytes.count)
}

private func isBroken(_ progress: AnswerParser.Progress) -> Bool {
    if case .broken = progress { true } else { false }
}

struct AnswerParserTests {
    static let answers: [(String, Answer)] = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Answer(status: 200, body: Array("hello".utf8), keepsAlive: true)
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n"
                + "Trailer: x\r\n\r\n",
            Answer(status: 200, body: Array("hello".utf8), keepsAlive: true)
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Answer(status: 404, body: [], keepsAlive: true)
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            Answer(status: 200, body: [0x78], keepsAlive: false)
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", Answer(status: 204, body: [], keepsAlive: true)),
    ]

    @Test("reads the same answer wherever it is cut in two", arguments: answers.indices)
    func cuts(index: Int) {
        let (text, answer) = AnswerParserTests.answers[index]
        let bytes = Array(text.utf8)
        let parser = AnswerParser(limits: ClientLimits())
        for cut in 1..<bytes.count {
            parser.begin()
            let head = Array(bytes[..<cut])
            let tail = Array(bytes[cut...])
            #expect(parser.feed(head, count: head.count) == .more)
            #expect(parser.feed(tail, count: tail.count) == .whole(answer))
        }
        parser.begin()
        #expect(parser.feed(bytes + [0, 0], count: bytes.count) == .whole(answer))
    }

    @Test("cut short is never whole", arguments: answers.indices)
    func short(index: Int) {
        let bytes = Array(AnswerParserTests.answers[index].0.utf8)
        let parser = AnswerParser(limits: ClientLimits())
        for count in 1..<bytes.count {
            parser.begin()
            #expect(parser.feed(bytes, count: count) == .more)
            #expect(isBroken(parser.finish()))
        }
    }

    @Test("without a length the answer ends with the connection, which is not kept")
    func untilClosed() {
        let parser = AnswerParser(limits: ClientLimits())
        parser.begin()
        let bytes = Array("HTTP/1.1 200 OK\r\n\r\nhello".utf8)
        #expect(parser.feed(bytes, count: bytes.count) == .more)
        let whole = Answer(status: 200, body: Array("hello".utf8), keepsAlive: false)
        #expect(parser.finish() == .whole(whole))
    }

    @Test("whatever stands behind the answer, the connection is not kept")
    func trailing() {
        for behind in ["x", "\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + behind
            #expect(feed(text) == .whole(Answer(status: 200, body: [], keepsAlive: false)))
        }
    }

    @Test(
        "what is not HTTP, or not safely framed, is broken",
        arguments: [
            "garbage\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "\u{0}",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "220 smtp\r\n",
        ]
    )
    func notHTTP(text: String) {
        #expect(isBroken(feed(text)))
    }

    @Test("body, head and framing have their limits, and the limit itself still passes")
    func limits() {
        var limits = ClientLimits()
        limits.answerBytes = 4
        limits.headBytes = 64
        let head = "HTTP/1.1 200 OK\r\n"
        let whole = Answer(status: 200, body: Array("1234".utf8), keepsAlive: true)
        #expect(feed(head + "Content-Length: 4\r\n\r\n1234", limits: limits) == .whole(whole))
        #expect(
            feed(head + "Content-Length: 5\r\n\r\n12345", limits: limits)
                == .broken("the answer is longer than 4 bytes")
        )
        let chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n"
        #expect(
            feed(head + chunked, limits: limits) == .broken("the answer is longer than 4 bytes")
        )
        let long = "X: " + String(repeating: "y", count: 60)
        #expect(
            feed(head + long, limits: limits)
                == .broken("the head of the answer is longer than 64 bytes")
        )
        let endless = "Transfer-Encoding: chunked\r\n\r\n1;" + String(repeating: "z", count: 99)
        #expect(isBroken(feed(head + endless, limits: limits)))
        let interim = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 9)
        #expect(isBroken(feed(interim, limits: limits)))
    }

    @Test("an address is a host and a port, in a few spellings")
    func endpoints() throws {
        for (text, host, port) in [
            ("127.0.0.1:8100", "127.0.0.1", "8100"), ("http://a.example:1/", "a.example", "1"),
            ("http://a.example", "a.example", "80"), ("[::1]:8100", "::1", "8100"),
            ("http://[::1]", "::1", "80"), ("node-1:65535", "node-1", "65535"),
        ] {
            let endpoint = try Endpoint(text)
            #expect(endpoint.host == host)
            #expect(endpoint.port == port)
        }
        #expect(try Endpoint("[::1]:8100").authority == "[::1]:8100")
        for text in [
            "", ":1", "a", "a:", "a:0", "a:65536", "a:1x", "a:+1", "a:1/path", "http://a/b",
            "http://u@a:1", "ftp://a:1", "https://a:1", "[::1", "[::1]8", "::1:80", "a b:1",
            "a\r\nX:1", "http://",
        ] {
            #expect(throws: ClientError.self, "\(text)") { try Endpoint(text) }
        }
    }
}

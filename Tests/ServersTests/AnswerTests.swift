// One answer's bytes, exactly: lengths patched in, values that cannot begin a second field.

import Testing
import Wire

private func write(
    isHead: Bool = false,
    closes: Bool = false,
    _ body: (inout HTTPAnswer) -> Void
) -> String {
    var answer = HTTPAnswer(
        after: Array("before|".utf8),
        isHead: isHead,
        closes: closes,
        keepsOldAlive: false
    )
    body(&answer)
    #expect(answer.isComplete)
    return String(decoding: answer.finish(), as: UTF8.self)
}

@Suite struct AnswerTests {
    @Test("an answer follows what the buffer held")
    func plain() {
        let text = write { answer in
            answer.start(.ok)
            answer.field("Quell-Durability", "quorum")
            answer.send("text/plain", "hi")
        }
        #expect(
            text == "before|HTTP/1.1 200 OK\r\nQuell-Durability: quorum\r\n"
                + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
        )
    }

    @Test("a value cannot begin a second field")
    func injection() {
        let text = write { answer in
            answer.start(.ok)
            answer.field("Location", "/a\r\nSet-Cookie: b\u{0}\u{7F}")
            answer.sendEmpty()
        }
        #expect(text.contains("Location: /a  Set-Cookie: b  \r\n"))
        #expect(!text.contains("\nSet-Cookie"))
    }

    @Test("an open body's length is patched in, right-aligned", arguments: [0, 9, 10, 12_345])
    func patched(count: Int) {
        let text = write { answer in
            answer.start(.ok)
            answer.openBody("text/plain")
            for _ in 0..<count { answer.append(0x61 as UInt8) }
            answer.closeBody()
        }
        let digits = String(repeating: " ", count: 11 - "\(count)".count) + "\(count)"
        #expect(text.contains("\r\nContent-Length:\(digits)\r\n\r\n"))
        #expect(text.hasSuffix("\r\n\r\n" + String(repeating: "a", count: count)))
    }

    @Test("HEAD has an open body's length, not the body; 204 has neither")
    func bodiless() {
        let head = write(isHead: true) { answer in
            answer.start(.ok)
            answer.openBody("text/plain")
            answer.append("body")
            answer.closeBody()
        }
        #expect(head.hasSuffix("4\r\n\r\n"))
        let none = write(closes: true) { answer in
            answer.start(.noContent)
            answer.sendEmpty()
        }
        #expect(none == "before|HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    }

    @Test("a problem is JSON whatever its words are")
    func problem() {
        let text = write { answer in
            answer.problem(.conflict, type: "urn:quell:observed", detail: "say \"ids\"\n\u{1}\\")
        }
        #expect(text.contains("Content-Type: application/problem+json\r\n"))
        #expect(
            text.hasSuffix(
                "{\"type\":\"urn:quell:observed\",\"title\":\"Conflict\",\"status\":409,"
                    + "\"detail\":\"say \\\"ids\\\"\\u000a\\u0001\\\\\"}\n"
            )
        )
    }

    @Test("a number that functions choose is a status we know, or none")
    func codes() {
        #expect(HTTPStatus(code: 422) == .unprocessable)
        #expect(HTTPStatus(code: 299) == nil)
        #expect(HTTPStatus.contentTooLarge.reason == "Content Too Large")
    }
}

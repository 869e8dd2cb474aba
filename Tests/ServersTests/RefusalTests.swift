// A table of requests that must not pass, and why: the attacks on framing of the last ten years.
//
// Sources: RFC 9112 (2.2, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1), CVE-2021-22959, CVE-2023-30589,
// CVE-2023-38697, CVE-2024-22019.

import Testing
import Wire

@testable import Servers

/// One request that is refused.
struct Refused: Sendable, CustomTestStringConvertible {
    let why: String
    let refusal: HTTPRefusal
    let text: String

    init(_ why: String, _ refusal: HTTPRefusal, _ text: String) {
        self.why = why
        self.refusal = refusal
        self.text = text
    }

    var testDescription: String { why }
}

/// A GET with these fields between Host and the end.
private func get(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n" }

/// A chunked POST with this body.
private func chunked(_ body: String) -> String {
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

private func long(_ count: Int) -> String { String(repeating: "a", count: count) }

let refusals: [Refused] = [
    Refused("LF after the request line", .bareLineEnd, "GET / HTTP/1.1\nHost: h\r\n\r\n"),
    Refused("LF after a field", .bareLineEnd, "GET / HTTP/1.1\r\nHost: h\n\r\n"),
    Refused("LF as the empty line", .bareLineEnd, "GET / HTTP/1.1\r\nHost: h\r\n\n"),
    Refused("CR in a value", .bareLineEnd, get("A: b\rc\r\n")),
    Refused("CR CR LF", .bareLineEnd, get("A: b\r\r\n")),
    Refused("folded with a space", .foldedField, get("A: b\r\n c\r\n")),
    Refused("folded with a tab", .foldedField, get("A: b\r\n\tc\r\n")),
    Refused("blank before the first field", .foldedField, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"),
    Refused("space before the colon", .badFieldName, get("Content-Length : 0\r\n")),
    Refused("no name", .badFieldName, get(": b\r\n")),
    Refused("no colon", .badFieldName, get("lonely\r\n")),
    Refused("a name that is no token", .malformed, get("A(b): c\r\n")),
    Refused("NUL in a value", .controlByte, get("A: b\u{0}c\r\n")),
    Refused("ESC in a value", .controlByte, get("A: \u{1B}[1m\r\n")),
    Refused("DEL in a value", .controlByte, get("A: \u{7F}\r\n")),
    Refused("NUL in the target", .controlByte, "GET /\u{0} HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("UTF-8 in the target", .controlByte, "GET /\u{E9} HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("a TLS hello", .controlByte, "\u{16}\u{3}\u{1}"),
    Refused("no Host", .hostMissing, "GET / HTTP/1.1\r\n\r\n"),
    Refused("no Host in 1.0", .hostMissing, "GET / HTTP/1.0\r\n\r\n"),
    Refused("two Hosts", .hostRepeated, get("Host: h\r\n")),
    Refused("an empty second Host", .hostRepeated, get("Host:\r\n")),
    Refused("an empty Host", .hostInvalid, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    Refused("two hosts in one Host", .hostInvalid, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Refused("user in Host", .hostInvalid, "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"),
    Refused("path in Host", .hostInvalid, "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"),
    Refused("other authority", .hostMismatch, "GET http://g/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("user in the target", .hostMismatch, "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("no path in the target", .targetInvalid, "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("other scheme", .targetInvalid, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("GET *", .targetInvalid, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("fragment", .targetInvalid, "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused(
        "CL + TE",
        .lengthAndCoding,
        get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")
    ),
    Refused(
        "TE + CL",
        .lengthAndCoding,
        get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")
    ),
    Refused("equal lengths", .lengthRepeated, get("Content-Length: 0\r\nContent-Length: 0\r\n")),
    Refused("listed lengths", .lengthInvalid, get("Content-Length: 0, 0\r\n")),
    Refused("signed length", .lengthInvalid, get("Content-Length: +1\r\n")),
    Refused("negative length", .lengthInvalid, get("Content-Length: -1\r\n")),
    Refused("empty length", .lengthInvalid, get("Content-Length:\r\n")),
    Refused("hex length", .lengthInvalid, get("Content-Length: 0x1\r\n")),
    Refused("length of 2^31", .body, get("Content-Length: 2147483648\r\n")),
    Refused("length of 2^64", .lengthInvalid, get("Content-Length: 18446744073709551616\r\n")),
    Refused("gzip", .codingUnknown, get("Transfer-Encoding: gzip, chunked\r\n")),
    Refused("xchunked", .codingUnknown, get("Transfer-Encoding: xchunked\r\n")),
    Refused("identity", .codingUnknown, get("Transfer-Encoding: identity\r\n")),
    Refused("chunked twice", .codingUnknown, get("Transfer-Encoding: chunked, chunked\r\n")),
    Refused(
        "two codings",
        .codingUnknown,
        get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
    ),
    Refused(
        "chunks in 1.0",
        .codingTooEarly,
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    Refused("two keys", .fieldRepeated, get("Authorization: a\r\nAuthorization: b\r\n")),
    Refused("two types", .fieldRepeated, get("Content-Type: a\r\nContent-Type: a\r\n")),
    Refused("signed chunk", .chunkInvalid, chunked("+1\r\na\r\n0\r\n\r\n")),
    Refused("0x chunk", .chunkInvalid, chunked("0x1\r\na\r\n0\r\n\r\n")),
    Refused("blank after a chunk size", .chunkInvalid, chunked("1 \r\na\r\n0\r\n\r\n")),
    Refused("nine digits", .chunkInvalid, chunked("000000001\r\na\r\n0\r\n\r\n")),
    Refused("empty chunk size", .chunkInvalid, chunked("\r\na\r\n0\r\n\r\n")),
    Refused("LF after a chunk size", .bareLineEnd, chunked("1\na\r\n0\r\n\r\n")),
    Refused("chunk longer than told", .chunkInvalid, chunked("1\r\nab\r\n0\r\n\r\n")),
    Refused("LF after a chunk", .chunkInvalid, chunked("1\r\na\n0\r\n\r\n")),
    Refused("LF after an extension", .bareLineEnd, chunked("1;a=b\nc\r\n0\r\n\r\n")),
    Refused("257 bytes of extensions", .chunkExtensions, chunked("1;\(long(257))\r\na\r\n")),
    Refused("LF after a trailer", .bareLineEnd, chunked("0\r\nA: b\n\r\n")),
    Refused("folded trailer", .foldedField, chunked("0\r\nA: b\r\n c\r\n\r\n")),
    Refused("trailer without a name", .badFieldName, chunked("0\r\n:: y\r\n\r\n")),
    Refused("trailer without a colon", .badFieldName, chunked("0\r\nhello\r\n\r\n")),
    Refused("blank before a trailer's colon", .badFieldName, chunked("0\r\nA : y\r\n\r\n")),
    Refused("no token as a trailer's name", .badFieldName, chunked("0\r\nA(b): y\r\n\r\n")),
    Refused("length in a trailer", .trailers, chunked("0\r\nX: y\r\ncontent-Length: 0\r\n\r\n")),
    Refused("coding in a trailer", .trailers, chunked("0\r\nTransfer-Encoding: \r\n\r\n")),
    Refused("4 KiB of trailers", .trailers, chunked("0\r\nA: \(long(4_200))\r\n\r\n")),
    Refused("HTTP/2.0", .version, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    Refused("HTTP/0.9", .version, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
    Refused("HTTP/1.2", .version, "GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
    Refused("no version", .malformed, "GET /\r\nHost: h\r\n\r\n"),
    Refused("two blanks", .malformed, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("CONNECT", .method, "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
    Refused("unknown method", .method, "FROB / HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("other expectation", .expectation, get("Expect: 200-ok\r\n")),
    Refused("9 KiB of target", .requestLine, "GET /\(long(9_000)) HTTP/1.1\r\nHost: h\r\n\r\n"),
    Refused("9 KiB of a target that does not end", .requestLine, "GET /\(long(9_000))"),
    Refused("17 KiB of fields", .headerBlock, get("A: \(long(17_000))\r\n")),
    Refused("65 fields", .headerFields, get(String(repeating: "A: b\r\n", count: 64))),
    Refused("body over the bound", .body, get("Content-Length: 2000000\r\n")),
    Refused("chunk over the bound", .body, chunked("200000\r\n")),
]

@Suite struct RefusalTests {
    @Test("refuses before any service sees it", arguments: refusals)
    func refused(row: Refused) {
        let reading = read(row.text)
        #expect(reading.refusal == row.refusal)
        #expect(reading.requests.isEmpty)
    }

    @Test("what lies just within the bounds passes")
    func within() {
        let line = "GET /" + long(8_192 - 16) + " HTTP/1.1\r\n"
        #expect(line.utf8.count == 8_192)
        #expect(read(line + "Host: h\r\n\r\n").requests.count == 1)
        #expect(read(get(String(repeating: "A: b\r\n", count: 63))).requests.count == 1)
        #expect(read(chunked("1;\(long(254))\r\na\r\n0\r\n\r\n")).requests.count == 1)
        #expect(read(chunked("00000001\r\na\r\n0\r\n\r\n")).requests.count == 1)
        let trailers = "Content-Lengt: 1\r\nContent-Length1: 1\r\nXTransfer-Encoding: x\r\n"
        #expect(read(chunked("0\r\n" + trailers + "\r\n")).requests.count == 1)
        #expect(read(get("Content-Length: 0002\r\n") + "ab").requests.count == 1)
    }

    @Test("every refusal has a status of an error and words that help")
    func words() {
        for refusal in HTTPRefusal.allCases {
            #expect((400...505).contains(refusal.status.code))
            #expect(refusal.detail.hasSuffix("."))
        }
    }
}

// The body that unsubscribes somebody: every way to say it, and everything that must not count as
// it.

import Testing

@testable import FunctionKit

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private let urlencoded = "application/x-www-form-urlencoded"
private let multipart = "multipart/form-data; boundary=X1"

private func part(_ name: String, _ value: String) -> String {
    "--X1\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
}

private let pair = part("List-Unsubscribe", "One-Click")
private let trailing = part("List-Unsubscribe", "One-Click\n")
private let cut = String(pair.dropFirst())

private let disposition = "Content-Disposition: form-data; name=\"List-Unsubscribe\""
private let bareLines = "--X1\n\(disposition)\n\nOne-Click\n"
private let unquoted =
    "--X1 \r\nX: y\r\ncontent-disposition:form-data;name=List-Unsubscribe\r\n\r\nOne-Click\r\n"

private func intent(_ type: String, _ body: String, _ method: Method = .post) -> Intent {
    Intent.of(method: method, contentType: bytes(type), body: bytes(body))
}

@Suite struct FormTests {
    @Test(
        "RFC 8058's pair is found in both encodings",
        arguments: [
            (urlencoded, "List-Unsubscribe=One-Click"),
            ("\(urlencoded); charset=utf-8", "List-Unsubscribe=One-Click"),
            ("APPLICATION/X-WWW-Form-urlencoded", "List-Unsubscribe=One-Click"),
            ("", "List-Unsubscribe=One-Click"),
            (urlencoded, "List-Unsubscribe=One-Click\r\n"),
            (urlencoded, "a=b&List-Unsubscribe=One-Click&c"),
            (urlencoded, "List%2DUnsubscribe=One%2dClick"),
            (multipart, "\(pair)--X1--\r\n"),
            (multipart, "\(pair)--X1--"),
            (multipart, "\r\n\(pair)--X1--"),
            (multipart, "\(part("a", "b"))\(pair)--X1--\r\n"),
            (
                "Multipart/Form-Data; charset=x; BOUNDARY=\"X1\"",
                "\(pair)--X1--\r\n"
            ),
            (
                multipart,
                "\(unquoted)--X1--"
            ),
        ] as [(String, String)]
    )
    func oneClick(type: String, body: String) {
        #expect(intent(type, body) == .oneClick)
    }

    @Test(
        "nothing else is RFC 8058's pair",
        arguments: [
            (urlencoded, ""), (urlencoded, "List-Unsubscribe"), (urlencoded, "List-Unsubscribe="),
            (urlencoded, "list-unsubscribe=One-Click"), (urlencoded, "List-Unsubscribe=one-click"),
            (urlencoded, "List-Unsubscribe=One-Click%0A"),
            (urlencoded, "List-Unsubscribe=One-Click "),
            (urlencoded, "List-Unsubscribe=One-Click&List-Unsubscribe=no"),
            (urlencoded, "List-Unsubscribe=One-Click&x=%zz"),
            (urlencoded, "List-Unsubscribe=One-Click&x=%2"),
            ("text/plain", "List-Unsubscribe=One-Click"),
            ("application/json", "{\"List-Unsubscribe\":\"One-Click\"}"),
            ("\(urlencoded)x", "List-Unsubscribe=One-Click"),
            (multipart, "List-Unsubscribe=One-Click"),
            (multipart, pair),
            (multipart, "\(pair)--X1"),
            (multipart, "\(pair)--X2--"),
            (multipart, "\(cut)--X1--"),
            (multipart, "\(trailing)--X1--"),
            (
                multipart,
                "\(bareLines)--X1--"
            ),
            (multipart, "--X1\r\nContent-Disposition: form-data\r\n\r\nOne-Click\r\n--X1--"),
            (multipart, "--X1\r\n\r\nOne-Click\r\n--X1--"),
            ("multipart/form-data", "\(pair)--X1--"),
            ("multipart/form-data; boundary=", "\(pair)--X1--"),
            ("multipart/form-data; xboundary=X1", "\(pair)--X1--"),
        ] as [(String, String)]
    )
    func notOneClick(type: String, body: String) {
        #expect(intent(type, body) == .page)
    }

    @Test("only a POST asks for anything")
    func methods() {
        for method in [Method.get, .head, .options, .other] {
            #expect(intent(urlencoded, "List-Unsubscribe=One-Click", method) == .page)
            #expect(intent(urlencoded, "confirm=1", method) == .page)
        }
    }

    @Test("the page's own buttons are understood, and one-click wins over them")
    func buttons() {
        #expect(intent(urlencoded, "confirm=1") == .confirm(all: false))
        #expect(intent(urlencoded, "confirm=1&scope=all") == .confirm(all: true))
        #expect(intent(urlencoded, "confirm=1&scope=some") == .confirm(all: false))
        #expect(intent(urlencoded, "confirm=2") == .page)
        #expect(intent(urlencoded, "scope=all") == .page)
        #expect(intent(urlencoded, "undo=AbC-_9") == .undo(token: bytes("AbC-_9")))
        #expect(intent(urlencoded, "undo=") == .undo(token: []))
        #expect(intent(urlencoded, "confirm=1&List-Unsubscribe=One-Click") == .oneClick)
        #expect(intent(multipart, part("confirm", "1") + "--X1--") == .confirm(all: false))
    }

    @Test("values are decoded, the first of a name counts, and + is a blank")
    func values() throws {
        let form = try Form(urlencoded: bytes("a=1+2%2B3&a=9&b=&&c&d=x=y&address=%61%40b.c"))
        #expect(form.value(of: "a") == bytes("1 2+3"))
        #expect(form.value(of: "b") == [])
        #expect(form.value(of: "c") == [])
        #expect(form.value(of: "d") == bytes("x=y"))
        #expect(form.value(of: "address") == bytes("a@b.c"))
        #expect(form.value(of: "e") == nil)
        #expect(form.values(of: "a") == [bytes("1 2+3"), bytes("9")])
        #expect(form.values(of: "e") == [])
        let parts = try Form(
            contentType: bytes(multipart),
            body: bytes(part("a", "1+2%41\r\n--X") + "--X1--")
        )
        #expect(parts.value(of: "a") == bytes("1+2%41\r\n--X"))
    }

    @Test("forms are bounded in bytes, fields, header lines and boundary")
    func bounds() throws {
        let many = (0..<40).map { "f\($0)=1" }.joined(separator: "&")
        #expect(try Form(urlencoded: bytes(many)).value(of: "f39") == bytes("1"))
        #expect(throws: FormError.tooLarge) { try Form(urlencoded: bytes(many + "&g=1")) }
        #expect(throws: FormError.tooLarge) {
            try Form(urlencoded: [UInt8](repeating: 0x61, count: 4_097))
        }
        let parts = String(repeating: part("a", "1"), count: 41) + "--X1--"
        #expect(throws: FormError.tooLarge) {
            try Form(contentType: bytes(multipart), body: bytes(parts))
        }
        let headers = String(repeating: "X: y\r\n", count: 9)
        #expect(throws: FormError.tooLarge) {
            try Form(
                contentType: bytes(multipart),
                body: bytes("--X1\r\n\(headers)\r\nv\r\n--X1--")
            )
        }
        let long = String(repeating: "b", count: 71)
        #expect(throws: FormError.malformed) {
            try Form(
                contentType: bytes("multipart/form-data; boundary=\(long)"),
                body: bytes("--\(long)--")
            )
        }
    }

    @Test("no cut or changed body crashes the parser, and no change of the pair passes for it")
    func mangled() {
        let whole = bytes("\(pair)--X1--\r\n")
        for count in 0..<whole.count {
            _ = Intent.of(
                method: .post,
                contentType: bytes(multipart),
                body: Array(whole[..<count])
            )
        }
        let pair = bytes("List-Unsubscribe=One-Click")
        for at in 0..<pair.count {
            for byte in UInt8(0)...255 where byte != pair[at] {
                var changed = pair
                changed[at] = byte
                let found = Intent.of(method: .post, contentType: bytes(urlencoded), body: changed)
                #expect(found == .page, "\(at) \(byte)")
            }
        }
    }

    @Test("percent-decoding refuses what is no pair of digits")
    func percent() {
        func decode(_ text: String, plus: Bool = false) -> [UInt8]? {
            let raw = bytes(text)
            return Percent.decode(raw.span, in: 0..<raw.count, plusIsSpace: plus)
        }
        #expect(decode("a%2Fb%c3%A9") == bytes("a/b\u{E9}"))
        #expect(decode("a+b") == bytes("a+b"))
        #expect(decode("a+b", plus: true) == bytes("a b"))
        for text in ["%", "%2", "a%", "%g0", "%0g", "%%20"] { #expect(decode(text) == nil) }
    }

    @Test("escaped text cannot become markup or leave its attribute")
    func escaping() {
        var out: [UInt8] = []
        out.append(escaped: bytes("<b a=\"x\" 'y'>&\u{0}\n\u{E9}"))
        #expect(out == bytes("&lt;b a=&quot;x&quot; &#39;y&#39;&gt;&amp;  \u{E9}"))
    }
}

// Every class of reference/domain.md 3.4: what is one mailbox has one form, what is none is
// refused.

import Testing

@testable import Address

/// The canonical form as text, or the error's case.
func canonical(_ text: String) throws(AddressError) -> String {
    var address = CanonicalAddress()
    try address.read(Array(text.utf8).span)
    return String(decoding: address.copy(), as: UTF8.self)
}

@Suite struct CanonicalTests {
    @Test(
        "spellings of one mailbox have one form",
        arguments: [
            ("a@b.c", "a@b.c"),
            ("John.Doe@Example.COM", "john.doe@example.com"),
            ("  \t a@b.c \r\n", "a@b.c"),
            ("<a@b.c>", "a@b.c"),
            (" < a@b.c > ", "a@b.c"),
            ("a@b.c.", "a@b.c"),
            ("\"john.doe\"@b.c", "john.doe@b.c"),
            ("\"jo\\hn\"@b.c", "john@b.c"),
            ("\"John Doe\"@b.c", "\"john doe\"@b.c"),
            ("\"a@b\"@c.d", "\"a@b\"@c.d"),
            ("\"a\\\"b\\\\c\"@c.d", "\"a\\\"b\\\\c\"@c.d"),
            ("\"a..b\"@c.d", "\"a..b\"@c.d"),
            ("user+tag@gmail.com", "user+tag@gmail.com"),
            ("u.s.e.r@gmail.com", "u.s.e.r@gmail.com"),
            ("!#$%&'*+-/=?^_`{|}~@b.c", "!#$%&'*+-/=?^_`{|}~@b.c"),
            ("a@under_score.example", "a@under_score.example"),
            ("a@localhost", "a@localhost"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8:0:0:0:0:0:1]"),
            ("a@[ipv6:2001:db8:0:0:0:0:0:1]", "a@[ipv6:2001:db8:0:0:0:0:0:1]"),
            ("a@[IPv6:::]", "a@[ipv6:0:0:0:0:0:0:0:0]"),
            ("a@[IPv6:1::]", "a@[ipv6:1:0:0:0:0:0:0:0]"),
            ("a@[IPv6:::ffff:192.0.2.1]", "a@[ipv6:0:0:0:0:0:ffff:c000:201]"),
        ]
    )
    func spellings(raw: String, expected: String) throws {
        #expect(try canonical(raw) == expected)
    }

    @Test(
        "international addresses fold, normalise and become A-labels",
        arguments: [
            ("a@M\u{FC}nchen.de", "a@xn--mnchen-3ya.de"),
            ("a@mu\u{308}nchen.de", "a@xn--mnchen-3ya.de"),
            ("a@XN--MNCHEN-3YA.de", "a@xn--mnchen-3ya.de"),
            ("a@fa\u{DF}.de", "a@xn--fa-hia.de"),
            ("a@\u{4F8B}\u{3048}\u{3002}\u{30C6}\u{30B9}\u{30C8}", "a@xn--r8jz45g.xn--zckzah"),
            ("a@\u{4F8B}\u{3048}.jp\u{3002}", "a@xn--r8jz45g.jp"),
            ("a@\u{FF25}xample.com", "a@example.com"),
            ("a@\u{200B}b.c", "a@b.c"),
            ("J\u{D6}RG@b.c", "j\u{F6}rg@b.c"),
            ("jo\u{308}rg@b.c", "j\u{F6}rg@b.c"),
            ("\u{212A}im@b.c", "kim@b.c"),
            ("\u{1FEF}@b.c", "`@b.c"),
            ("\u{39F}\u{394}\u{39F}\u{3A3}@b.c", "\u{3BF}\u{3B4}\u{3BF}\u{3C3}@b.c"),
            ("\u{3C2}@b.c", "\u{3C3}@b.c"),
            ("stra\u{DF}e@b.c", "stra\u{DF}e@b.c"),
            ("\u{1E9E}@b.c", "\u{DF}@b.c"),
            ("\u{130}@b.c", "\u{130}@b.c"),
            ("\u{1F88}@b.c", "\u{1F80}@b.c"),
            ("\"a \u{D6}\"@b.c", "\"a \u{F6}\"@b.c"),
        ]
    )
    func international(raw: String, expected: String) throws {
        #expect(try canonical(raw) == expected)
    }

    @Test(
        "what has no safe form is refused",
        arguments: [
            ("", AddressError.empty), ("   ", .empty), ("<>", .empty), (" < > ", .empty),
            ("a", .shape), ("@b.c", .shape), ("a@", .shape),
            ("a@b@c.d", .localPart), ("a@b.c, d@e.f", .localPart), ("a b@c.d", .localPart),
            ("A <a@b.c>", .localPart), ("<<a@b.c>>", .localPart), ("mailto:a@b.c", .localPart),
            (".a@b.c", .localPart), ("a.@b.c", .localPart), ("a..b@c.d", .localPart),
            ("a(comment)@b.c", .localPart), ("a@b.c(comment)", .domain),
            ("\"a@b.c", .localPart), ("\"a\"b@c.d", .localPart), ("\"a\".\"b\"@c.d", .localPart),
            ("\"\"@b.c", .localPart), ("\"a\\\"@b.c", .localPart), ("a\\b@c.d", .localPart),
            ("a\u{0}@b.c", .control), ("a\r\nBcc: x@y.z", .control), ("a@b\u{7f}.c", .control),
            ("a@b..c", .domain), ("a@.b", .domain), ("a@b..", .domain), ("a@.", .domain),
            ("a@-b.c", .domain), ("a@b-.c", .domain), ("a@b c.d", .domain), ("a@b/c", .domain),
            ("a@xn--a", .domain), ("a@xn--mNchen-", .domain), ("a@xn--", .domain),
            ("a@\u{FF20}b.c", .domain), ("a@b\u{A0}c.d", .domain),
            ("a@[1.2.3]", .domain), ("a@[1.2.3.04]", .domain), ("a@[1.2.3.256]", .domain),
            ("a@[1.2.3.4", .domain), ("a@[]", .domain), ("a@[x:y]", .domain),
            ("a@[IPv6:1:2:3:4:5:6:7]", .domain), ("a@[IPv6:1::2::3]", .domain),
            ("a@[IPv6::1]", .domain), ("a@[IPv6:1:2:3:4:5:6:7:8::]", .domain),
            ("a@[IPv6:12345::]", .domain), ("a@[IPv6:g::]", .domain), ("a@[IPv6:]", .domain),
            ("\u{37E}@b.c", .localPart), ("a\u{200B}@b.c", .localPart),
            ("a\u{202E}@b.c", .localPart), ("a\u{A0}@b.c", .localPart),
            ("a\u{378}@b.c", .localPart), ("a\u{E000}@b.c", .localPart),
            ("a\u{85}@b.c", .localPart),
        ]
    )
    func refused(raw: String, error: AddressError) {
        #expect(throws: error) { try canonical(raw) }
    }

    @Test("broken UTF-8 is refused")
    func encoding() {
        for bytes in [[0xff], [0xc3], [0xc0, 0xae], [0xed, 0xa0, 0x80]] as [[UInt8]] {
            var address = CanonicalAddress()
            let raw = bytes + Array("@b.c".utf8)
            #expect(throws: AddressError.control) { try address.read(raw.span) }
        }
    }

    @Test("the limits are those of the canonical form: 64 and 254 octets")
    func lengths() throws {
        let local = String(repeating: "a", count: 64)
        #expect(try canonical("\(local)@b.c") == "\(local)@b.c")
        #expect(throws: AddressError.tooLong) { try canonical("a\(local)@b.c") }
        #expect(try canonical("\"\(local)\"@b.c") == "\(local)@b.c")
        let label = String(repeating: "b", count: 63)
        #expect(throws: AddressError.domain) { try canonical("a@b\(label).c") }
        let domain = "\(label).\(label).\(label)."
        let longest = "a@\(domain)\(String(repeating: "c", count: 60))"
        #expect(longest.utf8.count == 254)
        #expect(try canonical(longest) == longest)
        #expect(throws: AddressError.tooLong) { try canonical("\(longest)c") }
        #expect(throws: AddressError.tooLong) {
            try canonical(String(repeating: "a", count: 2_000))
        }
    }

    @Test("a failed read leaves nothing of the address before it")
    func failedRead() throws {
        var address = CanonicalAddress()
        try address.read(Array("a@b.c".utf8).span)
        #expect(throws: AddressError.shape) { try address.read(Array("b".utf8).span) }
        #expect(address.count == 0)
    }
}

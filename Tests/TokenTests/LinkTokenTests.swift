// A link must work for years and for exactly one person and list, and a changed one must never
// work.

import Suppression
import Testing

@testable import Token

let demo = TenantID(raw: 0x1122_3344_5566_7788)
let person = Person(tenant: demo, recipient: Recipient(high: 0xa1a2_a3a4_a5a6_a7a8, low: 0xb1b2))
let claims = LinkClaims(
    person: person,
    scope: Scope(stream: StreamID(raw: 7), topic: TopicID(raw: 9))
)

func key(_ id: UInt32, at seconds: UInt64 = 1, tenant: TenantID = demo) throws -> TokenKey {
    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: id), count: 32)
    let master = try #require(TokenMaster(bytes))
    return TokenKey(id: id, createdSeconds: seconds, master: master, tenant: tenant)
}

func ring(_ keys: TokenKey..., of tenant: TenantID = demo) -> TokenKeyRing {
    var ring = TokenKeyRing(tenant: tenant)
    for key in keys { ring.add(key) }
    return ring
}

// A span cannot pass through the macros, so arrays become spans here.
func tenant(of text: [UInt8]) -> TenantID? { LinkToken.tenant(of: text.span) }
func decoded(_ text: [UInt8]) -> [UInt8]? { Base64URL.decode(text.span) }

extension TokenKeyRing {
    func opened(_ text: [UInt8]) throws(TokenError) -> LinkClaims { try open(text.span) }

    func openedConsent(_ text: [UInt8], of key: MarkKey) throws(TokenError) -> Dot {
        try openConsent(text.span, of: key)
    }

    func openedUndo(
        _ text: [UInt8],
        of person: Person,
        nowMillis: UInt64
    ) throws(TokenError) -> [UndoItem] {
        try openUndo(text.span, of: person, nowMillis: nowMillis)
    }
}

let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

@Suite struct LinkTokenTests {
    @Test("opens to what was minted, has 88 characters, and is the same each time")
    func roundTrip() throws {
        let keys = ring(try key(1))
        let token = try keys.mint(claims)
        #expect(token.count == LinkToken.characterCount)
        #expect((68...110).contains(token.count))
        #expect(token.allSatisfy(alphabet.contains))
        #expect(try keys.opened(token) == claims)
        #expect(try keys.mint(claims) == token)
        #expect(tenant(of: token) == demo)
        let wide = LinkClaims(person: person, scope: .tenant)
        #expect(try keys.opened(try keys.mint(wide)) == wide)
        #expect(try keys.mint(wide) != token)
    }

    @Test("every change of every character fails to open")
    func everyChange() throws {
        let keys = ring(try key(1))
        let token = try keys.mint(claims)
        for position in 0..<token.count {
            for other in alphabet + Array("=+/ .~%\0".utf8) where other != token[position] {
                var changed = token
                changed[position] = other
                #expect(throws: TokenError.self, "\(position) to \(other)") {
                    try keys.opened(changed)
                }
            }
        }
    }

    @Test("a shorter, longer, padded or doubled token is malformed")
    func lengths() throws {
        let keys = ring(try key(1))
        let token = try keys.mint(claims)
        for count in 0..<token.count {
            #expect(throws: TokenError.malformed) { try keys.opened(Array(token[..<count])) }
        }
        for tail in ["=", "==", "A", "AAAA", "\n", String(decoding: token, as: UTF8.self)] {
            let longer = token + Array(tail.utf8)
            #expect(throws: TokenError.malformed) { try keys.opened(longer) }
            #expect(tenant(of: longer) == nil)
        }
    }

    @Test("after two rotations links of all three keys open; new ones are made with the newest")
    func rotation() throws {
        var keys = ring(try key(11, at: 100))
        let first = try keys.mint(claims)
        keys.add(try key(5, at: 200))
        let second = try keys.mint(claims)
        keys.add(try key(8, at: 300))
        let third = try keys.mint(claims)
        #expect(Set([first, second, third]).count == 3)
        for token in [first, second, third] { #expect(try keys.opened(token) == claims) }
        // A key that arrives late but is older changes nothing about minting.
        keys.add(try key(99, at: 50))
        #expect(try keys.mint(claims) == third)
    }

    @Test("a key of this tenant that is not held is told apart from a forgery")
    func unknownKey() throws {
        let token = try ring(try key(1)).mint(claims)
        #expect(throws: TokenError.unknownKey) { try ring(try key(2)).opened(token) }
        #expect(throws: TokenError.unknownKey) { try ring().mint(claims) }
        #expect(ring().isEmpty)
    }

    @Test("no tenant opens another's token, even with the same master and key id")
    func crossTenant() throws {
        let other = TenantID(raw: 2)
        let theirs = ring(try key(1, tenant: other), of: other)
        let token = try ring(try key(1)).mint(claims)
        #expect(throws: TokenError.forged) { try theirs.opened(token) }
        // Nor is it a key that might still arrive: no peer needs to be asked.
        let empty = ring(of: other)
        #expect(throws: TokenError.forged) { try empty.opened(token) }
        // The tenant in the clear header is authenticated: renaming it leads to a key that refuses.
        var bytes = try #require(decoded(token))
        bytes.replaceSubrange(1..<9, with: [0, 0, 0, 0, 0, 0, 0, 2])
        let renamed = Base64URL.encode(bytes)
        #expect(tenant(of: renamed) == other)
        #expect(throws: TokenError.forged) { try theirs.opened(renamed) }
    }

    @Test("neither recipient nor scope shows in the token")
    func nothingShows() throws {
        let secret = Person(
            tenant: demo,
            recipient: Recipient(high: 0x4142_4344_4546_4748, low: 0x494a_4b4c_4d4e_4f50)
        )
        let scope = Scope(stream: StreamID(raw: 0x5152_5354), topic: TopicID(raw: 0x5556_5758))
        let token = try ring(try key(1)).mint(LinkClaims(person: secret, scope: scope))
        let bytes = try #require(decoded(token))
        for start in 0...(bytes.count - 4) {
            for run in ["ABCD", "EFGH", "IJKL", "MNOP", "QRST", "UVWX"] {
                #expect(Array(bytes[start..<(start + 4)]) != Array(run.utf8))
            }
        }
    }

    @Test("base64url is the standard's, and text that it would not write is refused")
    func base64() {
        let vectors: [(String, String)] = [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"), ("\u{fb}\u{ff}", "w7vDvw"),
        ]
        for (plain, text) in vectors {
            #expect(Base64URL.encode(Array(plain.utf8)) == Array(text.utf8))
            #expect(decoded(Array(text.utf8)) == Array(plain.utf8))
        }
        #expect(Base64URL.encode([0xfb, 0xff]) == Array("-_8".utf8))
        for text in ["Zh", "Zm9", "Zm9vYh", "Zg==", "Z", "Zm8=", "+/8", "Zg\n", " Zg", "-_9"] {
            #expect(decoded(Array(text.utf8)) == nil, "\(text)")
        }
    }
}

@Suite struct HeaderTests {
    @Test("the value is one bracketed URL, with mailto behind it only when configured")
    func values() throws {
        let token = try ring(try key(1)).mint(claims)
        let text = String(decoding: token, as: UTF8.self)
        let plain = try ListUnsubscribe(publicURL: "https://u.example")
        #expect(plain.value(of: token) == "<https://u.example/u/\(text)>")
        #expect(plain.url(of: token) == "https://u.example/u/\(text)")
        #expect(ListUnsubscribe.postValue == "List-Unsubscribe=One-Click")
        let both = try ListUnsubscribe(publicURL: "https://u.example/x/", mailto: "stop@u.example")
        let value = both.value(of: token)
        #expect(
            value == "<https://u.example/x/u/\(text)>, <mailto:stop@u.example?subject=u1.\(text)>"
        )
    }

    @Test("the longest accepted settings keep the value within 870 characters")
    func budget() throws {
        let token = try ring(try key(1)).mint(claims)
        let host = "https://" + String(repeating: "h", count: 292)
        let address = "a@" + String(repeating: "h", count: 298)
        let longest = try ListUnsubscribe(publicURL: host, mailto: address)
        #expect(longest.value(of: token).utf8.count <= 870)
        #expect(throws: TokenError.tooLong) { try ListUnsubscribe(publicURL: host + "h") }
        #expect(throws: TokenError.tooLong) {
            try ListUnsubscribe(publicURL: host, mailto: address + "h")
        }
    }

    @Test(
        "what could break out of the header or the brackets is refused",
        arguments: [
            "", "u.example", "ftp://u.example", "https://u.example/\r\nBcc: x", "https://u e",
            "https://u>x", "https://u<x", "https://u,x", "https://\u{E9}", "https://u?x",
            "https://u#x",
        ]
    )
    func badURLs(url: String) {
        #expect(throws: TokenError.badURL) { try ListUnsubscribe(publicURL: url) }
        #expect(throws: TokenError.badURL) {
            try ListUnsubscribe(publicURL: "https://u.example", mailto: url)
        }
    }
}

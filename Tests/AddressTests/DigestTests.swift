// The hand-made HMAC against the general one of swift-crypto, and ids against written-out hashes.

import Crypto
import Suppression
import Testing

@testable import Address

@Suite struct DigestTests {
    private func pepper(_ byte: UInt8) throws -> Pepper {
        try #require(Pepper((0..<32).map { byte &+ $0 &* 7 }))
    }

    private func reference(_ message: [UInt8], under pepper: Pepper) -> Recipient {
        let key = SymmetricKey(data: pepper.bytes)
        let code = Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
        func word(_ from: Int) -> UInt64 {
            code[from..<(from + 8)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        return Recipient(high: word(0), low: word(8))
    }

    @Test("equals HMAC-SHA-256 of swift-crypto at every length, through one reused scratch")
    func everyLength() throws {
        let pepper = try pepper(3)
        let digester = Digester(pepper)
        var address = CanonicalAddress()
        // Falling lengths, so that a longer address before leaves bytes that must not count.
        for count in (5...254).reversed() {
            var text = Array("q@".utf8)
            while text.count < count { text.append(text.count % 50 == 0 ? 0x2e : 0x62) }
            if text.last == 0x2e { text[count - 1] = 0x62; text[count - 2] = 0x2e }
            try address.read(text.span)
            #expect(address.count == count)
            let expected = reference(Array("c1".utf8) + text, under: pepper)
            #expect(digester.recipient(of: address) == expected, "\(count)")
        }
    }

    @Test("another pepper or address gives another recipient; another spelling does not")
    func distinguishes() throws {
        var address = CanonicalAddress()
        try address.read(Array("a@b.c".utf8).span)
        let first = Digester(try pepper(1)).recipient(of: address)
        #expect(Digester(try pepper(2)).recipient(of: address) != first)
        try address.read(Array(" <A@B.C.>".utf8).span)
        #expect(Digester(try pepper(1)).recipient(of: address) == first)
        try address.read(Array("a@b.d".utf8).span)
        #expect(Digester(try pepper(1)).recipient(of: address) != first)
    }

    @Test("a request id is the HMAC of key hash and header, apart from every recipient")
    func requestIDs() throws {
        let pepper = try pepper(9)
        let key = [UInt8](repeating: 5, count: 32)
        let header = Array("order-77".utf8)
        let id = Digester(pepper).requestID(apiKey: key.span, header: header.span)
        #expect(id == reference(Array("r1".utf8) + key + header, under: pepper))
    }

    @Test("fresh peppers differ and have 32 bytes")
    func peppers() {
        #expect(Pepper.random() != Pepper.random())
        #expect(Pepper.random().bytes.count == Pepper.byteCount)
        #expect(Pepper([1, 2, 3]) == nil)
    }

    @Test("ids are leading bits of SHA-256 with a domain, a zero and fixed-width parents")
    func ids() throws {
        func leading(_ text: [UInt8], _ bytes: Int) -> UInt64 {
            Array(SHA256.hash(data: text)).prefix(bytes).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let tenant = try Names.tenantID("demo")
        #expect(tenant.raw == leading(Array("demo".utf8), 8))
        var input = Array("quell-stream-1\0".utf8)
        input.append(bigEndian: tenant.raw)
        let stream = try Names.streamID(of: tenant, "marketing")
        #expect(UInt64(stream.raw) == leading(input + Array("marketing".utf8), 4))
        input = Array("quell-topic-1\0".utf8)
        input.append(bigEndian: tenant.raw)
        input.append(bigEndian: stream.raw)
        let topic = try Names.topicID(of: tenant, in: stream, "news")
        #expect(UInt64(topic.raw) == leading(input + Array("news".utf8), 4))
        let other = try Names.streamID(of: tenant, "transactional")
        #expect(try Names.topicID(of: tenant, in: other, "news") != topic)
    }

    @Test("an id is never 0: a hash that begins with zeros takes its next bits")
    func neverZero() {
        var digest = [UInt8](repeating: 0, count: 32)
        digest[7] = 9
        #expect(Names.leading(32, of: digest) == 9)
        digest[7] = 0
        #expect(Names.leading(64, of: digest) == 1)
    }

    @Test(
        "names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit",
        arguments: [
            ("a", true), ("0", true), ("news-2.x_y", true),
            (String(repeating: "a", count: 64), true),
            ("", false), ("A", false), (".a", false), ("-a", false), ("_a", false), ("a b", false),
            ("a/b", false), ("*", false), ("\u{E9}", false), ("a\0", false),
            (String(repeating: "a", count: 65), false),
        ]
    )
    func names(name: String, isFine: Bool) {
        if isFine {
            #expect(throws: Never.self) { try Names.validate(name) }
        } else {
            #expect(throws: AddressError.name) { try Names.validate(name) }
            #expect(throws: AddressError.name) { try Names.tenantID(name) }
        }
    }

    @Test("plain SHA-256 agrees with swift-crypto")
    func plain() {
        for count in [0, 1, 55, 56, 64, 1_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            #expect(Sha256.of(bytes.span) == Array(SHA256.hash(data: bytes)))
        }
    }
}

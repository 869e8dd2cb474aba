// Keys at rest and at the door, and settings that only their author could have written.

import Suppression
import Testing

@testable import Token

// A span cannot pass through the macros, so keys are read here.
private func apiKey(_ text: String) -> ApiKey? { ApiKey(text: Array(text.utf8).span) }
private func adminKey(_ text: String) -> AdminKey? { AdminKey(text: Array(text.utf8).span) }
private func clusterKey(_ text: String) -> ClusterKey? { ClusterKey(hex: Array(text.utf8).span) }

@Suite struct KeyTests {
    @Test("an API key reads back from its text and is known by its hash")
    func apiKeys() throws {
        let key = ApiKey.random()
        #expect(key.text.hasPrefix("qk_"))
        #expect(key.text.utf8.count == 46)
        let again = try #require(apiKey(key.text))
        #expect(constantTimeEqual(again.hash, key.hash))
        #expect(key.hash.count == 32)
        #expect(!constantTimeEqual(ApiKey.random().hash, key.hash))
    }

    @Test("what is no key is none: prefix, length, alphabet, loose bits, the other kind")
    func badKeys() {
        let admin = AdminKey.random().text
        let good = ApiKey.random().text
        let loose = String(good.dropLast()) + "B"
        let shouted = "QK_" + good.dropFirst(3)
        let texts: [String] = ["", "qk_", admin, shouted, good + "A", "qk_" + good, loose]
        for text in texts {
            #expect(apiKey(text) == nil, "\(text.count)")
        }
        #expect(adminKey(good) == nil)
    }

    @Test("constant-time comparison finds a difference in every byte")
    func comparison() {
        let a = [UInt8](repeating: 7, count: 32)
        for i in 0..<32 {
            var b = a
            b[i] ^= 0x80
            #expect(!constantTimeEqual(a, b))
        }
        #expect(constantTimeEqual(a, a))
        #expect(!constantTimeEqual(a, Array(a.dropLast())))
    }

    @Test("the same admin key text signs with the same public key")
    func adminKeys() throws {
        let key = AdminKey.random()
        let again = try #require(adminKey(key.text))
        #expect(again.publicKey == key.publicKey)
        #expect(again.hash == key.hash)
        #expect(key.publicKey.count == 32)
        #expect(AdminKey.random().publicKey != key.publicKey)
        // The hash that nodes store is not the seed from which the signing key comes.
        #expect(key.hash != key.publicKey)
    }

    @Test("a signed register verifies; any change of any field does not")
    func registers() {
        let key = AdminKey.random()
        let good = key.signed(
            name: Array("topic/x".utf8),
            generation: 2,
            final: false,
            value: [1, 2]
        )
        #expect(good.hasValidSignature())
        #expect(good.author == key.publicKey)
        func changed(
            name: [UInt8]? = nil,
            generation: UInt64? = nil,
            final: Bool? = nil,
            value: [UInt8]? = nil,
            author: [UInt8]? = nil,
            signature: [UInt8]? = nil
        ) -> Register {
            Register(
                name: name ?? good.name,
                generation: generation ?? good.generation,
                final: final ?? good.final,
                value: value ?? good.value,
                author: author ?? good.author,
                signature: signature ?? good.signature
            )
        }
        #expect(changed().hasValidSignature())
        #expect(!changed(name: Array("topic/y".utf8)).hasValidSignature())
        #expect(!changed(generation: 3).hasValidSignature())
        #expect(!changed(final: true).hasValidSignature())
        #expect(!changed(value: [1, 3]).hasValidSignature())
        #expect(!changed(author: AdminKey.random().publicKey).hasValidSignature())
        #expect(!changed(author: []).hasValidSignature())
        #expect(!changed(signature: []).hasValidSignature())
        #expect(!changed(signature: [UInt8](repeating: 0, count: 64)).hasValidSignature())
    }

    @Test("a cluster key reads back from its file with or without newline")
    func clusterKeys() throws {
        let key = ClusterKey.random()
        #expect(key.hex.utf8.count == 64)
        for text in [key.hex, key.hex + "\n", " " + key.hex.uppercased() + "\r\n"] {
            let again = try #require(clusterKey(text))
            #expect(again.hex == key.hex)
        }
        let broken = String(key.hex.dropLast(3)) + " ab"
        let short = String(key.hex.dropLast())
        for text in ["", short, key.hex + "0", broken, short + "g"] {
            #expect(clusterKey(text) == nil)
        }
    }

    @Test("the cluster secret opens with its cluster key alone, and sealing twice differs")
    func clusterSecret() throws {
        let key = ClusterKey.random()
        let secret = ClusterSecret.random()
        let sealed = key.seal(secret)
        #expect(try key.open(sealed) == secret)
        #expect(key.seal(secret) != sealed)
        #expect(throws: TokenError.forged) { try ClusterKey.random().open(sealed) }
        for i in 0..<sealed.count {
            var changed = sealed
            changed[i] ^= 1
            #expect(throws: TokenError.self) { try key.open(changed) }
        }
        #expect(throws: TokenError.malformed) { try key.open([]) }
    }

    @Test("a sealed value opens for its purpose and in its register alone")
    func sealedValues() throws {
        let secret = ClusterSecret.random()
        let name = Array("pepper/1".utf8)
        let sealed = secret.seal([1, 2, 3], for: .pepper, register: name)
        #expect(try secret.open(sealed, for: .pepper, register: name) == [1, 2, 3])
        #expect(throws: TokenError.forged) {
            try secret.open(sealed, for: .tokenMaster, register: name)
        }
        #expect(throws: TokenError.forged) {
            try secret.open(sealed, for: .pepper, register: Array("pepper/2".utf8))
        }
        #expect(throws: TokenError.forged) {
            try ClusterSecret.random().open(sealed, for: .pepper, register: name)
        }
    }

    @Test("derived keys differ by use and by secret, and repeat")
    func derivedKeys() {
        let key = ClusterKey.random()
        #expect(key.derivedKey("links-1") == key.derivedKey("links-1"))
        #expect(key.derivedKey("links-1") != key.derivedKey("links-2"))
        #expect(key.derivedKey("links-1") != ClusterKey.random().derivedKey("links-1"))
        #expect(key.derivedKey("links-1").count == 32)
        let secret = ClusterSecret.random()
        #expect(secret.derivedKey("sketch-1") != secret.derivedKey("sketch-2"))
    }
}

// Laws of the canonical form over generated addresses; a seed makes every failure repeatable.

import Testing

@testable import Address

/// SplitMix64 (Steele et al., 2014): small, seeded, good enough for tests.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite struct CanonicalPropertyTests {
    /// Any scalar of the planes in use, so that every script and oddity of Unicode takes its turn.
    private func scalar(_ random: inout Seeded) -> Unicode.Scalar {
        while true {
            let value = UInt32.random(in: 0x21...0x1FFFF, using: &random)
            if let scalar = Unicode.Scalar(value) { return scalar }
        }
    }

    @Test("canonical(canonical(x)) == canonical(x), for one scalar after the other")
    func idempotentLocal() {
        var accepted = 0
        for value in UInt32(0x21)...0x1FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            guard let once = form("a\(scalar)@b.c") else { continue }
            accepted += 1
            #expect(form(once) == once, "U+\(String(value, radix: 16))")
        }
        #expect(accepted > 40_000)
    }

    @Test("canonical(canonical(x)) == canonical(x), for mixed local parts and domains")
    func idempotentMixed() {
        var random = Seeded(state: 1)
        var accepted = 0
        for _ in 0..<30_000 {
            var text = "\(scalar(&random))"
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                text.unicodeScalars.append(scalar(&random))
            }
            for raw in ["\(text)@b.c", "\"\(text) x\"@b.c", "a@\(text).example", "a@x\(text)"] {
                guard let once = form(raw) else { continue }
                accepted += 1
                #expect(form(once) == once, "\(raw.unicodeScalars.map(\.value))")
            }
        }
        #expect(accepted > 3_000)
    }

    @Test("upper and lower case of one letter agree wherever Unicode pairs them one to one")
    func caseAgrees() {
        for value in UInt32(0x41)...0x1FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let lower = scalar.properties.lowercaseMapping.unicodeScalars
            guard lower.count == 1, let only = lower.first, only != scalar,
                String(only).uppercased() == String(scalar),
                let upperForm = form("a\(scalar)@b.c")
            else { continue }
            #expect(form("a\(only)@b.c") == upperForm, "U+\(String(value, radix: 16))")
        }
    }

    @Test("composed and decomposed letters agree, in the local part and in the domain")
    func normalisationAgrees() {
        let pairs: [(String, String)] = [
            ("\u{E9}", "e\u{301}"), ("\u{C5}", "A\u{30A}"), ("\u{1E69}", "s\u{323}\u{307}"),
            ("\u{1E69}", "s\u{307}\u{323}"), ("\u{AC00}", "\u{1100}\u{1161}"),
            ("\u{212B}", "\u{C5}"),
        ]
        for (composed, decomposed) in pairs {
            #expect(form("x\(composed)@b.c") == form("x\(decomposed)@b.c"))
            #expect(form("x\(composed)@b.c") != nil)
            #expect(form("x@a\(composed).c") == form("x@a\(decomposed).c"))
            #expect(form("x@a\(composed).c") != nil)
        }
    }

    @Test("the plain path says what the careful path says, or nothing")
    func pathsAgree() {
        let alphabet = Array("aZ09.@-_+\"\\ <>()[]xn,;!#:~".utf8)
        var random = Seeded(state: 2)
        var plain = 0
        for round in 0..<200_000 {
            // Every second address is sound but for a chance byte, or the plain path would never
            // run.
            var bytes = round % 2 == 0 ? [] : Array("ab.Cd@Ex-1.example".utf8)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                bytes.insert(alphabet.randomElement(using: &random) ?? 0x61, at: at)
            }
            guard !bytes.isEmpty else { continue }
            var block = CanonicalAddress.Block(repeating: 0)
            let bounds = 0..<bytes.count
            guard let count = PlainAddress.write(bytes.span, bounds, into: &block) else { continue }
            plain += 1
            var fast: [UInt8] = []
            for i in 0..<count { fast.append(block[2 + i]) }
            #expect(fast == careful(bytes), "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(plain > 20_000)
    }

    private func careful(_ raw: [UInt8]) -> [UInt8]? {
        do { return try UnusualAddress.canonical(raw.span, 0..<raw.count) } catch { return nil }
    }

    private func form(_ text: String) -> String? {
        do { return try canonical(text) } catch { return nil }
    }
}

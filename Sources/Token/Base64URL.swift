// Base64url without padding (RFC 4648, 5), strictly canonical.
//
// One token has one spelling. Padding, the other alphabet, blanks and non-zero bits behind the last
// byte are refused, so that every change of any character of a token makes it fail, and so that
// nobody can make a second token out of a first one to slip past a log or a cache.

enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count * 4 + 2) / 3)
        var pending: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                out.append(alphabet[Int(pending >> bits & 63)])
            }
        }
        if bits > 0 { out.append(alphabet[Int(pending << (6 - bits) & 63)]) }
        return out
    }

    /// The bytes, or nil when the text is not what `encode` writes.
    static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1, text.count <= Limits.tokenCharacters else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count * 3 / 4)
        var pending: UInt32 = 0
        var bits: UInt32 = 0
        var seen: UInt8 = 0
        let table = values
        for i in 0..<text.count {
            let value = table[Int(text[i])]
            seen |= value
            pending = pending << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        let rest = pending & (1 << bits - 1)
        return rest == 0 && seen < 64 ? out : nil
    }

    /// What each character stands for; 255 for what is none. Comparing with the ranges instead, a
    /// token's random characters are guessed wrong every other time: 0.6 us a token.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: .max, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}

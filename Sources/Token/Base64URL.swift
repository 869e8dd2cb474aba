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
        for i in 0..<text.count {
            guard let value = value(of: text[i]) else { return nil }
            pending = pending << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        let rest = pending & (1 << bits - 1)
        return rest == 0 ? out : nil
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case 0x41...0x5a: UInt32(character) - 0x41
        case 0x61...0x7a: UInt32(character) - 0x61 + 26
        case 0x30...0x39: UInt32(character) - 0x30 + 52
        case 0x2d: 62
        case 0x5f: 63
        default: nil
        }
    }
}

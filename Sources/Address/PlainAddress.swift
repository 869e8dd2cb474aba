// The address nearly everybody has: ASCII, a dot-string, a host name. One pass, no allocation.
//
// This path never judges. Whatever is not plainly fine (quotes, brackets, an `xn--` label, any byte
// from 0x80, any error at all) is left to UnusualAddress, so the two can only differ by being slow.

enum PlainAddress {
    /// Writes the canonical form behind the tag; nil when the address needs a closer look.
    ///
    /// - Returns: octets written.
    static func write(
        _ raw: Span<UInt8>,
        _ bounds: Range<Int>,
        into block: inout CanonicalAddress.Block
    ) -> Int? {
        guard bounds.count <= Limits.addressBytes else { return nil }
        var out = CanonicalAddress.tagBytes
        var at = bounds.lowerBound
        var afterDot = true
        while at < bounds.upperBound, raw[at] != 0x40 {
            let byte = raw[at]
            if byte == 0x2e {
                if afterDot { return nil }
                afterDot = true
            } else {
                guard Ascii.isAtext(byte) else { return nil }
                afterDot = false
            }
            block[out] = Ascii.lowered(byte)
            out += 1
            at += 1
        }
        guard at < bounds.upperBound, !afterDot, at - bounds.lowerBound <= Limits.localBytes
        else { return nil }
        block[out] = 0x40
        out += 1
        guard let end = host(raw, (at + 1)..<bounds.upperBound, into: &block, at: out)
        else { return nil }
        return end - CanonicalAddress.tagBytes
    }

    private static func host(
        _ raw: Span<UInt8>,
        _ bounds: Range<Int>,
        into block: inout CanonicalAddress.Block,
        at start: Int
    ) -> Int? {
        var high = bounds.upperBound
        if high > bounds.lowerBound, raw[high - 1] == 0x2e { high -= 1 }
        guard high > bounds.lowerBound else { return nil }
        var out = start
        var label = bounds.lowerBound
        for at in bounds.lowerBound..<high {
            let byte = Ascii.lowered(raw[at])
            if byte == 0x2e {
                guard isLabel(raw, label..<at) else { return nil }
                label = at + 1
            } else {
                guard Ascii.isHost(byte) else { return nil }
            }
            block[out] = byte
            out += 1
        }
        return isLabel(raw, label..<high) ? out : nil
    }

    /// Looks at the caller's bytes: the block would be copied, 320 bytes a label, 9 % of a check.
    private static func isLabel(_ raw: Span<UInt8>, _ bounds: Range<Int>) -> Bool {
        guard !bounds.isEmpty, bounds.count <= Limits.labelBytes else { return false }
        guard raw[bounds.lowerBound] != 0x2d, raw[bounds.upperBound - 1] != 0x2d
        else { return false }
        guard bounds.count >= 4 else { return true }
        // Two hyphens in third and fourth place announce an encoding; `xn--` is the one that
        // exists.
        return raw[bounds.lowerBound + 2] != 0x2d || raw[bounds.lowerBound + 3] != 0x2d
    }
}

/// Classes of ASCII bytes.
enum Ascii {
    /// RFC 5322 atext: what a dot-string is made of.
    static func isAtext(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7a, 0x41...0x5a, 0x30...0x39: true
        case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2f, 0x3d, 0x3f, 0x5e...0x60, 0x7b...0x7e: true
        default: false
        }
    }

    /// Lower-case letters, digits, hyphen; and the underscore that some hosts carry all the same.
    static func isHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7a, 0x30...0x39, 0x2d, 0x5f: true
        default: false
        }
    }

    static func lowered(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
    }
}

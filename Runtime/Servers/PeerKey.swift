// Whom a connection is counted against: one IPv4 address, or 2^72 IPv6 addresses.
//
//     203.0.113.9:1234                -> 203.0.113.9
//     [2001:db8:1:2ff::9]:1234        -> 2001:db8:1:200::/56
//     [::ffff:203.0.113.9]:1234       -> 203.0.113.9, as a listener on :: sees IPv4
//
// An IPv6 customer is given a /64 at least and a /56 most often (RIPE-690), so a count by address
// would count nobody twice. Only our own loop's text of an address is read here, never a peer's.

/// The part of a peer's address that is counted; a plain value of 8 bytes.
public struct PeerKey: Hashable, Sendable {
    /// The address or the first 56 bits of it, above a byte that tells the families apart.
    private let bits: UInt64

    /// 127.0.0.0/8 or ::1, where load generators and proxies sit.
    public var isLoopback: Bool { bits == 6 || bits & 0xFF == 4 && bits >> 32 == 127 }

    /// Reads `address:port`, as streams tell their peer; nil if it is none.
    public init?(_ text: Span<UInt8>) {
        guard !text.isEmpty else { return nil }
        var at = 0
        if text[0] != 0x5B {
            guard let four = PeerKey.four(text, &at) else { return nil }
            bits = UInt64(four) << 8 | 4
            return
        }
        at = 1
        guard let six = PeerKey.six(text, &at) else { return nil }
        let isMapped = six.high == 0 && six.low >> 32 == 0xFFFF
        bits = isMapped ? (six.low & 0xFFFF_FFFF) << 8 | 4 : six.high & ~0xFF | 6
    }

    /// Four decimal numbers with points between.
    private static func four(_ text: Span<UInt8>, _ at: inout Int) -> UInt32? {
        var address: UInt32 = 0
        for part in 0..<4 {
            if part > 0 {
                guard at < text.count, text[at] == 0x2E else { return nil }
                at += 1
            }
            let first = at
            var number: UInt32 = 0
            while at < text.count, at - first < 3, text[at] >= 0x30, text[at] <= 0x39 {
                number = number * 10 + UInt32(text[at] - 0x30)
                at += 1
            }
            guard at > first, number <= 255 else { return nil }
            address = address << 8 | number
        }
        return address
    }

    /// Up to eight groups of hex digits until `]`, one run of zeros left out as `::`, and perhaps
    /// an IPv4 address in place of the last two.
    private static func six(_ text: Span<UInt8>, _ at: inout Int) -> (high: UInt64, low: UInt64)? {
        var groups: [8 of UInt16] = .init(repeating: 0)
        var count = 0
        var gap: Int?
        while at < text.count, text[at] != 0x5D {
            if text[at] == 0x3A {
                if at + 1 < text.count, text[at + 1] == 0x3A {
                    guard gap == nil else { return nil }
                    gap = count
                    at += 1
                }
                at += 1
                continue
            }
            guard count < 8 else { return nil }
            let first = at
            if let number = group(text, &at) {
                groups[count] = number
                count += 1
            } else {
                at = first
                guard count <= 6, let address = four(text, &at) else { return nil }
                groups[count] = UInt16(address >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: address)
                count += 2
            }
        }
        guard at < text.count, count == 8 || gap != nil else { return nil }
        var halves: (high: UInt64, low: UInt64) = (0, 0)
        for index in 0..<8 {
            // Groups behind the gap stand at the end.
            let skipped = 8 - count
            let from = index < gap ?? 8 ? index : index - skipped
            let isZero = from < gap ?? 0 && index >= gap ?? 8
            let value = isZero ? 0 : UInt64(groups[from])
            if index < 4 {
                halves.high = halves.high << 16 | value
            } else {
                halves.low = halves.low << 16 | value
            }
        }
        return halves
    }

    /// One to four hex digits that no point follows.
    private static func group(_ text: Span<UInt8>, _ at: inout Int) -> UInt16? {
        var number: UInt16 = 0
        let first = at
        while at < text.count, at - first < 4 {
            switch text[at] {
            case 0x30...0x39: number = number << 4 | UInt16(text[at] - 0x30)
            case 0x41...0x46: number = number << 4 | UInt16(text[at] - 0x37)
            case 0x61...0x66: number = number << 4 | UInt16(text[at] - 0x57)
            default: return at > first && text[at] != 0x2E ? number : nil
            }
            at += 1
        }
        return at < text.count && text[at] == 0x2E ? nil : number
    }
}

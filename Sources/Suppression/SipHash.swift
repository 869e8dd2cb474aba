// SipHash-2-4: one keyed 64-bit hash for checksums on disk, digests of bodies and sketch cells.
//
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). Chosen over a CRC
// because the sketches of DESIGN 7 need a keyed hash anyway, and one well-studied function is less
// to know. As a checksum the key is fixed and public: it finds damage, it does not prove who wrote.

/// A 128-bit key and the hash under it.
public struct SipHash: Sendable {
    private let k0: UInt64
    private let k1: UInt64

    /// Takes the key as two little-endian words, as the paper does.
    public init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// The fixed key of all checksums: ASCII "quell-checksum-1".
    public static let checksum = SipHash(k0: 0x6863_2d6c_6c65_7571, k1: 0x312d_6d75_736b_6365)

    /// Hashes all of `bytes`.
    public func hash(_ bytes: Span<UInt8>) -> UInt64 { hash(bytes, in: 0..<bytes.count) }

    /// Hashes `bytes[range]`.
    public func hash(_ bytes: Span<UInt8>, in range: Range<Int>) -> UInt64 {
        var state = State(k0: k0, k1: k1)
        var at = range.lowerBound
        while at + 8 <= range.upperBound {
            var word: UInt64 = 0
            for i in 0..<8 { word |= UInt64(bytes[at + i]) << (8 * UInt64(i)) }
            state.compress(word)
            at += 8
        }
        var last = UInt64(truncatingIfNeeded: range.count) << 56
        var shift: UInt64 = 0
        while at < range.upperBound {
            last |= UInt64(bytes[at]) << shift
            shift += 8
            at += 1
        }
        state.compress(last)
        return state.finish()
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        init(k0: UInt64, k1: UInt64) {
            v0 = k0 ^ 0x736f_6d65_7073_6575
            v1 = k1 ^ 0x646f_7261_6e64_6f6d
            v2 = k0 ^ 0x6c79_6765_6e65_7261
            v3 = k1 ^ 0x7465_6462_7974_6573
        }

        mutating func compress(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> UInt64 {
            v2 ^= 0xff
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func round() {
            v0 &+= v1
            v1 = (v1 << 13 | v1 >> 51) ^ v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = (v3 << 16 | v3 >> 48) ^ v2
            v0 &+= v3
            v3 = (v3 << 21 | v3 >> 43) ^ v0
            v2 &+= v1
            v1 = (v1 << 17 | v1 >> 47) ^ v2
            v2 = v2 << 32 | v2 >> 32
        }
    }
}

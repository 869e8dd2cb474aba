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
        let raw = unsafe bytes.bytes
        var at = range.lowerBound
        while at + 8 <= range.upperBound {
            state.compress(raw.word(at))
            at += 8
        }
        state.compress(bytes.tail(at..<range.upperBound, length: range.count))
        return state.finish()
    }

    /// Hashes `head` and the first `count` bytes of `rest` as if they were one run of bytes.
    ///
    /// What lies apart in LMDB's map need not be copied together: 10 M marks are hashed at a start.
    public func hash(_ head: Span<UInt8>, then rest: Span<UInt8>, count: Int) -> UInt64 {
        precondition(count <= rest.count)
        var state = State(k0: k0, k1: k1)
        let (first, second) = unsafe (head.bytes, rest.bytes)
        var at = 0
        while at + 8 <= head.count {
            state.compress(first.word(at))
            at += 8
        }
        // The word that straddles both, byte by byte.
        var word: UInt64 = 0
        var filled: UInt64 = 0
        while at < head.count {
            word |= UInt64(head[at]) << (8 * filled)
            filled += 1
            at += 1
        }
        at = 0
        if filled > 0 {
            while filled < 8, at < count {
                word |= UInt64(rest[at]) << (8 * filled)
                filled += 1
                at += 1
            }
            if filled == 8 {
                state.compress(word)
                filled = 0
            }
        }
        let length = UInt64(truncatingIfNeeded: head.count + count) << 56
        if filled > 0 {
            state.compress(word | length)
            return state.finish()
        }
        while at + 8 <= count {
            state.compress(second.word(at))
            at += 8
        }
        state.compress(rest.tail(at..<count, length: head.count + count))
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

extension RawSpan {
    /// Eight bytes at any offset as a little-endian word.
    fileprivate func word(_ offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset + 8 <= byteCount)
        // Bounds are checked above; any eight bytes are a number. 5 times as fast as byte by byte.
        return unsafe UInt64(
            littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
    }
}

extension Span<UInt8> {
    /// The paper's last word: up to seven bytes, and the length in the top byte.
    fileprivate func tail(_ range: Range<Int>, length: Int) -> UInt64 {
        var last = UInt64(truncatingIfNeeded: length) << 56
        var shift: UInt64 = 0
        for at in range {
            last |= UInt64(self[at]) << shift
            shift += 8
        }
        return last
    }
}

// From a canonical address to the 16 bytes that stand for a person.
//
//     recipient = first 16 bytes of HMAC-SHA-256(tenant pepper, "c1" | canonical address)
//
// HMAC (RFC 2104) hashes a block made of the key before each of its two messages. Both blocks
// depend on the pepper alone, so their states are computed once per tenant; a digest is then one
// compression for an address of up to 53 bytes and one for the outer message: 131 ns against 593 ns
// through a general HMAC call. This is the only cryptography outside swift-crypto, and tests
// compare the two.

private import CDigest
public import Suppression

/// The secret of a tenant without which nobody can tell whose digest a digest is.
public struct Pepper: Equatable, Sendable {
    /// Bytes of a pepper.
    public static let byteCount = 32

    /// The secret itself: for sealing into a register, never for a log.
    public let bytes: [UInt8]

    /// Takes 32 bytes; nil for any other count.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Pepper.byteCount else { return nil }
        self.bytes = bytes
    }

    /// A fresh secret from the system's generator.
    public static func random() -> Pepper {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<(byteCount / 8) { bytes.append(bigEndian: generator.next() as UInt64) }
        return Pepper(unchecked: bytes)
    }

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// Digests the recipients of one tenant under one of its peppers.
public struct Digester: Sendable {
    private let inner: SHA256_CTX
    private let outer: SHA256_CTX

    /// Computes both key states, about 300 ns; keep the result.
    public init(_ pepper: Pepper) {
        inner = Digester.keyState(pepper, mask: 0x36)
        outer = Digester.keyState(pepper, mask: 0x5c)
    }

    private static func keyState(_ pepper: Pepper, mask: UInt8) -> SHA256_CTX {
        var block = [UInt8](repeating: mask, count: 64)
        for i in 0..<Pepper.byteCount { block[i] ^= pepper.bytes[i] }
        return Sha256.state(after: block)
    }

    /// The recipient of an address that was just read.
    ///
    /// Allocates nothing.
    /// - Precondition: the last `read` of `address` did not throw.
    public func recipient(of address: borrowing CanonicalAddress) -> Recipient {
        precondition(address.count > 0)
        var state = inner
        let count = address.blockCount
        unsafe address.block.span.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            for i in 0..<count { unsafe SHA256_Transform(&state, start + 64 * i) }
        }
        return finish(state)
    }

    /// The id of a request, from the API key's hash and the value of `Idempotency-Key` (DESIGN 4).
    ///
    /// - Parameters:
    ///   - apiKey: the 32-byte hash of the key that was presented.
    ///   - header: the value as it came.
    /// - Returns: 16 bytes that do not tell who asked.
    public func requestID(apiKey: Span<UInt8>, header: Span<UInt8>) -> Recipient {
        precondition(apiKey.count == 32)
        var state = inner
        Sha256.update(&state, [0x72, 0x31])
        Sha256.update(&state, apiKey)
        Sha256.update(&state, header)
        var last = outer
        Sha256.update(&last, Sha256.finish(&state))
        var cursor = ByteCursor()
        let digest = Sha256.finish(&last)
        return Recipient(
            high: Sha256.leading64(digest, &cursor),
            low: Sha256.leading64(digest, &cursor)
        )
    }

    /// The outer hash over the inner state's 32 bytes, whose padding never changes.
    private func finish(_ state: SHA256_CTX) -> Recipient {
        var block = InlineArray<64, UInt8>(repeating: 0)
        let h = state.h
        Digester.put(h.0, &block, 0)
        Digester.put(h.1, &block, 4)
        Digester.put(h.2, &block, 8)
        Digester.put(h.3, &block, 12)
        Digester.put(h.4, &block, 16)
        Digester.put(h.5, &block, 20)
        Digester.put(h.6, &block, 24)
        Digester.put(h.7, &block, 28)
        block[32] = 0x80
        block[62] = UInt8((64 + 32) * 8 / 256)
        var last = outer
        unsafe block.span.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe SHA256_Transform(&last, start)
        }
        return Recipient(
            high: UInt64(last.h.0) << 32 | UInt64(last.h.1),
            low: UInt64(last.h.2) << 32 | UInt64(last.h.3)
        )
    }

    private static func put(_ word: UInt32, _ block: inout InlineArray<64, UInt8>, _ at: Int) {
        block[at] = UInt8(truncatingIfNeeded: word >> 24)
        block[at + 1] = UInt8(truncatingIfNeeded: word >> 16)
        block[at + 2] = UInt8(truncatingIfNeeded: word >> 8)
        block[at + 3] = UInt8(truncatingIfNeeded: word)
    }
}

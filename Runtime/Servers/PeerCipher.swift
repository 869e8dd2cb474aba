// One derived key and ChaCha20-Poly1305 with a counter as nonce: zeros u32 | counter u64.
//
// What is sealed is appended to the caller's output, and what is opened is copied once into an
// array of its own. Crypto speaks Foundation's `Data`, which goes no further than this file.

internal import Crypto
internal import Suppression

#if canImport(FoundationEssentials)
    private import FoundationEssentials
#endif

/// A key of one channel in one direction of one connection.
struct PeerCipher {
    /// Bytes that sealing adds.
    static let tagBytes = 16

    private let key: SymmetricKey

    init(_ key: SymmetricKey) { self.key = key }

    /// Appends ciphertext and tag.
    ///
    /// - Parameters:
    ///   - plain: what is hidden.
    ///   - header: authenticated, not contained in the result.
    ///   - counter: never used before under this key.
    func seal(
        _ plain: Span<UInt8>,
        header: [UInt8],
        counter: UInt64,
        onto output: inout [UInt8]
    ) {
        do {
            let nonce = try PeerCipher.nonce(counter)
            let box = try unsafe plain.withUnsafeBufferPointer { plain in
                try unsafe ChaChaPoly.seal(
                    plain,
                    using: key,
                    nonce: nonce,
                    authenticating: header
                )
            }
            // Part by part and each in one piece: a slice of `combined` is copied byte by byte.
            for part in [box.ciphertext, box.tag] {
                unsafe part.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
            }
        } catch {
            preconditionFailure("sealing fails only for keys and nonces of a wrong size: \(error)")
        }
    }

    /// The plain bytes; nil if a single bit of header, counter or sealed bytes is another.
    func open(_ sealed: Span<UInt8>, header: [UInt8], counter: UInt64) -> [UInt8]? {
        guard sealed.count >= PeerCipher.tagBytes else { return nil }
        do {
            let nonce = try PeerCipher.nonce(counter)
            return try unsafe sealed.withUnsafeBufferPointer { sealed in
                let split = sealed.count - PeerCipher.tagBytes
                let box = try unsafe ChaChaPoly.SealedBox(
                    nonce: nonce,
                    ciphertext: UnsafeBufferPointer(rebasing: sealed[..<split]),
                    tag: UnsafeBufferPointer(rebasing: sealed[split...])
                )
                let plain = try ChaChaPoly.open(box, using: key, authenticating: header)
                return unsafe plain.withUnsafeBytes { unsafe Array($0) }
            }
        } catch {
            return nil
        }
    }

    private static func nonce(_ counter: UInt64) throws -> ChaChaPoly.Nonce {
        var bytes: [UInt8] = [0, 0, 0, 0]
        bytes.append(bigEndian: counter)
        return try ChaChaPoly.Nonce(data: bytes)
    }
}

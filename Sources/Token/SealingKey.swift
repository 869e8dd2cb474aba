// One purpose, one key: ChaCha20-Poly1305 with a synthetic nonce, or with a random one.
//
//     sealed = nonce 12 | ciphertext | tag 16
//     key    = HKDF-SHA-256(master, salt = context, info = purpose)
//     nonce  = first 12 bytes of HMAC-SHA-256(key of purpose + "-iv",
//                                             length of header u32 | header | plain)
//
// A synthetic nonce (compare RFC 5297) makes equal inputs give equal tokens and needs no generator
// when a million links are made. Two different plaintexts share a nonce with chance 2^-96 a pair:
// keys are retired for minting long before 2^40 tokens. Small secrets at rest take a random nonce
// instead. ChaCha20-Poly1305 rather than AES-GCM: the same cost for 25 bytes, no tables, no
// hardware to rely on.

internal import Crypto
import Suppression

#if canImport(FoundationEssentials)
    // Crypto's sealed boxes hand out `Data`; it goes no further than this file.
    private import FoundationEssentials
#endif

struct SealingKey: Sendable {
    static let nonceBytes = 12
    static let overheadBytes = 28

    private let key: SymmetricKey
    private let nonceKey: SymmetricKey

    /// Derives both keys of a purpose.
    ///
    /// - Parameters:
    ///   - master: 32 random bytes.
    ///   - context: what the key belongs to, such as tenant and key id; fixed width per purpose.
    ///   - purpose: names the use; no two uses share one.
    init(master: [UInt8], context: [UInt8], purpose: String) {
        key = SealingKey.derive(master, context, purpose)
        nonceKey = SealingKey.derive(master, context, "\(purpose)-iv")
    }

    static func derive(_ master: [UInt8], _ context: [UInt8], _ purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: master),
            salt: context,
            info: Array(purpose.utf8),
            outputByteCount: 32
        )
    }

    /// The derived key as bytes, for parts that have their own cipher.
    static func bytes(_ master: [UInt8], _ context: [UInt8], _ purpose: String) -> [UInt8] {
        unsafe derive(master, context, purpose).withUnsafeBytes { unsafe Array($0) }
    }

    /// Seals deterministically.
    ///
    /// - Parameters:
    ///   - plain: what is hidden.
    ///   - header: authenticated, not contained in the result.
    /// - Returns: nonce, ciphertext and tag.
    func seal(_ plain: [UInt8], header: [UInt8]) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(4 + header.count + plain.count)
        message.append(bigEndian: UInt32(header.count))
        message.append(contentsOf: header)
        message.append(contentsOf: plain)
        let code = HMAC<SHA256>.authenticationCode(for: message, using: nonceKey)
        return seal(plain, header: header, nonce: Array(code.prefix(SealingKey.nonceBytes)))
    }

    /// Seals under a fresh random nonce: the same secret twice gives two texts.
    func sealRandomly(_ plain: [UInt8], header: [UInt8]) -> [UInt8] {
        seal(plain, header: header, nonce: randomBytes(SealingKey.nonceBytes))
    }

    private func seal(_ plain: [UInt8], header: [UInt8], nonce: [UInt8]) -> [UInt8] {
        do {
            let box = try ChaChaPoly.seal(
                plain,
                using: key,
                nonce: ChaChaPoly.Nonce(data: nonce),
                authenticating: header
            )
            return Array(box.combined)
        } catch {
            preconditionFailure("sealing fails only for keys and nonces of a wrong size: \(error)")
        }
    }

    /// Opens what either way of sealing made.
    func open(_ sealed: [UInt8], header: [UInt8]) throws(TokenError) -> [UInt8] {
        guard sealed.count >= SealingKey.overheadBytes else { throw .malformed }
        do {
            let box = try ChaChaPoly.SealedBox(combined: sealed)
            return Array(try ChaChaPoly.open(box, using: key, authenticating: header))
        } catch {
            throw .forged
        }
    }
}

/// Bytes of the system's generator.
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

/// Compares without stopping at the first difference.
///
/// Lengths are public here: hashes of 32 bytes.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for i in 0..<a.count { difference |= a[i] ^ b[i] }
    return difference == 0
}

// Keys that people hold: API keys of workers and the admin key of an operator.
//
//     qk_ + 43 characters     API key: 256 random bits. At rest only SHA-256 of the text.
//     qa_ + 43 characters     admin key: 256 random bits, and by HKDF an Ed25519 key pair.
//
// 256 random bits need no slow hash. The admin key is both a bearer key and a signing key: whoever
// presents it can have registers signed, and nodes store only its hash and its public half, so a
// stolen data directory can change no setting (DESIGN 8).

internal import Crypto
public import Suppression

#if canImport(FoundationEssentials)
    // Crypto hands out signatures as `Data`; it goes no further than this file.
    private import FoundationEssentials
#endif

/// The key of a sending worker.
public struct ApiKey: Sendable {
    static let prefix = Array("qk_".utf8)
    private let secret: [UInt8]

    /// A fresh key.
    public static func random() -> ApiKey { ApiKey(secret: randomBytes(32)) }

    private init(secret: [UInt8]) { self.secret = secret }

    /// Reads a presented key; nil when it cannot be one.
    public init?(text: Span<UInt8>) {
        guard let secret = keySecret(text, ApiKey.prefix) else { return nil }
        self.secret = secret
    }

    /// The key itself: shown once to whoever made it.
    public var text: String { keyText(secret, ApiKey.prefix) }

    /// What is stored: SHA-256 of the text, 32 bytes.
    public var hash: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}

/// The key of an operator.
public struct AdminKey: Sendable {
    static let prefix = Array("qa_".utf8)
    private let secret: [UInt8]
    private let signing: Curve25519.Signing.PrivateKey

    /// A fresh key.
    public static func random() -> AdminKey { AdminKey(secret: randomBytes(32)) }

    private init(secret: [UInt8]) {
        self.secret = secret
        let seed = SealingKey.bytes(secret, [], "quell-admin-ed25519-1")
        do {
            signing = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        } catch {
            preconditionFailure("every 32 bytes are an Ed25519 seed: \(error)")
        }
    }

    /// Reads a presented key; nil when it cannot be one.
    public init?(text: Span<UInt8>) {
        guard let secret = keySecret(text, AdminKey.prefix) else { return nil }
        self.init(secret: secret)
    }

    /// The key itself: lies in a file of mode 0600.
    public var text: String { keyText(secret, AdminKey.prefix) }

    /// What a node stores to recognise the key: SHA-256 of the text, 32 bytes.
    public var hash: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// The Ed25519 public key, 32 bytes: the author of registers.
    public var publicKey: [UInt8] { Array(signing.publicKey.rawRepresentation) }

    /// Signs a setting.
    public func signed(
        name: [UInt8],
        generation: UInt64,
        final: Bool,
        value: [UInt8]
    ) -> Register {
        let unsigned = Register(
            name: name,
            generation: generation,
            final: final,
            value: value,
            author: publicKey,
            signature: []
        )
        do {
            return Register(
                name: name,
                generation: generation,
                final: final,
                value: value,
                author: publicKey,
                signature: Array(try signing.signature(for: signedMessage(unsigned)))
            )
        } catch {
            preconditionFailure("signing with a key in memory does not fail: \(error)")
        }
    }
}

extension Register {
    /// Whether the author named in the register signed it; whether that author may is another
    /// question.
    public func hasValidSignature() -> Bool {
        guard author.count == 32, signature.count == 64 else { return false }
        do {
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: author)
            return key.isValidSignature(signature, for: signedMessage(self))
        } catch {
            return false
        }
    }
}

/// A prefix keeps a signature over a register from being one over anything else.
private func signedMessage(_ register: Register) -> [UInt8] {
    Array("quell-register-1\0".utf8) + register.signedBytes()
}

private func keyText(_ secret: [UInt8], _ prefix: [UInt8]) -> String {
    String(decoding: prefix + Base64URL.encode(secret), as: UTF8.self)
}

private func keySecret(_ text: Span<UInt8>, _ prefix: [UInt8]) -> [UInt8]? {
    guard text.count == prefix.count + 43 else { return nil }
    for i in 0..<prefix.count where text[i] != prefix[i] { return nil }
    return Base64URL.decode(text.extracting(prefix.count..<text.count))
}

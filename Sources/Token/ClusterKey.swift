// Two secrets above all others, and what lies sealed under them.
//
//     cluster key      32 bytes in a file beside each node; rotated by the operator
//       seals  cluster secret     32 bytes, minted at bootstrap, never changed
//                seals  peppers, token masters and the like, inside registers
//
//     sealed   version 1 | nonce 12 (random) | ciphertext | tag 16
//
// The step in between makes rotation cheap: a new cluster key re-seals one value, and nothing that
// other nodes hold changes. What is sealed is bound to the register it lies in, so a value moved to
// another name does not open.

/// The key that nodes of one cluster share through a file.
public struct ClusterKey: Sendable {
    private let bytes: [UInt8]

    /// A fresh key.
    public static func random() -> ClusterKey { ClusterKey(bytes: randomBytes(32)) }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the file's text: 64 hexadecimal digits, blanks around them allowed; nil for anything
    /// else.
    public init?(hex: Span<UInt8>) {
        var digits: [UInt8] = []
        var isOver = false
        for i in 0..<hex.count {
            switch hex[i] {
            case 0x20, 0x09, 0x0a, 0x0d: isOver = !digits.isEmpty
            case let byte:
                guard !isOver, digits.count < 64, let digit = ClusterKey.digit(byte)
                else { return nil }
                digits.append(digit)
            }
        }
        guard digits.count == 64 else { return nil }
        bytes = (0..<32).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
    }

    /// The file's text without the final newline.
    public var hex: String {
        let alphabet = Array("0123456789abcdef".utf8)
        let digits = bytes.flatMap { [alphabet[Int($0 >> 4)], alphabet[Int($0 & 15)]] }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Seals the cluster secret for this key.
    public func seal(_ secret: ClusterSecret) -> [UInt8] {
        [Vault.version] + secretKey.sealRandomly(secret.bytes, header: [Vault.version])
    }

    /// Opens what a node of the same key sealed.
    public func open(_ sealed: [UInt8]) throws(TokenError) -> ClusterSecret {
        let plain = try secretKey.open(try Vault.body(sealed), header: [Vault.version])
        guard plain.count == 32 else { throw .malformed }
        return ClusterSecret(bytes: plain)
    }

    /// A 32-byte key for another use, such as the links between nodes.
    ///
    /// - Parameter use: names the use and its version.
    /// - Returns: the same bytes every time.
    public func derivedKey(_ use: StaticString) -> [UInt8] {
        SealingKey.bytes(bytes, [], "quell-cluster-key/\(use)")
    }

    private var secretKey: SealingKey {
        SealingKey(master: bytes, context: [], purpose: "quell-cluster-secret-1")
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        case 0x41...0x46: byte - 0x37
        default: nil
        }
    }
}

/// The secret of a cluster for its whole life.
public struct ClusterSecret: Equatable, Sendable {
    let bytes: [UInt8]

    /// What a sealed value is; each has its own key.
    public enum Purpose: String, Sendable {
        /// The pepper of a tenant.
        case pepper = "quell-sealed-pepper-1"
        /// A token master of a tenant.
        case tokenMaster = "quell-sealed-token-master-1"
        /// A key that deploys functions.
        case deployKey = "quell-sealed-deploy-key-1"
    }

    /// A fresh secret: once, at bootstrap.
    public static func random() -> ClusterSecret { ClusterSecret(bytes: randomBytes(32)) }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Seals a value for the register of this name.
    ///
    /// - Parameters:
    ///   - secret: at most 4,096 bytes.
    ///   - purpose: what it is.
    ///   - name: the register that will hold it.
    /// - Returns: other bytes every time.
    public func seal(_ secret: [UInt8], for purpose: Purpose, register name: [UInt8]) -> [UInt8] {
        precondition(secret.count <= Limits.sealedSecretBytes)
        return [Vault.version] + key(purpose).sealRandomly(secret, header: [Vault.version] + name)
    }

    /// Opens a value found in the register of this name.
    public func open(
        _ sealed: [UInt8],
        for purpose: Purpose,
        register name: [UInt8]
    ) throws(TokenError) -> [UInt8] {
        guard sealed.count <= Limits.sealedSecretBytes + 64 else { throw .tooLong }
        return try key(purpose).open(try Vault.body(sealed), header: [Vault.version] + name)
    }

    /// A 32-byte key for another use, such as the hash of sketches.
    ///
    /// - Parameter use: names the use and its version.
    /// - Returns: the same bytes every time.
    public func derivedKey(_ use: StaticString) -> [UInt8] {
        SealingKey.bytes(bytes, [], "quell-cluster-secret/\(use)")
    }

    private func key(_ purpose: Purpose) -> SealingKey {
        SealingKey(master: bytes, context: [], purpose: purpose.rawValue)
    }
}

private enum Vault {
    static let version: UInt8 = 1

    static func body(_ sealed: [UInt8]) throws(TokenError) -> [UInt8] {
        guard sealed.first == version else { throw .malformed }
        return Array(sealed.dropFirst())
    }
}

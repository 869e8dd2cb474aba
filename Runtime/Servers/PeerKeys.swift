// From one key per cluster to one key per use: nothing is ever sealed twice under the same nonce.
//
//     key = HKDF-SHA-256(ikm  = cluster's link key,
//                        salt = dialer's random 16 | acceptor's random 16,
//                        info = "quell-link-1" | key id u32 | node u64 | epoch u64
//                               | channel u8 | direction u8)
//
// Node and epoch are the sender's. Both randoms are fresh for each connection, so a key belongs to
// one channel of one direction of one connection, and a counter from 0 up is nonce enough. The
// dialer's hello comes before the acceptor's random and before anybody's name is known: zeros stand
// for what is missing. The acceptor's hello depends on both randoms, so no recorded one opens; a
// recorded dialer's hello does open, which is why a link counts only once a frame under the keys of
// both randoms has come.
//
// Two keys are accepted at once. To rotate: first every node accepts the next key beside the
// current one, then every node makes it its current one, then the last one is dropped.

internal import Crypto
internal import Suppression

/// A key that the nodes of a cluster share for their links, and its number on the wire.
public struct PeerSecret: Sendable {
    /// Tells keys apart while two are accepted; public.
    public let id: UInt32
    fileprivate let key: SymmetricKey

    /// Takes a key under a number of one's own.
    ///
    /// - Parameters:
    ///   - id: different from the other accepted key's.
    ///   - bytes: 32 random or derived bytes.
    public init(id: UInt32, bytes: [UInt8]) {
        precondition(bytes.count == 32, "a key of a cluster is 32 bytes")
        self.id = id
        key = SymmetricKey(data: bytes)
    }

    /// Takes a key and numbers it by its own digest, so that nobody has to.
    ///
    /// - Parameter bytes: 32 random or derived bytes.
    public init(bytes: [UInt8]) {
        var hash = SHA256()
        hash.update(data: Array("quell-link-key-id-1".utf8))
        hash.update(data: bytes)
        self.init(id: hash.finalize().prefix(4).reduce(0) { $0 << 8 | UInt32($1) }, bytes: bytes)
    }
}

/// The keys that a node accepts on its links.
public struct PeerKeys: Sendable {
    /// What our own hellos are sealed under.
    public var current: PeerSecret
    /// Accepted as well: the next or the last one during a rotation, else nil.
    public var other: PeerSecret?

    /// One key, or two while they are rotated.
    public init(current: PeerSecret, other: PeerSecret? = nil) {
        precondition(current.id != other?.id, "two keys of a cluster need two numbers")
        self.current = current
        self.other = other
    }

    /// The accepted key of this number.
    func accepted(_ id: UInt32) -> PeerSecret? {
        if current.id == id { return current }
        return other?.id == id ? other : nil
    }

    /// What to dial with: the current key, and after a failure the other one, since a peer may be
    /// a step behind in a rotation.
    func dialing(attempt: Int) -> PeerSecret {
        guard let other, attempt % 2 == 1 else { return current }
        return other
    }
}

/// 16 random bytes of one side of one connection.
struct HandshakeRandom: Equatable {
    let high: UInt64
    let low: UInt64

    /// Before the other side's is known.
    static let missing = HandshakeRandom(high: 0, low: 0)

    /// Bytes of the system's generator.
    static func fresh() -> HandshakeRandom {
        var system = SystemRandomNumberGenerator()
        return HandshakeRandom(high: system.next(), low: system.next())
    }
}

/// Which way bytes go on a connection.
enum PeerDirection: UInt8 {
    case fromDialer = 0
    case fromAcceptor = 1

    var reversed: PeerDirection { self == .fromDialer ? .fromAcceptor : .fromDialer }
}

/// What a key is for.
enum PeerChannel: UInt8 {
    case hello = 0
    case frames = 1
    case datagrams = 2
}

/// Everything that the keys of one connection depend on, but for sender, channel and direction.
struct PeerSchedule {
    let secret: PeerSecret
    let dialer: HandshakeRandom
    let acceptor: HandshakeRandom

    /// The cipher of a channel in one direction.
    ///
    /// - Parameter sender: nil for hellos.
    func cipher(
        _ channel: PeerChannel,
        _ direction: PeerDirection,
        sender: Origin?
    ) -> PeerCipher {
        var salt: [UInt8] = []
        for random in [dialer, acceptor] {
            salt.append(bigEndian: random.high)
            salt.append(bigEndian: random.low)
        }
        var use = Array("quell-link-1".utf8)
        use.append(bigEndian: secret.id)
        use.append(bigEndian: sender?.node.raw ?? 0)
        use.append(bigEndian: sender?.epoch.raw ?? 0)
        use.append(channel.rawValue)
        use.append(direction.rawValue)
        return PeerCipher(
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: secret.key,
                salt: salt,
                info: use,
                outputByteCount: 32
            )
        )
    }
}

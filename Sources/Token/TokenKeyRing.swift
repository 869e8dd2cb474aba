// The token keys of one tenant: links are made with the newest and opened with any.
//
// Every key is 32 random bytes with an id; what is used are keys derived from it, one pair a
// purpose, so that a consent id can never be read as an undo token. Derivation costs some
// microseconds and happens once, when a key is added; opening a link is then one HMAC-free pass of
// about 2 us. Keys are retired by adding a newer one. Old ones stay for years: a link in a mail has
// no expiry.

public import Suppression

/// 32 random bytes from which all keys of one id are derived.
public struct TokenMaster: Equatable, Sendable {
    /// Bytes of a master.
    public static let byteCount = 32

    /// The secret itself: for sealing into a register, never for a log.
    public let bytes: [UInt8]

    /// Takes 32 bytes; nil for any other count.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == TokenMaster.byteCount else { return nil }
        self.bytes = bytes
    }

    /// A fresh secret from the system's generator.
    public static func random() -> TokenMaster {
        TokenMaster(unchecked: randomBytes(byteCount))
    }

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }
}

/// One key of a tenant with everything derived from it.
public struct TokenKey: Sendable {
    /// Random, unique within the tenant.
    public let id: UInt32
    /// When it was made, by the wall clock of whoever made it; orders keys for minting.
    public let createdSeconds: UInt64
    let tenant: TenantID
    let link: SealingKey
    let consent: SealingKey
    let undo: SealingKey

    /// Derives the keys of all purposes.
    public init(id: UInt32, createdSeconds: UInt64, master: TokenMaster, tenant: TenantID) {
        self.id = id
        self.createdSeconds = createdSeconds
        self.tenant = tenant
        var context: [UInt8] = []
        context.append(bigEndian: tenant.raw)
        context.append(bigEndian: id)
        let bytes = master.bytes
        link = SealingKey(master: bytes, context: context, purpose: "quell-link-1")
        consent = SealingKey(master: bytes, context: context, purpose: "quell-consent-1")
        undo = SealingKey(master: bytes, context: context, purpose: "quell-undo-1")
    }

    /// An id for a key that is about to be made.
    public static func randomID() -> UInt32 {
        var generator = SystemRandomNumberGenerator()
        return UInt32.random(in: 1 ... .max, using: &generator)
    }
}

/// All token keys of one tenant.
public struct TokenKeyRing: Sendable {
    /// Whose keys these are.
    public let tenant: TenantID
    /// Oldest first.
    private var keys: [TokenKey] = []

    /// A ring without keys opens and makes nothing.
    public init(tenant: TenantID) { self.tenant = tenant }

    /// Whether nothing can be made or opened.
    public var isEmpty: Bool { keys.isEmpty }

    /// Adds a key; one whose id is held already is ignored.
    ///
    /// - Precondition: the key was derived for this ring's tenant.
    public mutating func add(_ key: TokenKey) {
        precondition(key.tenant == tenant)
        guard !keys.contains(where: { $0.id == key.id }) else { return }
        keys.append(key)
        keys.sort { ($0.createdSeconds, $0.id) < ($1.createdSeconds, $1.id) }
    }

    func newest() throws(TokenError) -> TokenKey {
        guard let key = keys.last else { throw .unknownKey }
        return key
    }

    func key(_ id: UInt32) throws(TokenError) -> TokenKey {
        guard let key = keys.last(where: { $0.id == id }) else { throw .unknownKey }
        return key
    }

    /// Makes a link token: 88 characters, the same for the same claims and key.
    ///
    /// - Throws: `.unknownKey` when the ring is empty.
    public func mint(_ claims: LinkClaims) throws(TokenError) -> [UInt8] {
        precondition(claims.person.tenant == tenant)
        let key = try newest()
        var header: [UInt8] = [LinkToken.version]
        header.append(bigEndian: tenant.raw)
        header.append(bigEndian: key.id)
        var plain: [UInt8] = []
        plain.append(bigEndian: claims.scope.stream.raw)
        plain.append(bigEndian: claims.scope.topic.raw)
        plain.append(bigEndian: claims.person.recipient.high)
        plain.append(bigEndian: claims.person.recipient.low)
        plain.append(claims.flags)
        return Base64URL.encode(header + key.link.seal(plain, header: header))
    }

    /// Opens a link token made with any key of this ring, however old.
    ///
    /// - Throws: `.unknownKey` for a key of this tenant that is not here (yet), `.forged` for
    ///   another tenant's token or any change, `.malformed` for what is no token.
    public func open(_ text: Span<UInt8>) throws(TokenError) -> LinkClaims {
        let (owner, id, bytes) = try LinkToken.header(text)
        guard owner == tenant else { throw .forged }
        let plain = try key(id).link.open(
            Array(bytes[LinkToken.headerBytes...]),
            header: Array(bytes[..<LinkToken.headerBytes])
        )
        var cursor = ByteCursor()
        do {
            let stream = StreamID(raw: try cursor.u32(plain.span))
            let topic = TopicID(raw: try cursor.u32(plain.span))
            let high = try cursor.u64(plain.span)
            let recipient = Recipient(high: high, low: try cursor.u64(plain.span))
            return LinkClaims(
                person: Person(tenant: tenant, recipient: recipient),
                scope: Scope(stream: stream, topic: topic),
                flags: try cursor.u8(plain.span)
            )
        } catch {
            throw .malformed
        }
    }
}

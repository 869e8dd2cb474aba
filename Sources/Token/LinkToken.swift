// The link token `u1`: what stands in a mail, works for years, and says nothing to anybody.
//
//     0         1            9         13       25                                50    66
//     +---------+------------+---------+--------+---------------------------------+-----+
//     | version | tenant u64 | key u32 | nonce  | stream u32, topic u32,          | tag |
//     | 1       |            |         | 12     | recipient 16 B, flags u8        | 16  |
//     +---------+------------+---------+--------+---------------------------------+-----+
//      clear, authenticated              sealed by SealingKey "quell-link-1"
//
// 66 bytes are 88 characters with no bit to spare, so there is no character that could be changed
// unnoticed. The clear header leads to the key: the tenant (a hash of the sender's name, who signs
// the mail anyway) and one of its keys. Key ids are random and belong to a tenant, so two nodes
// that make a key at the same time make two keys; nobody's links die of it.
//
// There is no issue time: an unsubscribe link never expires, the same inputs give the same token (a
// sender may compute it again), and a time would be one more thing to tell about a person. The
// recipient inside is the keyed digest: even with the token key, no address comes out.

public import Suppression

/// What a link may do: suppress for one person, as wide as the list it was made for.
public struct LinkClaims: Equatable, Sendable {
    /// The legal sender and the person.
    public let person: Person
    /// The topic or stream that the link stops.
    public let scope: Scope
    /// 0; bits are reserved for what a link may show.
    public let flags: UInt8

    /// Puts claims together.
    public init(person: Person, scope: Scope, flags: UInt8 = 0) {
        self.person = person
        self.scope = scope
        self.flags = flags
    }
}

/// The clear part of a link token.
public enum LinkToken {
    /// Length of every link token of version 1.
    public static let characterCount = 88
    static let byteCount = 66
    static let headerBytes = 13
    private static let tenantCharacters = 12
    static let version: UInt8 = 1

    /// Whose keys may open this text; nil when it cannot be a token at all.
    ///
    /// The first 12 characters are version and tenant to the bit; `open` reads the others, and
    /// reading all of them twice would cost a click 0.3 us.
    public static func tenant(of text: Span<UInt8>) -> TenantID? {
        guard text.count == characterCount,
            let bytes = Base64URL.decode(text.extracting(0..<tenantCharacters))
        else { return nil }
        var cursor = ByteCursor()
        do {
            guard try cursor.u8(bytes.span) == version else { return nil }
            return TenantID(raw: try cursor.u64(bytes.span))
        } catch {
            return nil
        }
    }

    static func header(
        _ text: Span<UInt8>
    ) throws(TokenError) -> (tenant: TenantID, key: UInt32, bytes: [UInt8]) {
        guard text.count == characterCount, let bytes = Base64URL.decode(text) else {
            throw .malformed
        }
        var cursor = ByteCursor()
        do {
            guard try cursor.u8(bytes.span) == version else { throw TokenError.malformed }
            let tenant = TenantID(raw: try cursor.u64(bytes.span))
            return (tenant, try cursor.u32(bytes.span), bytes)
        } catch {
            throw .malformed
        }
    }
}

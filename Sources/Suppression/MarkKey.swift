// The key of a mark: 33 bytes, all marks of one person side by side.
//
//     tenant u64 | recipient 16 B | stream u32 | topic u32 | reason u8        (big-endian)
//
// Tenant, stream `*` and topic `*` are 0, so one seek to (tenant, recipient) walks tenant-wide
// marks first, then each stream and its topics: one seek answers a check of any scope (DESIGN 4).

/// Names one mark: who, how wide, why.
public struct MarkKey: Hashable, Comparable, Sendable {
    /// Bytes of an encoded key.
    public static let encodedBytes = 33
    /// Bytes of the part that all marks of one person share.
    public static let personBytes = 24

    /// Tenant and recipient.
    public let person: Person
    /// One topic, one stream or the whole tenant.
    public let scope: Scope
    /// Why.
    public let reason: Reason

    /// Names a mark; the scope is widened where the reason demands it.
    public init(person: Person, scope: Scope, reason: Reason) {
        self.person = person
        self.scope = reason.widened(scope)
        self.reason = reason
    }

    /// Reads a key of the named database `marks`.
    public init(decoding bytes: Span<UInt8>) throws(DecodeError) {
        guard bytes.count == MarkKey.encodedBytes else { throw .malformed }
        var cursor = ByteCursor()
        try self.init(bytes, at: &cursor)
    }

    /// Reads a key inside a larger record.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let tenant = TenantID(raw: try cursor.u64(bytes))
        let recipient = Recipient(high: try cursor.u64(bytes), low: try cursor.u64(bytes))
        let stream = StreamID(raw: try cursor.u32(bytes))
        let topic = TopicID(raw: try cursor.u32(bytes))
        // Assigned as stored, not through the widening init: what is on disk is what is there.
        person = Person(tenant: tenant, recipient: recipient)
        scope = Scope(stream: stream, topic: topic)
        reason = Reason(raw: try cursor.u8(bytes))
    }

    /// Appends the 33 bytes.
    public func encode(into out: inout [UInt8]) {
        person.encode(into: &out)
        out.append(bigEndian: scope.stream.raw)
        out.append(bigEndian: scope.topic.raw)
        out.append(reason.raw)
    }

    /// Orders as the encoded bytes do.
    public static func < (a: MarkKey, b: MarkKey) -> Bool {
        (a.person, a.scope, a.reason) < (b.person, b.scope, b.reason)
    }
}

extension Person {
    /// Appends the 24 bytes that start each of the person's keys.
    public func encode(into out: inout [UInt8]) {
        out.append(bigEndian: tenant.raw)
        out.append(bigEndian: recipient.high)
        out.append(bigEndian: recipient.low)
    }
}

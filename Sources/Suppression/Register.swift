// A register: one replicated setting, ordered by generation.
//
// Tenants, streams, topics, API-key hashes, token keys and cluster settings are registers (DESIGN
// 8). The highest generation wins; two authors of one generation are told apart by their bytes,
// which is arbitrary but the same on every node. A revocation wins for ever, whatever generation
// comes later.

/// One replicated setting.
public struct Register: Equatable, Sendable {
    /// What is set, such as `topic/3f2a.../91cc01aa`.
    public let name: [UInt8]
    /// Counts the writes of this name; 1 is the first.
    public let generation: UInt64
    /// True for a write-once flag (revoked, deleted, evicted) that no later generation undoes.
    public let final: Bool
    /// The setting itself, in the layout of its kind.
    public let value: [UInt8]
    /// Ed25519 public key of the admin who wrote it, 32 bytes.
    public let author: [UInt8]
    /// Ed25519 signature over `signedBytes`, 64 bytes.
    public let signature: [UInt8]

    /// Puts a register together; the caller signs.
    public init(
        name: [UInt8],
        generation: UInt64,
        final: Bool,
        value: [UInt8],
        author: [UInt8],
        signature: [UInt8]
    ) {
        self.name = name
        self.generation = generation
        self.final = final
        self.value = value
        self.author = author
        self.signature = signature
    }

    /// Whether this write replaces `other` of the same name.
    public func wins(over other: Register) -> Bool {
        if final != other.final { return final }
        if generation != other.generation { return generation > other.generation }
        return other.signedBytes().lexicographicallyPrecedes(signedBytes())
    }

    /// What the signature covers: everything but itself.
    public func signedBytes() -> [UInt8] {
        var out: [UInt8] = []
        out.append(field: name)
        out.append(bigEndian: generation)
        out.append(final ? 1 : 0)
        out.append(bigEndian: UInt32(value.count))
        out.append(contentsOf: value)
        out.append(field: author)
        return out
    }

    /// Appends all of it.
    public func encode(into out: inout [UInt8]) {
        out.append(contentsOf: signedBytes())
        out.append(field: signature)
    }

    /// Reads what `encode` wrote.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        name = try cursor.field(bytes, limit: Limits.registerNameBytes)
        generation = try cursor.u64(bytes)
        final = try cursor.u8(bytes) == 1
        let count = Int(try cursor.u32(bytes))
        guard count <= Limits.changeBytes else { throw .malformed }
        value = try cursor.take(count, of: bytes)
        author = try cursor.field(bytes, limit: 32)
        signature = try cursor.field(bytes, limit: 64)
    }
}

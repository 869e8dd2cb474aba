// From a name to its id, the same on every node, with nobody to ask (DESIGN 8).
//
//     tenant   leading 64 bits of SHA-256("quell-tenant-1" 00 name)
//     stream   leading 32 bits of SHA-256("quell-stream-1" 00 tenant u64 name)
//     topic    leading 32 bits of SHA-256("quell-topic-1"  00 tenant u64 stream u32 name)
//
// Two sides of a partition that create the same topic thereby create the same id. What stands
// before the name has a fixed width, so no two triples give one input. 0 means `*`; a hash that
// begins with zeros takes the next bits. A name whose id is taken by another name is refused where
// names are registered.

public import Suppression

/// Names of tenants, streams and topics.
public enum Names {
    /// Refuses what is not 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    public static func validate(_ name: Span<UInt8>) throws(AddressError) {
        guard name.count >= 1, name.count <= Limits.nameBytes else { throw .name }
        for i in 0..<name.count {
            switch name[i] {
            case 0x61...0x7a, 0x30...0x39: continue
            case 0x2e, 0x5f, 0x2d: guard i > 0 else { throw .name }
            default: throw .name
            }
        }
    }

    /// The id of a tenant: the leading bits of SHA-256 of its name, nothing else (DESIGN 8).
    public static func tenantID(_ name: Span<UInt8>) throws(AddressError) -> TenantID {
        try validate(name)
        return TenantID(raw: leading(64, of: Sha256.of(name)))
    }

    /// The id of a stream of a tenant.
    public static func streamID(
        of tenant: TenantID,
        _ name: Span<UInt8>
    ) throws(AddressError) -> StreamID {
        var prefix: [UInt8] = []
        prefix.append(bigEndian: tenant.raw)
        let digest = try hash("quell-stream-1", prefix, name)
        return StreamID(raw: UInt32(leading(32, of: digest)))
    }

    /// The id of a topic inside a stream.
    public static func topicID(
        of tenant: TenantID,
        in stream: StreamID,
        _ name: Span<UInt8>
    ) throws(AddressError) -> TopicID {
        var prefix: [UInt8] = []
        prefix.append(bigEndian: tenant.raw)
        prefix.append(bigEndian: stream.raw)
        let digest = try hash("quell-topic-1", prefix, name)
        return TopicID(raw: UInt32(leading(32, of: digest)))
    }

    /// `validate` for text.
    public static func validate(_ name: String) throws(AddressError) {
        try validate(Array(name.utf8).span)
    }

    /// `tenantID` for text.
    public static func tenantID(_ name: String) throws(AddressError) -> TenantID {
        try tenantID(Array(name.utf8).span)
    }

    /// `streamID` for text.
    public static func streamID(
        of tenant: TenantID,
        _ name: String
    ) throws(AddressError) -> StreamID {
        try streamID(of: tenant, Array(name.utf8).span)
    }

    /// `topicID` for text.
    public static func topicID(
        of tenant: TenantID,
        in stream: StreamID,
        _ name: String
    ) throws(AddressError) -> TopicID {
        try topicID(of: tenant, in: stream, Array(name.utf8).span)
    }

    private static func hash(
        _ domain: StaticString,
        _ prefix: [UInt8],
        _ name: Span<UInt8>
    ) throws(AddressError) -> [UInt8] {
        try validate(name)
        var input = Array(domain.description.utf8)
        input.append(0)
        input.append(contentsOf: prefix)
        for i in 0..<name.count { input.append(name[i]) }
        return Sha256.of(input.span)
    }

    /// The first window of `bits` bits that is not 0.
    static func leading(_ bits: Int, of digest: [UInt8]) -> UInt64 {
        let width = bits / 8
        for start in stride(from: 0, to: digest.count, by: width) {
            let value = digest[start..<(start + width)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if value != 0 { return value }
        }
        return 1
    }
}

// ABI v1: a request and its response as bytes in a guest's window. Both sides read this one file.
//
//     request   64 B   magic u32 "QLL1" | version u16 = 1 | kind u16 | now u64 ms |
//                      request id 16 B | seed u64 | node u32 | field count u32 | flags u64 |
//                      8 zeros
//               kind 1 (link)    fields: tag u16 | 0 u16 | length u32 | bytes
//                   1 method u8   2 path   3 body   4 content type   5 accept-language
//                   6 outcome u8
//                   7 claims: tenant u64, recipient 2 x u64, stream u32, topic u32
//                   8 tenant name   9 stream name   10 topic name
//               kind 3 (http)    the fields of a link without claims, its outcome 8, and
//                   11 query string; `path` is what follows /f/NAME/
//                   12 topics of the stream, each: topic u32 | length u16 | name
//               kind 2 (check)   field count x 32 B: stream u32 | topic u32 | recipient 2 x u64 |
//                                class u8 | 7 zeros
//     response  link    32 B   status u16 | decision u16 = 0 | reason u32 = 0 | ttl u32 = 0 |
//                              body length u32 | field count u32 | 12 zeros
//                       fields as above: 1 content type   2 body   3 effects, each
//                              stream u32 | topic u32 | reason u8
//                   4 effects on addresses, each: reason u8 | bytes of stream u8 | of topic u8 |
//                              0 u8 | of address u16 | stream | topic | address
//               check   a byte an item: 1 allow, 2 deny; an untouched 0 is no allow
//
// Little-endian, as wasm memory is. Unknown fields are skipped, so a newer host may tell an older
// guest more. The host trusts nothing of a response: every length is checked against what is there.

public import Suppression

/// Why bytes are no request or response of ABI v1; the host treats it as a bad response.
public enum AbiError: Error, Equatable {
    /// Cut, or a value that the ABI does not have.
    case malformed
    /// Above one of the limits.
    case tooLarge
}

/// What a call is for.
public enum AbiKind: UInt16, Sendable {
    /// A request to a link.
    case link = 1
    /// A batch of checks.
    case check = 2
    /// A request to /f/NAME/.
    case http = 3
}

/// Constants and headers of ABI v1.
public enum Abi {
    /// What `quell_abi` answers: version in the high half, feature bits in the low one.
    public static var version: Int32 { 1 << 16 }
    /// Bytes before the fields of a request.
    public static var requestHeaderBytes: Int { 64 }
    /// Bytes before the fields of a response.
    public static var responseHeaderBytes: Int { 32 }
    /// Bytes of one check in a batch.
    public static var checkItemBytes: Int { 32 }
    static var magic: UInt32 { 0x314c_4c51 }

    /// How a guest writes a decision about one item.
    public static func byte(of decision: Decision) -> UInt8 { decision == .allow ? 1 : 2 }

    /// How the host reads it: everything but 1 withholds the message.
    public static func decision(of byte: UInt8) -> Decision { byte == 1 ? .allow : .deny }
}

extension Abi {
    /// What a guest answered, decoded; nothing of it believed yet.
    public struct Answer: Equatable, Sendable {
        /// What leaves the node.
        public let response: Response
        /// What it stages for the link's person.
        public let effects: [Effect]
        /// What it stages for people whom it names.
        public let addressed: [AddressEffect]
    }

    /// The bytes of a request to a link, or to /f/NAME/ where its outcome is `.direct`.
    public static func encode(_ request: Request) throws(AbiError) -> [UInt8] {
        var out = header(
            request.outcome == .direct ? .http : .link,
            now: request.nowMillis,
            id: (request.requestHigh, request.requestLow),
            seed: request.seed
        )
        var count: UInt32 = 6
        out.append(field: 1, [request.method.rawValue])
        out.append(field: 2, request.path)
        out.append(field: 3, request.body)
        out.append(field: 4, request.contentType)
        out.append(field: 5, request.acceptLanguage)
        out.append(field: 6, [request.outcome.rawValue])
        if let claims = request.claims {
            var bytes: [UInt8] = []
            bytes.append(littleEndian: claims.person.tenant.raw)
            bytes.append(littleEndian: claims.person.recipient.high)
            bytes.append(littleEndian: claims.person.recipient.low)
            bytes.append(littleEndian: claims.scope.stream.raw)
            bytes.append(littleEndian: claims.scope.topic.raw)
            out.append(field: 7, bytes)
            out.append(field: 8, claims.tenantName)
            out.append(field: 9, claims.streamName)
            out.append(field: 10, claims.topicName)
            count += 4
        }
        if !request.query.isEmpty {
            out.append(field: 11, request.query)
            count += 1
        }
        if !request.topics.isEmpty {
            out.append(field: 12, encoded(request.topics))
            count += 1
        }
        for i in 0..<4 { out[44 + i] = UInt8(truncatingIfNeeded: count >> UInt32(8 * i)) }
        guard out.count <= Limits.requestBytes else { throw .tooLarge }
        return out
    }

    private static func encoded(_ topics: [TopicChoice]) -> [UInt8] {
        var out: [UInt8] = []
        for topic in topics {
            out.append(littleEndian: topic.id.raw)
            out.append(littleEndian: UInt16(clamping: topic.name.count))
            out.append(contentsOf: topic.name.prefix(Int(UInt16.max)))
        }
        return out
    }

    /// The bytes of a batch of at most 512 checks.
    public static func encode(
        _ items: [CheckItem],
        nowMillis: UInt64
    ) throws(AbiError) -> [UInt8] {
        guard items.count <= Limits.checkBatchCount else { throw .tooLarge }
        var out = header(.check, now: nowMillis, id: (0, 0), seed: 0)
        for i in 0..<4 { out[44 + i] = UInt8(truncatingIfNeeded: items.count >> (8 * i)) }
        out.reserveCapacity(out.count + items.count * checkItemBytes)
        for item in items {
            out.append(littleEndian: item.scope.stream.raw)
            out.append(littleEndian: item.scope.topic.raw)
            out.append(littleEndian: item.recipient.high)
            out.append(littleEndian: item.recipient.low)
            out.append(littleEndian: UInt64(item.streamClass.rawValue))
        }
        return out
    }

    /// Writes what differs from batch to batch into the header of a buffer that a host reuses.
    ///
    /// - Parameter out: begins with the header of a batch, as `encode` makes it.
    public static func writeCheckHeader(
        count: Int,
        nowMillis: UInt64,
        into out: inout [UInt8]
    ) {
        for i in 0..<8 { out[8 + i] = UInt8(truncatingIfNeeded: nowMillis >> UInt64(8 * i)) }
        for i in 0..<4 { out[44 + i] = UInt8(truncatingIfNeeded: count >> (8 * i)) }
    }

    /// The header of a batch without items.
    public static var emptyCheckHeader: [UInt8] { header(.check, now: 0, id: (0, 0), seed: 0) }

    private static func header(
        _ kind: AbiKind,
        now: UInt64,
        id: (UInt64, UInt64),
        seed: UInt64
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.append(littleEndian: magic)
        out.append(littleEndian: UInt16(1))
        out.append(littleEndian: kind.rawValue)
        out.append(littleEndian: now)
        out.append(littleEndian: id.0)
        out.append(littleEndian: id.1)
        out.append(littleEndian: seed)
        for _ in 0..<24 { out.append(0) }
        return out
    }

    /// Reads what a guest answered to a link.
    ///
    /// - Parameter bytes: exactly as many as `quell_handle` returned.
    /// - Returns: the answer and what it stages.
    /// - Throws: for anything that the ABI does not have; a bad response.
    public static func decodeResponse(
        _ bytes: Span<UInt8>
    ) throws(AbiError) -> Answer {
        guard bytes.count <= Limits.responseBytes else { throw .tooLarge }
        var cursor = AbiCursor(end: bytes.count)
        let status = UInt16(truncatingIfNeeded: try cursor.number(bytes, 2))
        guard status >= 200, status < 600 else { throw .malformed }
        cursor.offset = 16
        let count = Int(try cursor.number(bytes, 4))
        cursor.offset = responseHeaderBytes
        var contentType: [UInt8] = []
        var body: [UInt8] = []
        var effects: [Effect] = []
        var addressed: [AddressEffect] = []
        for _ in 0..<min(count, 64) {
            let field = try cursor.field(bytes)
            switch field.tag {
            case 1: contentType = AbiCursor.copy(bytes, field.range)
            case 2: body = AbiCursor.copy(bytes, field.range)
            case 3: effects = try decodeEffects(bytes, field.range)
            case 4: addressed = try decodeAddresses(bytes, field.range)
            default: continue
            }
        }
        guard cursor.offset == bytes.count else { throw .malformed }
        for byte in contentType where byte < 0x20 || byte >= 0x7f { throw .malformed }
        let response = Response(status: status, contentType: contentType, body: body)
        return Answer(response: response, effects: effects, addressed: addressed)
    }

    private static func decodeAddresses(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>
    ) throws(AbiError) -> [AddressEffect] {
        var cursor = AbiCursor(end: range.upperBound)
        cursor.offset = range.lowerBound
        var effects: [AddressEffect] = []
        while cursor.offset < range.upperBound {
            guard effects.count < Limits.addressEffectsCount else { throw .tooLarge }
            let head = try cursor.number(bytes, 6)
            let stream = try cursor.bytes(bytes, Int(head >> 8 & 0xff))
            let topic = try cursor.bytes(bytes, Int(head >> 16 & 0xff))
            let address = try cursor.bytes(bytes, Int(head >> 32))
            guard head >> 24 & 0xff == 0, address.count <= Limits.effectAddressBytes else {
                throw .malformed
            }
            let reason = Reason(raw: UInt8(truncatingIfNeeded: head))
            effects.append(
                AddressEffect(address: address, stream: stream, topic: topic, reason: reason)
            )
        }
        return effects
    }

    private static func decodeEffects(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>
    ) throws(AbiError) -> [Effect] {
        guard range.count % 9 == 0 else { throw .malformed }
        guard range.count / 9 <= Limits.stagedEffectsCount else { throw .tooLarge }
        var cursor = AbiCursor(end: range.upperBound)
        cursor.offset = range.lowerBound
        var effects: [Effect] = []
        while cursor.offset < range.upperBound {
            let stream = StreamID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
            let topic = TopicID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
            let reason = Reason(raw: UInt8(truncatingIfNeeded: try cursor.number(bytes, 1)))
            effects.append(.suppress(Scope(stream: stream, topic: topic), reason))
        }
        return effects
    }
}

extension [UInt8] {
    /// Appends a number, its lowest byte first.
    mutating func append<N: FixedWidthInteger>(littleEndian value: N) {
        for i in 0..<(N.bitWidth / 8) { append(UInt8(truncatingIfNeeded: value >> N(8 * i))) }
    }

    /// Appends one field of a request or response.
    mutating func append(field tag: UInt16, _ bytes: [UInt8]) {
        append(littleEndian: tag)
        append(littleEndian: UInt16(0))
        append(littleEndian: UInt32(bytes.count))
        append(contentsOf: bytes)
    }
}

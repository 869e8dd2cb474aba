// The guest's half of ABI v1: reads the request out of the window and writes the response into it.
//
// Plain functions over spans, so that native tests run the very code that a wasm guest runs; only
// the few lines that name the window's address are wasm's alone (Door.swift).

import Suppression

/// A position in an encoded request or response.
struct AbiCursor {
    var offset = 0
    let end: Int

    init(end: Int) { self.end = end }

    mutating func number(_ bytes: Span<UInt8>, _ width: Int) throws(AbiError) -> UInt64 {
        guard offset >= 0, end - offset >= width else { throw .malformed }
        var value: UInt64 = 0
        for i in 0..<width { value |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
        offset += width
        return value
    }

    mutating func field(
        _ bytes: Span<UInt8>
    ) throws(AbiError) -> (tag: UInt64, range: Range<Int>) {
        let tag = try number(bytes, 2)
        offset += 2
        let count = try number(bytes, 4)
        guard count <= UInt64(end - offset) else { throw .malformed }
        let start = offset
        offset += Int(count)
        return (tag, start..<offset)
    }

    static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(range.count)
        for i in range { out.append(bytes[i]) }
        return out
    }
}

extension Abi {
    /// Kind, time and field count of a request.
    static func decodeHeader(
        _ bytes: Span<UInt8>
    ) throws(AbiError) -> (kind: AbiKind, now: UInt64, count: Int) {
        guard bytes.count <= Limits.requestBytes else { throw .tooLarge }
        guard bytes.count >= requestHeaderBytes else { throw .malformed }
        var cursor = AbiCursor(end: bytes.count)
        guard try cursor.number(bytes, 4) == UInt64(magic) else { throw .malformed }
        guard try cursor.number(bytes, 2) == 1 else { throw .malformed }
        let raw = UInt16(truncatingIfNeeded: try cursor.number(bytes, 2))
        guard let kind = AbiKind(rawValue: raw) else { throw .malformed }
        let now = try cursor.number(bytes, 8)
        cursor.offset = 44
        return (kind, now, Int(try cursor.number(bytes, 4)))
    }

    /// Reads a request to a link, or to /f/NAME/.
    public static func decodeRequest(_ bytes: Span<UInt8>) throws(AbiError) -> Request {
        let (kind, now, count) = try decodeHeader(bytes)
        guard kind != .check, count <= 64 else { throw .malformed }
        var cursor = AbiCursor(end: bytes.count)
        cursor.offset = 16
        let high = try cursor.number(bytes, 8)
        let low = try cursor.number(bytes, 8)
        let seed = try cursor.number(bytes, 8)
        cursor.offset = requestHeaderBytes
        var fields = LinkFields()
        for _ in 0..<count { try fields.take(bytes, &cursor) }
        guard cursor.offset == bytes.count, let method = fields.method,
            let outcome = fields.outcome, (kind == .http) == (outcome == .direct),
            (fields.claims == nil) == (outcome == .badToken || outcome == .direct)
        else { throw .malformed }
        return Request(
            method: method,
            path: fields.path,
            query: fields.query,
            body: fields.body,
            contentType: fields.contentType,
            acceptLanguage: fields.acceptLanguage,
            nowMillis: now,
            requestHigh: high,
            requestLow: low,
            seed: seed,
            claims: fields.named(),
            outcome: outcome
        )
    }

    /// The bytes of a response to a link; the host reads effects beyond the limit as a bad
    /// response.
    public static func encode(_ response: Response, _ context: Context) -> [UInt8]? {
        guard !context.overflowed else { return nil }
        var effects: [UInt8] = []
        for case .suppress(let scope, let reason) in context.effects {
            effects.append(littleEndian: scope.stream.raw)
            effects.append(littleEndian: scope.topic.raw)
            effects.append(reason.raw)
        }
        let count = responseHeaderBytes + 24 + response.contentType.count + response.body.count
        guard count + effects.count <= Limits.responseBytes else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(count + effects.count)
        out.append(littleEndian: response.status)
        for _ in 0..<10 { out.append(0) }
        out.append(littleEndian: UInt32(response.body.count))
        out.append(littleEndian: UInt32(3))
        for _ in 0..<12 { out.append(0) }
        out.append(field: 1, response.contentType)
        out.append(field: 2, response.body)
        out.append(field: 3, effects)
        return out
    }

    /// The count of a batch of checks, or an error when its bytes are not exactly that many.
    public static func decodeCheckCount(
        _ bytes: Span<UInt8>
    ) throws(AbiError) -> (count: Int, nowMillis: UInt64) {
        let (kind, now, count) = try decodeHeader(bytes)
        guard kind == .check, count <= Limits.checkBatchCount,
            bytes.count == requestHeaderBytes + count * checkItemBytes
        else { throw .malformed }
        return (count, now)
    }

    /// One check of a batch whose count was read before; no array is made of them.
    public static func decodeCheckItem(
        _ bytes: Span<UInt8>,
        _ index: Int
    ) throws(AbiError) -> CheckItem {
        var cursor = AbiCursor(end: bytes.count)
        cursor.offset = requestHeaderBytes + index * checkItemBytes
        let stream = StreamID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
        let topic = TopicID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
        let high = try cursor.number(bytes, 8)
        let low = try cursor.number(bytes, 8)
        let raw = UInt8(truncatingIfNeeded: try cursor.number(bytes, 1))
        guard let streamClass = StreamClass(rawValue: raw) else { throw .malformed }
        return CheckItem(
            scope: Scope(stream: stream, topic: topic),
            recipient: Recipient(high: high, low: low),
            streamClass: streamClass
        )
    }
}

/// The fields of a link request as they come in.
private struct LinkFields {
    var method: Method?
    var outcome: Outcome?
    var path: [UInt8] = []
    var body: [UInt8] = []
    var contentType: [UInt8] = []
    var acceptLanguage: [UInt8] = []
    var claims: (person: Person, scope: Scope)?
    var tenantName: [UInt8] = []
    var streamName: [UInt8] = []
    var topicName: [UInt8] = []
    var query: [UInt8] = []

    mutating func take(
        _ bytes: Span<UInt8>,
        _ cursor: inout AbiCursor
    ) throws(AbiError) {
        let (tag, range) = try cursor.field(bytes)
        switch tag {
        case 1: method = range.count == 1 ? Method(rawValue: bytes[range.lowerBound]) : nil
        case 2: path = AbiCursor.copy(bytes, range)
        case 3: body = AbiCursor.copy(bytes, range)
        case 4: contentType = AbiCursor.copy(bytes, range)
        case 5: acceptLanguage = AbiCursor.copy(bytes, range)
        case 6: outcome = range.count == 1 ? Outcome(rawValue: bytes[range.lowerBound]) : nil
        case 7:
            var inner = AbiCursor(end: range.upperBound)
            inner.offset = range.lowerBound
            let tenant = TenantID(raw: try inner.number(bytes, 8))
            let high = try inner.number(bytes, 8)
            let recipient = Recipient(high: high, low: try inner.number(bytes, 8))
            let stream = StreamID(raw: UInt32(truncatingIfNeeded: try inner.number(bytes, 4)))
            let topic = TopicID(raw: UInt32(truncatingIfNeeded: try inner.number(bytes, 4)))
            claims = (
                Person(tenant: tenant, recipient: recipient), Scope(stream: stream, topic: topic)
            )
        case 8: tenantName = AbiCursor.copy(bytes, range)
        case 9: streamName = AbiCursor.copy(bytes, range)
        case 10: topicName = AbiCursor.copy(bytes, range)
        case 11: query = AbiCursor.copy(bytes, range)
        default: return
        }
    }

    func named() -> TokenClaims? {
        guard let claims else { return nil }
        return TokenClaims(
            scope: claims.scope,
            person: claims.person,
            tenantName: tenantName,
            streamName: streamName,
            topicName: topicName
        )
    }
}

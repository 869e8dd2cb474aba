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

    /// As many bytes as an effect says that follow.
    mutating func bytes(_ bytes: Span<UInt8>, _ count: Int) throws(AbiError) -> [UInt8] {
        guard count <= end - offset else { throw .malformed }
        offset += count
        return AbiCursor.copy(bytes, offset - count..<offset)
    }

    static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            for i in range { unsafe buffer[i - range.lowerBound] = bytes[i] }
            count = range.count
        }
    }

    /// Eight bytes of a header whose length was looked at before.
    static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        var value: UInt64 = 0
        for i in 0..<8 { value |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
        return value
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
        let head = try AbiHead(bytes)
        return head.kind == .http ? try head.direct(bytes) : try head.link(bytes)
    }

    /// The bytes of a response to a link; the host reads effects beyond the limit as a bad
    /// response.
    public static func encode(_ response: Response, _ context: Context) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: Limits.responseBytes)
        var window = out.mutableSpan
        guard let count = encode(response, context, into: &window) else { return nil }
        out.removeLast(out.count - count)
        return out
    }

    /// The same, written where the host will read it; nil for what does not fit.
    static func encode(
        _ response: Response,
        _ context: Context,
        into out: inout MutableSpan<UInt8>
    ) -> Int? {
        let own = context.effects.count * 9
        let addressed = context.addressed
        let count =
            responseHeaderBytes + 24 + response.contentType.count + response.body.count + own
            + (addressed.isEmpty ? 0 : 8 + addressed.count)
        guard !context.overflowed, count <= Limits.responseBytes, count <= out.count else {
            return nil
        }
        var writer = AbiWriter()
        writer.number(&out, UInt64(response.status), 2)
        writer.number(&out, 0, 8)
        writer.number(&out, 0, 2)
        writer.number(&out, UInt64(response.body.count), 4)
        writer.number(&out, addressed.isEmpty ? 3 : 4, 8)
        writer.number(&out, 0, 8)
        writer.field(&out, 1, response.contentType)
        writer.field(&out, 2, response.body)
        writer.head(&out, 3, own)
        for case .suppress(let scope, let reason) in context.effects {
            writer.number(&out, UInt64(scope.stream.raw), 4)
            writer.number(&out, UInt64(scope.topic.raw), 4)
            writer.number(&out, UInt64(reason.raw), 1)
        }
        if !addressed.isEmpty { writer.field(&out, 4, addressed) }
        return writer.offset
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

/// A position in a response that is being written.
struct AbiWriter {
    var offset = 0

    mutating func number(_ out: inout MutableSpan<UInt8>, _ value: UInt64, _ width: Int) {
        var rest = value
        for _ in 0..<width {
            out[offset] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            offset += 1
        }
    }

    mutating func head(_ out: inout MutableSpan<UInt8>, _ tag: UInt64, _ count: Int) {
        number(&out, tag | UInt64(count) << 32, 8)
    }

    mutating func field(_ out: inout MutableSpan<UInt8>, _ tag: UInt64, _ bytes: [UInt8]) {
        head(&out, tag, bytes.count)
        for byte in bytes {
            out[offset] = byte
            offset += 1
        }
    }
}

/// What requests to links and to /f/NAME/ have in common.
///
/// The two are read apart, so that a guest of one kind carries no code of the other.
struct AbiHead {
    let kind: AbiKind
    private let now: UInt64
    private let method: Method
    private let outcome: Outcome
    private let fields: AbiFields

    init(_ bytes: Span<UInt8>) throws(AbiError) {
        let count: Int
        (kind, now, count) = try Abi.decodeHeader(bytes)
        guard kind != .check, count <= 64 else { throw .malformed }
        fields = try AbiFields(bytes, count: count)
        guard let method = Method(rawValue: fields.byte(1, bytes)),
            let outcome = Outcome(rawValue: fields.byte(6, bytes))
        else { throw .malformed }
        self.method = method
        self.outcome = outcome
    }

    /// A request to /f/NAME/.
    func direct(_ bytes: Span<UInt8>) throws(AbiError) -> Request {
        guard kind == .http, outcome == .direct, !fields.has(7) else { throw .malformed }
        return request(bytes, nil, [])
    }

    /// A request to a link.
    func link(_ bytes: Span<UInt8>) throws(AbiError) -> Request {
        guard kind == .link, outcome != .direct, fields.has(7) == (outcome != .badToken) else {
            throw .malformed
        }
        let claims = fields.has(7) ? try fields.claims(bytes) : nil
        return request(bytes, claims, try fields.topics(bytes))
    }

    private func request(
        _ bytes: Span<UInt8>,
        _ claims: TokenClaims?,
        _ topics: [TopicChoice]
    ) -> Request {
        Request(
            method: method,
            path: fields.copy(2, bytes),
            query: fields.copy(11, bytes),
            body: fields.copy(3, bytes),
            contentType: fields.copy(4, bytes),
            acceptLanguage: fields.copy(5, bytes),
            nowMillis: now,
            requestHigh: AbiCursor.word(bytes, 16),
            requestLow: AbiCursor.word(bytes, 24),
            seed: AbiCursor.word(bytes, 32),
            claims: claims,
            outcome: outcome,
            topics: topics
        )
    }
}

/// Where the fields of a request lie; of two with one tag the last counts, and tags that this kit
/// does not know are skipped.
///
/// Ranges first and one copy of each afterwards: half the code of taking each field as it comes.
private struct AbiFields {
    private var ranges = InlineArray<13, Range<Int>>(repeating: 0..<0)
    private var found: UInt32 = 0

    init(_ bytes: Span<UInt8>, count: Int) throws(AbiError) {
        var cursor = AbiCursor(end: bytes.count)
        cursor.offset = Abi.requestHeaderBytes
        for _ in 0..<count {
            let (tag, range) = try cursor.field(bytes)
            guard tag < 13 else { continue }
            ranges[Int(tag)] = range
            found |= 1 << UInt32(tag)
        }
        guard cursor.offset == bytes.count else { throw .malformed }
    }

    func has(_ tag: Int) -> Bool { found >> UInt32(tag) & 1 == 1 }

    /// The one byte of a field; 0, which no enumeration has, where it is not one.
    func byte(_ tag: Int, _ bytes: Span<UInt8>) -> UInt8 {
        ranges[tag].count == 1 ? bytes[ranges[tag].lowerBound] : 0
    }

    func copy(_ tag: Int, _ bytes: Span<UInt8>) -> [UInt8] { AbiCursor.copy(bytes, ranges[tag]) }

    func claims(_ bytes: Span<UInt8>) throws(AbiError) -> TokenClaims {
        var cursor = AbiCursor(end: ranges[7].upperBound)
        cursor.offset = ranges[7].lowerBound
        let tenant = TenantID(raw: try cursor.number(bytes, 8))
        let high = try cursor.number(bytes, 8)
        let recipient = Recipient(high: high, low: try cursor.number(bytes, 8))
        let stream = StreamID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
        let topic = TopicID(raw: UInt32(truncatingIfNeeded: try cursor.number(bytes, 4)))
        return TokenClaims(
            scope: Scope(stream: stream, topic: topic),
            person: Person(tenant: tenant, recipient: recipient),
            tenantName: copy(8, bytes),
            streamName: copy(9, bytes),
            topicName: copy(10, bytes)
        )
    }

    func topics(_ bytes: Span<UInt8>) throws(AbiError) -> [TopicChoice] {
        var cursor = AbiCursor(end: ranges[12].upperBound)
        cursor.offset = ranges[12].lowerBound
        var topics: [TopicChoice] = []
        while cursor.offset < cursor.end {
            guard topics.count < Limits.topicsCount else { throw .malformed }
            let id = UInt32(truncatingIfNeeded: try cursor.number(bytes, 4))
            let count = Int(try cursor.number(bytes, 2))
            guard count <= cursor.end - cursor.offset else { throw .malformed }
            let name = cursor.offset..<cursor.offset + count
            topics.append(TopicChoice(id: TopicID(raw: id), name: AbiCursor.copy(bytes, name)))
            cursor.offset += count
        }
        return topics
    }
}

// Many people suppressed by one write: a part of an import, the members of one SADD.
//
//     tenant u64 | stream u32 | topic u32 | reason u8 | source u8 | count u16 | has times u8
//     | recipients 16 B each | times u64 each, milliseconds since 1970
//
// One dot stands for all of them. A dot is the identity of a write, and marks compare dots key by
// key, so nothing is lost by sharing it: a consent names the dot under one person's key and leaves
// everybody else's alone. What is gained is a log record and an index entry a write instead of one
// a person: 16 bytes a row instead of 220 before the marks themselves.

/// People who are suppressed in the same place for the same reason by one write.
public struct SuppressionList: Equatable, Sendable {
    /// The legal sender.
    public let tenant: TenantID
    /// Where; as wide as the reason demands.
    public let scope: Scope
    /// Why.
    public let reason: Reason
    /// Through which door.
    public let source: Source
    /// Who; 1 to `Limits.listPeopleCount`.
    public let recipients: [Recipient]
    /// When each opted out, in milliseconds since 1970, 0 for the change's own time; empty when
    /// that holds for all.
    public let millis: [UInt64]

    /// Puts a list together; the scope is widened where the reason demands it.
    ///
    /// - Parameter millis: empty, or one a recipient.
    public init(
        tenant: TenantID,
        scope: Scope,
        reason: Reason,
        source: Source,
        recipients: [Recipient],
        millis: [UInt64] = []
    ) {
        precondition((1...Limits.listPeopleCount).contains(recipients.count))
        precondition(millis.isEmpty || millis.count == recipients.count)
        self.tenant = tenant
        self.scope = reason.widened(scope)
        self.reason = reason
        self.source = source
        self.recipients = recipients
        self.millis = millis
    }

    /// How many people.
    public var count: Int { recipients.count }

    /// The key of the n-th person's mark.
    public func key(_ n: Int) -> MarkKey {
        MarkKey(
            person: Person(tenant: tenant, recipient: recipients[n]),
            scope: scope,
            reason: reason
        )
    }

    /// When the n-th person opted out.
    ///
    /// - Parameter own: the change's own time.
    public func time(_ n: Int, own: HybridTime) -> HybridTime {
        guard !millis.isEmpty, millis[n] > 0 else { return own }
        return HybridTime(raw: millis[n] << 16)
    }

    /// Appends the bytes above.
    public func encode(into out: inout [UInt8]) {
        out.append(bigEndian: tenant.raw)
        out.append(bigEndian: scope.stream.raw)
        out.append(bigEndian: scope.topic.raw)
        out.append(reason.raw)
        out.append(source.raw)
        out.append(bigEndian: UInt16(recipients.count))
        out.append(millis.isEmpty ? 0 : 1)
        out.reserveCapacity(out.count + recipients.count * 24)
        for recipient in recipients {
            out.append(bigEndian: recipient.high)
            out.append(bigEndian: recipient.low)
        }
        for time in millis { out.append(bigEndian: time) }
    }

    /// Reads a list.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        tenant = TenantID(raw: try cursor.u64(bytes))
        let stream = StreamID(raw: try cursor.u32(bytes))
        scope = Scope(stream: stream, topic: TopicID(raw: try cursor.u32(bytes)))
        reason = Reason(raw: try cursor.u8(bytes))
        source = Source(raw: try cursor.u8(bytes))
        let count = Int(try cursor.u16(bytes))
        let hasTimes = try cursor.u8(bytes)
        guard (1...Limits.listPeopleCount).contains(count), hasTimes <= 1,
            cursor.remaining(bytes) >= count * (hasTimes == 1 ? 24 : 16),
            reason.widened(scope) == scope
        else { throw .malformed }
        var recipients: [Recipient] = []
        recipients.reserveCapacity(count)
        for _ in 0..<count {
            recipients.append(
                Recipient(high: try cursor.u64(bytes), low: try cursor.u64(bytes))
            )
        }
        self.recipients = recipients
        var millis: [UInt64] = []
        if hasTimes == 1 {
            for _ in 0..<count { millis.append(try cursor.u64(bytes)) }
        }
        self.millis = millis
    }
}

// One mark as one line of an export: NDJSON, the fields that `show` gives and who it is about.
//
//     {"recipient":"00112233445566778899aabbccddeeff","stream":"news","topic":"*",
//      "reason":"unsubscribe","suppressed":true,"since":"2026-11-21T03:51:00.123Z",
//      "ids":["..."],"source":"one-click"}
//
// `until` follows `since` where the mark ends by itself: a pause, a soft bounce.
//
// Addresses are not stored, so a person is the digest under the tenant's pepper, in hex: whoever
// has the list of addresses and the pepper can join the two, nobody else can.

public import Suppression

/// A mark to be written.
public struct ExportRow: Sendable {
    /// Who it is about.
    public let recipient: Recipient
    /// Name of the stream, or `*`; nil for a stream whose name this node does not know.
    public let stream: [UInt8]?
    /// Name of the topic, or `*`; nil as for the stream.
    public let topic: [UInt8]?
    /// Why; a reason of a newer version is written as `newer`.
    public let reason: Reason
    /// False for a mark that a consent has lifted, or that has expired.
    public let isSuppressed: Bool
    /// When the oldest live opt-out was made, in milliseconds since 1970; nil when not known.
    public let sinceMillis: UInt64?
    /// When it ends by itself, in milliseconds since 1970; nil, and left out, when it does not.
    public let untilMillis: UInt64?
    /// What a consent would have to name; nil leaves the field out.
    public let ids: [[UInt8]]?
    /// Through which door the last opt-out came; nil when not known.
    public let source: Source?

    /// Puts a row together.
    public init(
        recipient: Recipient,
        stream: [UInt8]?,
        topic: [UInt8]?,
        reason: Reason,
        isSuppressed: Bool,
        sinceMillis: UInt64?,
        untilMillis: UInt64? = nil,
        ids: [[UInt8]]?,
        source: Source?
    ) {
        self.recipient = recipient
        self.stream = stream
        self.topic = topic
        self.reason = reason
        self.isSuppressed = isSuppressed
        self.sinceMillis = sinceMillis
        self.untilMillis = untilMillis
        self.ids = ids
        self.source = source
    }
}

extension [UInt8] {
    /// Appends a row and its LF: at most some 400 bytes and 90 an id.
    public mutating func appendExportRow(_ row: ExportRow) {
        appendJSON { json in
            json.beginObject()
            json.field("recipient", hexText(row.recipient))
            json.name("stream", row.stream)
            json.name("topic", row.topic)
            json.field("reason", row.reason.name ?? "newer")
            json.field("suppressed", row.isSuppressed)
            json.key("since")
            if let since = row.sinceMillis { json.time(millis: since) } else { json.null() }
            if let until = row.untilMillis {
                json.key("until")
                json.time(millis: until)
            }
            if let ids = row.ids {
                json.key("ids")
                json.beginArray()
                for id in ids { json.string(id.span) }
                json.endArray()
            }
            json.field("source", row.source?.name)
            json.endObject()
        }
        append(0x0A)
    }
}

extension JSONWriter {
    fileprivate mutating func name(_ name: StaticString, _ bytes: [UInt8]?) {
        key(name)
        if let bytes { string(bytes.span) } else { null() }
    }
}

/// Thirty-two lower-case hex digits.
private func hexText(_ recipient: Recipient) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(32)
    for half in [recipient.high, recipient.low] {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: half >> UInt64(shift)) & 15
            digits.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
    return String(decoding: digits, as: UTF8.self)
}

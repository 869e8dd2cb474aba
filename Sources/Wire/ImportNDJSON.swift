// One line of NDJSON: an object with `address`, perhaps `reason` and `created_at`, others ignored.
//
// Nearly every line of a list is `{"address":"..."}` and nothing else, so that shape is read
// without a tree. Everything else goes through JSONValue, which knows JSON; the short way takes
// only what JSONValue would read the same.

/// Reads rows of NDJSON.
enum ImportNDJSON {
    private static var limits: JSONLimits {
        var limits = JSONLimits()
        limits.bytes = ImportLimits.lineBytes
        limits.depth = ImportLimits.jsonDepth
        limits.members = ImportLimits.jsonMembers
        limits.values = ImportLimits.jsonValues
        return limits
    }

    /// Reads a line of well-formed UTF-8 that is not blank.
    static func read(
        _ bytes: Span<UInt8>,
        _ range: Range<Int>,
        line: Int,
        into batch: inout ImportBatch
    ) throws(ImportFault) -> ImportRow {
        if let plain = plain(bytes, range) {
            let address = batch.append(bytes, trimming: plain)
            if address.isEmpty { throw .noAddress }
            return ImportRow(line: line, address: address, reason: nil, createdAtMillis: nil)
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes.extracting(range), limits: limits)
        } catch {
            throw .json(error)
        }
        guard case .object = value else { throw .notObject }
        let address = try append(value["address"], &batch)
        if address.isEmpty { throw .noAddress }
        let reason = try append(value["reason"], &batch)
        let millis = try batch.takeTime(try append(value["created_at"], &batch))
        return ImportRow(
            line: line,
            address: address,
            reason: reason.isEmpty ? nil : reason,
            createdAtMillis: millis
        )
    }

    /// Where the address lies in a line that is plainly `{"address":"..."}`; nil for every other.
    private static func plain(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        var at = range.lowerBound
        guard begins(bytes, &at, range.upperBound, with: "{\"address\":") else { return nil }
        if bytes[at] == 0x20 { at += 1 }
        guard at < range.upperBound, bytes[at] == UInt8(ascii: "\"") else { return nil }
        let start = at + 1
        at = start
        while at < range.upperBound, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] < 0x20 || bytes[at] == UInt8(ascii: "\\") { return nil }
            at += 1
        }
        guard at + 2 == range.upperBound, bytes[at + 1] == UInt8(ascii: "}") else { return nil }
        return start..<at
    }

    /// Appends a string; nothing for a member that is `null` or not there.
    private static func append(
        _ value: JSONValue?,
        _ batch: inout ImportBatch
    ) throws(ImportFault) -> Range<Int> {
        guard let value, !value.isNull else { return batch.text.count..<batch.text.count }
        guard let text = value.string else { throw .notString }
        let bytes = text.utf8.span
        for at in bytes.indices where bytes[at] == 0 { throw .nul }
        return batch.append(bytes, trimming: 0..<bytes.count)
    }

    /// Steps over a text; false if it is not there, or nothing is behind it.
    private static func begins(
        _ bytes: Span<UInt8>,
        _ at: inout Int,
        _ end: Int,
        with text: StaticString
    ) -> Bool {
        guard at + text.utf8CodeUnitCount < end else { return false }
        return text.withUTF8Buffer { text in
            for offset in text.indices where unsafe bytes[at + offset] != text[offset] {
                return false
            }
            at += text.count
            return true
        }
    }
}

// A mark as bytes: the value in the named database `marks`, and what peers send each other.
//
//     version u8 = 1 | |U| u16 | |C| u16 | U entries | C entries
//     U entry  kind u8 | node u64 | epoch u64 | seq u64 | length u16 | payload
//     payload of kind 1   hlc u64 | source u8 | evidence u64 | expires u64
//     C entry  node u64 | epoch u64 | seq u64
//
// Both lists are sorted by origin, so equal marks are equal bytes and sketches may hash them. On
// disk a checksum over key and value follows (`sealed`): LMDB has none of its own, and a value that
// moved to another key must not pass.

extension Mark {
    static let version: UInt8 = 1
    static let payloadBytes = 25

    /// Appends the canonical bytes.
    public func encode(into out: inout [UInt8]) {
        out.append(Mark.version)
        out.append(bigEndian: UInt16(suppressions.count))
        out.append(bigEndian: UInt16(covered.count))
        for entry in suppressions {
            out.append(entry.kind)
            entry.dot.encode(into: &out)
            entry.encodePayload(into: &out)
        }
        for dot in covered { dot.encode(into: &out) }
    }

    /// Reads canonical bytes; anything that `encode` could not have written is refused.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        self.init()
        guard try cursor.u8(bytes) == Mark.version else { throw .malformed }
        let suppressionCount = Int(try cursor.u16(bytes))
        let coveredCount = Int(try cursor.u16(bytes))
        guard suppressionCount <= Limits.markOriginsCount,
            coveredCount <= Limits.markOriginsCount
        else { throw .malformed }
        var entries = Mark()
        for _ in 0..<suppressionCount {
            entries.merge(Mark(try SuppressingDot(bytes, at: &cursor)))
        }
        var dots: [Dot] = []
        for _ in 0..<coveredCount { dots.append(try Dot(bytes, at: &cursor)) }
        entries.merge(Mark(covering: dots))
        guard entries.suppressions.count == suppressionCount,
            entries.covered.count == coveredCount
        else { throw .malformed }
        self = entries
    }

    /// Appends the value for the disk: canonical bytes and a checksum over key and bytes.
    ///
    /// - Parameter key: the encoded key, 33 bytes.
    public func seal(under key: [UInt8], into out: inout [UInt8]) {
        let start = out.count
        encode(into: &out)
        var sealed = key
        sealed.append(contentsOf: out[start...])
        out.append(bigEndian: SipHash.checksum.hash(sealed.span))
    }

    /// Reads a value from the disk.
    ///
    /// - Parameters:
    ///   - key: the encoded key, 33 bytes.
    ///   - value: what lies under it.
    /// - Throws: `.corrupt` when the checksum fails; the caller must read that as suppressed.
    public init(unsealing value: Span<UInt8>, under key: Span<UInt8>) throws(DecodeError) {
        guard value.count > 8 else { throw .corrupt }
        var joined: [UInt8] = []
        joined.reserveCapacity(key.count + value.count)
        for i in key.indices { joined.append(key[i]) }
        for i in 0..<(value.count - 8) { joined.append(value[i]) }
        var tail = ByteCursor(at: value.count - 8)
        guard try tail.u64(value) == SipHash.checksum.hash(joined.span) else { throw .corrupt }
        var cursor = ByteCursor()
        try self.init(value, at: &cursor)
        guard cursor.offset == value.count - 8 else { throw .malformed }
    }
}

extension Mark {
    /// Whether an encoded mark suppresses until a consent names it, read without decoding the rest:
    /// some surviving dot never expires. False for bytes that no version writes.
    ///
    /// A start reads 10 M marks; two arrays each would cost a second.
    public static func deniesForEver(encoded bytes: Span<UInt8>) -> Bool {
        do {
            var cursor = ByteCursor()
            guard try cursor.u8(bytes) == version else { return false }
            let count = Int(try cursor.u16(bytes))
            _ = try cursor.u16(bytes)
            for _ in 0..<count {
                let kind = try cursor.u8(bytes)
                guard kind == SuppressingDot.currentKind else { return true }
                try cursor.skip(Dot.encodedBytes, of: bytes)
                guard Int(try cursor.u16(bytes)) == payloadBytes else { return false }
                try cursor.skip(payloadBytes - 8, of: bytes)
                if try cursor.u64(bytes) == 0 { return true }
            }
            return false
        } catch {
            return false
        }
    }
}

extension SuppressingDot {
    func encodePayload(into out: inout [UInt8]) {
        guard kind == SuppressingDot.currentKind else { return out.append(field: opaque) }
        out.append(bigEndian: UInt16(Mark.payloadBytes))
        out.append(bigEndian: time.raw)
        out.append(source.raw)
        out.append(bigEndian: evidence)
        out.append(bigEndian: expiresSeconds)
    }

    /// Reads kind, dot and payload.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let kind = try cursor.u8(bytes)
        let dot = try Dot(bytes, at: &cursor)
        guard kind == SuppressingDot.currentKind else {
            let opaque = try cursor.field(bytes, limit: Limits.changeBytes)
            self.init(dot: dot, kind: kind, opaque: opaque)
            return
        }
        guard Int(try cursor.u16(bytes)) == Mark.payloadBytes else { throw .malformed }
        self.init(
            dot: dot,
            time: HybridTime(raw: try cursor.u64(bytes)),
            source: Source(raw: try cursor.u8(bytes)),
            evidence: try cursor.u64(bytes),
            expiresSeconds: try cursor.u64(bytes)
        )
    }
}

extension Dot {
    /// Bytes of an encoded dot.
    public static let encodedBytes = 24

    /// Appends node, epoch and sequence.
    public func encode(into out: inout [UInt8]) {
        out.append(bigEndian: origin.node.raw)
        out.append(bigEndian: origin.epoch.raw)
        out.append(bigEndian: sequence)
    }

    /// Reads node, epoch and sequence.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let node = NodeID(raw: try cursor.u64(bytes))
        let epoch = Epoch(raw: try cursor.u64(bytes))
        self.init(origin: Origin(node: node, epoch: epoch), sequence: try cursor.u64(bytes))
    }
}

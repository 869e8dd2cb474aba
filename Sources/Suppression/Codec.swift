// Integers to bytes and back, big-endian, so that keys sort on disk as the values do.
//
// The reader is an index, not a view: a span cannot be stored without a lifetime, so each call
// borrows the bytes anew and the index moves. Every read is bounds-checked and refuses instead of
// trapping, because all of these bytes once lay on a disk or came from a peer.

/// Why bytes could not be read back.
public enum DecodeError: Error, Equatable {
    /// The bytes end inside a field.
    case truncated
    /// A field holds a value that no writer of any version produces.
    case malformed
    /// The checksum does not match: damage, not a newer version.
    case corrupt
}

/// A position in bytes that are being decoded.
public struct ByteCursor {
    /// Offset of the next unread byte.
    public var offset: Int

    /// Starts at `offset`.
    public init(at offset: Int = 0) { self.offset = offset }

    /// Bytes left to read.
    public func remaining(_ bytes: Span<UInt8>) -> Int { bytes.count - offset }

    /// Reads one byte.
    public mutating func u8(_ bytes: Span<UInt8>) throws(DecodeError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Reads two bytes, big-endian.
    public mutating func u16(_ bytes: Span<UInt8>) throws(DecodeError) -> UInt16 {
        UInt16(truncatingIfNeeded: try number(bytes, width: 2))
    }

    /// Reads four bytes, big-endian.
    public mutating func u32(_ bytes: Span<UInt8>) throws(DecodeError) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(bytes, width: 4))
    }

    /// Reads eight bytes, big-endian.
    public mutating func u64(_ bytes: Span<UInt8>) throws(DecodeError) -> UInt64 {
        try number(bytes, width: 8)
    }

    /// Reads a 16-bit length, checked against `limit`, and that many bytes.
    public mutating func field(
        _ bytes: Span<UInt8>,
        limit: Int
    ) throws(DecodeError) -> [UInt8] {
        let count = Int(try u16(bytes))
        guard count <= limit else { throw .malformed }
        return try take(count, of: bytes)
    }

    /// Copies the next `count` bytes out.
    public mutating func take(
        _ count: Int,
        of bytes: Span<UInt8>
    ) throws(DecodeError) -> [UInt8] {
        guard count >= 0, count <= remaining(bytes) else { throw .truncated }
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for i in offset..<(offset + count) { copy.append(bytes[i]) }
        offset += count
        return copy
    }

    /// Passes over the next `count` bytes.
    public mutating func skip(_ count: Int, of bytes: Span<UInt8>) throws(DecodeError) {
        guard count >= 0, count <= remaining(bytes) else { throw .truncated }
        offset += count
    }

    private mutating func number(
        _ bytes: Span<UInt8>,
        width: Int
    ) throws(DecodeError) -> UInt64 {
        guard remaining(bytes) >= width else { throw .truncated }
        var value: UInt64 = 0
        for i in offset..<(offset + width) { value = value << 8 | UInt64(bytes[i]) }
        offset += width
        return value
    }
}

extension [UInt8] {
    /// Appends a number big-endian, all of its bytes.
    @inlinable
    public mutating func append<N: FixedWidthInteger>(bigEndian value: N) {
        var shift = N.bitWidth - 8
        while shift >= 0 {
            append(UInt8(truncatingIfNeeded: value >> N(shift)))
            shift -= 8
        }
    }

    /// Appends a 16-bit length and the bytes.
    ///
    /// - Parameter field: at most 65,535 bytes; callers check their own tighter limit first.
    public mutating func append(field: [UInt8]) {
        precondition(field.count <= Int(UInt16.max))
        append(bigEndian: UInt16(field.count))
        append(contentsOf: field)
    }
}

// A word of a RESP command: where it lies, never a copy of it.
//
// A command stays where it was read; what travels is two offsets of 32 bits a word, so a pipeline
// of 64 checks is parsed without an allocation, and 10,002 words of one command cost 80 KB once.

/// Where a word of a command lies in the bytes of its connection.
public struct RESPWord: Sendable, Equatable {
    /// Offset of the first byte.
    public let start: Int32
    /// Offset after the last byte.
    public let end: Int32

    /// From `start` up to, not including, `end`.
    @inlinable
    public init(_ start: Int, _ end: Int) {
        self.start = Int32(truncatingIfNeeded: start)
        self.end = Int32(truncatingIfNeeded: end)
    }

    /// Its length in bytes.
    @inlinable public var count: Int { Int(end - start) }

    /// For `Span.extracting`.
    @inlinable public var range: Range<Int> { Int(start)..<Int(end) }

    /// True if the word is this text, letters in either case.
    ///
    /// - Parameter text: ASCII in lower case.
    public func reads(_ text: StaticString, in bytes: Span<UInt8>) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            for offset in 0..<count {
                let byte = bytes[Int(start) + offset]
                let folded = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
                if unsafe folded != text[offset] { return false }
            }
            return true
        }
    }
}

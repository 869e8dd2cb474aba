// Replies to a run of commands, appended to a buffer that the connection reuses.
//
//                 RESP2              RESP3
//     null        $-1                _
//     map of n    *2n, flattened     %n
//     the rest    the same in both
//
// The writer counts: a run of n commands owes n replies, an array of n turns one that is owed into
// n. A client pairs replies with commands by their order alone, so one too many or too few would
// give every later answer to the wrong question; here it is a trap instead.

/// Writes replies in order. Writing more than is owed is a programmer error and traps.
public struct RESPReplies {
    private var output: [UInt8]
    /// 2 or 3.
    public var version: Int
    /// Replies that are still to be written.
    public private(set) var owed = 0

    /// Continues a buffer, owing nothing.
    ///
    /// - Parameter output: replies before these, which are kept.
    public init(after output: consuming [UInt8], version: Int) {
        self.output = output
        self.version = version
    }

    /// The buffer with these replies at its end.
    public consuming func finish() -> [UInt8] { output }

    /// Bytes in the buffer.
    public var byteCount: Int { output.count }

    /// Begins a run: so many replies are owed now. The run before must be complete.
    public mutating func expect(_ count: Int) {
        precondition(owed == 0, "replies of the run before are missing")
        owed = count
    }

    /// Ends a run whose replies come later.
    public mutating func postpone() { owed = 0 }

    /// Writes a simple string, `+OK`.
    public mutating func simple(_ text: StaticString) {
        settle()
        output.append(0x2B)
        put(text)
        endLine()
    }

    /// Writes an error; its first word is the code, in capitals.
    public mutating func error(_ text: StaticString) {
        settle()
        output.append(0x2D)
        put(text)
        endLine()
    }

    /// Writes an error; control bytes become blanks.
    public mutating func error(_ text: String) {
        settle()
        output.append(0x2D)
        for byte in text.utf8 { output.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte) }
        endLine()
    }

    /// Writes an error that quotes a stranger: 64 bytes at most, what is not printable as a dot.
    public mutating func error(
        _ before: StaticString, quoting bytes: Span<UInt8>, _ after: StaticString
    ) {
        settle()
        output.append(0x2D)
        put(before)
        for offset in 0..<min(bytes.count, 64) {
            let byte = bytes[offset]
            output.append(byte < 0x20 || byte > 0x7E ? 0x2E : byte)
        }
        put(after)
        endLine()
    }

    /// Writes an integer.
    public mutating func integer(_ value: Int) {
        settle()
        output.append(0x3A)
        put(number: value)
    }

    /// Writes a bulk string.
    public mutating func bulk(_ bytes: Span<UInt8>) {
        settle()
        output.append(0x24)
        put(number: bytes.count)
        unsafe bytes.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        endLine()
    }

    /// Writes a bulk string.
    public mutating func bulk(_ text: StaticString) {
        settle()
        output.append(0x24)
        put(number: text.utf8CodeUnitCount)
        put(text)
        endLine()
    }

    /// Writes a bulk string.
    public mutating func bulk(_ text: String) {
        var text = text
        text.makeContiguousUTF8()
        bulk(text.utf8.span)
    }

    /// Writes that there is nothing.
    public mutating func null() {
        settle()
        put(version == 3 ? "_\r\n" : "$-1\r\n")
    }

    /// Begins an array; its elements are the next `count` replies.
    public mutating func array(_ count: Int) {
        settle()
        owed += count
        output.append(0x2A)
        put(number: count)
    }

    /// Begins a map; its keys and values, in turn, are the next `2 * pairs` replies.
    public mutating func map(_ pairs: Int) {
        settle()
        owed += 2 * pairs
        output.append(version == 3 ? 0x25 : 0x2A)
        put(number: version == 3 ? pairs : 2 * pairs)
    }

    @inline(__always)
    private mutating func settle() {
        precondition(owed > 0, "more replies than commands")
        owed -= 1
    }

    private mutating func endLine() {
        output.append(0x0D)
        output.append(0x0A)
    }

    private mutating func put(_ text: StaticString) {
        text.withUTF8Buffer { unsafe output.append(contentsOf: $0) }
    }

    /// Digits and their line end; one digit, the answer to every single check, is the short way.
    private mutating func put(number: Int) {
        if number >= 0, number < 10 {
            output.append(0x30 + UInt8(number))
            return endLine()
        }
        if number < 0 { output.append(0x2D) }
        output.append(digitsOf: UInt64(number.magnitude))
        endLine()
    }
}

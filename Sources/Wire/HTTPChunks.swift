// Chunks of a streamed answer: size in hex, CR LF, bytes, CR LF; the one without bytes ends it.
//
// Source: RFC 9112, 7.1. We send neither extensions nor trailers.

extension [UInt8] {
    /// Appends a chunk; without bytes nothing, as an empty chunk would be the last.
    public mutating func appendChunk(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        append(contentsOf: String(bytes.count, radix: 16).utf8)
        append(contentsOf: [0x0D, 0x0A])
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
        append(contentsOf: [0x0D, 0x0A])
    }

    /// Appends the end of a chunked body.
    public mutating func appendLastChunk() { append(contentsOf: "0\r\n\r\n".utf8) }
}

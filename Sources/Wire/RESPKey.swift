// The two names that Redis clients use here: a set, and a key that exists only if sending is
// allowed.
//
//     stream:topic                  SISMEMBER marketing:news a@b.c
//     allow:stream:topic:address    GET allow:marketing:news:a@b.c
//
// The positive form is the one to use: a wrong server, a flushed cache and a time-out all say "no
// such key", and that means "do not send". Names hold no colon, but an address may (`"a:b"@c`), so
// it is whatever lies behind the third one.

/// A set's name, cut in two.
public struct RESPSetName: Sendable, Equatable {
    /// The stream's name; not empty.
    public let stream: RESPWord
    /// The topic's name; not empty, without a colon.
    public let topic: RESPWord

    /// Cuts a word; nil if it is no `stream:topic`. What names may hold is checked elsewhere.
    public init?(_ word: RESPWord, in bytes: Span<UInt8>) {
        let end = Int(word.end)
        guard let colon = firstColon(in: bytes, Int(word.start)..<end), colon + 1 < end,
            firstColon(in: bytes, colon + 1..<end) == nil, colon > Int(word.start)
        else { return nil }
        stream = RESPWord(Int(word.start), colon)
        topic = RESPWord(colon + 1, end)
    }
}

/// A key of the positive form, cut into its parts.
public struct RESPAllowKey: Sendable, Equatable {
    /// The stream's name; not empty.
    public let stream: RESPWord
    /// The topic's name; not empty.
    public let topic: RESPWord
    /// The address; not empty, and the only part that may hold a colon.
    public let address: RESPWord

    /// Cuts a word; nil if it is no `allow:stream:topic:address`. `allow` is in lower case.
    public init?(_ word: RESPWord, in bytes: Span<UInt8>) {
        let start = Int(word.start)
        let end = Int(word.end)
        guard word.count > 6, bytes[start] == 0x61, bytes[start + 1] == 0x6C,
            bytes[start + 2] == 0x6C, bytes[start + 3] == 0x6F, bytes[start + 4] == 0x77,
            bytes[start + 5] == 0x3A
        else { return nil }
        guard let second = firstColon(in: bytes, start + 6..<end), second > start + 6,
            let third = firstColon(in: bytes, second + 1..<end), third > second + 1,
            third + 1 < end
        else { return nil }
        stream = RESPWord(start + 6, second)
        topic = RESPWord(second + 1, third)
        address = RESPWord(third + 1, end)
    }
}

private func firstColon(in bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    for offset in range where bytes[offset] == 0x3A { return offset }
    return nil
}

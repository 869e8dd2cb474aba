// Finds commands in the bytes of a RESP connection, in place and in one pass.
//
//     *3 CR LF  $9 CR LF SISMEMBER CR LF  $4 CR LF news CR LF  $5 CR LF a@b.c CR LF    an array
//     PING CR LF                                                                     inline
//
//     cursor: where the next command begins      position: how far an unfinished one was looked at
//
// A whole command is read once. One that comes in pieces is first skipped over, remembering between
// the pieces how many elements are missing, and read when it is whole: twice the work for the few,
// nothing stored a connection, and no quadratic cost for a peer that sends byte by byte.
//
// Lengths are plain decimals: no sign, no leading zero, no blank, and refused at the digit that
// passes the bound, before anything is waited for or reserved. Redis forgives more; what one reader
// forgives and the next does not is how commands are smuggled.
//
// Source: redis.io, "Redis serialization protocol specification".

/// Where reading of one connection stands; a plain value.
public struct RESPParser: Sendable {
    /// What a look found.
    public enum Found: Sendable, Equatable {
        /// The next command is not whole; look again when more has come.
        case more
        /// A command; its words were appended, at least one.
        case command
        /// Nothing behind this can be trusted.
        case refused(RESPRefusal)
    }

    private enum Number { case value(Int), more, invalid, over }

    /// Offset at which the next command begins.
    public private(set) var cursor = 0
    private var position = 0
    private var missing = 0

    /// Begins at offset 0.
    public init() {}

    /// Looks for the command at the cursor; steps behind it if it is whole.
    ///
    /// - Parameters:
    ///   - input: the connection's bytes; what lies before the cursor is not looked at.
    ///   - words: gets the command's words; left as it was unless one was found.
    public mutating func next(
        _ input: Span<UInt8>, within bounds: RESPBounds, into words: inout [RESPWord]
    ) -> Found {
        if cursor < input.count, input[cursor] < 0x20 { skipEmptyLines(input) }
        guard cursor < input.count else { return .more }
        let kept = words.count
        let found =
            input[cursor] == 0x2A
            ? array(input, bounds, &words) : inline(input, bounds, &words)
        if found != .command { words.removeLast(words.count - kept) }
        return found
    }

    /// Goes back to an offset where a command began.
    public mutating func rewind(to start: Int) {
        cursor = start
        position = start
        missing = 0
    }

    /// Moves all offsets when the input is moved towards its beginning.
    public mutating func shift(by count: Int) {
        cursor -= count
        position -= count
    }

    private mutating func array(
        _ input: Span<UInt8>, _ bounds: RESPBounds, _ words: inout [RESPWord]
    ) -> Found {
        if missing > 0 {
            let found = elements(input, bounds, from: position, missing, &words, keeps: false)
            guard found == .command else { return found }
            missing = 0
        }
        var at = cursor + 1
        switch Self.number(input, &at, atMost: bounds.elements) {
        case .more: return .more
        case .over: return .refused(bounds.isStranger ? .stranger : .elements)
        case .invalid, .value(0): return .refused(.arrayLength)
        case .value(let count):
            return elements(input, bounds, from: at, count, &words, keeps: true)
        }
    }

    /// Looks at elements until none is missing, or notes how far it came.
    @inline(__always)
    private mutating func elements(
        _ input: Span<UInt8>, _ bounds: RESPBounds, from first: Int, _ count: Int,
        _ words: inout [RESPWord], keeps: Bool
    ) -> Found {
        var at = first
        for left in stride(from: count, to: 0, by: -1) {
            guard at < input.count else { return pause(at, left) }
            guard input[at] == 0x24 else { return .refused(.notBulk) }
            var start = at + 1
            switch Self.number(input, &start, atMost: bounds.bulkBytes) {
            case .more: return pause(at, left)
            case .over: return .refused(bounds.isStranger ? .stranger : .bulkSize)
            case .invalid: return .refused(.bulkLength)
            case .value(let length):
                let end = start + length
                if end + 2 - cursor > bounds.commandBytes {
                    return .refused(bounds.isStranger ? .stranger : .commandSize)
                }
                guard end + 2 <= input.count else { return pause(at, left) }
                guard input[end] == 0x0D, input[end + 1] == 0x0A else {
                    return .refused(.bulkEnd)
                }
                if keeps { words.append(RESPWord(start, end)) }
                at = end + 2
            }
        }
        if keeps { rewind(to: at) }
        return .command
    }

    private mutating func pause(_ at: Int, _ left: Int) -> Found {
        position = at
        missing = left
        return .more
    }

    /// Reads digits and their CR LF.
    @inline(__always)
    private static func number(
        _ input: Span<UInt8>, _ at: inout Int, atMost limit: Int
    ) -> Number {
        let first = at
        var value = 0
        while at < input.count {
            let digit = input[at] &- 0x30
            if digit > 9 { break }
            if at > first, value == 0 { return .invalid }
            value = value &* 10 &+ Int(digit)
            if value > limit { return .over }
            at += 1
        }
        guard at < input.count else { return .more }
        guard at > first, input[at] == 0x0D else { return .invalid }
        guard at + 1 < input.count else { return .more }
        guard input[at + 1] == 0x0A else { return .invalid }
        at += 2
        return .value(value)
    }

    /// A person pressed return; harmless, as nothing follows from it.
    private mutating func skipEmptyLines(_ input: Span<UInt8>) {
        while cursor < input.count {
            if input[cursor] == 0x0A {
                rewind(to: cursor + 1)
            } else if input[cursor] == 0x0D, cursor + 1 < input.count, input[cursor + 1] == 0x0A {
                rewind(to: cursor + 2)
            } else {
                return
            }
        }
    }

    private mutating func inline(
        _ input: Span<UInt8>, _ bounds: RESPBounds, _ words: inout [RESPWord]
    ) -> Found {
        let first = input[cursor] | 0x20
        guard first >= 0x61, first <= 0x7A else {
            // A lone CR may yet become an empty line.
            let mayGoOn = input[cursor] == 0x0D && cursor + 1 == input.count
            return mayGoOn ? .more : .refused(.notCommand)
        }
        var at = position
        while at < input.count, input[at] != 0x0A { at += 1 }
        if at - cursor > bounds.inlineBytes {
            return .refused(bounds.isStranger ? .stranger : .inlineSize)
        }
        position = at
        guard at < input.count else { return .more }
        let end = input[at - 1] == 0x0D ? at - 1 : at
        if let refusal = split(input, cursor..<end, bounds, &words) { return .refused(refusal) }
        rewind(to: at + 1)
        return .command
    }

    /// Cuts a line at its blanks.
    private func split(
        _ input: Span<UInt8>, _ line: Range<Int>, _ bounds: RESPBounds,
        _ words: inout [RESPWord]
    ) -> RESPRefusal? {
        var start = line.lowerBound
        var count = 0
        for at in line.lowerBound...line.upperBound {
            let byte = at < line.upperBound ? input[at] : 0x20
            if byte == 0x20 || byte == 0x09 {
                if at > start {
                    words.append(RESPWord(start, at))
                    count += 1
                    if count > bounds.elements {
                        return bounds.isStranger ? .stranger : .elements
                    }
                }
                start = at + 1
            } else if byte < 0x20 || byte == 0x7F || byte == 0x22 || byte == 0x27 {
                return .inlineByte
            }
        }
        return nil
    }
}

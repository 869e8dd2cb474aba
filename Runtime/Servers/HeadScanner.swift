// Finds the end of a request's head, and refuses on the way what the parser would let pass.
//
//     METHOD SP target SP HTTP/1.1 CR LF  name : value CR LF  ...  CR LF
//     `--------- line ----------' lineEnd `name' `value' valueEnd   blankEnd
//
// llhttp 8.1, strict as it is, takes a line that ends in LF alone and joins folded lines; and it
// keeps state between packets, in which one of its bugs could hide. So this scanner looks at every
// byte once, as it comes, and only a head that is complete is given to llhttp, in one piece. Both
// must agree on where it ends.
//
// Source: RFC 9112, 2.2, 3, 5; the bounds are 8 KiB, 16 KiB and 64 fields (Limits).

/// Where the scan of one head stands; a plain value.
struct HeadScanner {
    /// What a scan found.
    enum Found: Equatable { case more, end, refused(HTTPRefusal) }

    private enum Place {
        case start, line, lineEnd, field, name, value, valueEnd, blankEnd
    }

    /// Offset of the next byte to look at; after `.end` the first byte behind the head.
    private(set) var position: Int
    /// Offset of the request line.
    private(set) var start: Int
    private var block = 0
    private var blanks = 0
    private var fields = 0
    private var place = Place.start

    /// Begins at an offset of the connection's input.
    init(at offset: Int) {
        position = offset
        start = offset
    }

    /// True while no byte of the request has come.
    func isEmpty(_ input: Span<UInt8>) -> Bool { start >= input.count }

    /// Moves all offsets when the input is moved towards its beginning.
    mutating func shift(by count: Int) {
        position -= count
        start -= count
        block -= count
    }

    /// Looks at what has come since the last call.
    mutating func scan(_ input: Span<UInt8>) -> Found {
        while position < input.count {
            if let refusal = skipPlain(input) { return .refused(refusal) }
            guard position < input.count else { break }
            let byte = input[position]
            position += 1
            if let refusal = take(byte) { return .refused(refusal) }
            if place == .blankEnd, byte == 0x0A { return .end }
        }
        return .more
    }

    /// Passes what targets and values are made of, nearly all of a head, in loops of their own: a
    /// third of the instructions that `take` needs for a byte (callgrind).
    private mutating func skipPlain(_ input: Span<UInt8>) -> HTTPRefusal? {
        var next = position
        switch place {
        case .value:
            while next < input.count, input[next] >= 0x20, input[next] != 0x7F { next += 1 }
            position = next
            return overBlock()
        case .line:
            while next < input.count, input[next] > 0x20, input[next] < 0x7F { next += 1 }
            position = next
            return position - start > Limits.requestLineBytes ? .requestLine : nil
        default: return nil
        }
    }

    @inline(__always)
    private mutating func take(_ byte: UInt8) -> HTTPRefusal? {
        switch place {
        case .value:
            if byte == 0x0D { place = .valueEnd; return nil }
            if byte == 0x09 { return nil }
            return byte == 0x0A ? .bareLineEnd : .controlByte
        case .name:
            if byte == 0x3A { place = .value; return overBlock() }
            return byte > 0x20 && byte < 0x7F ? overBlock() : badName(byte)
        case .line:
            return takeLine(byte)
        case .field:
            return takeFieldStart(byte)
        case .lineEnd, .valueEnd:
            guard byte == 0x0A else { return .bareLineEnd }
            if place == .lineEnd { block = position }
            place = .field
            return nil
        case .blankEnd:
            return byte == 0x0A ? nil : .bareLineEnd
        case .start:
            // RFC 9112, 2.2 would let one empty line pass here; other readers of the same bytes
            // (h11, some proxies) do not, and what two readers see differently is refused.
            place = .line
            return takeLine(byte)
        }
    }

    private mutating func takeLine(_ byte: UInt8) -> HTTPRefusal? {
        if position - start > Limits.requestLineBytes { return .requestLine }
        if byte > 0x20, byte < 0x7F { return nil }
        switch byte {
        case 0x20:
            blanks += 1
            return blanks > 2 ? .malformed : nil
        case 0x0D:
            guard position - start > 1, blanks == 2 else { return .malformed }
            place = .lineEnd
            return nil
        case 0x0A: return .bareLineEnd
        default: return .controlByte
        }
    }

    private mutating func takeFieldStart(_ byte: UInt8) -> HTTPRefusal? {
        switch byte {
        case 0x0D:
            place = .blankEnd
            return nil
        case 0x20, 0x09: return .foldedField
        case 0x3A: return .badFieldName
        default: break
        }
        fields += 1
        if fields > Limits.headerFields { return .headerFields }
        place = .name
        return byte > 0x20 && byte < 0x7F ? overBlock() : badName(byte)
    }

    private func overBlock() -> HTTPRefusal? {
        position - block > Limits.headerBlockBytes ? .headerBlock : nil
    }

    private func badName(_ byte: UInt8) -> HTTPRefusal {
        switch byte {
        case 0x0A: .bareLineEnd
        case 0x20, 0x09, 0x0D: .badFieldName
        case 0x80...0xFF: .malformed
        default: .controlByte
        }
    }
}

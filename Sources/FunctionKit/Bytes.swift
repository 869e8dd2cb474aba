// Text as bytes. Handlers use no `String`: comparing strings pulls Unicode tables into a guest, 80
// KB for what `==` on ASCII does. Constant text is `StaticString`, which lies in the data segment
// and never on the arena, so that resetting the arena after a call can take nothing away.

extension [UInt8] {
    /// Appends constant text.
    public mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    /// Appends text for HTML, as content or inside a quoted attribute.
    ///
    /// `& < > " '` become references, control characters blanks; no `<` can come out.
    public mutating func append(escaped text: [UInt8]) {
        for byte in text {
            switch byte {
            case 0x26: append("&amp;")
            case 0x3c: append("&lt;")
            case 0x3e: append("&gt;")
            case 0x22: append("&quot;")
            case 0x27: append("&#39;")
            case 0..<0x20, 0x7f: append(0x20)
            default: append(byte)
            }
        }
    }

    /// Appends a number in decimal digits.
    public mutating func append(decimal number: Int) {
        var scale = 1
        while number / scale >= 10 { scale *= 10 }
        while scale > 0 {
            append(0x30 + UInt8(truncatingIfNeeded: number / scale % 10))
            scale /= 10
        }
    }

    /// Whether these bytes are exactly this text.
    public func equals(_ text: StaticString) -> Bool {
        holds(text, at: 0) && count == text.utf8CodeUnitCount
    }

    /// Whether this text stands at an offset.
    public func holds(_ text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, count - offset >= length else { return false }
        return text.withUTF8Buffer { buffer in
            for i in 0..<length where unsafe buffer[i] != self[offset + i] { return false }
            return true
        }
    }

    /// The same with ASCII letters of either case; the text itself is lower case.
    public func holds(ignoringCase text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, count - offset >= length else { return false }
        return text.withUTF8Buffer { buffer in
            for i in 0..<length {
                var byte = self[offset + i]
                if byte >= 0x41 && byte <= 0x5a { byte += 0x20 }
                if unsafe buffer[i] != byte { return false }
            }
            return true
        }
    }
}

/// Percent-encoding (RFC 3986, 2.1).
public enum Percent {
    /// Decodes `bytes[range]`; nil for a `%` without two hexadecimal digits.
    ///
    /// - Parameters:
    ///   - bytes: text of a URL or a form.
    ///   - range: the part to decode.
    ///   - plusIsSpace: true for forms and query strings, false for paths.
    /// - Returns: raw bytes, which need not be UTF-8.
    public static func decode(
        _ bytes: Span<UInt8>,
        in range: Range<Int>,
        plusIsSpace: Bool
    ) -> [UInt8]? {
        var at = range.lowerBound
        while at < range.upperBound, bytes[at] != 0x25, !(plusIsSpace && bytes[at] == 0x2b) {
            at += 1
        }
        // Nearly every name and value is spelled as it is: copied whole.
        var out: [UInt8] = []
        out.reserveCapacity(range.count)
        unsafe bytes.extracting(range.lowerBound..<at).withUnsafeBufferPointer {
            unsafe out.append(contentsOf: $0)
        }
        while at < range.upperBound {
            let byte = bytes[at]
            if byte == 0x25 {
                guard at + 2 < range.upperBound, let high = digit(bytes[at + 1]),
                    let low = digit(bytes[at + 2])
                else { return nil }
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(plusIsSpace && byte == 0x2b ? 0x20 : byte)
                at += 1
            }
        }
        return out
    }

    /// Whether `decode` finds no fault; allocates nothing.
    static func isSound(_ bytes: Span<UInt8>, in range: Range<Int>) -> Bool {
        var at = range.lowerBound
        while at < range.upperBound {
            guard bytes[at] == 0x25 else {
                at += 1
                continue
            }
            guard at + 2 < range.upperBound, digit(bytes[at + 1]) != nil,
                digit(bytes[at + 2]) != nil
            else { return false }
            at += 3
        }
        return true
    }

    /// The value of a hexadecimal digit of either case; nil for any other character.
    public static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        case 0x41...0x46: byte - 0x37
        default: nil
        }
    }
}

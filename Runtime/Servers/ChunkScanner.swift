// Follows the framing of a chunked body, and refuses what smuggling has been made of.
//
//     1A ;ext CR LF  <26 bytes>  CR LF   ...   0 CR LF  (trailer CR LF)*  CR LF
//     size    sizeEnd  bytes   afterBytes        last:  name: text...     end
//
// Signs, `0x`, blanks, a ninth digit, LF alone and long extensions are what servers and proxies
// have read differently (CVE-2023-38697, CVE-2024-22019); here each is a refusal. llhttp reads the
// same bytes afterwards and both must end on the same one.
//
// Source: RFC 9112, 7.1.

/// Where the framing of one chunked body stands; a plain value.
struct ChunkScanner {
    /// What a scan found.
    enum Found: Equatable { case more, end, refused(HTTPRefusal) }

    private enum Place {
        case size, ext, sizeEnd, bytes, bytesEnd, bytesLine
        case trailer, trailerName, trailerText, trailerEnd, end
    }

    /// Body bytes that the chunk sizes have announced so far.
    private(set) var announced = 0
    private var place = Place.size
    private var digits = 0
    private var size = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var nameBytes = 0
    private var isLength = false
    private var isCoding = false

    /// Looks at bytes from `position` on, and moves it: to the end, or behind the body.
    ///
    /// - Parameter limit: bytes of body that the route allows.
    mutating func scan(_ input: Span<UInt8>, from position: inout Int, limit: Int) -> Found {
        while position < input.count {
            if place == .bytes {
                let step = min(size, input.count - position)
                size -= step
                position += step
                if size == 0 { place = .bytesEnd }
                continue
            }
            let byte = input[position]
            position += 1
            if let refusal = take(byte, limit) { return .refused(refusal) }
            if place == .end, byte == 0x0A { return .end }
        }
        return .more
    }

    private mutating func take(_ byte: UInt8, _ limit: Int) -> HTTPRefusal? {
        switch place {
        case .size: return takeSize(byte, limit)
        case .ext:
            extensionBytes += 1
            if extensionBytes > Limits.chunkExtensionBytes { return .chunkExtensions }
            if byte == 0x0D { place = .sizeEnd }
            return byte >= 0x20 && byte != 0x7F || byte == 0x0D || byte == 0x09
                ? nil : byte == 0x0A ? .bareLineEnd : .controlByte
        case .sizeEnd:
            place = size == 0 ? .trailer : .bytes
            return byte == 0x0A ? nil : .bareLineEnd
        case .bytesEnd:
            place = .bytesLine
            return byte == 0x0D ? nil : .chunkInvalid
        case .bytesLine:
            place = .size
            digits = 0
            return byte == 0x0A ? nil : .bareLineEnd
        case .trailer, .trailerName, .trailerText, .trailerEnd, .end: return takeTrailer(byte)
        case .bytes: preconditionFailure("body bytes are skipped, not taken")
        }
    }

    private mutating func takeSize(_ byte: UInt8, _ limit: Int) -> HTTPRefusal? {
        if let digit = hexValue(byte) {
            if digits == 0 { size = 0 }
            digits += 1
            size = size << 4 | Int(digit)
            return digits > Limits.chunkSizeDigits ? .chunkInvalid : nil
        }
        guard digits > 0 else { return .chunkInvalid }
        announced += size
        if announced > limit { return .body }
        switch byte {
        case 0x0D: place = .sizeEnd
        case 0x3B: place = .ext
        case 0x0A: return .bareLineEnd
        default: return .chunkInvalid
        }
        return nil
    }

    private mutating func takeTrailer(_ byte: UInt8) -> HTTPRefusal? {
        trailerBytes += 1
        if trailerBytes > Limits.trailerBytes { return .trailers }
        switch (place, byte) {
        case (.trailer, 0x0D): place = .end
        case (.trailer, 0x20), (.trailer, 0x09): return .foldedField
        case (.trailerText, 0x0D): place = .trailerEnd
        case (.trailerEnd, 0x0A): place = .trailer
        case (.end, 0x0A): break
        case (.trailerEnd, _), (.end, _), (_, 0x0A): return .bareLineEnd
        case (.trailerName, 0x3A):
            place = .trailerText
            // Never sent (RFC 9110, 6.5.1), and read by some as if it stood in the head.
            return isLength && nameBytes == 14 || isCoding && nameBytes == 17 ? .trailers : nil
        case (.trailerName, 0x0D): return .badFieldName
        case (_, 0x00..<0x09), (_, 0x0B..<0x20), (_, 0x7F): return .controlByte
        case (.trailerText, _): break
        default:
            compareName(byte, isFirst: place == .trailer)
            place = .trailerName
            return isToken(byte) ? nil : .badFieldName
        }
        return nil
    }

    /// Follows whether the trailer's name is that of a field that frames a request.
    private mutating func compareName(_ byte: UInt8, isFirst: Bool) {
        if isFirst {
            nameBytes = 0
            isLength = true
            isCoding = true
        }
        isLength = isLength && reads(byte, "content-length")
        isCoding = isCoding && reads(byte, "transfer-encoding")
        nameBytes += 1
    }

    private func reads(_ byte: UInt8, _ name: StaticString) -> Bool {
        let letter = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
        return name.withUTF8Buffer { name in
            unsafe nameBytes < name.count && name[nameBytes] == letter
        }
    }

    /// A byte of a field's name (RFC 9110, 5.6.2); llhttp lets a trailer begin with its colon.
    private func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C, 0x7E: true  // 0-9 A-Z ^ _ ` a-z | ~
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E: true  // ! # $ % & ' * + - .
        default: false
        }
    }

    private func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

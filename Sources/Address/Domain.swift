// The part after the @: a host name as A-labels, or an address literal written out in one way.
//
// UTS 46 non-transitional: sharp s and the joiners stay themselves, as registries and browsers have
// it since 2016 (`fass.de` and `faß.de` are two domains with two owners). An `xn--` label must
// survive the way to Unicode and back, or it would be a second spelling of something else.

private import CUnicode

enum Domain {
    /// The canonical form of a domain that is not empty and holds no control character.
    static func canonical(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        if bytes[0] == 0x5b { return try literal(bytes) }
        let lowered = bytes.map(Ascii.lowered)
        if lowered.allSatisfy({ $0 < 0x80 }), !holdsEncodedLabel(lowered) {
            return try host(lowered)
        }
        var name: UnsafeMutablePointer<UInt8>?
        let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
        let code = unsafe idn2_lookup_u8(lowered + [0], &name, flags)
        guard code == IDN2_OK.rawValue, let name = unsafe name else { throw .domain }
        defer { unsafe idn2_free(name) }
        var ascii: [UInt8] = []
        var at = 0
        while unsafe name[at] != 0 {
            unsafe ascii.append(Ascii.lowered(name[at]))
            at += 1
        }
        return try host(ascii)
    }

    private static func holdsEncodedLabel(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: 0x2e).contains { $0.starts(with: [0x78, 0x6e, 0x2d, 0x2d]) }
    }

    /// Checks labels and lengths of a lower-case ASCII name; strips one trailing dot.
    private static func host(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        let name = bytes.last == 0x2e ? Array(bytes.dropLast()) : bytes
        guard name.count <= Limits.addressBytes else { throw .tooLong }
        for label in name.split(separator: 0x2e, omittingEmptySubsequences: false) {
            guard let first = label.first, let last = label.last, first != 0x2d, last != 0x2d,
                label.count <= Limits.labelBytes, label.allSatisfy(Ascii.isHost)
            else { throw .domain }
        }
        guard !name.isEmpty else { throw .domain }
        return name
    }

    /// `[1.2.3.4]` or `[IPv6:...]`, the latter as eight groups without leading zeros.
    private static func literal(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        guard bytes.count >= 3, bytes.last == 0x5d else { throw .domain }
        let inside = bytes[1..<(bytes.count - 1)].map(Ascii.lowered)
        let tag = Array("ipv6:".utf8)
        if inside.starts(with: tag) {
            let groups = try groups(inside[tag.count...])
            let text = groups.map { String($0, radix: 16) }.joined(separator: ":")
            return Array("[ipv6:\(text)]".utf8)
        }
        _ = try octets(inside[...])
        return [0x5b] + inside + [0x5d]
    }

    private static func octets(_ text: ArraySlice<UInt8>) throws(AddressError) -> [UInt16] {
        var octets: [UInt16] = []
        for part in text.split(separator: 0x2e, omittingEmptySubsequences: false) {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
                part.count == 1 || part.first != 0x30
            else { throw .domain }
            let value = part.reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
            guard value <= 255 else { throw .domain }
            octets.append(value)
        }
        guard octets.count == 4 else { throw .domain }
        return octets
    }

    /// The eight groups of an IPv6 address (RFC 4291, 2.2), with at most one `::`.
    private static func groups(_ text: ArraySlice<UInt8>) throws(AddressError) -> [UInt16] {
        let parts = text.split(separator: 0x3a, omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // `::` shows as one empty part; at either end of the text as two.
                if index == 0 || index == parts.count - 1 {
                    let neighbour = index == 0 ? 1 : parts.count - 2
                    guard parts.count > 2, parts[neighbour].isEmpty else { throw .domain }
                    continue
                }
                guard gap == nil else { throw .domain }
                gap = groups.count
            } else if part.contains(0x2e) {
                guard index == parts.count - 1 else { throw .domain }
                let four = try octets(part)
                groups += [four[0] << 8 | four[1], four[2] << 8 | four[3]]
            } else {
                guard part.count <= 4, let value = hexadecimal(part) else { throw .domain }
                groups.append(value)
            }
        }
        guard let gap else {
            guard groups.count == 8 else { throw .domain }
            return groups
        }
        guard groups.count < 8 else { throw .domain }
        groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        return groups
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
        var value: UInt16 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt16(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt16(digit - 0x57)
            default: return nil
            }
        }
        return value
    }
}

// The canonical form c1 of an address, in the very block that is hashed.
//
//     0   2                         2+count
//     +---+-------------------------+----+-- ... --+-----------+
//     |c1 | canonical address       | 80 | zeros   | bits, u64 |     whole blocks of 64 bytes
//     +---+-------------------------+----+-- ... --+-----------+
//
// Two spellings of one mailbox must give one digest, or an opt-out under one is ignored under the
// other; so c1 folds case (RFC 5321 forbids it, every provider does it: it over-suppresses, the
// safe side), normalises Unicode and writes domains as A-labels. What cannot be made canonical
// safely is refused, and refused means deny. Tags (`+x`) and dots are kept: they are other
// mailboxes somewhere.
//
// The scratch already carries SHA-256's padding, because the digest is the cost of a check: the
// HMAC of an address of up to 53 bytes is then two calls of the compression function and no copy.
// `bits` counts the key block of 64 bytes that HMAC hashes first.

/// Scratch that holds the canonical form of the last address read; 330 bytes, nothing on the heap.
///
/// One per serving loop, reused for every address.
public struct CanonicalAddress: ~Copyable {
    typealias Block = InlineArray<320, UInt8>
    /// Bytes of "c1" in front of the address.
    static let tagBytes = 2

    private(set) var block = Block(repeating: 0)
    /// Octets of the canonical address; 0 before the first `read` and after one that threw.
    public private(set) var count = 0

    /// Holds nothing yet.
    public init() {
        precondition(Block(repeating: 0).count == Limits.blockBytes)
        block[0] = 0x63
        block[1] = 0x31
    }

    /// Whole 64-byte blocks that the padded message fills.
    var blockCount: Int { (CanonicalAddress.tagBytes + count + 9 + 63) / 64 }

    /// Reads an address as a caller spelled it; strips blanks around it and one pair of `<>`.
    ///
    /// A plain ASCII address allocates nothing.
    /// - Throws: why there is no canonical form; every case means `invalid`, and so deny.
    public mutating func read(_ raw: Span<UInt8>) throws(AddressError) {
        count = 0
        let bounds = try CanonicalAddress.trim(raw)
        if let plain = PlainAddress.write(raw, bounds, into: &block) {
            count = plain
        } else {
            let bytes = try UnusualAddress.canonical(raw, bounds)
            precondition(bytes.count <= Limits.addressBytes)
            for i in 0..<bytes.count { block[CanonicalAddress.tagBytes + i] = bytes[i] }
            count = bytes.count
        }
        pad()
    }

    /// A copy of the canonical address: for tests and for tenants that keep addresses, never for a
    /// log.
    public func copy() -> [UInt8] {
        var out: [UInt8] = []
        for i in 0..<count { out.append(block[CanonicalAddress.tagBytes + i]) }
        return out
    }

    private mutating func pad() {
        let used = CanonicalAddress.tagBytes + count
        let end = blockCount * 64
        block[used] = 0x80
        for i in (used + 1)..<(end - 8) { block[i] = 0 }
        let bits = UInt64(64 + used) * 8
        for i in 0..<8 { block[end - 1 - i] = UInt8(truncatingIfNeeded: bits >> UInt64(8 * i)) }
    }

    private static func trim(_ raw: Span<UInt8>) throws(AddressError) -> Range<Int> {
        guard raw.count <= Limits.rawBytes else { throw .tooLong }
        var bounds = unblank(raw, 0..<raw.count)
        if bounds.count >= 2, raw[bounds.lowerBound] == 0x3c, raw[bounds.upperBound - 1] == 0x3e {
            bounds = unblank(raw, (bounds.lowerBound + 1)..<(bounds.upperBound - 1))
        }
        guard !bounds.isEmpty else { throw .empty }
        return bounds
    }

    private static func unblank(_ raw: Span<UInt8>, _ bounds: Range<Int>) -> Range<Int> {
        var low = bounds.lowerBound
        var high = bounds.upperBound
        while low < high, isBlank(raw[low]) { low += 1 }
        while low < high, isBlank(raw[high - 1]) { high -= 1 }
        return low..<high
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
    }
}

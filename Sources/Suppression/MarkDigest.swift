// The digest of all marks: one number that is equal on two nodes exactly when their marks are.
//
//     id     the recipient's first 24 bits | the first 40 bits of SipHash(key | canonical value)
//     sum    XOR of all ids        check  XOR of 16 other bits of each id's hash
//
// XOR forgets order and undoes itself, so a changed mark costs two toggles: out with the old id, in
// with the new. Because a mark's value is canonical, equal marks have equal ids. This is cell 0 of
// the sketch of DESIGN 7, which every item belongs to; the hash key comes from the cluster's
// secret, so nobody outside can make two sets that look alike.

/// The running digest of a set of marks.
public struct MarkDigest: Equatable, Sendable {
    /// XOR of the ids.
    public private(set) var sum: UInt64 = 0
    /// XOR of the ids' checks.
    public private(set) var check: UInt16 = 0

    /// The digest of no marks.
    public init() {}

    /// A digest that was stored.
    public init(sum: UInt64, check: UInt16) {
        self.sum = sum
        self.check = check
    }

    /// Adds a mark that is not in the set, or takes out one that is.
    public mutating func toggle(_ id: UInt64) {
        sum ^= id
        check ^= MarkDigest.check(of: id)
    }

    /// A second, independent mixture of an id: two changes that cancel in `sum` do not cancel here.
    public static func check(of id: UInt64) -> UInt16 {
        UInt16(truncatingIfNeeded: (id &* 0x9e37_79b9_7f4a_7c15) >> 48)
    }

    /// What must change to make one the other: the digest of the marks that only one side has.
    public func distance(to other: MarkDigest) -> MarkDigest {
        MarkDigest(sum: sum ^ other.sum, check: check ^ other.check)
    }

    /// The id of one mark.
    ///
    /// - Parameters:
    ///   - key: the encoded key, 33 bytes.
    ///   - value: its canonical value begins here and is `valueCount` bytes long.
    ///   - hash: under the cluster's sketch key.
    public static func id(
        key: Span<UInt8>,
        value: Span<UInt8>,
        valueCount: Int,
        hash: SipHash
    ) -> UInt64 {
        precondition(key.count == MarkKey.encodedBytes, "a mark's key has 33 bytes")
        return id(hash.hash(key, then: value, count: valueCount), key)
    }

    /// The id of a mark whose key and canonical value lie together, `count` bytes in all.
    public static func id(record: Span<UInt8>, count: Int, hash: SipHash) -> UInt64 {
        id(hash.hash(record, in: 0..<count), record)
    }

    private static func id(_ hashed: UInt64, _ key: Span<UInt8>) -> UInt64 {
        let first24 = UInt64(key[8]) << 16 | UInt64(key[9]) << 8 | UInt64(key[10])
        return first24 << 40 | hashed >> 24
    }
}

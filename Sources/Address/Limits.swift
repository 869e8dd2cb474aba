// Every bound of this module in one place: unit in the name, derivation beside it.

enum Limits {
    /// Octets of a path without its brackets (RFC 5321, 4.5.3.1.3: 256 with them).
    static let addressBytes = 254
    /// Octets of a local part (RFC 5321, 4.5.3.1.1).
    static let localBytes = 64
    /// Octets of a DNS label (RFC 1035, 2.3.4).
    static let labelBytes = 63
    /// Octets of what a caller may hand in: NFD, escapes and blanks make an address longer than its
    /// canonical form, but never four times.
    static let rawBytes = 4 * addressBytes
    /// Characters of the name of a tenant, stream or topic.
    static let nameBytes = 64
    /// Rounds of fold and NFC until nothing changes; two are enough for all of Unicode 14.
    static let foldRounds = 4
    /// Octets of the largest HMAC message, "c1" and an address, padded to whole SHA-256 blocks:
    /// 2 + 254 + 1 + 8 = 265.
    static let blockBytes = 320
}

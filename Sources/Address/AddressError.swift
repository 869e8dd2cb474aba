// What can be wrong with an address or a name. The text never repeats the input: it may reach a
// log.

/// Why an address has no canonical form, or a name is none.
///
/// For a check each of them is `invalid`, and so deny.
public enum AddressError: Error, Equatable, Sendable {
    /// Nothing but blanks.
    case empty
    /// More than 254 octets, or a local part of more than 64.
    case tooLong
    /// Control characters or broken UTF-8.
    case control
    /// No `@`, or nothing on one side of it.
    case shape
    /// The part before the `@` is no dot-string and no quoted string, or cannot be folded safely.
    case localPart
    /// The part after the `@` is no host name, no IDN and no address literal.
    case domain
    /// Not 1 to 64 characters of `a-z 0-9 . _ -` that begin with a letter or digit.
    case name

    /// One sentence for people, without the input.
    public var text: String {
        switch self {
        case .empty: "the address is empty"
        case .tooLong: "the address is longer than 254 octets, or its local part than 64"
        case .control: "the address holds control characters or is not UTF-8"
        case .shape: "the address is not of the form local@domain"
        case .localPart: "the part before the @ is malformed"
        case .domain: "the domain is malformed"
        case .name:
            "a name is 1 to 64 characters of a-z 0-9 . _ - and begins with a letter or digit"
        }
    }
}

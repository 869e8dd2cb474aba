// Why a token, id, key or header is refused. None of the cases says anything about a person.

/// What can go wrong in this module.
public enum TokenError: Error, Equatable, Sendable {
    /// Not canonical base64url, a wrong length or an unknown version.
    case malformed
    /// No key of this id is held: for a link, ask peers before answering 404.
    case unknownKey
    /// Does not open: changed, cut, or sealed for something else.
    case forged
    /// An undo token past its 15 minutes.
    case expired
    /// The public URL or mailto address cannot stand in a header.
    case badURL
    /// More than fits: items of an undo token, bytes of a secret, characters of a header.
    case tooLong
}

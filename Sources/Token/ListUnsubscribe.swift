// The two headers that make a mailbox provider show "Unsubscribe" (RFC 2369, RFC 8058).
//
//     List-Unsubscribe: <https://HOST/u/TOKEN>[, <mailto:ADDRESS?subject=u1.TOKEN>]
//     List-Unsubscribe-Post: List-Unsubscribe=One-Click
//
// The https form comes first, because the leftmost is preferred. Nothing is ever folded inside <>,
// and the whole value keeps to 870 characters, the tightest budget among the big relays. mailto
// appears only when somebody has configured an address that we read.

/// Makes header values for one public URL.
public struct ListUnsubscribe: Sendable {
    /// The whole value of List-Unsubscribe-Post.
    public static let postValue = "List-Unsubscribe=One-Click"

    private let base: String
    private let mailto: String?

    /// Takes the base of links, without or with a trailing slash.
    ///
    /// - Parameters:
    ///   - publicURL: begins with `https://`, or `http://` for development.
    ///   - mailto: a bare address that the cluster receives mail for, or nil.
    /// - Throws: `.badURL` for anything that could break out of header or brackets, `.tooLong`.
    public init(publicURL: String, mailto: String? = nil) throws(TokenError) {
        let bytes = Array(publicURL.utf8)
        let isWeb = publicURL.hasPrefix("https://") || publicURL.hasPrefix("http://")
        guard isWeb, bytes.allSatisfy(ListUnsubscribe.isURLByte),
            !bytes.contains(0x3f), !bytes.contains(0x23), !publicURL.hasSuffix("//")
        else { throw .badURL }
        guard bytes.count <= Limits.publicURLCharacters else { throw .tooLong }
        if let mailto {
            let isAddress = mailto.utf8.filter { $0 == 0x40 }.count == 1
            guard isAddress, mailto.utf8.allSatisfy(ListUnsubscribe.isURLByte),
                !mailto.utf8.contains(0x3f), !mailto.utf8.contains(0x26)
            else { throw .badURL }
            guard mailto.utf8.count <= Limits.publicURLCharacters else { throw .tooLong }
        }
        base = publicURL.hasSuffix("/") ? String(publicURL.dropLast()) : publicURL
        self.mailto = mailto
        // 88 characters of token twice, "/u/", "?subject=u1." and brackets stay below the budget.
        let fixed = base.utf8.count + (mailto?.utf8.count ?? 0) + 2 * LinkToken.characterCount + 40
        precondition(fixed <= Limits.headerCharacters)
    }

    /// The link of a token.
    public func url(of token: [UInt8]) -> String {
        "\(base)/u/\(String(decoding: token, as: UTF8.self))"
    }

    /// The value of List-Unsubscribe for a token.
    public func value(of token: [UInt8]) -> String {
        guard let mailto else { return "<\(url(of: token))>" }
        let text = String(decoding: token, as: UTF8.self)
        return "<\(url(of: token))>, <mailto:\(mailto)?subject=u1.\(text)>"
    }

    /// Printable ASCII without blanks, quotes, commas and angle brackets.
    private static func isURLByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7f && byte != 0x3c && byte != 0x3e && byte != 0x22 && byte != 0x2c
    }
}

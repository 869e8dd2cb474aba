// Where a node listens: `127.0.0.1:8100`, `[::1]:8100`, `quell.example.com:8100` or `http://...`.
//
// Plain HTTP only: TLS ends in a proxy beside the node (DESIGN 10.1), and a worker talks to the node
// beside it. An https address is refused by name rather than tried and misunderstood.

/// A host and a port.
struct Endpoint: Equatable, Sendable {
    let host: String
    let port: String

    /// For the Host field and for messages.
    let authority: String

    init(_ address: String) throws(ClientError) {
        var rest = Substring(address)
        var scheme: Substring?
        if let colon = address.firstRange(of: "://") {
            scheme = address[..<colon.lowerBound]
            rest = address[colon.upperBound...]
        }
        if scheme == "https" {
            throw .invalidAddress("\(address): TLS ends in a proxy; use the node's http:// address")
        }
        let isURL = scheme == "http"
        if isURL, rest.last == "/" { rest.removeLast() }
        let (host, port) = Endpoint.split(rest)
        let number = port.isEmpty && isURL ? 80 : Endpoint.number(port)
        guard isURL || scheme == nil, let number, !host.isEmpty,
            host.utf8.allSatisfy(Endpoint.isHostByte)
        else {
            throw .invalidAddress("\(address) is no address of a node; write host:port")
        }
        self.host = String(host)
        self.port = String(number)
        authority = host.contains(":") ? "[\(host)]:\(number)" : "\(host):\(number)"
    }

    /// Host without brackets, port without colon.
    private static func split(_ text: Substring) -> (host: Substring, port: Substring) {
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return ("", "") }
            let host = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            if after.isEmpty { return (host, "") }
            return after.first == ":" ? (host, after.dropFirst()) : ("", "")
        }
        guard let colon = text.firstIndex(of: ":") else { return (text, "") }
        return (text[..<colon], text[text.index(after: colon)...])
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let number = Int(text), (1...65_535).contains(number)
        else { return nil }
        return number
    }

    /// Letters, digits, `.`, `-`, `_`, and `:` and `%` of IPv6 literals.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "%"): true
        default: false
        }
    }
}

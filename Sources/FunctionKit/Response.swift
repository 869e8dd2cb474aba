// What a function answers. Status, content type, body: headers belong to the host.

/// One answer.
public struct Response: Equatable, Sendable {
    /// HTTP status.
    public let status: UInt16
    /// Value of Content-Type.
    public let contentType: [UInt8]
    /// Body; with `undoPlace` where an undo token belongs.
    public private(set) var body: [UInt8]

    /// Puts an answer together.
    public init(status: UInt16, contentType: [UInt8], body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// Marks where the host puts the sealed undo token.
    ///
    /// The token names dots, and dots are minted only after the function has run. Escaped text
    /// holds no `<`, so no name of a list can look like this.
    public static var undoPlace: StaticString { "<undo-token-of-this-answer/>" }

    /// Whether the answer has room for an undo token.
    public var hasUndoPlace: Bool { undoOffset() != nil }

    /// Replaces every `undoPlace` by the token; by nothing when there is none to give.
    public mutating func fillUndo(_ token: [UInt8]) {
        let width = Response.undoPlace.utf8CodeUnitCount
        var filled: [UInt8] = []
        filled.reserveCapacity(body.count + token.count)
        var at = 0
        while at < body.count {
            if body.holds(Response.undoPlace, at: at) {
                filled.append(contentsOf: token)
                at += width
            } else {
                filled.append(body[at])
                at += 1
            }
        }
        body = filled
    }

    private func undoOffset() -> Int? {
        for at in 0..<body.count where body.holds(Response.undoPlace, at: at) { return at }
        return nil
    }
}

/// One header that the host sends.
public struct PageHeader: Sendable {
    /// Field name.
    public let name: StaticString
    /// Field value.
    public let value: StaticString
}

/// The headers of every answer below `/u/`, whoever made it.
public enum PageHeaders {
    /// Nothing is stored, indexed, framed, sniffed, loaded or told to another site.
    ///
    /// Style stands inside the page, and a deployed function may bring its own, so its hash is not
    /// known here: `unsafe-inline` for style alone.
    public static var all: [PageHeader] {
        [
            PageHeader(name: "Cache-Control", value: "no-store"),
            PageHeader(name: "Referrer-Policy", value: "no-referrer"),
            PageHeader(name: "X-Robots-Tag", value: "noindex"),
            PageHeader(name: "X-Content-Type-Options", value: "nosniff"),
            PageHeader(name: "Content-Security-Policy", value: policy),
        ]
    }

    private static var policy: StaticString {
        """
        default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
        frame-ancestors 'none'; base-uri 'none'
        """
    }
}

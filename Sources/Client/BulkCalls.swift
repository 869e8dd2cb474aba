// The two calls that move whole lists: import, a piece at a time, and export, as it comes.

internal import Wire

/// What a node did with a piece of a list.
public struct ImportAnswer: Sendable {
    /// Rows that were not suppressed before.
    public let accepted: Int
    /// Rows that were; they are written all the same.
    public let already: Int
    /// Rows that the node rejected.
    public let invalid: Int
    /// Which, by line of the list.
    public let rejected: [RejectedRow]
}

extension QuellClient {
    /// Imports a piece; returns when all of its rows are durable. Sending it again is harmless.
    ///
    /// - Parameters:
    ///   - stream: where to suppress, `*` for the whole tenant.
    ///   - topic: `*` for the whole stream.
    ///   - reason: for rows that name none.
    public func importPiece(
        _ piece: ListPiece,
        stream: String,
        topic: String = "*",
        reason: String = "import"
    ) throws(ClientError) -> ImportAnswer {
        var request = Request(
            .post,
            "/v1/import",
            query: [("stream", stream), ("topic", topic), ("reason", reason)]
        )
        request.body = piece.body
        request.contentType = "text/csv"
        let json = try ask(request)
        guard let accepted = json["accepted"]?.integer, let already = json["already"]?.integer,
            let invalid = json["invalid"]?.integer
        else { throw unexpected("counts") }
        var rejected: [RejectedRow] = []
        for row in json["rejected"]?.array ?? [] {
            // The piece's line 1 is its header.
            guard let line = row["line"]?.integer, let why = row["why"]?.string, line >= 2,
                line - 2 < piece.lines.count
            else { continue }
            rejected.append(RejectedRow(line: piece.lines[Int(line) - 2], why: why))
        }
        return ImportAnswer(
            accepted: Int(accepted),
            already: Int(already),
            invalid: Int(invalid),
            rejected: rejected
        )
    }

    /// Reads every mark of the tenant, one JSON object a line.
    ///
    /// - Parameter take: gets the bytes as they come, cut anywhere.
    /// - Throws: also when the export ends early; then what came is not all.
    public func export(_ take: @escaping ([UInt8]) -> Void) throws(ClientError) {
        let answer = try exchange(Request(.get, "/v1/export"), streaming: take)
        guard answer.status == 200 else { throw refusal(answer) }
    }
}

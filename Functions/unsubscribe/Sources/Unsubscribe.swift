// The unsubscribe function: what a person sees behind the link, and the one effect it adds.
//
// The host has already staged the link's own suppression (or shown that there is nothing to do)
// when this runs: a bug in here can spoil a page, not lose an opt-out. What is left to decide is
// the page, and that "all mail by this sender" suppresses the whole tenant. Pure: same request,
// same bytes.

public import FunctionKit

/// Answers every request to a link.
public enum Unsubscribe {
    /// The page for what the host did.
    ///
    /// - Parameters:
    ///   - request: with the outcome of the host's guard.
    ///   - context: receives the tenant-wide suppression when the person asked for it.
    /// - Returns: 200, or 404 for a link that does not open.
    public static func handle(_ request: Request, _ context: inout Context) -> Response {
        guard let claims = request.claims else {
            return Page.answer(
                404,
                Words.broken,
                Page.paragraphs([Words.brokenWhy, Words.askSender])
            )
        }
        switch request.outcome {
        case .oneClick:
            var body: [UInt8] = []
            body.append(Words.oneClick)
            return Response(status: 200, contentType: Page.plainText, body: body)
        case .confirmedAll:
            context.suppress(.tenant, .unsubscribe)
            return Page.answer(200, Words.done, Page.result(claims, all: true))
        case .confirmed, .chosen:
            return Page.answer(200, Words.done, Page.result(claims, all: false))
        case .undone:
            return Page.answer(200, Words.undone, Page.undone(claims))
        case .undoRefused:
            return Page.answer(200, Words.tooLate, Page.tooLate(claims))
        case .page, .badToken, .direct:
            return Page.answer(200, Words.question, Page.question(claims))
        }
    }
}

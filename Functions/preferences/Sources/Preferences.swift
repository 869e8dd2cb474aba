// The preferences function: what the link offers beyond one click, in the reader's language.
//
//     GET  /u/TOKEN?preferences   the choices; nothing changes
//     POST                        choice=topics | pause | all, or the undo of the page before
//
// The host has already staged what was chosen (FunctionKit's Choice) when this runs, so all that is
// left is the page. It shows the stream's topics, never which of them somebody has: a link may be
// forwarded, and what it may do is to stop mail. Pure: same request, same bytes.

public import FunctionKit

/// Answers every request to a link's preferences.
public enum Preferences {
    /// The page for what the host did.
    ///
    /// - Parameters:
    ///   - request: with the outcome of the host's guard.
    ///   - context: left alone; the host stages what the form says.
    /// - Returns: 200, or 404 for a link that does not open.
    public static func handle(_ request: Request, _ context: inout Context) -> Response {
        let words = Words(request.acceptLanguage)
        guard let claims = request.claims else {
            return words.page(404, .broken, words.paragraph(.askSender, nil))
        }
        let page = Page(words: words, claims: claims, topics: request.topics)
        switch request.outcome {
        case .chosen, .confirmedAll: return page.result(choice(request))
        case .confirmed, .oneClick: return page.result(.topics([claims.scope.topic]))
        case .undone: return page.undone()
        case .undoRefused: return page.tooLate()
        case .page, .badToken, .direct: return page.choices(isRepeat: isEmptyChoice(request))
        }
    }

    private static func choice(_ request: Request) -> Choice {
        if case .choose(let choice) = intent(request) { return choice }
        return .all
    }

    /// Whether the button for topics was pressed with no box ticked.
    private static func isEmptyChoice(_ request: Request) -> Bool {
        if case .choose(.topics) = intent(request) { return true }
        return false
    }

    private static func intent(_ request: Request) -> Intent {
        Intent.of(
            method: request.method,
            contentType: request.contentType,
            body: request.body,
            hasChoices: true
        )
    }
}

// What the body of a request to a link asks for. The host decides on this before any function runs:
// no bug in a handler can lose an opt-out or invent one (DESIGN 9).

/// What somebody with a link wants.
public enum Intent: Equatable, Sendable {
    /// To see the page; nothing changes. Also every body that asks for nothing that we know.
    case page
    /// RFC 8058: stop, now, without a page.
    case oneClick
    /// The page's button: stop this, or all mail of the tenant.
    case confirm(all: Bool)
    /// The result page's button, with its sealed token.
    case undo(token: [UInt8])
    /// A button of the preferences page.
    case choose(Choice)

    /// Reads the intent; only a POST has one, and one-click wins over all else.
    ///
    /// - Parameter hasChoices: whether the form may be the preferences page's; elsewhere its
    ///   fields ask for nothing.
    public static func of(
        method: Method,
        contentType: [UInt8],
        body: [UInt8],
        hasChoices: Bool = false
    ) -> Intent {
        guard method == .post else { return .page }
        let form: Form
        do {
            form = try Form(contentType: contentType, body: body)
        } catch {
            return .page
        }
        if form.isOneClick { return .oneClick }
        if let token = form.value(of: "undo") { return .undo(token: token) }
        if let confirm = form.value(of: "confirm"), confirm.equals("1") {
            return .confirm(all: form.value(of: "scope")?.equals("all") ?? false)
        }
        guard hasChoices, let choice = Choice(form) else { return .page }
        return .choose(choice)
    }
}

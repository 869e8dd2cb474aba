// The frame of a page: HTML that needs nothing, no script, no image, no font, no cookie.
//
// WCAG 2.2 AA: a language and a direction, one h1, a landmark, buttons of 44 px and more (2.5.8
// asks for 24), contrast of at least 6:1, a focus ring of 3 px. The style is a convenience: the
// order of the text is the order of reading, so the page works without it.

/// A whole HTML page around its content.
public enum Document {
    /// Builds an answer.
    ///
    /// - Parameters:
    ///   - status: 200, or 404 for a link that does not open.
    ///   - language: BCP 47 tag of the text.
    ///   - isRightToLeft: the text's direction.
    ///   - title: also the page's one h1; HTML.
    ///   - content: what follows it; HTML.
    public static func answer(
        _ status: UInt16,
        language: [UInt8],
        isRightToLeft: Bool = false,
        title: [UInt8],
        _ content: [UInt8]
    ) -> Response {
        var out: [UInt8] = []
        out.reserveCapacity(1_400 + 2 * title.count + content.count)
        out.append("<!doctype html>\n<html lang=\"")
        out.append(contentsOf: language)
        if isRightToLeft { out.append("\" dir=\"rtl") }
        out.append(
            """
            "><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,\
            initial-scale=1"><meta name="robots" content="noindex"><title>
            """
        )
        out.append(contentsOf: title)
        out.append("</title><style>")
        out.append(style)
        out.append("</style></head><body><main><h1>")
        out.append(contentsOf: title)
        out.append("</h1>")
        out.append(contentsOf: content)
        out.append("</main></body></html>\n")
        var type: [UInt8] = []
        type.append("text/html; charset=utf-8")
        return Response(status: status, contentType: type, body: out)
    }

    private static var style: StaticString {
        """
        :root{color-scheme:light}body{margin:0;background:#f4f5f7;color:#1b1f24;\
        font:1.125rem/1.5 system-ui,sans-serif}main{max-width:34rem;margin:0 auto;\
        padding:2rem 1.25rem}\
        h1{font-size:1.75rem;line-height:1.25}h2{font-size:1.25rem;margin:2rem 0 .5rem}\
        b,label{overflow-wrap:anywhere}form{margin:1rem 0}\
        fieldset{border:1px solid #4a5361;border-radius:.4rem;margin:0 0 1rem}\
        label{display:block;padding:.6rem 0}\
        input{width:1.5rem;height:1.5rem;margin-inline-end:.6rem;vertical-align:middle}\
        button{min-height:2.75rem;width:100%;padding:.6rem 1rem;font:inherit;font-weight:600;\
        color:#1b1f24;background:#fff;border:2px solid #4a5361;border-radius:.4rem;cursor:pointer;\
        overflow-wrap:anywhere}button.first{color:#fff;background:#0b4fb3;border-color:#0b4fb3}\
        a{color:#0b4fb3}:focus-visible{outline:3px solid #1b1f24;outline-offset:3px}\
        .note{color:#4a5361}
        """
    }
}

extension [UInt8] {
    /// Appends a name so that it stands out and cannot be read as markup.
    public mutating func append(name: [UInt8]) {
        append("<b>")
        append(escaped: name)
        append("</b>")
    }
}

// The pages: HTML that needs nothing, no script, no image, no font, no cookie, no style even.
//
// WCAG 2.2 AA: a language, one h1, a landmark, buttons of 44 px and more (2.5.8 asks for 24),
// contrast of at least 6:1, a focus ring of 3 px, results in a `role=status`, no time limit on the
// act itself. Forms post to the page's own address, so the token stands nowhere in the page.

import FunctionKit

enum Page {
    static var plainText: [UInt8] { text("text/plain; charset=utf-8") }

    /// The whole document around a body.
    static func answer(_ status: UInt16, _ title: StaticString, _ content: [UInt8]) -> Response {
        var out: [UInt8] = []
        out.reserveCapacity(4_096)
        out.append("<!doctype html>\n<html lang=\"")
        out.append(Words.language)
        out.append(
            """
            "><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,\
            initial-scale=1"><meta name="robots" content="noindex"><title>
            """
        )
        out.append(title)
        out.append("</title><style>")
        out.append(style)
        out.append("</style></head><body><main><h1>")
        out.append(title)
        out.append("</h1>")
        out.append(contentsOf: content)
        out.append("</main></body></html>\n")
        return Response(status: status, contentType: text("text/html; charset=utf-8"), body: out)
    }

    /// What will stop, and the two buttons that stop it.
    static func question(_ claims: TokenClaims) -> [UInt8] {
        var out = text("<p>")
        out.append(Words.about)
        out.append(name: claims.tenantName)
        if !isWhole(claims) {
            out.append(Words.aboutTopic)
            out.append(name: list(claims))
        }
        out.append(". ")
        out.append(Words.nothingYet)
        out.append("</p>")
        if !isWhole(claims) { out.append(contentsOf: buttonOne(claims)) }
        out.append(contentsOf: buttonAll(claims, isFirst: isWhole(claims)))
        out.append("<p class=\"note\">")
        out.append(Words.forwarded)
        out.append("</p>")
        return out
    }

    /// What has stopped, how to take it back, and the wider choice where it was not taken.
    static func result(_ claims: TokenClaims, all: Bool) -> [UInt8] {
        var out = text("<p role=\"status\">")
        if all || isWhole(claims) {
            out.append(Words.doneAll)
        } else {
            out.append(Words.doneOne)
            out.append(name: list(claims))
            out.append(Words.doneBy)
        }
        out.append(name: claims.tenantName)
        out.append(Words.fullStop)
        out.append("</p><p>")
        out.append(Words.doneRest)
        out.append("</p>")
        if !all && !isWhole(claims) {
            out.append(contentsOf: buttonAll(claims, isFirst: false))
        }
        out.append("<form method=\"post\"><p class=\"note\">")
        out.append(Words.undoWhy)
        out.append("</p><input type=\"hidden\" name=\"undo\" value=\"")
        out.append(Response.undoPlace)
        out.append("\"><button>")
        out.append(Words.undo)
        out.append("</button></form>")
        return out
    }

    /// After an undo: what holds again, and the way back.
    static func undone(_ claims: TokenClaims) -> [UInt8] {
        var out = text("<p role=\"status\">")
        out.append(Words.undoneWhat)
        out.append(name: claims.tenantName)
        out.append(Words.fullStop)
        out.append("</p>")
        if !isWhole(claims) { out.append(contentsOf: buttonOne(claims)) }
        out.append(contentsOf: buttonAll(claims, isFirst: isWhole(claims)))
        return out
    }

    /// After an undo that came too late, or from another page.
    static func tooLate(_ claims: TokenClaims) -> [UInt8] {
        var out = text("<p role=\"status\">")
        out.append(Words.tooLateWhy)
        out.append("</p>")
        return out
    }

    static func paragraphs(_ sentences: [StaticString]) -> [UInt8] {
        var out: [UInt8] = []
        for sentence in sentences {
            out.append("<p>")
            out.append(sentence)
            out.append("</p>")
        }
        return out
    }

    private static func buttonOne(_ claims: TokenClaims) -> [UInt8] {
        var out = text("<form method=\"post\"><input type=\"hidden\" name=\"confirm\" value=\"1\">")
        out.append("<button class=\"first\">")
        out.append(Words.buttonOne)
        out.append(escaped: list(claims))
        out.append("</button></form>")
        return out
    }

    private static func buttonAll(_ claims: TokenClaims, isFirst: Bool) -> [UInt8] {
        var out = text("<form method=\"post\"><input type=\"hidden\" name=\"confirm\" value=\"1\">")
        out.append("<input type=\"hidden\" name=\"scope\" value=\"all\">")
        out.append(isFirst ? "<button class=\"first\">" : "<button>")
        out.append(Words.buttonAll)
        out.append(escaped: claims.tenantName)
        out.append("</button></form>")
        return out
    }

    /// The list that the link stops: its topic, or the stream when it stops all topics.
    private static func list(_ claims: TokenClaims) -> [UInt8] {
        claims.topicName.isEmpty ? claims.streamName : claims.topicName
    }

    /// Whether the link itself stops all mail of the tenant.
    private static func isWhole(_ claims: TokenClaims) -> Bool { list(claims).isEmpty }

    private static func text(_ text: StaticString) -> [UInt8] {
        var out: [UInt8] = []
        out.append(text)
        return out
    }

    private static var style: StaticString {
        """
        :root{color-scheme:light}body{margin:0;background:#f4f5f7;color:#1b1f24;\
        font:1.125rem/1.5 system-ui,sans-serif}main{max-width:34rem;margin:0 auto;\
        padding:2rem 1.25rem}\
        h1{font-size:1.75rem;line-height:1.25}b{overflow-wrap:anywhere}form{margin:1rem 0}\
        button{min-height:2.75rem;width:100%;padding:.6rem 1rem;font:inherit;font-weight:600;\
        color:#1b1f24;background:#fff;border:2px solid #4a5361;border-radius:.4rem;cursor:pointer;\
        overflow-wrap:anywhere}button.first{color:#fff;background:#0b4fb3;border-color:#0b4fb3}\
        button:focus-visible{outline:3px solid #1b1f24;outline-offset:3px}.note{color:#4a5361}
        """
    }
}

extension [UInt8] {
    /// Appends a name so that it stands out and cannot be read as markup.
    fileprivate mutating func append(name: [UInt8]) {
        append("<b>")
        append(escaped: name)
        append("</b>")
    }
}

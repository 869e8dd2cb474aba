// The pages, inside of FunctionKit's document: HTML that needs nothing, no style even.
//
// Results stand in a `role=status`, and there is no time limit on the act itself. Forms post to the
// page's own address, so the token stands nowhere in the page; the one link, to the preferences,
// changes the query alone.

import FunctionKit

enum Page {
    static var plainText: [UInt8] { text("text/plain; charset=utf-8") }

    /// The whole document around a body.
    static func answer(_ status: UInt16, _ title: StaticString, _ content: [UInt8]) -> Response {
        Document.answer(status, language: text(Words.language), title: text(title), content)
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
        out.append("<p><a href=\"?preferences\">")
        out.append(Words.preferences)
        out.append("</a></p><p class=\"note\">")
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
}

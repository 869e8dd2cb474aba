// The pages around a choice. Forms post to the page's own address, so the token stands nowhere.
//
// Every control has a label or a text of its own, every group a legend or a heading, results are a
// `role=status` and a choice that could not be taken an `alert`; no script, and no time limit on
// choosing.

import FunctionKit

struct Page {
    let words: Words
    let claims: TokenClaims
    let topics: [TopicChoice]

    private var names: Names { Names(sender: claims.tenantName, list: claims.streamName) }
    /// Whether the link is for all mail of the sender.
    private var isWhole: Bool { claims.streamName.isEmpty }

    /// What there is to choose.
    ///
    /// - Parameter isRepeat: the person pressed the button for topics and had ticked none.
    func choices(isRepeat: Bool) -> Response {
        var out: [UInt8] = []
        if isRepeat {
            out.append("<p role=\"alert\">")
            out.append(contentsOf: words.html(.noneTicked))
            out.append("</p>")
        }
        out.append(contentsOf: words.paragraph(.intro, names))
        if !isWhole && !topics.isEmpty { appendTopics(into: &out) }
        appendHeading(.pauseTitle, into: &out)
        out.append(
            contentsOf: words.paragraph(isWhole ? .pauseSender : .pauseList, names)
        )
        appendForm("pause", .pauseButton, into: &out)
        appendHeading(.allTitle, into: &out)
        appendForm("all", .allButton, into: &out)
        out.append("<p class=\"note\">")
        out.append(contentsOf: words.html(.forwarded))
        out.append("</p>")
        return words.page(200, .title, out)
    }

    /// What has stopped, and how to take it back.
    func result(_ choice: Choice) -> Response {
        var out: [UInt8] = []
        out.append("<div role=\"status\">")
        switch choice {
        case .all: out.append(contentsOf: words.paragraph(.doneAll, names))
        case .pause:
            let sentence: Sentence = isWhole ? .donePauseSender : .donePauseList
            out.append(contentsOf: words.paragraph(sentence, names))
        case .topics(let chosen):
            out.append(contentsOf: words.paragraph(.doneTopics, names))
            out.append("<ul>")
            for topic in topics where chosen.contains(where: { $0.raw == topic.id.raw }) {
                out.append("<li dir=\"auto\">")
                out.append(escaped: topic.name)
                out.append("</li>")
            }
            out.append("</ul>")
        }
        out.append("</div>")
        out.append(contentsOf: words.paragraph(.doneRest, nil))
        out.append("<form method=\"post\"><p class=\"note\">")
        out.append(contentsOf: words.html(.undoWhy))
        out.append("</p><input type=\"hidden\" name=\"undo\" value=\"")
        out.append(Response.undoPlace)
        out.append("\"><button>")
        out.append(contentsOf: words.html(.undo))
        out.append("</button></form>")
        appendBack(into: &out)
        return words.page(200, .done, out)
    }

    /// After an undo: what holds again, and the way back.
    func undone() -> Response {
        var out: [UInt8] = []
        out.append("<div role=\"status\">")
        out.append(contentsOf: words.paragraph(.undoneWhat, names))
        out.append("</div>")
        appendBack(into: &out)
        return words.page(200, .undone, out)
    }

    /// After an undo that came too late, or from another page.
    func tooLate() -> Response {
        var out: [UInt8] = []
        out.append("<div role=\"alert\">")
        out.append(contentsOf: words.paragraph(.tooLateWhy, nil))
        out.append("</div>")
        appendBack(into: &out)
        return words.page(200, .tooLate, out)
    }

    /// A box for each topic; the link's own is ticked.
    private func appendTopics(into out: inout [UInt8]) {
        appendHeading(.topicsTitle, into: &out)
        out.append("<form method=\"post\">")
        appendHidden("topics", into: &out)
        out.append("<fieldset><legend>")
        out.append(contentsOf: words.html(.topicsLegend, names))
        out.append("</legend>")
        for topic in topics {
            out.append("<label><input type=\"checkbox\" name=\"topic\" value=\"")
            out.append(contentsOf: topic.digits)
            out.append(topic.id.raw == claims.scope.topic.raw ? "\" checked>" : "\">")
            out.append("<bdi>")
            out.append(escaped: topic.name)
            out.append("</bdi></label>")
        }
        out.append("</fieldset>")
        if topics.count == Limits.topicsCount {
            out.append(contentsOf: words.paragraph(.moreTopics, nil))
        }
        out.append("<button class=\"first\">")
        out.append(contentsOf: words.html(.topicsButton))
        out.append("</button></form>")
    }

    private func appendForm(
        _ choice: StaticString,
        _ button: Sentence,
        into out: inout [UInt8]
    ) {
        out.append("<form method=\"post\">")
        appendHidden(choice, into: &out)
        out.append("<button>")
        out.append(contentsOf: words.html(button, names))
        out.append("</button></form>")
    }

    private func appendHidden(_ choice: StaticString, into out: inout [UInt8]) {
        out.append("<input type=\"hidden\" name=\"choice\" value=\"")
        out.append(choice)
        out.append("\">")
    }

    private func appendHeading(_ title: Sentence, into out: inout [UInt8]) {
        out.append("<h2>")
        out.append(contentsOf: words.html(title))
        out.append("</h2>")
    }

    private func appendBack(into out: inout [UInt8]) {
        out.append("<p><a href=\"?preferences\">")
        out.append(contentsOf: words.html(.back))
        out.append("</a></p>")
    }
}

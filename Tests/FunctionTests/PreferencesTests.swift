// The preferences page in ten languages: whole, accessible, and silent about whom it belongs to.

import Foundation
import FunctionKit
import Suppression
import Testing

@testable import PreferencesFunction

@Suite struct PreferencesTests {
    private static let languages = [
        "en", "de", "fr", "es", "it", "pt", "nl", "pl", "ar", "ja",
    ]
    private static let form = "application/x-www-form-urlencoded"

    private func topics(_ count: UInt32) -> [TopicChoice] {
        (0..<count).map { TopicChoice(id: TopicID(raw: 2 + $0), name: Array("topic <\($0)>".utf8)) }
    }

    private func claims(stream: String = "marketing", name: String = "demo") -> TokenClaims {
        TokenClaims(
            scope: stream.isEmpty
                ? .tenant : Scope(stream: StreamID(raw: 1), topic: TopicID(raw: 2)),
            person: Person(tenant: TenantID(raw: 3), recipient: Recipient(high: 4, low: 5)),
            tenantName: Array(name.utf8),
            streamName: Array(stream.utf8),
            topicName: Array((stream.isEmpty ? "" : "news").utf8)
        )
    }

    private func text(
        _ outcome: Outcome,
        _ body: String = "",
        language: String = "en",
        claims: TokenClaims? = nil,
        topics: UInt32 = 3
    ) -> String {
        var context = Context()
        let request = Request(
            method: body.isEmpty ? .get : .post,
            body: Array(body.utf8),
            contentType: Array(PreferencesTests.form.utf8),
            acceptLanguage: Array(language.utf8),
            nowMillis: 0,
            claims: outcome == .badToken ? nil : claims ?? self.claims(),
            outcome: outcome,
            topics: self.topics(topics)
        )
        let response = Preferences.handle(request, &context)
        #expect(context.effects.isEmpty, "the host stages what was chosen")
        #expect(response.status == (outcome == .badToken ? 404 : 200))
        #expect(response.contentType == Array("text/html; charset=utf-8".utf8))
        #expect(response.body.count < 15 * 1_024, "\(outcome) \(language)")
        return String(decoding: response.body, as: UTF8.self)
    }

    private func pages(_ language: String, _ claims: TokenClaims? = nil) -> [String] {
        [
            (Outcome.page, ""), (.page, "choice=topics"), (.chosen, "choice=topics&topic=00000003"),
            (.chosen, "choice=pause"), (.chosen, "choice=all"), (.undone, "undo=A"),
            (.undoRefused, "undo=A"), (.badToken, ""),
        ].map { text($0, $1, language: language, claims: claims) }
    }

    @Test("every language has every sentence, with the places that English has", arguments: 0..<10)
    func complete(place: Int) throws {
        let mine = "\(Words.text(of: place))".split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        let english = "\(Words.text(of: 0))".split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(mine.count == english.count && mine.count == Sentence.back.rawValue + 1)
        #expect(mine[0] == PreferencesTests.languages[place])
        #expect("\(Words.tags[place])" == mine[0])
        #expect(mine[1] == (mine[0] == "ar" ? "rtl" : "ltr"))
        for (line, its) in zip(mine, english) {
            #expect(!line.isEmpty && !line.contains("<") && !line.contains("&"))
            for place in ["{1}", "{2}"] {
                #expect(line.contains(place) == its.contains(place), "\(line)")
            }
            let rest = line.replacingOccurrences(of: "{1}", with: "")
                .replacingOccurrences(of: "{2}", with: "")
            #expect(!rest.contains("{") && !rest.contains("}"))
        }
        if place > 0 { #expect(!zip(mine, english).dropFirst(2).contains { $0 == $1 }) }
    }

    @Test("each language's file says whether a speaker wrote it")
    func marked() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Functions/preferences/Sources")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
            .filter { $0.hasPrefix("Words") && $0 != "Words.swift" }
        #expect(files.count == PreferencesTests.languages.count)
        for file in files {
            let head = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
                .prefix { $0 != "\n" }
            #expect(head.contains("Machine-made") || head.contains("Written by a speaker"))
        }
    }

    @Test(
        "every page: a language, one h1, labelled boxes, named buttons, nothing loaded",
        arguments: languages
    )
    func accessible(language: String) {
        for page in pages(language) {
            let direction = language == "ar" ? " dir=\"rtl\"" : ""
            let head = "<html lang=\"\(language)\"\(direction)><head>"
            #expect(page.hasPrefix("<!doctype html>\n" + head))
            #expect(page.count(of: "<h1>") == 1 && page.count(of: "<main>") == 1)
            #expect(page.count(of: "<title>") == 1)
            #expect(page.count(of: "<form") == page.count(of: "<button"))
            #expect(page.count(of: "<form method=\"post\">") == page.count(of: "<form"))
            #expect(page.firstMatch(of: #/<(button|h2|legend|title)[^>]*></\1>/#) == nil)
            #expect(page.count(of: "type=\"checkbox\"") == page.count(of: "<label>"))
            #expect(page.count(of: "<fieldset><legend>") == page.count(of: "<fieldset"))
            #expect(page.count(of: "href=") == page.count(of: "href=\"?preferences\""))
            #expect(!page[page.ranges(of: "</style>")[0].upperBound...].contains("{"))
            for banned in ["<script", "http:", "https:", "src=", "url(", "onclick", "tabindex"] {
                #expect(!page.contains(banned), "\(banned)")
            }
        }
    }

    @Test(
        "the choices: a box a topic with the link's own ticked, a pause, all mail; in reading order"
    )
    func choices() throws {
        let page = text(.page)
        #expect(page.count(of: "type=\"checkbox\"") == 3)
        #expect(page.count(of: " checked>") == 1)
        #expect(page.contains("value=\"00000002\" checked><bdi>topic &lt;0&gt;</bdi></label>"))
        let order = ["value=\"topics\"", "value=\"pause\"", "value=\"all\""].map {
            page.range(of: $0)?.lowerBound
        }
        #expect(try #require(order[0]) < #require(order[1]))
        #expect(try #require(order[1]) < #require(order[2]))
        #expect(page.count(of: "<h2>") == 3)
        #expect(!page.contains("role=\"alert\""))
        #expect(text(.page, "choice=topics").contains("<p role=\"alert\">No topic was ticked"))
    }

    @Test("a link for all mail offers no topics; a stream of 32 says that there may be more")
    func width() {
        let whole = text(.page, claims: claims(stream: ""))
        #expect(!whole.contains("checkbox") && whole.count(of: "<form") == 2)
        #expect(whole.contains("No mail from <b dir=\"auto\">demo</b> for 30 days."))
        #expect(text(.page, topics: 32).contains("at most 32 topics"))
        #expect(!text(.page, topics: 31).contains("at most 32 topics"))
    }

    @Test("results name what was chosen, in a status, and can be undone")
    func results() {
        let some = text(.chosen, "choice=topics&topic=00000003&topic=00000009")
        #expect(some.contains("<ul><li dir=\"auto\">topic &lt;1&gt;</li></ul>"))
        let pause = text(.chosen, "choice=pause")
        #expect(pause.contains("will send you no mail about <b dir=\"auto\">marketing</b> for 30"))
        let all = text(.chosen, "choice=all")
        #expect(all.contains("no more mail of this kind"))
        for page in [some, pause, all] {
            #expect(page.contains("<div role=\"status\">"))
            #expect(page.contains("\(Response.undoPlace)"))
        }
        for outcome in [Outcome.page, .undone, .undoRefused] {
            #expect(!text(outcome).contains("\(Response.undoPlace)"))
        }
    }

    @Test("names are text, whatever they contain", arguments: languages)
    func escaping(language: String) {
        let nasty = "<script>\"'&</b>{1}{2}"
        for page in pages(language, claims(stream: nasty, name: nasty)) {
            #expect(!page.contains("<script") && !page.contains("\"'&<"))
        }
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func count(of text: String) -> Int {
        ranges(of: text).count
    }
}

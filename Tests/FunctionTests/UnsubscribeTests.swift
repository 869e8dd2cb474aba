// What a person sees behind the link, and what the function stages: nothing but what was asked for.

import CheckFunction
import FunctionKit
import Suppression
import Testing
import UnsubscribeFunction

@Suite struct UnsubscribeTests {
    private func claims(
        tenant: String = "demo",
        stream: String = "marketing",
        topic: String = "news"
    ) -> TokenClaims {
        TokenClaims(
            scope: Scope(stream: StreamID(raw: 1), topic: TopicID(raw: 2)),
            person: Person(tenant: TenantID(raw: 3), recipient: Recipient(high: 4, low: 5)),
            tenantName: Array(tenant.utf8),
            streamName: Array(stream.utf8),
            topicName: Array(topic.utf8)
        )
    }

    private func answer(
        _ outcome: Outcome,
        _ claims: TokenClaims?
    ) -> (response: Response, text: String, effects: [Effect]) {
        var context = Context()
        let request = Request(method: .post, nowMillis: 0, claims: claims, outcome: outcome)
        let response = Unsubscribe.handle(request, &context)
        return (response, String(decoding: response.body, as: UTF8.self), context.effects)
    }

    private let pages: [Outcome] = [.page, .confirmed, .confirmedAll, .undone, .undoRefused]

    @Test("one-click answers 200 in one line of plain text and stages nothing more")
    func oneClick() {
        let (response, text, effects) = answer(.oneClick, claims())
        #expect(response.status == 200)
        #expect(response.contentType == Array("text/plain; charset=utf-8".utf8))
        #expect(text == "You are unsubscribed.\n")
        #expect(effects.isEmpty)
    }

    @Test("only the button for all mail stages the tenant, once")
    func effects() {
        for outcome in pages + [.oneClick, .badToken] {
            let staged = answer(outcome, outcome == .badToken ? nil : claims()).effects
            let expected: [Effect] =
                outcome == .confirmedAll ? [.suppress(.tenant, .unsubscribe)] : []
            #expect(staged == expected)
        }
    }

    @Test("the page names list and sender and offers both, as forms that post to itself")
    func question() {
        let text = answer(.page, claims()).text
        #expect(text.contains(">Unsubscribe from news</button>"))
        #expect(text.contains(">Unsubscribe from all mail by demo</button>"))
        #expect(text.contains("name=\"confirm\" value=\"1\""))
        #expect(text.contains("name=\"scope\" value=\"all\""))
        #expect(text.components(of: "<form method=\"post\">") == 2)
        #expect(!text.contains("action="))
        #expect(text.components(of: "<a href=\"?preferences\">") == 1)
    }

    @Test("a link for a stream names the stream; a link for everything has one button")
    func widerLinks() {
        let stream = answer(.page, claims(topic: "")).text
        #expect(stream.contains(">Unsubscribe from marketing</button>"))
        let whole = answer(.page, claims(stream: "", topic: "")).text
        #expect(whole.components(of: "<button") == 1)
        #expect(whole.contains("class=\"first\">Unsubscribe from all mail by demo</button>"))
    }

    @Test("results say so in a status and can be undone; other pages have no room for an undo")
    func results() {
        for outcome in [Outcome.confirmed, .confirmedAll] {
            let (response, text, _) = answer(outcome, claims())
            #expect(text.contains("<p role=\"status\">"))
            #expect(text.contains("name=\"undo\""))
            #expect(response.hasUndoPlace)
        }
        for outcome in [Outcome.page, .undone, .undoRefused, .oneClick] {
            #expect(!answer(outcome, claims()).response.hasUndoPlace)
        }
        #expect(answer(.undone, claims()).text.contains("role=\"status\""))
        #expect(answer(.confirmed, claims()).text.contains("scope\" value=\"all"))
        #expect(!answer(.confirmedAll, claims()).text.contains("scope\" value=\"all"))
    }

    @Test("a link that does not open gets a page that explains and asks for no address")
    func badToken() {
        let (response, text, effects) = answer(.badToken, nil)
        #expect(response.status == 404)
        #expect(text.contains("This link does not work"))
        #expect(!text.contains("<form") && !text.contains("<input"))
        #expect(effects.isEmpty)
    }

    @Test(
        "every page is small, has a language, one h1, a title, labelled buttons, and loads nothing"
    )
    func accessible() {
        for outcome in pages + [.badToken] {
            let (response, text, _) = answer(outcome, outcome == .badToken ? nil : claims())
            #expect(response.contentType == Array("text/html; charset=utf-8".utf8))
            #expect(response.body.count < 15 * 1_024)
            #expect(text.hasPrefix("<!doctype html>\n<html lang=\"en\">"))
            #expect(text.components(of: "<h1>") == 1 && text.components(of: "<main>") == 1)
            #expect(text.components(of: "<title>") == 1)
            #expect(text.components(of: "<form") == text.components(of: "<button"))
            #expect(!text.contains("<button></button>"))
            #expect(text.components(of: "href=") == text.components(of: "href=\"?preferences\""))
            for banned in [
                "<script", "http:", "https:", "src=", "url(", "@import", "onclick",
            ] {
                #expect(!text.contains(banned), "\(banned)")
            }
        }
    }

    @Test("names are text, whatever they contain")
    func escaping() {
        let nasty = "<script>\"'&</b>"
        let odd = claims(tenant: nasty, stream: nasty, topic: nasty)
        for outcome in pages {
            let text = answer(outcome, odd).text
            #expect(!text.contains("<script"))
            #expect(!text.contains("\"'&<"))
        }
    }

    @Test("long names keep the page below 15 KiB")
    func longNames() {
        let name = String(repeating: "&", count: 256)
        let response = answer(.confirmed, claims(tenant: name, stream: name, topic: name)).response
        #expect(response.body.count < 15 * 1_024)
    }

    @Test("the headers of a page forbid storing, indexing, framing, referring and loading")
    func headers() {
        let all = PageHeaders.all.map { "\($0.name): \($0.value)" }
        #expect(all.contains("Cache-Control: no-store"))
        #expect(all.contains("Referrer-Policy: no-referrer"))
        #expect(all.contains("X-Robots-Tag: noindex"))
        let policy = all.first { $0.hasPrefix("Content-Security-Policy: ") } ?? ""
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
            #expect(policy.contains(part))
        }
        #expect(!policy.contains("script"))
    }

    @Test("the built-in check allows what the node would allow, one answer an item")
    func check() {
        let item = CheckItem(
            scope: .tenant,
            recipient: Recipient(high: 1, low: 2),
            streamClass: .marketing
        )
        var decisions: [Decision] = [.deny]
        Check.decide(
            [item, item],
            tenant: TenantID(raw: 3),
            nowMillis: 0,
            into: &decisions
        )
        #expect(decisions == [.allow, .allow])
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: text) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}

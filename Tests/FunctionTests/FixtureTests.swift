// Fixtures of Functions/*/fixtures: the bytes of a request and of the answer that every build must
// give.
//
// The native function is compared here, a deployed wasm module when it is smoke-tested before it
// becomes ready. `QUELL_REWRITE=1 swift test --filter FixtureTests` writes them anew; the diff is
// then reviewed.

import CheckFunction
import Foundation
import FunctionKit
import PreferencesFunction
import Suppression
import Testing
import UnsubscribeFunction

@Suite struct FixtureTests {
    private static let claims = TokenClaims(
        scope: Scope(stream: StreamID(raw: 0x6d61_726b), topic: TopicID(raw: 0x6e65_7773)),
        person: Person(
            tenant: TenantID(raw: 0x6465_6d6f),
            recipient: Recipient(high: 0x1111, low: 0x2222)
        ),
        tenantName: Array("demo".utf8),
        streamName: Array("marketing".utf8),
        topicName: Array("news".utf8)
    )
    private static let topics = [(0x6e65_7773, "news"), (0x6f66_6665, "offers & <more>")].map {
        TopicChoice(id: TopicID(raw: $0), name: Array($1.utf8))
    }

    @Test(
        "the native unsubscribe function gives the answers on file",
        arguments: [
            ("page", Method.get, "", Outcome.page),
            ("one-click", .post, "List-Unsubscribe=One-Click", .oneClick),
            ("confirmed", .post, "confirm=1", .confirmed),
            ("confirmed-all", .post, "confirm=1&scope=all", .confirmedAll),
            ("undone", .post, "undo=AAAA", .undone),
            ("undo-refused", .post, "undo=BBBB", .undoRefused),
            ("bad-token", .get, "", .badToken),
        ]
    )
    func unsubscribe(name: String, method: Method, body: String, outcome: Outcome) throws {
        let request = Request(
            method: method,
            path: Array("/u/".utf8),
            body: Array(body.utf8),
            contentType: Array("application/x-www-form-urlencoded".utf8),
            acceptLanguage: Array("en".utf8),
            nowMillis: 1_700_000_000_000,
            requestHigh: 1,
            requestLow: 2,
            seed: 3,
            claims: outcome == .badToken ? nil : FixtureTests.claims,
            outcome: outcome
        )
        var context = Context()
        let response = Unsubscribe.handle(request, &context)
        try compare(try Abi.encode(request), "unsubscribe/fixtures/\(name).req")
        try compare(
            try #require(Abi.encode(response, context)),
            "unsubscribe/fixtures/\(name).res"
        )
    }

    @Test(
        "the native preferences function gives the answers on file",
        arguments: [
            ("page", Method.get, "", Outcome.page, "en"),
            ("page-arabic", .get, "", .page, "ar"),
            ("topics", .post, "choice=topics&topic=6e657773&topic=6f666665", .chosen, "de-AT"),
            ("none-ticked", .post, "choice=topics", .page, "fr"),
            ("pause", .post, "choice=pause", .chosen, "ja"),
            ("all", .post, "choice=all", .chosen, "es"),
            ("undone", .post, "undo=AAAA", .undone, "pl"),
            ("undo-refused", .post, "undo=BBBB", .undoRefused, "nl"),
            ("bad-token", .get, "", .badToken, "it"),
        ]
    )
    func preferences(
        name: String,
        method: Method,
        body: String,
        outcome: Outcome,
        language: String
    ) throws {
        let isBad = outcome == .badToken
        let request = Request(
            method: method,
            path: Array("/u/".utf8),
            body: Array(body.utf8),
            contentType: Array("application/x-www-form-urlencoded".utf8),
            acceptLanguage: Array(language.utf8),
            nowMillis: 1_700_000_000_000,
            claims: isBad ? nil : FixtureTests.claims,
            outcome: outcome,
            topics: isBad ? [] : FixtureTests.topics
        )
        var context = Context()
        let response = Preferences.handle(request, &context)
        try compare(try Abi.encode(request), "preferences/fixtures/\(name).req")
        try compare(
            try #require(Abi.encode(response, context)),
            "preferences/fixtures/\(name).res"
        )
    }

    @Test("the native check function gives the answers on file")
    func check() throws {
        let items = [StreamClass.marketing, .transactional].map {
            CheckItem(
                scope: FixtureTests.claims.scope,
                recipient: FixtureTests.claims.person.recipient,
                streamClass: $0
            )
        }
        var decisions: [Decision] = []
        Check.decide(
            items,
            tenant: FixtureTests.claims.person.tenant,
            nowMillis: 1_700_000_000_000,
            into: &decisions
        )
        let request = try Abi.encode(items, nowMillis: 1_700_000_000_000)
        try compare(request, "check/fixtures/two.req")
        try compare(decisions.map(Abi.byte), "check/fixtures/two.res")
    }

    private func compare(_ bytes: [UInt8], _ path: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "Functions/\(path)")
        if ProcessInfo.processInfo.environment["QUELL_REWRITE"] == "1" {
            try Data(bytes).write(to: file)
        }
        #expect(Array(try Data(contentsOf: file)) == bytes, "\(path)")
    }
}

// Accept-Language: the highest weight that a page can serve, the first of equal ones.

import Testing

@testable import FunctionKit

@Suite struct LanguageTests {
    private func choose(_ header: String) -> String {
        let tags: [StaticString] = ["en", "de", "pt", "ar"]
        return "\(tags[Language.choose(bytes(header), among: tags)])"
    }

    @Test(
        "weights decide, subtags and case do not",
        arguments: [
            ("", "en"), ("de", "de"), ("DE-at", "de"), ("pt-BR, en;q=0.8", "pt"),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en"),
            ("en;q=0.1, ar", "ar"), ("en;q=0.8,de;q=0.85", "de"), ("de;q=0.8,pt;q=0.8", "de"),
            ("fr", "en"), ("*", "en"), ("de;q=0", "en"), ("en;q=0, de;q=0.001", "de"),
            (" de ; q=1.0 , ar;q=0.9", "de"), ("deu", "en"), ("d", "en"), ("de-", "de"),
        ]
    )
    func chosen(header: String, expected: String) { #expect(choose(header) == expected) }

    @Test(
        "what is malformed is skipped",
        arguments: [
            (",,,;q=1,de", "de"), ("de;q=", "en"), ("de;x=1", "en"), ("ar;q=9, de", "ar"),
            ("de;q=0.9999999999999999999999, ar;q=0.5", "de"), ("\u{1}\u{ff}", "en"),
        ]
    )
    func malformed(header: String, expected: String) { #expect(choose(header) == expected) }

    @Test("sixteen languages are looked at")
    func bounded() {
        #expect(choose(String(repeating: "fr,", count: 15) + "de") == "de")
        #expect(choose(String(repeating: "fr,", count: 16) + "de") == "en")
    }
}

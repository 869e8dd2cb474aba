// Every verb parses as its help says, and says so in words with an example.

import ArgumentParser
import Client
import Testing

@testable import quell

struct VerbTests {
    /// Each line as a user types it.
    static let lines = [
        "init keys", "check ada@example.com --stream marketing", "check - --stream s --json",
        "check a@b.c d@e.f --stream marketing --topic news --cluster c.json",
        "suppress ada@example.com --stream * --reason complaint", "show ada@example.com --json",
        "consent ada@example.com --stream s --topic t --reason unsubscribe --method phone",
        "consent a@b.c --stream s --method phone --observed X --observed Y --evidence by=ann",
        "link ada@example.com --stream marketing --topic news", "status --json", "members",
        "tenant add acme", "tenant list", "tenant rm acme", "stream add s --class transactional",
        "stream list --tenant acme", "stream rm s", "topic add t --stream s", "topic list",
        "topic list --stream s", "topic rm t --stream s", "key add w --scopes check,link",
        "key list --json", "key rm w",
    ]

    @Test("takes what the help shows", arguments: lines)
    func parses(line: String) throws {
        _ = try Quell.parseAsRoot(line.split(separator: " ").map(String.init))
    }

    @Test(
        "64 for what it does not take",
        arguments: [
            "nothing", "check", "check a@b.c", "check a@b.c --stream", "suppress --stream s",
            "check a@b.c --stream s --no-such-flag", "consent a@b.c --stream s", "init", "link",
            "topic add t", "topic rm t", "key add w", "tenant add", "show", "stream add",
            "status extra", "dev --nodes many",
        ]
    )
    func refuses(line: String) throws {
        let error = try #require(throws: (any Error).self) {
            try Quell.parseAsRoot(line.split(separator: " ").map(String.init))
        }
        #expect(Quell.exitCode(for: error).rawValue == FailureCode.usage.rawValue)
        #expect(!Quell.message(for: error).isEmpty)
    }

    @Test("every verb explains itself; those that take something show an example")
    func help() {
        for verb in Quell.configuration.subcommands {
            let text = Quell.helpMessage(for: verb)
            #expect(text.contains("OVERVIEW: "), "\(verb)")
            let nested = verb.configuration.subcommands
            let isShown = ([verb] + nested).contains {
                Quell.helpMessage(for: $0).contains("EXAMPLE")
            }
            #expect(isShown, "\(verb)")
        }
    }

    @Test("the version names the formats")
    func version() {
        let text = Quell.configuration.version
        #expect(
            text.wholeMatch(of: /quell \S+ \(commit \S+, disk \d+, wire \d+, abi \d+\)/) != nil,
            "\(text)"
        )
    }

    @Test("each cause has its exit code")
    func codes() {
        #expect(Failure(.invalidAddress("a; b")).code == .configuration)
        #expect(Failure(.unreachable("a; b")).code == .unreachable)
        #expect(Failure(.notPermitted("a; b")).code == .notPermitted)
        #expect(Failure(.malformedAnswer("a; b")).code == .internal)
        #expect(Failure(.refused(status: 404, title: "t", detail: "")).code == .usage)
        #expect(Failure(.refused(status: 503, title: "t", detail: "")).code == .unreachable)
    }

    @Test("lines of JSON are JSON whatever the words in them")
    func json() {
        let line = JSONText.object([
            ("a", .text("\"\\\n\u{1f}é")), ("b", .maybe(nil)), ("c", .number(-1)),
            ("d", .flag(true)),
            ("e", .list(["{}", "1"])),
        ])
        #expect(line == #"{"a":"\"\\\u000a\u001fé","b":null,"c":-1,"d":true,"e":[{},1]}"#)
    }
}

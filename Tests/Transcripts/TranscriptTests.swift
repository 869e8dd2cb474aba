// Plays the stories of Stories/*.txt against the real machines (DESIGN 14).
//
//     swift test --filter TranscriptTests                     compare; a difference is printed
//     QUELL_REWRITE=1 swift test --filter TranscriptTests     write the answers anew, then read
//                                                             `git diff` as a reviewer would

import Foundation
import Testing

private let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Stories")

@Suite("stories") struct TranscriptTests {
    @Test(
        "the machines answer as it is written",
        arguments: [
            "acknowledgment", "join", "lease", "pull", "registers", "repair", "suspicion",
            "unsettled",
        ]
    )
    func story(_ name: String) throws {
        let path = folder.appending(path: name + ".txt")
        let text = try String(contentsOf: path, encoding: .utf8)
        let transcript = Transcript(text)
        let played = transcript.played()
        #expect(transcript.commandsCount > 10, "a story of few words")
        #expect(!played.contains("NOT UNDERSTOOD"), "\(played)")
        if ProcessInfo.processInfo.environment["QUELL_REWRITE"] != nil {
            return try played.write(to: path, atomically: true, encoding: .utf8)
        }
        if let difference = Transcript.difference(text, played) {
            Issue.record("Stories/\(name).txt differs (- written, + answered):\n\(difference)")
        }
    }

    @Test("every story is played")
    func all() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
        #expect(
            files.sorted() == [
                "acknowledgment.txt", "join.txt", "lease.txt", "pull.txt", "registers.txt",
                "repair.txt", "suspicion.txt", "unsettled.txt",
            ]
        )
    }

    @Test("a story whose answer is wrong shows where")
    func difference() {
        let text = "> gate n1 voters n1\n> wait 1 n1:1\n> receipt n1 n1:1\n    something else\n"
        let played = Transcript(text).played()
        #expect(
            Transcript.difference(text, played) == """
                3 +     nothing; 1 waiting
                4 -     something else
                5 +     ANSWER 1: yes, quorum, for n1:1
                """
        )
        #expect(Transcript(played).played() == played)
    }
}

// What a form of the preferences page asks for, and the marks that stand for it.

import Suppression
import Testing

@testable import FunctionKit

@Suite struct ChoiceTests {
    private func intent(_ body: String, hasChoices: Bool = true) -> Intent {
        Intent.of(
            method: .post,
            contentType: bytes("application/x-www-form-urlencoded"),
            body: bytes(body),
            hasChoices: hasChoices
        )
    }

    private let offered = [0x0506_0708, 0xffff_fffe, 1].map {
        TopicChoice(id: TopicID(raw: $0), name: [])
    }

    @Test("each button is read, and the boxes by their eight digits")
    func read() {
        #expect(intent("choice=pause") == .choose(.pause))
        #expect(intent("choice=all&topic=00000001") == .choose(.all))
        #expect(intent("choice=topics") == .choose(.topics([])))
        #expect(
            intent("choice=topics&topic=05060708&topic=fffffffe")
                == .choose(.topics([TopicID(raw: 0x0506_0708), TopicID(raw: 0xffff_fffe)]))
        )
        for topic in offered {
            let body = "choice=topics&topic=" + String(decoding: topic.digits, as: UTF8.self)
            #expect(intent(body) == .choose(.topics([topic.id])))
        }
    }

    @Test("what is no choice of ours asks for nothing; so does any choice elsewhere")
    func ignored() {
        for body in [
            "", "choice=", "choice=everything", "topic=00000001", "choice=topics&topic=",
            "choice=topics&topic=1", "choice=topics&topic=0000000g",
            "choice=topics&topic=000000001",
            "choice=topics" + String(repeating: "&topic=00000001", count: 33),
        ] { #expect(intent(body) == .page, "\(body)") }
        for body in ["choice=pause", "choice=all", "choice=topics&topic=00000001"] {
            #expect(intent(body, hasChoices: false) == .page)
        }
        let most = "choice=topics" + String(repeating: "&topic=00000001", count: 32)
        #expect(intent(most) != .page)
    }

    @Test("one-click, an undo and the page's own button win over a choice")
    func order() {
        let choice = "&choice=all"
        #expect(intent("List-Unsubscribe=One-Click" + choice) == .oneClick)
        #expect(intent("undo=AA" + choice) == .undo(token: bytes("AA")))
        #expect(intent("confirm=1" + choice) == .confirm(all: false))
    }

    @Test("a choice stages marks of the link's stream, and only topics that were offered")
    func effects() {
        let stream = sampleClaims.scope.stream
        #expect(
            Choice.all.effects(sampleClaims, offered: offered)
                == [.suppress(.tenant, .unsubscribe)]
        )
        #expect(
            Choice.pause.effects(sampleClaims, offered: offered)
                == [.suppress(Scope(stream: stream, topic: .any), .pause)]
        )
        let chosen = Choice.topics([1, 7, 1, 0x0506_0708].map { TopicID(raw: $0) })
        #expect(
            chosen.effects(sampleClaims, offered: offered)
                == [0x0506_0708, 1].map {
                    .suppress(Scope(stream: stream, topic: TopicID(raw: $0)), .unsubscribe)
                }
        )
        #expect(Choice.topics([TopicID(raw: 7)]).effects(sampleClaims, offered: offered) == [])
        #expect(Choice.pauseSeconds == 30 * 86_400)
    }
}

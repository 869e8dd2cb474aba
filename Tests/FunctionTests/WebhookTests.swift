// What an e-mail service reports: whole bodies alone count, and only wishes and dead addresses do.

import FunctionKit
import Suppression
import Testing
import WebhookFunction

@Suite struct WebhookTests {
    private func answer(
        _ body: [UInt8],
        path: String = "marketing/news"
    ) throws -> (response: Response, staged: [AddressEffect]) {
        let request = Request(
            method: .post,
            path: Array(path.utf8),
            body: body,
            nowMillis: 0,
            claims: nil,
            outcome: .direct
        )
        var context = Context()
        let response = Webhook.handle(request, &context)
        let encoded = try #require(Abi.encode(response, context))
        return (response, try decoded(encoded).addressed)
    }

    private func decoded(_ bytes: [UInt8]) throws(AbiError) -> Abi.Answer {
        try Abi.decodeResponse(bytes.span)
    }

    private let body = """
        [ {"event":"bounce","type":"bounce","email":"a@b.c","tags":["x",{"y":[]}],"n":-1.5e3},
          {"email":"\\u0064\\ud83d\\ude00\\"@e.f","event":"unsubscribe","ok":true} ]
        """

    @Test("a whole body stages its wishes; every cut of it is refused and stages nothing")
    func cuts() throws {
        let bytes = Array(body.utf8)
        let (response, staged) = try answer(bytes)
        #expect(response.status == 200 && response.body == Array("2 staged.\n".utf8))
        #expect(staged.map(\.reason) == [.hardBounce, .unsubscribe])
        #expect(staged[1].address == Array("d😀\"@e.f".utf8))
        #expect(staged[0].stream.isEmpty && staged[1].topic == Array("news".utf8))
        for count in 0..<bytes.count {
            let (response, staged) = try answer(Array(bytes[..<count]))
            #expect(response.status == 400 && staged.isEmpty, "\(count)")
        }
    }

    @Test(
        "what is no JSON list of events is refused",
        arguments: [
            "[1]", "{}{}", "[{},]", "[{\"a\":}]", "[{\"a\" 1}]", "[{\"a\":\"\u{1}\"}]",
            "null", #"[{"a":"\x"}]"#, #"[{"a":"\ud800"}]"#, #"[{"a":"\udc00"}]"#,
            #"[{"a":"\u12g4"}]"#, #"[{"a":"\ud800\u0041"}]"#, #"[{"a":[[[[[[[[[1]]]]]]]]]}]"#,
        ]
    )
    func refused(body: String) throws {
        let (response, staged) = try answer(Array(body.utf8))
        #expect(response.status == 400 && staged.isEmpty)
    }

    @Test("the path names stream and topic; bounces and complaints are of all mail")
    func scope() throws {
        for (path, stream, topic) in [
            ("", "", ""), ("marketing", "marketing", ""), ("marketing/", "marketing", ""),
            ("a/b/c", "a", "b"),
        ] {
            let staged = try answer(
                Array(#"{"event":"unsubscribe","email":"a@b.c"}"#.utf8),
                path: path
            ).staged
            #expect(staged.map(\.stream) == [Array(stream.utf8)])
            #expect(staged.map(\.topic) == [Array(topic.utf8)])
        }
        let complaint = Array(#"{"event":"spamreport","email":"a@b.c"}"#.utf8)
        #expect(try answer(complaint).staged.allSatisfy { $0.stream.isEmpty && $0.topic.isEmpty })
    }
}

// Who may name people: a function at /f/NAME/ that was asked with a key, with POST, and as many as
// its manifest says. Everybody else's answer is a bad one, whole.

import FunctionKit
import Suppression
import Testing

@testable import FunctionHost

@Suite struct StagingTests {
    /// An answer that stages for so many people.
    private func answer(_ people: Int, status: UInt16 = 200) throws -> [UInt8] {
        var context = Context()
        for person in 0..<people {
            context.suppress(address: Array("p\(person)@example.org".utf8), .hardBounce)
        }
        let type = Array("text/plain".utf8)
        let response = Response(status: status, contentType: type, body: [])
        return try #require(Abi.encode(response, context))
    }

    /// People staged by a function at /f/NAME/ that may stage for two; nil for a bad response.
    private func staged(
        _ answer: [UInt8],
        _ method: FunctionKit.Method = .post,
        mayStage: Bool = true
    ) throws -> Int? {
        let spec = FunctionSpec(
            name: "hook",
            kind: .http,
            isolation: .strict,
            artifactBytes: 16_384,
            deadlineMillis: 5,
            stagedEffects: 2
        )
        let guest = try Rig.guest(try Rig.module(Rig.answering(answer)), spec)
        let request = Request(method: method, nowMillis: 1, claims: nil, outcome: .direct)
        var buffer: [UInt8] = []
        do throws(CallFailure) {
            return try guest.direct(request, mayStage: mayStage, &buffer).effects.count
        } catch {
            #expect(error == .badResponse)
            return nil
        }
    }

    @Test("a key, POST, and no more than the manifest says; nothing with a refusal")
    func direct() throws {
        #expect(try staged(answer(2)) == 2)
        #expect(try staged(answer(3)) == nil)
        #expect(try staged(answer(1), mayStage: false) == nil)
        for method in [FunctionKit.Method.get, .head, .options, .other] {
            #expect(try staged(answer(1), method) == nil, "\(method)")
            #expect(try staged(answer(0), method) == 0, "\(method)")
        }
        #expect(try staged(answer(1, status: 400)) == 0)
    }

    @Test("a link's function names nobody, not even beside a one-click")
    func link() throws {
        let spec = FunctionSpec.unsubscribe.under(.strict)
        let guest = try Rig.guest(try Rig.module(Rig.answering(answer(1))), spec)
        let claims = TokenClaims(
            scope: .tenant,
            person: Person(tenant: TenantID(raw: 1), recipient: Recipient(high: 1, low: 2)),
            tenantName: [],
            streamName: [],
            topicName: []
        )
        let request = Request(method: .post, nowMillis: 1, claims: claims, outcome: .oneClick)
        var buffer: [UInt8] = []
        #expect(throws: CallFailure.badResponse) { try guest.answer(request, &buffer) }
    }
}

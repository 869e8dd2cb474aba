// Request and response survive the window; what a broken or hostile guest answers is refused.

import Suppression
import Testing

@testable import FunctionKit

let sampleClaims = TokenClaims(
    scope: Scope(stream: StreamID(raw: 0x0102_0304), topic: TopicID(raw: 0x0506_0708)),
    person: Person(
        tenant: TenantID(raw: 0x1112_1314_1516_1718),
        recipient: Recipient(high: 0x2122_2324_2526_2728, low: 0x3132)
    ),
    tenantName: Array("demo".utf8),
    streamName: Array("marketing".utf8),
    topicName: Array("news".utf8)
)

@Suite struct AbiTests {
    private func request(
        _ claims: TokenClaims?,
        _ outcome: Outcome,
        topics: [TopicChoice] = []
    ) -> Request {
        Request(
            method: .post,
            path: bytes("/u/"),
            body: bytes("confirm=1"),
            contentType: bytes("application/x-www-form-urlencoded"),
            acceptLanguage: bytes("de"),
            nowMillis: 1_234_567_890_123,
            requestHigh: 7,
            requestLow: 8,
            seed: 9,
            claims: claims,
            outcome: outcome,
            topics: topics
        )
    }

    private func roundTrip(_ request: Request) throws -> Request {
        let encoded = try Abi.encode(request)
        return try Abi.decodeRequest(encoded.span)
    }

    private func failure(_ encoded: [UInt8]) -> AbiError? {
        do {
            _ = try Abi.decodeRequest(encoded.span)
            return nil
        } catch {
            return error
        }
    }

    private func response(_ encoded: [UInt8]) throws(AbiError) -> Abi.Answer {
        try Abi.decodeResponse(encoded.span)
    }

    @Test("a request arrives as it was sent")
    func requests() throws {
        let sent = request(sampleClaims, .confirmed)
        let got = try roundTrip(sent)
        #expect(got.method == .post && got.outcome == .confirmed)
        #expect(got.path == sent.path && got.body == sent.body)
        #expect(got.contentType == sent.contentType && got.acceptLanguage == bytes("de"))
        #expect(got.nowMillis == sent.nowMillis && got.seed == 9)
        #expect(got.requestHigh == 7 && got.requestLow == 8)
        #expect(got.claims == sampleClaims)
        #expect(try roundTrip(request(nil, .badToken)).claims == nil)
    }

    @Test("topics arrive in order, as many as a page shows; cut ones are refused")
    func topics() throws {
        let topics = (0..<32).map {
            TopicChoice(
                id: TopicID(raw: .max - $0),
                name: bytes(String(repeating: "n", count: Int($0)))
            )
        }
        #expect(try roundTrip(request(sampleClaims, .page, topics: topics)).topics == topics)
        #expect(try roundTrip(request(sampleClaims, .page)).topics.isEmpty)
        let many = try Abi.encode(request(sampleClaims, .page, topics: topics + topics))
        #expect(failure(many) == .malformed)
        let good = try Abi.encode(request(sampleClaims, .page, topics: Array(topics[3...3])))
        // The length of the one name, two bytes before its three letters.
        var long = good
        long[long.count - 5] = 4
        #expect(failure(long) == .malformed)
    }

    @Test("a request that is cut, too long or contradicts itself is refused")
    func badRequests() throws {
        let good = try Abi.encode(request(sampleClaims, .page))
        for count in 0..<good.count { #expect(failure(Array(good[..<count])) != nil) }
        #expect(failure(good + [0]) == .malformed)
        #expect(failure(try Abi.encode(request(nil, .page))) == .malformed)
        #expect(failure(try Abi.encode(request(sampleClaims, .badToken))) == .malformed)
        for at in 0..<8 {
            var changed = good
            changed[at] ^= 0x40
            #expect(failure(changed) == .malformed, "\(at)")
        }
    }

    @Test("a request above the window is not sent")
    func largeRequests() {
        let large = Request(
            method: .post,
            body: [UInt8](repeating: 0, count: 20_000),
            nowMillis: 0,
            claims: nil,
            outcome: .badToken
        )
        #expect(throws: AbiError.tooLarge) { try Abi.encode(large) }
    }

    @Test("a response arrives with its effects")
    func responses() throws {
        var context = Context()
        context.suppress(.tenant, .unsubscribe)
        context.suppress(sampleClaims.scope, .pause)
        let sent = Response(status: 404, contentType: bytes("text/plain"), body: bytes("hello"))
        let encoded = try #require(Abi.encode(sent, context))
        let got = try response(encoded)
        #expect(got.response == sent)
        #expect(got.effects == context.effects)
    }

    @Test("effects on addresses arrive in order; more than a request may have overflow")
    func addresses() throws {
        var context = Context()
        let long = bytes(String(repeating: "a", count: 308) + "@example.org")
        for address in [bytes("a@b.c"), [], long] {
            context.suppress(address: address, stream: bytes("s"), topic: bytes("t"), .complaint)
        }
        context.suppress(address: bytes("d@e.f"), .hardBounce)
        let sent = Response(status: 200, contentType: bytes("text/plain"), body: bytes("hello"))
        let encoded = try #require(Abi.encode(sent, context))
        let got = try response(encoded)
        #expect(got.response == sent && got.effects.isEmpty)
        #expect(got.addressed.map(\.address) == [bytes("a@b.c"), [], long, bytes("d@e.f")])
        #expect(got.addressed[2].stream == bytes("s") && got.addressed[2].topic == bytes("t"))
        #expect(got.addressed.map(\.reason) == [.complaint, .complaint, .complaint, .hardBounce])
        #expect(got.addressed[3].stream.isEmpty && !context.overflowed)
        for count in 0..<encoded.count {
            #expect(throws: AbiError.self) { try response(Array(encoded[..<count])) }
        }
        var many = Context()
        for _ in 0..<128 { many.suppress(address: bytes("a@b.c"), .manual) }
        #expect(!many.overflowed && Abi.encode(sent, many) != nil)
        many.suppress(address: bytes("a@b.c"), .manual)
        #expect(many.overflowed && Abi.encode(sent, many) == nil)
        var wide = Context()
        wide.suppress(address: long + [0x61], .manual)
        #expect(wide.overflowed)
    }

    @Test("a response that is cut, extended or made up is a bad response")
    func badResponses() throws {
        let sent = Response(status: 200, contentType: bytes("text/plain"), body: bytes("hello"))
        let good = try #require(Abi.encode(sent, Context()))
        for count in 0..<good.count {
            #expect(throws: AbiError.self) { try response(Array(good[..<count])) }
        }
        #expect(throws: AbiError.malformed) { try response(good + [0]) }
        var random = UInt64(1)
        for _ in 0..<20_000 {
            var changed = good
            for _ in 0..<3 {
                random = random &* 6_364_136_223_846_793_005 &+ 1
                changed[Int(random >> 33) % changed.count] = UInt8(truncatingIfNeeded: random >> 24)
            }
            do { _ = try response(changed) } catch { continue }
        }
        let split = Response(status: 200, contentType: bytes("a\r\nSet-Cookie: b"), body: [])
        let smuggled = try #require(Abi.encode(split, Context()))
        #expect(throws: AbiError.malformed) { try response(smuggled) }
        for status in [0, 100, 199, 600] as [UInt16] {
            let odd = Response(status: status, contentType: [], body: [])
            let encoded = try #require(Abi.encode(odd, Context()))
            #expect(throws: AbiError.malformed) { try response(encoded) }
        }
    }

    @Test("a ninth effect spoils the answer instead of vanishing")
    func overflow() {
        var context = Context()
        for _ in 0..<8 { context.suppress(.tenant, .unsubscribe) }
        #expect(!context.overflowed)
        context.suppress(.tenant, .unsubscribe)
        #expect(context.overflowed && context.effects.count == 8)
        #expect(Abi.encode(Response(status: 200, contentType: [], body: []), context) == nil)
    }

    @Test("a batch of checks arrives item by item; 512 fit and 513 do not")
    func checks() throws {
        let items = (0..<512).map {
            CheckItem(
                scope: sampleClaims.scope,
                recipient: Recipient(high: UInt64($0), low: 5),
                streamClass: $0 % 2 == 0 ? .marketing : .transactional
            )
        }
        let encoded = try Abi.encode(items, nowMillis: 77)
        #expect(encoded.count <= Limits.requestBytes)
        let (count, now) = try Abi.decodeCheckCount(encoded.span)
        #expect(count == 512 && now == 77)
        for i in 0..<count {
            let item = try Abi.decodeCheckItem(encoded.span, i)
            #expect(item == items[i])
        }
        #expect(throws: AbiError.tooLarge) { try Abi.encode(items + [items[0]], nowMillis: 0) }
    }

    @Test("only the byte 1 is an allow, and a function only ever tightens")
    func monotone() {
        #expect(Abi.decision(of: Abi.byte(of: .allow)) == .allow)
        for byte in UInt8(0)...255 where byte != 1 { #expect(Abi.decision(of: byte) == .deny) }
        for host in [Decision.allow, .deny, .unknown] {
            for function in [Decision.allow, .deny, .unknown] {
                let both = host == .allow && function == .allow
                #expect((tightened(host, by: function) == .allow) == both)
            }
        }
        #expect(tightened(.unknown, by: .deny) == .unknown)
        #expect(tightened(.deny, by: .allow) == .deny)
    }

    @Test("the undo token goes where the marker stands; without one the marker goes")
    func undoPlace() {
        var body = bytes("a=\"")
        body.append(Response.undoPlace)
        body += bytes("\"")
        var response = Response(status: 200, contentType: [], body: body)
        #expect(response.hasUndoPlace)
        var empty = response
        response.fillUndo(bytes("TOKEN"))
        #expect(response.body == bytes("a=\"TOKEN\"") && !response.hasUndoPlace)
        empty.fillUndo([])
        #expect(empty.body == bytes("a=\"\""))
    }
}

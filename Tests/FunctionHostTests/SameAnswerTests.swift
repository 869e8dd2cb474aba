// The wasm build gives the bytes of the built-in: on every fixture, and on requests by the
// thousand.

import CheckFunction
import Foundation
import FunctionKit
import PreferencesFunction
import Suppression
import Testing
import UnsubscribeFunction

@testable import FunctionHost

@Suite struct SameAnswerTests {
    private func guest(_ spec: FunctionSpec) throws -> Guest {
        try Rig.guest(try Rig.shipped(spec.name), spec)
    }

    @Test(
        "each fixture is answered as on file, under every isolation",
        arguments: [FunctionSpec.unsubscribe, .preferences, .check],
        [Isolation.strict, .reset, .warm]
    )
    func fixtures(spec: FunctionSpec, isolation: Isolation) throws {
        let guest = try guest(spec.under(isolation))
        let folder = Rig.root.appending(path: "Functions/\(spec.name)/fixtures")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path())
            .filter { $0.hasSuffix(".req") }
        #expect(files.count >= (spec.kind == .check ? 1 : 7))
        var response: [UInt8] = []
        for file in files + files {
            let request = Array(try Data(contentsOf: folder.appending(path: file)))
            let answer = file.replacingOccurrences(of: ".req", with: ".res")
            let expected = Array(try Data(contentsOf: folder.appending(path: answer)))
            try guest.call(request, isolation, tenant: 1, into: &response)
            #expect(response == expected, "\(file)")
        }
    }

    @Test("a thousand made-up requests are answered as by the built-ins")
    func madeUp() throws {
        let unsubscribe = try guest(.unsubscribe)
        let preferences = try guest(.preferences)
        let bodies = [
            "choice=topics", "choice=topics&topic=00000002", "choice=pause", "choice=all",
        ]
        let languages = ["", "de", "ar;q=0.4", "xx, ja"]
        var dice = SystemRandomNumberGenerator()
        func text(_ most: Int) -> [UInt8] {
            (0..<Int.random(in: 0...most, using: &dice)).map { _ in UInt8.random(in: 0x20...0x7e) }
        }
        var buffer: [UInt8] = []
        for round in 0..<1_000 {
            let outcome = try #require(Outcome(rawValue: [1, 2, 3, 4, 5, 6, 7, 9][round % 8]))
            let isWide = Bool.random()
            let claims = TokenClaims(
                scope: isWide ? .tenant : Scope(stream: StreamID(raw: 7), topic: TopicID(raw: 8)),
                person: Person(
                    tenant: TenantID(raw: .random(in: 1 ... .max)),
                    recipient: Recipient(high: .random(in: 0 ... .max), low: 3)
                ),
                tenantName: text(200),
                streamName: isWide ? [] : text(200),
                topicName: isWide ? [] : text(200)
            )
            let request = Request(
                method: .post,
                path: text(100),
                body: round % 3 == 0 ? Array(bodies[round % 4].utf8) : text(400),
                contentType: round % 3 == 0 ? [] : text(50),
                acceptLanguage: round % 2 == 0 ? Array(languages[round / 2 % 4].utf8) : text(50),
                nowMillis: .random(in: 0 ... .max),
                claims: outcome == .badToken ? nil : claims,
                outcome: outcome,
                topics: (0..<UInt32(round % 33)).map {
                    TopicChoice(id: TopicID(raw: $0), name: text(60))
                }
            )
            for (guest, handle) in [
                (unsubscribe, Unsubscribe.handle), (preferences, Preferences.handle),
            ] {
                var context = Context()
                let response = handle(request, &context)
                let expected = try #require(Abi.encode(response, context))
                let answer = try guest.answer(request, &buffer)
                #expect(buffer == expected)
                #expect(answer.response == response && answer.context.effects == context.effects)
            }
        }
    }

    @Test("a batch of 512 reaches the guest as FunctionKit would encode it, and all are allowed")
    func batches() throws {
        let guest = try guest(.check)
        let items = (0..<512).map {
            CheckItem(
                scope: Scope(stream: StreamID(raw: .max), topic: TopicID(raw: UInt32($0))),
                recipient: Recipient(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)),
                streamClass: $0 % 2 == 0 ? .marketing : .transactional
            )
        }
        var call = CheckCall()
        for count in [1, 2, 511, 512, 3] {
            call.begin()
            for item in items.prefix(count) { call.append(item) }
            try call.ask(guest, tenant: TenantID(raw: 1), isBatch: true, nowMillis: 1_234)
            #expect(call.encoded == (try Abi.encode(Array(items.prefix(count)), nowMillis: 1_234)))
            let answers = (0..<count).map(call.decision)
            #expect(answers == items.prefix(count).map { Check.decide($0, nowMillis: 1_234) })
        }
        #expect(!call.isFull)
    }

    @Test("what one call leaves behind, the next sees under `warm` of one tenant alone")
    func isolation() throws {
        // Counts in its memory and answers the count.
        let wasm = try Rig.module(
            """
            (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
            (i32.store8 (i32.const 32768) (i32.load8_u (i32.const 64)))
            (i32.const 1)
            """
        )
        let guest = try Rig.guest(wasm, .check)
        var response: [UInt8] = []
        func count(_ isolation: Isolation, _ tenant: UInt64) throws -> UInt8 {
            try guest.call([0], isolation, tenant: tenant, into: &response)
            return try #require(response.first)
        }
        for _ in 0..<3 {
            #expect(try count(.strict, 1) == 1)
            #expect(try count(.reset, 1) == 1)
        }
        #expect(try count(.warm, 2) == 1)
        #expect(try count(.warm, 2) == 2)
        #expect(try count(.warm, 2) == 3)
        #expect(try count(.warm, 3) == 1)
        #expect(try count(.warm, 2) == 1)
        #expect(try count(.warm, 2) == 2)
        #expect(try count(.reset, 2) == 1)
    }
}

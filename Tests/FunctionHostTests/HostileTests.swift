// Modules that mean harm, or are merely broken: each is refused before it serves, or its call ends
// as a failure that the caller can answer for, and the next call is none the worse.

import FunctionKit
import Glibc
import Suppression
import Testing

@testable import FunctionHost

private let spec = FunctionSpec(
    name: "hostile",
    kind: .link,
    isolation: .strict,
    artifactBytes: 81_920,
    memoryPages: 2,
    deadlineMillis: 5,
    hostCalls: 2,
    stagedEffects: 8,
    logBytes: 100,
    capabilities: [.log]
)

@Suite struct HostileTests {
    /// The failure of a call, asked twice: the second must not be worse.
    private func failure(_ body: String, _ isolation: Isolation) throws -> CallFailure? {
        let wasm = try Rig.module(body)
        let guest = try Rig.guest(wasm, spec.under(isolation))
        var response: [UInt8] = []
        var found: [CallFailure?] = []
        for _ in 0..<2 {
            do throws(CallFailure) {
                try guest.call([0], isolation, tenant: 1, into: &response)
                found.append(nil)
            } catch { found.append(error) }
        }
        #expect(found[0] == found[1])
        return found[0]
    }

    @Test(
        "a call that goes wrong ends as a failure, under every isolation",
        arguments: [
            ("(loop (br 0)) unreachable", CallFailure.deadline),
            ("(call $deep (i32.const 0))", .stack),
            ("(i32.load (i32.const 131072))", .bounds),
            ("(i32.store (i32.const -4) (i32.const 1)) (i32.const 0)", .bounds),
            ("unreachable", .trap),
            ("(i32.div_s (i32.const 1) (i32.const 0))", .trap),
            ("(i32.const -1)", .badResponse),
            ("(i32.const 10485760)", .badResponse),
            ("(i32.const 16385)", .badResponse),
            ("(i32.const 2147483647)", .badResponse),
        ],
        [Isolation.strict, .reset, .warm]
    )
    func calls(_ called: (body: String, failure: CallFailure), isolation: Isolation) throws {
        #expect(try failure(called.body, isolation) == called.failure)
    }

    @Test("memory does not grow, and a module that wants to is refused")
    func growth() throws {
        let grown = "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))"
        #expect(try failure(grown + "(i32.const 0)", .strict) == nil)
        for memory in ["1 2", "1", "0 1", "3 3"] {
            #expect(throws: LoadError.self) {
                try Rig.version(try Rig.module("(i32.const 0)", memory: memory), spec)
            }
        }
    }

    @Test("a module that runs for ever when it is asked for its ABI does not stop the host")
    func askedForEver() throws {
        let wasm = try Rig.module("(i32.const 0)", asked: "(loop (br 0)) unreachable")
        #expect(throws: LoadError.self) { try Rig.version(wasm, spec) }
    }

    @Test("the host's functions count, and end a guest that does not listen")
    func hostCalls() throws {
        func logging(_ times: Int, _ pointer: Int, _ count: Int) throws -> CallFailure? {
            let call =
                "(drop (call $log (i32.const 1) (i32.const \(pointer)) (i32.const \(count))))"
            let wasm = try Rig.module(
                String(repeating: call, count: times) + "(i32.const 0)",
                before: """
                    (import "quell1" "log" (func $log (param i32 i32 i32) (result i32)))
                    """
            )
            let guest = try Rig.guest(wasm, spec)
            var response: [UInt8] = []
            do throws(CallFailure) {
                try guest.call([7], .strict, tenant: 1, into: &response)
            } catch { return error }
            #expect(guest.version.log.lines.count == (count > 100 ? 0 : min(times, 2)))
            return nil
        }
        #expect(try logging(2, 1_024, 1) == nil)
        #expect(try logging(3, 1_024, 1) == nil)
        #expect(try logging(4, 1_024, 1) == .hostCalls)
        #expect(try logging(1, 1_024, 101) == nil)
        #expect(try logging(1, 65_536, 1) == .bounds)
        #expect(try logging(1, 1_024, -1) == .bounds)
    }

    @Test("a deadline is of processor time: waiting for it ends no call, using it does")
    func deadline() throws {
        let host = HostContext(LogRing())
        var byte: UInt8 = 0
        unsafe host.begin(&byte, 1, CallLimits(spec))
        #expect(host.mayGoOn(), "the first passing of the deadline starts the count")
        usleep(UInt32(4_000 * spec.deadlineMillis))
        #expect(host.mayGoOn() && !host.isLate, "four deadlines of waiting are none of work")
        var asked = 0
        var sum: UInt64 = 0
        while host.mayGoOn(), asked < Limits.deadlineExtensionsCount {
            for i in 0..<100_000 as Range<UInt64> { sum = sum &* 3 &+ i }
            asked += 1
        }
        #expect(host.isLate && sum > 0)
        unsafe host.begin(&byte, 1, CallLimits(spec))
        #expect(!host.isLate && host.mayGoOn(), "the next call starts anew")
    }

    @Test(
        "what a link may not answer is a bad response",
        arguments: [
            [],
            [0xff],
            [UInt8](repeating: 0xff, count: 64),
            answer(status: 302),
            answer(status: 404),
            answer(status: 500),
            answer(type: "application/json"),
            answer(effects: 1),
            answer(effects: 9),
            // An effect that names a recipient of its own: 16 bytes more than there are.
            answer(effectBytes: [UInt8](repeating: 1, count: 25)),
        ]
    )
    func answers(bytes: [UInt8]) throws {
        let wasm = try Rig.module(Rig.answering(bytes))
        let guest = try Rig.guest(wasm, spec)
        var buffer: [UInt8] = []
        #expect(throws: CallFailure.badResponse) {
            try guest.answer(request(.page, .get), &buffer)
        }
    }

    @Test("effects count after an opt-out alone, and never of a reason unknown here")
    func effects() throws {
        for (bytes, outcome, isGood) in [
            (answer(effects: 1), Outcome.confirmed, true), (answer(effects: 8), .oneClick, true),
            (answer(effects: 1), .page, false), (answer(effects: 1), .undone, false),
            (answer(effects: 1), .undoRefused, false),
            (answer(effects: 1, reason: 200), .oneClick, false),
        ] {
            let wasm = try Rig.module(Rig.answering(bytes))
            let guest = try Rig.guest(wasm, spec)
            var buffer: [UInt8] = []
            do throws(CallFailure) {
                let answer = try guest.answer(request(outcome, .post), &buffer)
                #expect(isGood && answer.context.effects.count > 0)
            } catch { #expect(!isGood && error == .badResponse) }
        }
    }

    @Test("a check that answers too little, too much or nonsense is no allow")
    func checks() throws {
        let check = FunctionSpec(
            name: "check",
            kind: .check,
            isolation: .reset,
            artifactBytes: 8_192,
            deadlineMillis: 2
        )
        let item = CheckItem(
            scope: .tenant,
            recipient: Recipient(high: 1, low: 2),
            streamClass: .marketing
        )
        for (bytes, expected) in [
            ([1, 1], [Decision.allow, .allow]), ([1, 2], [.allow, .deny]),
            ([0, 255], [.deny, .deny]), ([1], nil), ([1, 1, 1], nil), ([], nil),
        ] as [([UInt8], [Decision]?)] {
            let guest = try Rig.guest(try Rig.module(Rig.answering(bytes)), check)
            var call = CheckCall()
            call.begin()
            call.append(item)
            call.append(item)
            do throws(CallFailure) {
                try call.ask(guest, tenant: TenantID(raw: 1), isBatch: true, nowMillis: 5)
                #expect([call.decision(0), call.decision(1)] == expected)
            } catch { #expect(expected == nil && error == .badResponse) }
        }
    }
}

private func request(_ outcome: Outcome, _ method: Method) -> Request {
    Request(
        method: method,
        nowMillis: 1,
        claims: TokenClaims(
            scope: .tenant,
            person: Person(tenant: TenantID(raw: 1), recipient: Recipient(high: 1, low: 2)),
            tenantName: [],
            streamName: [],
            topicName: []
        ),
        outcome: outcome
    )
}

/// An encoded response with some effects, for a guest to give.
private func answer(
    status: UInt16 = 200,
    type: String = "text/plain",
    effects: Int = 0,
    reason: UInt8 = 1,
    effectBytes: [UInt8]? = nil
) -> [UInt8] {
    let staged =
        effectBytes ?? (0..<effects).flatMap { _ in [UInt8](repeating: 0, count: 8) + [reason] }
    var out: [UInt8] = [UInt8(status & 255), UInt8(status >> 8)]
    out += [UInt8](repeating: 0, count: 14) + [2, 0, 0, 0] + [UInt8](repeating: 0, count: 12)
    for (tag, bytes) in [(UInt8(1), Array(type.utf8)), (3, staged)] {
        out += [tag, 0, 0, 0, UInt8(bytes.count), 0, 0, 0] + bytes
    }
    return out
}

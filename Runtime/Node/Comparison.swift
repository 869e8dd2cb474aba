// What a shadow is asked: the same as what serves, and counted beside what was answered.
//
//     request ─► what serves ─► answer ─► flushed ─► shadow, compared, forgotten
//
// A shadow never delays an answer that is known: questions wait for the end of the turn in which
// they came. The next turn it delays by some milliseconds at most; what is not asked by then is not
// compared, and `compared` in `fn status` counts what was. What it would stage is forgotten.

import EventLoop
import FunctionHost
import FunctionKit
import Suppression

/// One question to a shadow, and what was answered to it already.
enum Comparison {
    /// A request to a link.
    case link(Request, Response, [FunctionKit.Effect])
    /// A request to /f/NAME/.
    case direct(Request, DirectReply, mayStage: Bool)
    /// Checks of one call, and the word on each.
    case checks(CheckCall, [Decision], tenant: TenantID, nowMillis: UInt64, isBatch: Bool)
}

/// The questions of one turn.
struct Comparisons {
    private var waiting: [(shadow: ServedVersion, question: Comparison)] = []

    /// Takes a question; false when too many wait: that answer is not compared, nor counted so.
    mutating func append(_ shadow: ServedVersion, _ question: Comparison) -> Bool {
        guard waiting.count < Limits.comparisonsCount else { return false }
        waiting.append((shadow, question))
        return true
    }

    /// Asks all of them, or as many as there is time for.
    ///
    /// - Parameter buffer: the caller's, reused from call to call.
    mutating func settle(_ buffer: inout [UInt8]) {
        guard !waiting.isEmpty else { return }
        let end = Clock.bootNanoseconds() + Limits.comparisonsNanos
        for (shadow, question) in waiting where Clock.bootNanoseconds() < end {
            Comparisons.ask(shadow, question, &buffer)
        }
        // Questions hold requests of up to a window; their room is not kept.
        waiting = []
    }

    private static func ask(
        _ shadow: ServedVersion,
        _ question: Comparison,
        _ buffer: inout [UInt8]
    ) {
        let tally = shadow.guest.version.tally
        switch question {
        case .link(let request, let response, let effects):
            let other = shadow.answer { guest throws(CallFailure) in
                try guest.answer(request, &buffer)
            }
            guard let other else { return }
            tally.compared((response, effects), (other.response, other.context.effects))
        case .direct(let request, let reply, let mayStage):
            let other = shadow.answer { guest throws(CallFailure) in
                try guest.sendable(request, mayStage: mayStage, &buffer)
            }
            guard let other else { return }
            tally.compared((reply.response, reply.effects), (other.response, other.effects))
        case .checks(var call, let words, let tenant, let nowMillis, let isBatch):
            let isAnswered: Void? = shadow.answer { guest throws(CallFailure) in
                try call.ask(guest, tenant: tenant, isBatch: isBatch, nowMillis: nowMillis)
            }
            guard isAnswered != nil else { return }
            var (differing, loosened) = (0, 0)
            for (place, word) in words.enumerated() {
                let isAllowed = call.decision(place) == .allow
                if isAllowed != (word == .allow) { differing += 1 }
                if isAllowed, word != .allow { loosened += 1 }
            }
            tally.compared(words.count, differing: differing, loosened: loosened)
        }
    }
}

extension Tally {
    /// Counts a shadow's answer beside the one that was given.
    fileprivate func compared<Staged: Equatable>(
        _ given: (response: Response, effects: [Staged]),
        _ other: (response: Response, effects: [Staged])
    ) {
        let isOther = given.response != other.response || given.effects != other.effects
        // A suppression that the shadow would not stage is somebody who would get more mail.
        let isLoose = given.effects.contains { !other.effects.contains($0) }
        compared(1, differing: isOther ? 1 : 0, loosened: isLoose ? 1 : 0)
    }
}

extension Guest {
    /// The answer to a request to /f/NAME/, where its status is one that this server sends.
    func sendable(
        _ request: Request,
        mayStage: Bool,
        _ buffer: inout [UInt8]
    ) throws(CallFailure) -> DirectReply {
        let reply = try direct(request, mayStage: mayStage, &buffer)
        guard reply.response.isSendable else { throw .badResponse }
        return reply
    }
}

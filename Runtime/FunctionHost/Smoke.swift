// A version's own requests, asked before it serves and whenever somebody wants to know whether it
// does: under the limits and the isolation of production, by the very call that serves.

import FunctionKit
import Glibc

/// What came of one smoke request.
public struct SmokeOutcome: Sendable {
    /// The request's name.
    public let name: String
    /// Why its answer is none; nil when it is as it should be.
    public let problem: String?
    /// Bytes of the answer.
    public let responseBytes: Int
    /// Nanoseconds of one call, the best of a few.
    public let nanoseconds: UInt64
    /// Bytes of memory up to the arena's end after the call: stack, constants, window and all that
    /// the call took. Nil for a module whose `quell_io` does not tell, or when nobody asked.
    public var peakBytes: Int?
}

extension Guest {
    /// Asks every smoke request of the version, in order.
    ///
    /// - Parameter rounds: how often each is asked, for the time that it takes.
    public func smokeOutcomes(rounds: Int = 1) -> [SmokeOutcome] {
        version.smoke.map { outcome($0, rounds) }
    }

    /// The same, with the memory that each call takes.
    public func measuredOutcomes(rounds: Int) -> [SmokeOutcome] {
        version.smoke.map {
            var outcome = outcome($0, rounds)
            if outcome.problem == nil { outcome.peakBytes = peak(of: $0.request) }
            return outcome
        }
    }

    /// Throws for the first smoke request that is not answered as it should be.
    public func provesItself() throws(LoadError) {
        for outcome in smokeOutcomes() {
            if let problem = outcome.problem { throw .smoke("\(outcome.name): \(problem)") }
        }
    }

    private func outcome(_ smoke: SmokeRequest, _ rounds: Int) -> SmokeOutcome {
        var response: [UInt8] = []
        var best = UInt64.max
        do throws(CallFailure) {
            for _ in 0..<rounds {
                let started = nanosecondsNow()
                try call(smoke.request, version.spec.isolation, tenant: 0, into: &response)
                best = min(best, nanosecondsNow() - started)
            }
            let problem = try judge(response, smoke)
            return SmokeOutcome(
                name: smoke.name,
                problem: problem,
                responseBytes: response.count,
                nanoseconds: best
            )
        } catch {
            return SmokeOutcome(
                name: smoke.name,
                problem: error.word,
                responseBytes: 0,
                nanoseconds: 0
            )
        }
    }

    /// Nil for a good answer; throws for one that the host would not take in production.
    private func judge(
        _ response: [UInt8],
        _ smoke: SmokeRequest
    ) throws(CallFailure) -> String? {
        switch version.spec.kind {
        case .check: try judgeBatch(response, smoke)
        case .http:
            // As with a key: a smoke request brings none, and what it stages is forgotten.
            _ = try DirectReply.judged(response, effectsMost: version.spec.stagedEffects)
        case .link:
            let request: Request
            do throws(AbiError) {
                request = try Abi.decodeRequest(smoke.request.span)
            } catch { return "is no request to a link" }
            _ = try LinkAnswer.judged(response, request, version.spec)
        }
        guard !smoke.expected.isEmpty, smoke.expected != response else { return nil }
        return version.spec.kind == .check
            ? "other decisions than expected" : difference(response, smoke.expected)
    }

    private func judgeBatch(
        _ response: [UInt8],
        _ smoke: SmokeRequest
    ) throws(CallFailure) {
        let count: Int
        do throws(AbiError) {
            count = try Abi.decodeCheckCount(smoke.request.span).count
        } catch { throw .unavailable }
        guard response.count == count else { throw .badResponse }
    }

    /// Where two answers part; nil when they say the same in another spelling.
    private func difference(_ found: [UInt8], _ expected: [UInt8]) -> String? {
        do throws(AbiError) {
            let answer = try Abi.decodeResponse(found.span)
            let wanted = try Abi.decodeResponse(expected.span)
            let (mine, theirs) = (answer.response, wanted.response)
            if mine.status != theirs.status {
                return "status \(mine.status), expected \(theirs.status)"
            }
            if mine.contentType != theirs.contentType {
                return "content type \(text(mine.contentType)), expected "
                    + text(theirs.contentType)
            }
            if answer.effects != wanted.effects || answer.addressed != wanted.addressed {
                return "stages other effects than expected"
            }
            guard mine.body != theirs.body else { return nil }
            return "body \"\(text(mine.body))\", expected \"\(text(theirs.body))\""
        } catch { return "the expected answer is no answer" }
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(Limits.logLineBytes), as: UTF8.self)
            .unicodeScalars.map { $0.value < 0x20 ? $0.escaped(asASCII: true) : "\($0)" }.joined()
    }
}

/// A clock for differences.
func nanosecondsNow() -> UInt64 {
    var time = timespec()
    // Cannot fail for this clock.
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

// The functions of one serving loop: the wasm version where one serves, and what stands behind it.
//
//     unsubscribe   wasm ─► fails ─► the built-in, in the same request
//     check         wasm ─► fails ─► deny
//
// The host's own opt-out does not pass through here: it is staged before (OptOutRoute.swift), so no
// function can lose it. A check can only tighten (DESIGN 9). RESP passes on what would be allowed;
// HTTP asks about the others too, so that a function that would allow a suppressed person is seen.

import CheckFunction
import Cluster
import EventLoop
import FunctionHost
import FunctionKit
import Suppression
import UnsubscribeFunction

/// One loop's functions; on its thread.
final class LoopFunctions {
    private let unsubscribe: Guest?
    private let check: Guest?
    private var buffer: [UInt8] = []
    private var batch = CheckCall()
    private var asked: [Int] = []

    init(_ runtime: FunctionRuntime) {
        unsubscribe = runtime.guest(FunctionSpec.unsubscribe.name)
        check = runtime.guest(FunctionSpec.check.name)
    }

    /// The page of a link, and what the function adds to the host's own suppression.
    func shaped(_ request: Request) -> (Response, Context) {
        if let unsubscribe {
            let started = Clock.bootNanoseconds()
            do throws(CallFailure) {
                let answer = try unsubscribe.answer(request, &buffer)
                let spent = Clock.bootNanoseconds() - started
                unsubscribe.version.tally.answered(nanoseconds: spent)
                return (answer.response, answer.context)
            } catch { unsubscribe.version.tally.failed(error) }
        }
        var context = Context()
        let response = Unsubscribe.handle(request, &context)
        return (response, context)
    }

    /// Asks the deployed `check` about a run's allows.
    func tighten(
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        _ decisions: inout [Decision]
    ) {
        guard let check else { return }
        asked.removeAll(keepingCapacity: true)
        batch.begin()
        for index in queries.indices {
            guard let query = queries[index], decisions[index] == .allow else { continue }
            batch.append(CheckItem(query))
            asked.append(index)
            if batch.isFull { settle(check, tenant, now: now, isBatch: true, &decisions) }
        }
        settle(check, tenant, now: now, isBatch: true, &decisions)
    }

    private func settle(
        _ check: Guest,
        _ tenant: TenantID,
        now: Instant,
        isBatch: Bool,
        _ decisions: inout [Decision]
    ) {
        guard !asked.isEmpty else { return }
        let hasAnswered = ask(check, tenant, now: now, isBatch: isBatch)
        var overruled = 0
        for (place, index) in asked.enumerated() {
            let said = hasAnswered ? batch.decision(place) : .deny
            if said == .allow, decisions[index] != .allow { overruled += 1 }
            decisions[index] = tightened(decisions[index], by: said)
        }
        check.version.tally.overruled(overruled)
        asked.removeAll(keepingCapacity: true)
        batch.begin()
    }

    /// False when the call failed: nobody may be written to then.
    private func ask(_ check: Guest, _ tenant: TenantID, now: Instant, isBatch: Bool) -> Bool {
        let started = Clock.bootNanoseconds()
        do throws(CallFailure) {
            try batch.ask(check, tenant: tenant, isBatch: isBatch, nowMillis: now.wallMillis)
            check.version.tally.answered(nanoseconds: Clock.bootNanoseconds() - started)
            return true
        } catch {
            check.version.tally.failed(error)
            return false
        }
    }

    /// The same for verdicts, the denied and the unknown asked about as well.
    func tighten(
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        _ verdicts: inout ArraySlice<(Verdict, isValid: Bool)>
    ) {
        guard let check else { return tighten(queries, now: now, &verdicts) }
        var decisions = verdicts.map(\.0.decision)
        batch.begin()
        asked.removeAll(keepingCapacity: true)
        for index in queries.indices {
            guard let query = queries[index] else { continue }
            batch.append(CheckItem(query))
            asked.append(index)
            if batch.isFull { settle(check, tenant, now: now, isBatch: true, &decisions) }
        }
        settle(check, tenant, now: now, isBatch: queries.count > 1, &decisions)
        for (index, place) in verdicts.indices.enumerated() {
            guard decisions[index] != verdicts[place].0.decision else { continue }
            verdicts[place].0 = Verdict(decision: decisions[index])
        }
    }

    /// The built-in, about what would be allowed.
    private func tighten(
        _ queries: [Query?],
        now: Instant,
        _ verdicts: inout ArraySlice<(Verdict, isValid: Bool)>
    ) {
        for (query, place) in zip(queries, verdicts.indices) {
            guard let query, verdicts[place].0.decision == .allow else { continue }
            let said = Check.decide(CheckItem(query), nowMillis: now.wallMillis)
            if tightened(.allow, by: said) != .allow {
                verdicts[place].0 = Verdict(decision: .deny)
            }
        }
    }
}

extension CheckItem {
    fileprivate init(_ query: Query) {
        self.init(
            scope: Scope(stream: query.stream, topic: query.topic),
            recipient: query.person.recipient,
            streamClass: query.streamClass
        )
    }
}

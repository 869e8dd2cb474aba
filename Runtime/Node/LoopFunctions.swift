// The functions of one serving loop: the wasm version where one serves, and what stands behind it.
//
//     unsubscribe   wasm ─► fails ─► the version before ─► fails ─► the built-in, in one request
//     preferences   the same
//     /f/NAME/      wasm ─► fails ─► the version before ─► fails ─► 503
//     check         wasm ─► fails ─► deny
//
// The host's own opt-out does not pass through here: it is staged before (OptOutRoute.swift), so no
// function can lose it. A check can only tighten (DESIGN 9). RESP passes on what would be allowed;
// HTTP asks about the others too, so that a function that would allow a suppressed person is seen.
//
// Versions change between two turns: `adopt` replaces guests, calls never see half of it.

import CheckFunction
import Cluster
import EventLoop
import FunctionHost
import FunctionKit
import PreferencesFunction
import Suppression
import UnsubscribeFunction

/// One version on one loop, and how it has been doing.
private final class ServedVersion {
    let guest: Guest
    private var breaker = Breaker()

    init?(_ version: FunctionVersion?) {
        guard let guest = version?.guest() else { return nil }
        self.guest = guest
    }

    /// Asks it, unless it has failed too often of late; counts what came of it.
    func answer<Answer>(_ body: (Guest) throws(CallFailure) -> Answer) -> Answer? {
        let tally = guest.version.tally
        let started = Clock.bootNanoseconds()
        guard breaker.permits(now: started) else {
            tally.failed(.breakerOpen)
            return nil
        }
        do throws(CallFailure) {
            let answer = try body(guest)
            let now = Clock.bootNanoseconds()
            tally.answered(nanoseconds: now - started)
            breaker.succeeded(now: now)
            return answer
        } catch {
            tally.failed(error)
            breaker.failed(now: Clock.bootNanoseconds())
            return nil
        }
    }
}

/// One function on one loop.
private final class ServedFunction {
    let state: FunctionState
    let serving: ServedVersion?
    /// Made when it is needed first.
    private var before: ServedVersion?

    init(_ state: FunctionState, replacing old: ServedFunction?) {
        self.state = state
        let isSame = old?.state.version === state.version
        serving = isSame ? old?.serving : ServedVersion(state.version)
    }

    /// The version that served before, where the function's policy falls back on it.
    private var lastGood: ServedVersion? {
        guard let version = state.lastGood, state.version?.failure != .closed else { return nil }
        if let before { return before }
        before = ServedVersion(version)
        return before
    }

    /// The answer of the version that serves, else of the one before; nil when neither has one.
    func answer<Answer>(_ body: (Guest) throws(CallFailure) -> Answer) -> Answer? {
        if let answer = serving?.answer(body) { return answer }
        return lastGood?.answer(body)
    }
}

/// One loop's functions; on its thread.
final class LoopFunctions {
    private var unsubscribe: ServedFunction?
    private var preferences: ServedFunction?
    private var checking: ServedFunction?
    private var check: ServedVersion? { checking?.serving }
    private var direct: [[UInt8]: ServedFunction] = [:]
    private var buffer: [UInt8] = []
    private var batch = CheckCall()
    private var asked: [Int] = []

    init(_ runtime: FunctionRuntime) { adopt(runtime) }

    /// Serves these versions from now on; a version that stays keeps its instances.
    func adopt(_ runtime: FunctionRuntime) {
        unsubscribe = runtime.state(FunctionSpec.unsubscribe.name)
            .map { ServedFunction($0, replacing: unsubscribe) }
        preferences = runtime.state(FunctionSpec.preferences.name)
            .map { ServedFunction($0, replacing: preferences) }
        checking = runtime.state(FunctionSpec.check.name)
            .map { ServedFunction($0, replacing: checking) }
        let old = direct
        direct = [:]
        for state in runtime.states
        where !Functions.specs.contains(where: { $0.name == state.name }) {
            let name = Array(state.name.utf8)
            direct[name] = ServedFunction(state, replacing: old[name])
        }
    }

    /// Whether a `check` that is active in the cluster is not here: nobody may be written to then.
    private var lacksCheck: Bool { checking?.state.isMissing == true }

    /// The page of a link, and what the function adds to the host's own suppression.
    ///
    /// - Parameter isPreferences: the page of what the link offers beyond its one click.
    func shaped(_ request: Request, isPreferences: Bool) -> (Response, Context) {
        let answer = (isPreferences ? preferences : unsubscribe)?.answer {
            guest throws(CallFailure) in
            try guest.answer(request, &buffer)
        }
        if let answer { return (answer.response, answer.context) }
        var context = Context()
        let response =
            isPreferences
            ? Preferences.handle(request, &context) : Unsubscribe.handle(request, &context)
        return (response, context)
    }

    /// What a request to /f/NAME/ gets.
    enum DirectAnswer {
        /// There is no such function.
        case unknown
        /// It does not take this method.
        case methods([FunctionMethod])
        /// No version of it could answer.
        case failed
        /// This.
        case answer(DirectReply)
    }

    /// Whether a function may stage suppressions, and so wants a key that may.
    func stages(_ name: [UInt8]) -> Bool {
        (direct[name]?.state.version?.spec.stagedEffects ?? 0) > 0
    }

    /// Asks a deployed function of kind `http`.
    ///
    /// - Parameter mayStage: the request brought a key that may suppress.
    func direct(_ name: [UInt8], _ request: Request, mayStage: Bool) -> DirectAnswer {
        guard let served = direct[name] else { return .unknown }
        guard let version = served.state.version else { return .failed }
        let allowed = version.methods
        guard allowed.contains(where: { $0.method == request.method }) else {
            return .methods(allowed)
        }
        let answer = served.answer { guest throws(CallFailure) in
            let reply = try guest.direct(request, mayStage: mayStage, &buffer)
            guard reply.response.isSendable else { throw .badResponse }
            return reply
        }
        return answer.map { .answer($0) } ?? .failed
    }

    /// Asks the smoke requests of what serves here; what it would stage is forgotten.
    ///
    /// - Returns: the digest that serves and whether it answered all of them; nil for the
    ///   built-in.
    func probe(_ name: String) -> (digest: String, isWell: Bool)? {
        let served =
            switch name {
            case FunctionSpec.unsubscribe.name: unsubscribe
            case FunctionSpec.preferences.name: preferences
            case FunctionSpec.check.name: checking
            default: direct[Array(name.utf8)]
            }
        guard let guest = served?.serving?.guest else { return nil }
        let isWell = guest.smokeOutcomes().allSatisfy { $0.problem == nil }
        return (guest.version.digest, isWell)
    }

    /// Asks the deployed `check` about a run's allows.
    func tighten(
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        _ decisions: inout [Decision]
    ) {
        guard let check else { return lacksCheck ? withhold(&decisions) : () }
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

    /// A check that should be asked cannot be: what it would have to say counts as no.
    private func withhold(_ decisions: inout [Decision]) {
        for index in decisions.indices where decisions[index] == .allow {
            decisions[index] = .deny
        }
    }

    private func settle(
        _ check: ServedVersion,
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
        check.guest.version.tally.overruled(overruled)
        asked.removeAll(keepingCapacity: true)
        batch.begin()
    }

    /// False when the call failed: nobody may be written to then.
    private func ask(
        _ check: ServedVersion,
        _ tenant: TenantID,
        now: Instant,
        isBatch: Bool
    ) -> Bool {
        check.answer { guest throws(CallFailure) in
            try batch.ask(guest, tenant: tenant, isBatch: isBatch, nowMillis: now.wallMillis)
        } != nil
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
            let said =
                lacksCheck ? .deny : Check.decide(CheckItem(query), nowMillis: now.wallMillis)
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

extension FunctionMethod {
    fileprivate var method: Method {
        switch self {
        case .get: .get
        case .head: .head
        case .post: .post
        }
    }
}

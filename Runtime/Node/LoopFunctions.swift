// The functions of one serving loop: the wasm version where one serves, and what stands behind it.
//
//     unsubscribe   wasm ─► fails ─► the version before ─► fails ─► the built-in, in one request
//     preferences   the same
//     /f/NAME/      wasm ─► fails ─► the version before ─► fails ─► 503
//     check         wasm ─► fails ─► deny
//
// A canary is asked before, for its share (ServedFunction.swift); a shadow once the answers of the
// turn have left (Comparison.swift).
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

/// One loop's functions; on its thread.
final class LoopFunctions {
    private var unsubscribe: ServedFunction?
    private var preferences: ServedFunction?
    private var checking: ServedFunction?
    private var direct: [[UInt8]: ServedFunction] = [:]
    private var buffer: [UInt8] = []
    private var lanes = CheckLanes()
    private var comparisons = Comparisons()

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
        for state in runtime.states where !Functions.isBuiltIn(state.name) {
            let name = Array(state.name.utf8)
            direct[name] = ServedFunction(state, replacing: old[name])
        }
    }

    /// Whether a `check` that is active in the cluster cannot be asked here: nobody may be written
    /// to then.
    private var lacksCheck: Bool { checking?.isLacking == true }

    /// Asks shadows what was answered in this turn; its answers have left.
    func compare() { comparisons.settle(&buffer) }

    /// The page of a link, and what the function adds to the host's own suppression.
    ///
    /// - Parameter isPreferences: the page of what the link offers beyond its one click.
    func shaped(_ request: Request, isPreferences: Bool) -> (Response, Context) {
        // Sticky by recipient; without a valid link there is none, and nothing to try.
        let subject = request.claims?.person.recipient.low
        let served = isPreferences ? preferences : unsubscribe
        let given = given(request, served, subject, isPreferences: isPreferences)
        if let subject, let shadow = served?.shadow(for: subject) {
            let (response, context) = given
            _ = comparisons.append(shadow, .link(request, response, context.effects))
        }
        return given
    }

    private func given(
        _ request: Request,
        _ served: ServedFunction?,
        _ subject: UInt64?,
        isPreferences: Bool
    ) -> (Response, Context) {
        let canary = subject.flatMap { served?.canary(for: $0) }
        let ask = { (guest: Guest) throws(CallFailure) in try guest.answer(request, &self.buffer) }
        if let answer = canary?.answer(ask) ?? served?.answer(ask) {
            return (answer.response, answer.context)
        }
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
        // Sticky by request: there is no recipient that the host knows of.
        let subject = served.trial == nil ? 0 : request.hash
        let ask = { (guest: Guest) throws(CallFailure) in
            try guest.sendable(request, mayStage: mayStage, &self.buffer)
        }
        if let canary = served.canary(for: subject),
            canary.guest.version.takes(request.method), let answer = canary.answer(ask)
        {
            return .answer(answer)
        }
        guard version.takes(request.method) else { return .methods(version.methods) }
        guard let answer = served.answer(ask) else { return .failed }
        if let shadow = served.shadow(for: subject),
            shadow.guest.version.takes(request.method)
        {
            _ = comparisons.append(shadow, .direct(request, answer, mayStage: mayStage))
        }
        return .answer(answer)
    }

    /// Asks the smoke requests of what serves here, or is tried; what it would stage is forgotten.
    ///
    /// - Parameter digest: the version that is asked for; nil: what serves.
    /// - Returns: the digest that was asked and whether it answered all of them; nil for the
    ///   built-in.
    func probe(_ name: String, _ digest: String?) -> (digest: String, isWell: Bool)? {
        let served =
            switch name {
            case FunctionSpec.unsubscribe.name: unsubscribe
            case FunctionSpec.preferences.name: preferences
            case FunctionSpec.check.name: checking
            default: direct[Array(name.utf8)]
            }
        guard let guest = served?.version(digest)?.guest else { return nil }
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
        guard !lacksCheck else { return withhold(&decisions) }
        // The built-in has nothing to add to what the marks say.
        guard let checking, checking.serving != nil || checking.trial != nil else { return }
        lanes.run(
            checking,
            queries,
            tenant,
            now: now,
            allowsOnly: true,
            &decisions,
            &comparisons
        )
    }

    /// A check that should be asked cannot be: what it would have to say counts as no.
    private func withhold(_ decisions: inout [Decision]) {
        for index in decisions.indices where decisions[index] == .allow {
            decisions[index] = .deny
        }
    }

    /// The same for verdicts, the denied and the unknown asked about as well.
    func tighten(
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        _ verdicts: inout ArraySlice<(Verdict, isValid: Bool)>
    ) {
        var decisions = verdicts.map(\.0.decision)
        if let checking, !lacksCheck {
            lanes.run(
                checking,
                queries,
                tenant,
                now: now,
                allowsOnly: false,
                &decisions,
                &comparisons
            )
        } else {
            // A malformed address is denied already.
            withhold(&decisions)
        }
        for (index, place) in verdicts.indices.enumerated() {
            guard decisions[index] != verdicts[place].0.decision else { continue }
            verdicts[place].0 = Verdict(decision: decisions[index])
        }
    }
}

extension Request {
    /// Where a request without a recipient belongs, in 64 bits.
    fileprivate var hash: UInt64 {
        SipHash.checksum.hash((path + [0] + query + [0] + body).span)
    }
}

extension FunctionVersion {
    /// Whether it answers to this method.
    fileprivate func takes(_ method: Method) -> Bool {
        methods.contains { $0.method == method }
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

// One function on one serving loop: the version that serves, what is tried beside it, and what
// stands behind both.
//
//     canary, for its share ─► fails ─► what serves ─► fails ─► the version before
//     shadow, for its share: asked after the answer has left, compared, forgotten
//
// A breaker for each version keeps one that fails from being waited for; when it opens, that is
// this node's word that the version is broken (TrialDoor.swift).

import EventLoop
import FunctionHost
import FunctionKit
import Suppression

/// One version on one loop, and how it has been doing.
final class ServedVersion {
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
            // A node without room for an instance says nothing about the version.
            if breaker.isOpen, error != .unavailable { tally.opened() }
            return nil
        }
    }
}

/// Whom a version on trial meets: the same people on every loop of every node, others at the next
/// trial, and with a larger share all that the smaller one met.
struct TrialShare {
    private let salt: UInt64
    private let percent: UInt64

    /// - Parameter digest: of the version, in hexadecimal digits.
    init(_ digest: String, percent: Int) {
        salt = UInt64(digest.prefix(16), radix: 16) ?? 0
        self.percent = UInt64(clamping: percent)
    }

    /// Whether somebody is in the share.
    ///
    /// - Parameter subject: 64 bits of the recipient's digest, or a hash of the request where there
    ///   is no recipient. They are mixed once more (SplitMix64), so that two trials do not meet the
    ///   same people.
    func contains(_ subject: UInt64) -> Bool {
        var mixed = subject ^ salt
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return mixed % 100 < percent
    }
}

/// A version on trial, on one loop.
struct ServedTrial {
    let version: ServedVersion
    let isCanary: Bool
    let share: TrialShare
}

/// One function on one loop.
final class ServedFunction {
    let state: FunctionState
    let serving: ServedVersion?
    let trial: ServedTrial?
    /// Made when it is needed first.
    private var before: ServedVersion?

    /// Keeps the instances of versions that stay, whatever they were before.
    init(_ state: FunctionState, replacing old: ServedFunction?) {
        self.state = state
        let known = [old?.serving, old?.trial?.version, old?.before].compactMap { $0 }
        func served(_ version: FunctionVersion?) -> ServedVersion? {
            known.first { $0.guest.version === version } ?? ServedVersion(version)
        }
        serving = served(state.version)
        trial = state.trial.flatMap { trial in
            served(trial.version).map {
                ServedTrial(
                    version: $0,
                    isCanary: trial.isCanary,
                    share: TrialShare(trial.version.digest, percent: trial.percent)
                )
            }
        }
    }

    /// Whether a version should serve that this node has not, or that this loop has no room for.
    var isLacking: Bool { state.isMissing || state.version != nil && serving == nil }

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

    /// The canary, if it is this one's to answer.
    func canary(for subject: UInt64) -> ServedVersion? {
        guard let trial, trial.isCanary, trial.share.contains(subject) else { return nil }
        return trial.version
    }

    /// The shadow, if this one's request is asked of it as well.
    func shadow(for subject: UInt64) -> ServedVersion? {
        guard let trial, !trial.isCanary, trial.share.contains(subject) else { return nil }
        return trial.version
    }

    /// The version of this digest; what serves for nil.
    func version(_ digest: String?) -> ServedVersion? {
        guard let digest, let trial, trial.version.guest.version.digest == digest else {
            return serving
        }
        return trial.version
    }
}

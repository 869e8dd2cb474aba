// What a load balancer is told, and why: one answer for checks, one for opt-outs.
//
//     /readyz                   an `allow` may be answered here, now
//     /readyz?for=unsubscribe   an opt-out that comes now gets on to the disk here
//
// The node loop finds the first cause against it ten times a second and publishes its number; each
// listener says it in words. A node loop that stands still publishes nothing, so the serving loops
// look at how old the number is, and at their own lease: whoever answers must not vouch for more
// than it would do itself.

import Cluster
import EventLoop
import FunctionHost
import Servers
import Storage
import Synchronization
import Wire

/// The first thing that is against sending requests here; the raw value travels between loops.
enum Unready: Int {
    case starting, stopping, failed, stands, full, shedding, cloned, noCatalog, doubted, damaged,
        learner
    case joining
    case noLease, stale, functions

    /// For the operator; after "not ready: ".
    var words: String {
        switch self {
        case .starting: "starting"
        case .stopping: "stopping"
        case .failed: "the disk failed; see the log"
        case .stands: "the node loop stands still"
        case .full: "the disk is full"
        case .shedding: "too many changes wait for the checkpointer"
        case .cloned: "two nodes answer under this one's id; see the log"
        case .noCatalog: "no tenant, API key and token key yet"
        case .doubted: "no lease: this data directory was put back from a copy"
        case .damaged: "no lease: marks are damaged; run `quell repair`"
        case .learner: "no lease: a learner, which catches up with the voters"
        case .joining: "joining: marks of the others are still coming; see `quell status`"
        case .noLease: "no lease: a majority of voters has not confirmed what is shown here"
        case .stale: "the lease is older than the staleness bound"
        case .functions: "the active `check` is not here yet; see `quell fn status`"
        }
    }
}

extension NodeLoop {
    /// What is against checks here; nil when they are answered.
    var unready: Unready? {
        if let cause = common { return cause }
        if core.isJoining { return .joining }
        let now = Clock.bootNanoseconds()
        if lease.permitsAllow(now: now, boundNanos: config.stalenessBoundNanos) {
            let check = metrics.functions.withLock { $0.state(FunctionSpec.check.name) }
            return check?.isMissing == true ? .functions : nil
        }
        if lease.asOfNanos != nil { return .stale }
        if core.isDoubted { return .doubted }
        if desk.isDamaged { return .damaged }
        return role == "learner" ? .learner : .noLease
    }

    /// Replay done, listeners bound, keys present, lease valid (DESIGN 10.2).
    var isReady: Bool { unready == nil }

    /// What is against opt-outs here; nil while a local commit works.
    var unwritable: Unready? {
        if let cause = common { return cause }
        if isLogFull { return .full }
        if peers.isCloned { return .cloned }
        return view.isFull ? .shedding : nil
    }

    private var common: Unready? {
        if ending != nil { return .stopping }
        if metrics.failed.now == 1 { return .failed }
        if listening.count < doors.count { return .starting }
        return catalog.isUsable ? nil : .noCatalog
    }

    /// Tells the serving loops; once a tick, and whenever an answer turns.
    func publishReadiness() {
        metrics.readiness.set(unready, now: Clock.bootNanoseconds())
        metrics.writability.set(unwritable, now: Clock.bootNanoseconds())
    }

    /// A full disk is tried with a commit of no content: a balancer that sends nothing here any
    /// more would never bring the write that shows that there is room again.
    func tryDisk(now: UInt64) {
        guard isLogFull, now >= triedNanos + Limits.diskTrialNanos else { return }
        triedNanos = now
        store.tryLog()
    }
}

extension HTTPAnswer {
    /// 200, or 503 with the cause.
    mutating func readiness(_ cause: Unready?) {
        start(cause == nil ? .ok : .unavailable)
        let line = cause.map { "not ready: \($0.words)\n" } ?? "ready\n"
        send("text/plain; charset=utf-8", Array(line.utf8).span)
    }
}

/// One answer on its way from the node loop to all others.
final class PublishedReadiness: Sendable {
    private let cause = Gauge()
    private let asOfNanos = Gauge()

    /// Begins as `starting`.
    init() { cause.set(Unready.starting.rawValue) }

    /// Replaces the answer.
    func set(_ unready: Unready?, now: UInt64) {
        cause.set(unready?.rawValue ?? -1)
        asOfNanos.set(Int(clamping: now))
    }

    /// Whether the last answer was yes.
    var isReady: Bool { cause.now < 0 }

    /// The answer, unless it is older than the node loop may ever be.
    func unready(now: UInt64) -> Unready? {
        let published = cause.now
        if published >= 0 { return Unready(rawValue: published) ?? .starting }
        let age = Int(clamping: now) - asOfNanos.now
        return age > Int(Cluster.Limits.acknowledgeDeadlineNanos) ? .stands : nil
    }
}

// Versions on trial, on the node loop: what is seen of them, what voters make of it, what is said.
//
// Counts belong to a version and live as long as the process; what is reported is what has come on
// top since the generation that put the version on trial.

import Cluster
import EventLoop
import FunctionHost
import Storage
import Suppression
import Synchronization

/// The counts of a version when it was put on trial.
struct TrialBaseline {
    let generation: UInt64
    private let calls: UInt64
    private let failed: UInt64
    private let opened: UInt64
    private let compared: UInt64
    private let differing: UInt64
    private let loosened: UInt64

    init(_ tally: Tally, _ generation: UInt64) {
        self.generation = generation
        calls = tally.calls
        failed = tally.failedCount
        opened = tally.openedCount
        compared = tally.comparedTotal
        differing = tally.differing
        loosened = tally.loosened
    }

    /// What has come on top.
    func add(_ tally: Tally, to report: inout TrialReport) {
        // Any thread counts on meanwhile, so an earlier look can only be lower.
        report.calls = tally.calls - calls
        report.failed = tally.failedCount - failed
        report.isBroken = tally.openedCount > opened
        report.compared = tally.comparedTotal - compared
        report.differing = tally.differing - differing
        report.loosened = tally.loosened - loosened
        if report.failed > 0, let cause = tally.lastFailure { report.cause = cause.rawValue }
    }
}

extension NodeLoop {
    /// Once a tick: what came of the versions on trial.
    func observeTrials(now: UInt64) {
        var reports = deploys.machine.watched(now: now)
        guard !reports.isEmpty else { return }
        for at in reports.indices {
            guard let version = deploys.versions[reports[at].digest],
                let baseline = deploys.baselines[reports[at].digest],
                baseline.generation == reports[at].generation
            else { continue }
            baseline.add(version.tally, to: &reports[at])
        }
        rollout(.observed(reports))
    }

    /// What a serving loop needs of the version on trial; nil where there is none.
    func trial(_ activation: Activation, _ running: RunningVersion) -> FunctionTrial? {
        guard let trial = activation.trial, running.trial == trial.digest,
            let version = deploys.versions[trial.digest]
        else { return nil }
        return FunctionTrial(
            version: version,
            isCanary: trial.kind == .canary,
            percent: Int(trial.percent)
        )
    }

    /// A majority of voters says that a version is broken: the register says so.
    ///
    /// Nobody signs it. Who can speak to a node has the cluster key, and the next admin's word is
    /// of a higher generation.
    func revert(_ activation: Activation, _ generation: UInt64) {
        let known = catalog.activation(of: activation.name)?.generation ?? 0
        guard known == generation - 1 else { return }
        log.warning(
            "voters take back a function version",
            ["function": activation.name, "function.votes": words(activation.revert)]
        )
        let setting = Setting.function(activation)
        let register = Register(
            name: setting.registerName,
            generation: generation,
            final: false,
            value: setting.value,
            author: [],
            signature: []
        )
        request([.register(register)], policy: .strict, waiter: .nobody)
    }

    /// Who voted, and why, in one line.
    func words(_ revert: Revert?) -> String {
        (revert?.votes ?? []).map { vote in
            let cause = CallFailure(rawValue: vote.cause)?.word ?? "cause \(vote.cause)"
            return "\(name(of: vote.voter)): \(cause), \(vote.failed) of \(vote.calls) calls"
        }.joined(separator: "; ")
    }

    /// What people call a node.
    func name(of node: NodeID) -> String {
        if node == identity.nodeID { return config.name }
        return knownPeers.first { $0.node == node }?.name ?? hexText(node.raw)
    }

    /// What changes for those who ask, in the log.
    func say(_ activation: Activation, _ running: RunningVersion) {
        var facts = [
            "function": activation.name, "function.generation": "\(running.generation)",
            "function.digest": running.digest.map { hexText($0.bytes) } ?? "built-in",
        ]
        if let trial = activation.trial, running.trial != nil {
            facts["function.\(trial.kind.word)"] = hexText(trial.digest.bytes)
            facts["function.percent"] = "\(trial.percent)"
        }
        guard let revert = activation.revert else {
            return log.notice("a function version serves", facts)
        }
        facts["function.broken"] = hexText(revert.digest.bytes)
        facts["function.votes"] = words(revert)
        log.warning("a function version was taken back by votes", facts)
    }
}

// Versions that are watched: on trial, or serving since a short while; and how voters take one
// back.
//
//     breaker opens on n1 ─► report: broken ─► n2, n3
//     breaker opens on n2 ─► report: broken ─► a majority ─► n1 writes the register: back
//                                                            n2 does, if it does not come in 1 s
//
// What a node has seen it tells everybody, and nobody forgets it while the generation lasts: a node
// that starts again does not take its vote, or a difference, back with it. A version on trial goes
// alone; one that serves goes to the version before it, where there is one: never to what the nodes
// came with, since a `check` that fails denies and its absence would allow.

public import Suppression

/// What nodes have seen, of the generations in force.
struct TrialReports: Equatable, Sendable {
    private struct Key: Hashable {
        let name: String
        let digest: ArtifactDigest
    }

    /// What each node said last, for generations that are not seen here yet.
    private var last: [NodeID: [TrialReport]] = [:]
    /// The most that each node has said of what is on trial now.
    private var most: [Key: [NodeID: TrialReport]] = [:]
    private var generations: [String: UInt64] = [:]
    /// When a version began to serve here, in this life.
    private var beganNanos: [String: UInt64] = [:]
    /// When a majority was seen first, and when this node last wrote that it is over.
    var doubtedNanos: [String: UInt64] = [:]
    var wroteNanos: [String: UInt64] = [:]
    /// What this node has told its peers, and when.
    var said: [TrialReport] = []
    var saidNanos: UInt64 = 0

    /// A generation is in force; what was seen under another is over.
    mutating func begin(_ name: String, _ generation: UInt64) {
        guard generations[name] != generation else { return }
        generations[name] = generation
        most = most.filter { $0.key.name != name }
        doubtedNanos[name] = nil
        wroteNanos[name] = nil
        for (node, reports) in last { for report in reports { fold(report, by: node) } }
    }

    /// A version began to serve that did not before.
    mutating func began(_ name: String, now: UInt64) { beganNanos[name] = now }

    /// Whether what serves began so shortly ago that votes can take it back.
    func isFresh(_ name: String, now: UInt64) -> Bool {
        guard let began = beganNanos[name] else { return false }
        return now < began + Limits.freshNanos
    }

    /// A peer is not linked any more; what it has said of generations in force stays.
    mutating func unlinked(_ node: NodeID) { last[node] = nil }

    mutating func told(_ reports: [TrialReport], by node: NodeID) {
        last[node] = reports
        for report in reports { fold(report, by: node) }
    }

    private mutating func fold(_ report: TrialReport, by node: NodeID) {
        guard generations[report.name] == report.generation else { return }
        let key = Key(name: report.name, digest: report.digest)
        most[key, default: [:]][node] = most[key]?[node]?.joined(with: report) ?? report
    }

    /// Who has said what of a version, by node.
    func of(_ name: String, _ digest: ArtifactDigest) -> [(node: NodeID, report: TrialReport)] {
        (most[Key(name: name, digest: digest)] ?? [:])
            .map { (node: $0.key, report: $0.value) }
            .sorted { $0.node.raw < $1.node.raw }
    }

    /// Allows where the version that serves denies, on all nodes.
    func loosened(_ name: String, _ digest: ArtifactDigest) -> UInt64 {
        of(name, digest).reduce(0) { $0 &+ $1.report.loosened }
    }
}

extension TrialReport {
    /// The most that either says.
    fileprivate func joined(with other: TrialReport) -> TrialReport {
        var most = self
        most.calls = max(calls, other.calls)
        most.failed = max(failed, other.failed)
        most.cause = other.cause == 255 ? cause : other.cause
        most.isBroken = isBroken || other.isBroken
        most.compared = max(compared, other.compared)
        most.differing = max(differing, other.differing)
        most.loosened = max(loosened, other.loosened)
        return most
    }
}

extension Rollout {
    /// The versions that are to be watched here now, with nothing seen yet.
    public func watched(now: UInt64) -> [TrialReport] {
        var watched: [TrialReport] = []
        for (name, version) in running.sorted(by: { $0.key < $1.key }) {
            let isFresh = reports.isFresh(name, now: now)
            for digest in [isFresh ? version.digest : nil, version.trial] {
                guard let digest, watched.count < Limits.trialReportsCount else { continue }
                watched.append(
                    TrialReport(name: name, generation: version.generation, digest: digest)
                )
            }
        }
        return watched
    }

    /// What every node has said of a version that is on trial.
    public func reports(
        of name: String,
        _ digest: ArtifactDigest
    ) -> [(node: NodeID, report: TrialReport)] { reports.of(name, digest) }

    /// Tells peers what is new: at once that a version is broken or loosens, else once a second.
    mutating func observed(
        _ seen: [TrialReport],
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        reports.told(seen, by: own)
        guard seen != reports.said else { return }
        let isUrgent = seen.contains { report in
            let before = reports.said.first {
                $0.name == report.name && $0.digest == report.digest
                    && $0.generation == report.generation
            }
            return report.isBroken && before?.isBroken != true
                || report.loosened > 0 && (before?.loosened ?? 0) == 0
        }
        guard isUrgent || now >= reports.saidNanos + Limits.reportNanos else { return }
        reports.said = seen
        reports.saidNanos = now
        for node in peers.keys.sorted(by: { $0.raw < $1.raw }) {
            effects.append(.send(node, .report(seen)))
        }
    }

    /// Takes back what a majority of voters calls broken.
    mutating func judge(now: UInt64, into effects: inout [RolloutEffect]) {
        for (name, wish) in wanted.sorted(by: { $0.key < $1.key })
        where running[name]?.generation == wish.generation {
            guard let (revert, voters) = doubted(name, wish.activation, now: now) else { continue }
            let since = reports.doubtedNanos[name] ?? now
            reports.doubtedNanos[name] = since
            guard let turn = voters.firstIndex(of: own),
                now >= since + UInt64(turn) * Limits.revertTurnNanos,
                reports.wroteNanos[name].map({ now >= $0 + Limits.promiseNanos }) ?? true
            else { continue }
            reports.wroteNanos[name] = now
            effects.append(.revert(revert, generation: wish.generation + 1))
        }
    }

    /// What should serve instead, and who says so; nil while no majority does.
    private func doubted(
        _ name: String,
        _ active: Activation,
        now: UInt64
    ) -> (Activation, [NodeID])? {
        if let digest = active.digest, let previous = active.previous, isReady(previous),
            reports.isFresh(name, now: now), let votes = votes(name, against: digest)
        {
            // Nothing stands behind it: neither a rollback nor further votes lead to what is
            // broken.
            let back = Activation(
                name: name,
                digest: previous,
                previous: nil,
                revert: Revert(digest: digest, votes: votes)
            )
            return (back, votes.map(\.voter))
        }
        guard let trial = active.trial, let votes = votes(name, against: trial.digest) else {
            return nil
        }
        let back = Activation(
            name: name,
            digest: active.digest,
            previous: active.previous,
            revert: Revert(digest: trial.digest, votes: votes)
        )
        return (back, votes.map(\.voter))
    }

    /// The voters that call a version broken, if they are a majority.
    private func votes(_ name: String, against digest: ArtifactDigest) -> [FaultVote]? {
        let broken = reports.of(name, digest).filter { entry in
            entry.report.isBroken && voters.slots.contains { $0.node == entry.node }
        }
        guard isMajority(Set(broken.map(\.node))) else { return nil }
        return broken.map { entry in
            FaultVote(
                voter: entry.node,
                cause: entry.report.cause,
                failed: entry.report.failed,
                calls: entry.report.calls
            )
        }
    }
}

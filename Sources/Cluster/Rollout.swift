// Function versions on their way to every node: who has which, and when one begins to serve.
//
//     published or fetched ─► kept ─► preparing ─┬─► ready ───────────────┐
//                                                └─► failed(why)          │
//     asked ─► poll ─► a majority of voters is ready ─► register written  │
//                          └─► not within 2 s: refused                    ▼
//     register shown ─► a lease from after that ─► and the version ready ─► activate
//                                                                             │
//     register written by voters ◄─ a majority says it is broken ◄─ reports ◄─┘
//
// Nobody leads. Every node fetches what is announced, prepares it by itself and says what came of
// it. Activating writes one register, whose highest generation wins (DESIGN 8). Two things keep an
// isolated minority at its last version: the poll before the register is written, and the lease
// that must have been earned after the register was seen. Registers show themselves when the own
// log has them, which a minority's log does as well; a new lease takes a majority.
//
// Polls and what keeps two of them apart stand in RolloutPolls.swift, versions on trial and votes
// against a version in RolloutTrials.swift, artifacts in RolloutArtifacts.swift.

public import Suppression

/// The machine; a value.
public struct Rollout: Sendable {
    /// What a register asks for.
    struct Wanted: Equatable, Sendable {
        let activation: Activation
        let generation: UInt64
        /// When this node saw it.
        let seenNanos: UInt64
    }

    /// An artifact on its way here; one at a time.
    struct Fetch: Equatable, Sendable {
        let notice: ArtifactNotice
        let from: NodeID
        var bytes: [UInt8] = []
        var askedNanos: UInt64
    }

    let own: NodeID
    var artifacts: [ArtifactDigest: ArtifactNotice] = [:]
    var wanted: [String: Wanted] = [:]
    var running: [String: RunningVersion] = [:]
    var peers: [NodeID: [ArtifactDigest: ArtifactNotice]] = [:]
    /// Peers that sent something else under this name, or nothing: asked again after a while.
    var spoilers: [ArtifactDigest: Set<NodeID>] = [:]
    private var forgivenNanos: UInt64 = 0
    var fetch: Fetch?
    /// Came whole, and is on its way to the disk.
    var landing: Set<ArtifactDigest> = []
    /// Functions that should serve here and cannot.
    private var lacking: Set<String> = []
    var polls: [Poll] = []
    var nextPoll: UInt64 = 1
    /// Whom this node has promised its vote, by function.
    var promises: [String: Promise] = [:]
    var voters: VoterSet
    /// What each node has seen of the versions on trial.
    var reports = TrialReports()
    private var asOfNanos: UInt64?
    /// What was said last, so that nothing is said twice.
    private var said: [ArtifactNotice] = []

    /// Begins with what an earlier life left.
    ///
    /// - Parameters:
    ///   - running: what serves already, from the file that the earlier life wrote.
    public init(own: NodeID, voters: VoterSet, running: [String: RunningVersion] = [:]) {
        self.own = own
        self.voters = voters
        self.running = running
    }

    /// What this node has, by name and age.
    public var notices: [ArtifactNotice] {
        artifacts.values.sorted {
            ($0.name, $1.publishedMillis, $0.digest) < ($1.name, $0.publishedMillis, $1.digest)
        }
    }

    /// What a peer has said of an artifact; nil for nothing.
    public func notice(of digest: ArtifactDigest, by node: NodeID) -> ArtifactNotice? {
        peers[node]?[digest]
    }

    /// What serves of a function.
    public func runs(_ name: String) -> RunningVersion? { running[name] }

    /// Whether some function should run another version here than it does: leases matter then.
    public var isWaiting: Bool { wanted.contains { running[$0.key] != target(of: $0.value) } }

    /// Whether the cluster has a version of this function serving and this node has none.
    public func lacks(_ name: String) -> Bool { lacking.contains(name) }

    private func target(of wanted: Wanted) -> RunningVersion {
        let trial = wanted.activation.trial?.digest
        return RunningVersion(
            generation: wanted.generation,
            digest: wanted.activation.digest,
            // What cannot be tried here is not: what serves, serves.
            trial: isReady(trial) ? trial : nil
        )
    }

    func isReady(_ digest: ArtifactDigest?) -> Bool {
        guard let digest else { return true }
        return artifacts[digest]?.state == .ready
    }

    /// Takes one event and appends what must be done.
    public mutating func step(
        _ event: RolloutEvent,
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        switch event {
        case .linked(let node):
            peers[node] = peers[node] ?? [:]
            // Who has nothing says nothing: a version of Quell without functions hears no word
            // that it does not know.
            if !announced.isEmpty { effects.append(.send(node, .have(announced))) }
            if !reports.said.isEmpty { effects.append(.send(node, .report(reports.said))) }
        case .unlinked(let node):
            peers[node] = nil
            reports.unlinked(node)
            if fetch?.from == node { fetch = nil }
        case .received(let node, let message):
            guard peers[node] != nil else { return }
            received(message, from: node, now: now, into: &effects)
        case .kept(let notice): keep(notice, into: &effects)
        case .spoiled(let digest, let node):
            landing.remove(digest)
            spoilers[digest, default: []].insert(node)
        case .prepared(let digest, let failure):
            artifacts[digest]?.state = failure.map { .failed($0) } ?? .ready
        case .trusted: retry(into: &effects)
        case .registered(let activation, let generation):
            wanted[activation.name] = Wanted(
                activation: activation,
                generation: generation,
                seenNanos: now
            )
            reports.begin(activation.name, generation)
        case .observed(let seen): observed(seen, now: now, into: &effects)
        case .vouched(let asOf): asOfNanos = asOf
        case .voters(let set): voters = set
        case .asked(let ticket, let name, let proposal):
            ask(ticket, name, proposal, now: now, into: &effects)
        case .ticked: ticked(now: now, into: &effects)
        }
        settle(now: now, into: &effects)
    }

    private mutating func ticked(now: UInt64, into effects: inout [RolloutEffect]) {
        endPolls(now: now, into: &effects)
        if let asked = fetch?.askedNanos, now >= asked + Limits.pieceDeadlineNanos {
            if let fetch { spoilers[fetch.notice.digest, default: []].insert(fetch.from) }
            fetch = nil
        }
        if now >= forgivenNanos + Limits.forgiveNanos {
            forgivenNanos = now
            spoilers = [:]
        }
    }

    /// Flips what may be flipped, fetches, forgets and says what is new.
    private mutating func settle(now: UInt64, into effects: inout [RolloutEffect]) {
        for (name, wish) in wanted.sorted(by: { $0.key < $1.key }) {
            let target = target(of: wish)
            guard running[name] != target, let asOf = asOfNanos, asOf > wish.seenNanos
            else { continue }
            guard isReady(target.digest) else {
                // What runs goes on; what never ran here is missing.
                if running[name]?.digest == nil, lacking.insert(name).inserted {
                    effects.append(.lack(name: name, target))
                }
                continue
            }
            lacking.remove(name)
            if running[name]?.digest != target.digest { reports.began(name, now: now) }
            running[name] = target
            effects.append(.activate(wish.activation, target))
        }
        judge(now: now, into: &effects)
        forget(into: &effects)
        fetchNext(now: now, into: &effects)
        let notices = announced
        guard notices != said else { return }
        said = notices
        for node in peers.keys.sorted(by: { $0.raw < $1.raw }) {
            effects.append(.send(node, .have(notices)))
        }
    }

    /// What this node says of its artifacts.
    private var announced: [ArtifactNotice] {
        notices.prefix(Limits.artifactsCount).map { notice in
            var notice = notice
            let serving = running[notice.name]
            let isServing = serving?.digest == notice.digest || serving?.trial == notice.digest
            notice.generation = isServing ? serving?.generation ?? 0 : 0
            return notice
        }
    }

    // MARK: peers

    private mutating func received(
        _ message: RolloutMessage,
        from node: NodeID,
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        switch message {
        case .have(let notices):
            peers[node] = Dictionary(notices.map { ($0.digest, $0) }) { first, _ in first }
        case .want(let digest, let offset):
            guard let notice = artifacts[digest], offset < notice.bytes else { return }
            effects.append(.sendPiece(node, digest, offset: offset))
        case .piece(let digest, let offset, let total, let bytes):
            took(digest, offset, total, bytes, from: node, now: now, into: &effects)
        case .poll(let poll):
            let answer = answer(to: poll, from: node, now: now)
            effects.append(.send(node, .vote(number: poll.number, answer)))
        case .vote(let number, let answer):
            voted(number, answer, by: node, now: now, into: &effects)
        case .report(let seen): reports.told(seen, by: node)
        }
    }
}

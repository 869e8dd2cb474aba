// Function versions on the node loop: what the machine orders is carried out here.
//
//     link, register, lease, time ──► machine ──► send, keep, prepare, activate, record, refuse
//     keep, prepare               on the functions' thread; what came of it comes back as a message
//     activate                    every serving loop gets the versions, and takes them between two
//                                 of its turns
//
// The machine hears of registers, leases and voters once a turn, by comparing: nothing here runs
// inside a step of the Core.

import Cluster
import EventLoop
import FunctionHost
import FunctionKit
import Servers
import Storage
import Suppression
import Synchronization
import Token
import Wire

/// A question to every serving loop about what it runs.
struct FunctionProbe {
    let exchange: Exchange
    let name: String
    /// The version that is asked for; nil: what serves.
    let digest: String?
    let startedNanos: UInt64
    var digests: [String?] = []
    var isWell = true
}

/// What the node loop keeps for function versions.
struct RolloutDesk {
    var machine: Rollout
    let thread: FunctionThread
    /// What the node came with, to go back to.
    let first: FunctionRuntime
    /// Ready to serve.
    var versions: [ArtifactDigest: FunctionVersion]
    /// The files, for peers that want them.
    var files: [ArtifactDigest: [UInt8]] = [:]
    /// The one that is carried out, and those that came of it.
    var events: [RolloutEvent] = []
    /// Who waits for an artifact to be kept.
    var publishing: [ArtifactDigest: [Exchange]] = [:]
    /// Who waits for a register, and as whom.
    var asking: [UInt64: (exchange: Exchange, admin: AdminKey)] = [:]
    /// Their questions, in this turn.
    var asked: [RolloutEvent] = []
    var probes: [UInt64: FunctionProbe] = [:]
    var nextNumber: UInt64 = 1
    /// Loops that have not got the newest versions.
    var owed: Set<Int> = []
    /// Artifacts whose files may go with the next list.
    var dropped: [ArtifactDigest] = []
    var mustNote = false
    // What the machine has heard of.
    var knownGenerations: [String: (generation: UInt64, digest: ArtifactDigest?)] = [:]
    var knownDeployers: [[UInt8]] = []
    var knownVoters: UInt64 = 0
    var knownCatalog: Catalog?
    var knownLease: UInt64?
    /// What the counts of a version were when it was put on trial.
    var baselines: [ArtifactDigest: TrialBaseline] = [:]

    init(_ start: FunctionStart, own: NodeID, voters: VoterSet, _ node: Mailbox<NodeMessage>) {
        machine = Rollout(own: own, voters: voters, running: start.contents.running)
        first = start.first
        versions = start.versions
        thread = FunctionThread(start.shelf, start.settings, start.runtime.workshop, node)
        for file in start.contents.artifacts { files[file.notice.digest] = file.bytes }
    }
}

extension NodeLoop {
    /// Tells the machine what lies on the disk.
    func beginRollout(_ artifacts: [ArtifactNotice]) {
        for notice in artifacts { rollout(.kept(notice)) }
    }

    /// Hands an event to the machine and carries out what follows; an event that comes of that
    /// waits for its end, or peers would hear the newer word first.
    func rollout(_ event: RolloutEvent) {
        deploys.events.append(event)
        guard deploys.events.count == 1 else { return }
        var effects: [RolloutEffect] = []
        while let next = deploys.events.first {
            effects.removeAll(keepingCapacity: true)
            deploys.machine.step(next, now: Clock.bootNanoseconds(), into: &effects)
            for effect in effects { execute(effect) }
            deploys.events.removeFirst()
        }
    }

    /// Once a turn: what else has changed, and what must be written down.
    func rolloutTurn() {
        if deploys.knownVoters != core.votersInForce.generation {
            deploys.knownVoters = core.votersInForce.generation
            rollout(.voters(core.votersInForce))
        }
        if deploys.knownCatalog !== catalog {
            deploys.knownCatalog = catalog
            registersChanged()
        }
        if deploys.machine.isWaiting, deploys.knownLease != lease.asOfNanos { vouch() }
        note()
    }

    private func vouch() {
        deploys.knownLease = lease.asOfNanos
        rollout(.vouched(asOfNanos: lease.asOfNanos))
    }

    /// What failed for want of trust is tried again when somebody is trusted, and when a register
    /// names it: then its signer was trusted once.
    private func registersChanged() {
        var mustRetry = false
        for (activation, generation) in catalog.activations {
            let known = deploys.knownGenerations[activation.name]
            guard known?.generation != generation || known?.digest != activation.digest else {
                continue
            }
            #if FAULTS
                FaultPoint.registerSeen.reach()
            #endif
            deploys.knownGenerations[activation.name] = (generation, activation.digest)
            rollout(.registered(activation, generation: generation))
            mustRetry = true
        }
        if deploys.knownDeployers != catalog.trustedDeployers {
            deploys.knownDeployers = catalog.trustedDeployers
            mustRetry = true
        }
        if mustRetry { rollout(.trusted) }
    }

    /// Once a tick.
    func rolloutTick(now: UInt64) {
        observeTrials(now: now)
        rollout(.ticked)
        for index in deploys.owed { postFunctions(to: index) }
        for (number, probe) in deploys.probes
        where now >= probe.startedNanos + Limits.probeNanos {
            answer(probe)
            deploys.probes[number] = nil
        }
    }

    private func note() {
        guard deploys.mustNote else { return }
        let machine = deploys.machine
        let names = Set(machine.notices.map(\.name)).union(deploys.knownGenerations.keys)
        var running: [String: RunningVersion] = [:]
        for name in names { running[name] = machine.runs(name) }
        let job = FunctionJob.note(machine.notices, running, dropped: deploys.dropped)
        guard deploys.thread.post(job) else { return }
        deploys.mustNote = false
        deploys.dropped = []
    }

    private func execute(_ effect: RolloutEffect) {
        switch effect {
        case .send(let node, let message): peers.send(.rollout(message), to: node)
        case .sendPiece(let node, let digest, let offset): sendPiece(digest, offset, to: node)
        case .keep(let digest, let millis, let bytes, let from):
            let job = FunctionJob.take(digest, publishedMillis: millis, bytes, from: from)
            if !deploys.thread.post(job) { rollout(.spoiled(digest, from: from)) }
        case .prepare(let digest): prepare(digest)
        case .drop(let digest):
            deploys.files[digest] = nil
            deploys.versions[digest] = nil
            deploys.dropped.append(digest)
            deploys.mustNote = true
        case .activate(let activation, let running): activate(activation, running)
        case .lack(let name, let wanted):
            log.warning("an active function is not here yet", ["function": name])
            let state = FunctionState(
                name: name,
                version: nil,
                lastGood: nil,
                generation: wanted.generation,
                isMissing: true,
                problem: "its artifact has not come or cannot be prepared"
            )
            publish(state)
        case .record(let ticket, let activation, let generation):
            record(ticket, activation, generation)
        case .revert(let activation, let generation): revert(activation, generation)
        case .refuse(let ticket, let refusal):
            guard let asking = deploys.asking.removeValue(forKey: ticket) else { return }
            refuse(asking.exchange, refusal)
        }
    }

    private func sendPiece(_ digest: ArtifactDigest, _ offset: UInt32, to node: NodeID) {
        guard let file = deploys.files[digest], Int(offset) < file.count else { return }
        let end = min(Int(offset) + Int(Cluster.Limits.pieceBytes), file.count)
        let piece = RolloutMessage.piece(
            digest,
            offset: offset,
            total: UInt32(file.count),
            Array(file[Int(offset)..<end])
        )
        peers.send(.rollout(piece), to: node)
    }

    private func prepare(_ digest: ArtifactDigest) {
        if deploys.versions[digest] != nil { return rollout(.prepared(digest, failure: nil)) }
        guard let file = deploys.files[digest] else { return }
        // What a register names was signed by somebody who was trusted then.
        let isNamed = catalog.activations.contains {
            $0.activation.digest == digest || $0.activation.previous == digest
                || $0.activation.trial?.digest == digest
        }
        let trusted = isNamed ? catalog.deployers.map(\.publicKey) : catalog.trustedDeployers
        if !deploys.thread.post(.prepare(digest, file, trusted: trusted)) {
            rollout(.prepared(digest, failure: "too much waits for the functions' thread"))
        }
    }

    /// The functions' thread is done with something.
    func took(_ result: FunctionResult) {
        switch result {
        case .kept(let notice, let bytes):
            deploys.files[notice.digest] = bytes
            deploys.mustNote = true
            rollout(.kept(notice))
            published(notice)
        case .spoiled(let digest, let node, let why):
            log.warning(
                "an artifact was refused",
                ["function.digest": hexText(digest.bytes), "cause": why]
            )
            if let node { rollout(.spoiled(digest, from: node)) }
            for exchange in deploys.publishing.removeValue(forKey: digest) ?? [] {
                _ = admin?.complete(exchange) { $0.unavailable("It cannot be kept: \(why).") }
            }
        case .version(let digest, let version, let workshop):
            deploys.versions[digest] = version
            let runtime = metrics.functions.withLock { $0 }
            if runtime.workshop == nil, let state = runtime.states.first {
                metrics.functions.withLock { $0 = $0.with(state, workshop) }
            }
            rollout(.prepared(digest, failure: nil))
            refresh(version.spec.name)
            #if FAULTS
                peers.flush()
                FaultPoint.readySaid.reach()
            #endif
        case .failed(let digest, let why):
            log.warning(
                "a function version cannot serve",
                ["function.digest": hexText(digest.bytes), "cause": why]
            )
            rollout(.prepared(digest, failure: why))
        case .unwritten(let why):
            log.warning("what runs could not be written down", ["cause": why])
        }
    }

    // MARK: serving

    private func activate(_ activation: Activation, _ running: RunningVersion) {
        let name = activation.name
        deploys.mustNote = true
        say(activation, running)
        for case let digest? in [running.digest, running.trial] {
            deploys.baselines[digest] = deploys.versions[digest].map {
                TrialBaseline($0.tally, running.generation)
            }
        }
        guard let digest = running.digest else {
            guard let own = deploys.first.state(name) else {
                metrics.functions.withLock { $0 = $0.without(name) }
                return postFunctions()
            }
            return publish(state(activation, running, own.version, lastGood: nil))
        }
        let before = activation.previous.flatMap { deploys.versions[$0] }
        publish(state(activation, running, deploys.versions[digest], lastGood: before))
        #if FAULTS
            FaultPoint.flipped.reach()
        #endif
    }

    /// The version before may have become ready after this one began to serve.
    private func refresh(_ name: String) {
        guard let running = deploys.machine.runs(name), let digest = running.digest,
            let activation = catalog.activation(of: name)?.activation,
            let previous = activation.previous,
            let known = metrics.functions.withLock({ $0.state(name) }),
            known.version != nil, known.lastGood == nil, let before = deploys.versions[previous]
        else { return }
        let version = deploys.versions[digest] ?? known.version
        publish(state(activation, running, version, lastGood: before))
    }

    private func state(
        _ activation: Activation,
        _ running: RunningVersion,
        _ version: FunctionVersion?,
        lastGood: FunctionVersion?
    ) -> FunctionState {
        var state = FunctionState(
            name: activation.name,
            version: version,
            lastGood: lastGood,
            generation: running.generation
        )
        state.trial = trial(activation, running)
        state.isReverted = activation.revert != nil
        return state
    }

    private func publish(_ state: FunctionState) {
        metrics.functions.withLock { $0 = $0.with(state, nil) }
        postFunctions()
    }

    private func postFunctions() { for index in doors.indices { postFunctions(to: index) } }

    /// A loop that cannot take the versions now keeps those that it has.
    private func postFunctions(to index: Int) {
        let runtime = metrics.functions.withLock { $0 }
        if doors[index].mailbox.post(.functions(runtime)) {
            deploys.owed.remove(index)
        } else {
            deploys.owed.insert(index)
        }
    }

    // MARK: probes

    /// A serving loop has asked its smoke requests.
    func probed(_ number: UInt64, _ digest: String?, _ isWell: Bool) {
        deploys.probes[number]?.digests.append(digest)
        if !isWell { deploys.probes[number]?.isWell = false }
        guard let probe = deploys.probes[number], probe.digests.count == doors.count else { return }
        deploys.probes[number] = nil
        answer(probe)
    }
}

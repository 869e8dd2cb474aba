// Repair: two nodes find out by what their marks differ, and mend it, in close to the fewest bytes.
//
//     asked ──► run with one peer: conversation, mended? ──► conversation that proves it ──► report
//     open from a peer ──► its guest, answered from a frozen copy of our own sketch
//
// A pure value beside the Core: it decides what is compared and what is sent; the Core's log takes
// what comes (CoreRepair.swift), so a mark that repair brings is committed, shown and checkpointed
// as any other. Layer 1, held sets and pulls, never stops and is not part of this: a run begins
// from a sketch that shows all that was committed, compares once more after each mending, and
// leaves it to the next round to settle what was under way meanwhile (DESIGN 7).
//
// Both sides freeze a copy first, because live cells do not decode. Everything is bounded: guests,
// windows, bulk messages a tick, differences a conversation, rounds a run, and how long anybody is
// waited for.

public import Suppression

/// All comparisons of one node.
public struct Repair: Sendable {
    private struct Run {
        var report: RepairReport
        let isDry: Bool
        let roundsMost: Int
        let beganNanos: UInt64
        var roundsCount = 0
        var nextNanos: UInt64
        var id: RepairID?
        /// The sketch is still being read: tried again until then.
        var patienceNanos: UInt64
    }

    private let own: NodeID
    private var isDamaged: Bool
    private var isJoining = false
    private var run: Run?
    private var sessions: [RepairSession] = []
    private var isFreezing = false
    private var nextNumber: UInt32 = 0
    private var budget = Limits.repairMessagesPerTickCount
    private let bugs: SeededBugs

    /// - Parameters:
    ///   - own: this node.
    ///   - isDamaged: its marks are not those that it wrote.
    ///   - bugs: rules left out on purpose, in a debug build only.
    public init(own: NodeID, isDamaged: Bool, bugs: SeededBugs = SeededBugs()) {
        self.own = own
        self.bugs = bugs
        self.isDamaged = isDamaged
    }

    /// Whether a run is under way; the next must wait.
    public var isBusy: Bool { run != nil }

    /// Conversations, for tests and for whoever asks why memory is in use.
    public var conversationsCount: Int { sessions.count }

    /// Differences that the present conversation of the run has found, and those that are settled;
    /// the side that gives cells learns of them only at the end.
    public var progress: (found: Int, settled: Int) {
        guard let id = run?.id, let session = sessions.first(where: { $0.id == id }),
            let peeling = session.peeling
        else { return (0, 0) }
        return peeling.progress
    }

    /// Takes one event and appends what must be done.
    public mutating func step(
        _ event: RepairEvent,
        now: UInt64,
        into effects: inout [RepairEffect]
    ) {
        switch event {
        case .asked(let peer, let isDry, let rounds): begin(peer, isDry, rounds, now: now)
        case .frozen(let sketch, let marksCount):
            isFreezing = false
            for at in sessions.indices where sessions[at].phase == .freezing {
                frozen(at, sketch, marksCount, now: now, &effects)
            }
        case .received(let id, let message): received(id, message, now: now, &effects)
        case .found(let id, let found):
            with(id) { $0.found(found, now: now, &effects) }
        case .listed(let id, let ids):
            with(id) { $0.listed(ids, now: now, &effects) }
        case .stored(let id):
            with(id) { $0.stored(now: now, &effects) }
        case .unlinked(let node):
            for at in sessions.indices where sessions[at].id.peer == node {
                sessions[at].failure = .unreachable
                sessions[at].phase = .ended
            }
            if run?.id == nil, run?.report.peer == node { finish(.unreachable, now, &effects) }
        case .damaged(let isDamaged): self.isDamaged = isDamaged
        case .turned: for at in sessions.indices { sessions[at].peel(&effects) }
        case .joining(let isJoining): self.isJoining = isJoining
        case .ticked:
            budget = Limits.repairMessagesPerTickCount
            giveUpSilent(now)
        }
        for at in sessions.indices { sessions[at].pump(&budget, &effects) }
        settleEnded(now, &effects)
        goOn(now)
        freezeIfNeeded(&effects)
    }

    private mutating func with(_ id: RepairID, _ body: (inout RepairSession) -> Void) {
        guard let at = sessions.firstIndex(where: { $0.id == id }) else { return }
        body(&sessions[at])
    }

    // MARK: the run

    private mutating func begin(_ peer: NodeID, _ isDry: Bool, _ rounds: Int, now: UInt64) {
        precondition(run == nil, "one run at a time")
        run = Run(
            report: RepairReport(peer: peer),
            isDry: isDry,
            roundsMost: rounds,
            beganNanos: now,
            nextNanos: now,
            patienceNanos: now + Limits.repairSilenceNanos
        )
    }

    /// The next conversation of the run, when it is time.
    private mutating func goOn(_ now: UInt64) {
        guard let current = run, current.id == nil, now >= current.nextNanos else { return }
        nextNumber += 1
        let peer = current.report.peer
        let id = RepairID(peer: peer, number: nextNumber * 2 + (own < peer ? 0 : 1))
        sessions.append(
            RepairSession(id, isInitiator: true, isDry: current.isDry, now: now, bugs: bugs)
        )
        run?.id = id
        run?.roundsCount += 1
    }

    private mutating func freezeIfNeeded(_ effects: inout [RepairEffect]) {
        guard !isFreezing, sessions.contains(where: { $0.phase == .freezing }) else { return }
        isFreezing = true
        effects.append(.freeze)
    }

    private mutating func frozen(
        _ at: Int,
        _ sketch: Sketch?,
        _ marksCount: UInt64,
        now: UInt64,
        _ effects: inout [RepairEffect]
    ) {
        guard let sketch else {
            sessions[at].failure = .notReady
            sessions[at].phase = .ended
            if !sessions[at].isInitiator { sessions[at].send(.refused(.notReady), &effects) }
            return
        }
        sessions[at].heardNanos = now
        sessions[at].ours = sketch
        sessions[at].mine = RepairState(
            digest: sketch.digest,
            marksCount: marksCount,
            isDamaged: isDamaged || isJoining,
            isDry: sessions[at].isDry
        )
        if sessions[at].isInitiator {
            sessions[at].phase = .opening
            sessions[at].send(.open(sessions[at].mine), &effects)
        } else if let theirs = sessions[at].theirs {
            answer(at, sketch, theirs, &effects)
        }
    }

    // MARK: guests

    private mutating func received(
        _ id: RepairID,
        _ message: RepairMessage,
        now: UInt64,
        _ effects: inout [RepairEffect]
    ) {
        if case .open(let state) = message {
            return opened(id, state, now: now, &effects)
        }
        guard let at = sessions.firstIndex(where: { $0.id == id }) else {
            // Of a conversation that has ended here; only an answer to an answer could go on.
            return
        }
        sessions[at].heard(message, now: now)
        switch (sessions[at].phase, message) {
        case (.opening, .opened(let theirs, let samples)):
            sessions[at].opened(with: theirs, &effects)
            guard sessions[at].phase == .comparing, let ours = sessions[at].ours else { return }
            if sessions[at].peeling != nil {
                sessions[at].peeling?.observe(samples, ours)
            } else {
                var estimate = DifferenceEstimate()
                for (cell, check) in zip(SketchSamples.cells, samples) {
                    let mine = ours.cells(cell..<cell + 1).checks[0]
                    estimate.observe(cell: cell, isEmpty: mine == check)
                }
                sessions[at].giveFirst(estimate: estimate.count)
            }
        case (.opening, .refused), (.comparing, _): sessions[at].take(message, &effects)
        case (.freezing, _), (.opening, _), (.ended, _): break
        }
    }

    private mutating func opened(
        _ id: RepairID,
        _ state: RepairState,
        now: UInt64,
        _ effects: inout [RepairEffect]
    ) {
        // A guest that begins anew has given up what it began before.
        sessions.removeAll { !$0.isInitiator && $0.id.peer == id.peer }
        let isTheirs = (id.number % 2 == 0) == (id.peer < own)
        var guest = RepairSession(id, isInitiator: false, isDry: state.isDry, now: now, bugs: bugs)
        guest.heard(.open(state), now: now)
        // All that is not here yet would count as a difference, and be pushed a second time.
        guard !isJoining || !isTheirs else { return guest.send(.refused(.busy), &effects) }
        guard isTheirs, sessions.count(where: { !$0.isInitiator }) < Limits.repairGuestsCount
        else { return guest.send(.refused(isTheirs ? .busy : .confused), &effects) }
        guest.theirs = state
        sessions.append(guest)
    }

    private mutating func answer(
        _ at: Int,
        _ sketch: Sketch,
        _ theirs: RepairState,
        _ effects: inout [RepairEffect]
    ) {
        sessions[at].opened(with: theirs, &effects)
        var samples: [UInt16] = []
        if sessions[at].phase == .comparing {
            samples = SketchSamples.cells.map { sketch.cells($0..<$0 + 1).checks[0] }
        }
        sessions[at].send(.opened(sessions[at].mine, samples: samples), &effects)
        if sessions[at].phase == .comparing, sessions[at].peeling == nil {
            sessions[at].giveFirst(estimate: 0)
        }
    }

    // MARK: ends

    private mutating func giveUpSilent(_ now: UInt64) {
        for at in sessions.indices
        where now >= sessions[at].heardNanos + Limits.repairSilenceNanos {
            sessions[at].failure = .silent
            sessions[at].phase = .ended
        }
    }

    private mutating func settleEnded(_ now: UInt64, _ effects: inout [RepairEffect]) {
        let ended = sessions.filter { $0.phase == .ended }
        guard !ended.isEmpty else { return }
        sessions.removeAll { $0.phase == .ended }
        for session in ended {
            if session.failure == nil, session.isEqual, session.theirs?.isDamaged == false {
                effects.append(.proved(session.id.peer))
            }
            if session.id == run?.id { settle(session, now, &effects) }
        }
    }

    /// A conversation of the run has ended: was that all?
    private mutating func settle(
        _ session: RepairSession,
        _ now: UInt64,
        _ effects: inout [RepairEffect]
    ) {
        guard var current = run else { return }
        current.id = nil
        if session.failure == .notReady, now < current.patienceNanos {
            current.nextNanos = now + Limits.repairPauseNanos
            current.roundsCount -= 1
            run = current
            return
        }
        let isProof = session.isEqual && current.roundsCount > 1
        if !isProof { current.report.add(session) }
        current.report.isEqual = session.isEqual && session.failure == nil
        current.report.isDoubted = session.theirs?.isDamaged ?? false
        current.nextNanos = now + (current.roundsCount > 1 ? Limits.repairPauseNanos : 0)
        run = current
        let isOver =
            session.failure != nil || session.isEqual || current.isDry
            || current.roundsCount >= current.roundsMost
        if isOver { finish(session.failure, now, &effects) }
    }

    private mutating func finish(
        _ failure: RepairFailure?,
        _ now: UInt64,
        _ effects: inout [RepairEffect]
    ) {
        guard var report = run?.report, let began = run?.beganNanos else { return }
        report.failure = failure
        report.nanoseconds = now - min(now, began)
        run = nil
        effects.append(.report(report))
    }
}

extension RepairReport {
    fileprivate mutating func add(_ session: RepairSession) {
        bytesSent += session.bytesSent
        bytesReceived += session.bytesReceived
        guard let counts = session.counts else {
            // Equal: one question, one answer.
            if session.isEqual { roundTrips += 1 }
            return
        }
        roundTrips += UInt64(counts.roundTrips)
        differences += counts.differences
        floorBytes += counts.floorBytes
        guard !session.isDry else { return }
        let isPeeling = session.peeling != nil
        pushed += isPeeling ? counts.given : counts.got
        pulled += isPeeling ? counts.got : counts.given
    }
}

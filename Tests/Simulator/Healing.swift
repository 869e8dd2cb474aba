// How a run ends: everything is mended, the operator binds the slots of lost disks anew, and within
// bounded time and bytes all must agree.

import Suppression

@testable import Cluster

extension World {
    /// Everything works again: within a bounded time all agree, or the run has failed.
    func heal() {
        isHealing = true
        for shell in shells {
            shell.isDiskFull = false
            shell.failsNextCommit = false
            shell.crashesAfter = nil
            shell.slowUntil = 0
            for loop in shell.loops.indices { shell.loops[loop].stalledUntil = 0 }
            if shell.pausedUntil > now {
                shell.pausedUntil = now
                timeline.at(now, .resume(shell.index))
            }
            if !shell.isUp { timeline.at(now, .start(shell.index, life: shell.life)) }
            for other in shells.indices { cuts[shell.index][other] = false }
        }
        for a in shells.indices {
            for b in shells.indices where a < b { reset(a, b) }
        }
        // Bounded rounds: each half second everyone compares with three others at least twice, and
        // a pull of a few writes takes a round trip and two commits a page.
        let bound = healingRoundsBound
        healingBound = bound
        let generation = newestVoters.generation
        for round in 1...bound {
            run(until: now + 500 * millisecond)
            if ledger.violation != nil { return }
            if difference() == nil { return healed(after: round, since: generation) }
            tend(round: round)
            if round % 4 == 0 { restartOutdated() }
            if round == Self.mendingRounds { replaceUnmended() }
        }
        ledger.fail("not healed in \(bound / 2) s: \(difference() ?? "")")
    }

    /// Half seconds until all agree: 10 s for deadlines of gate and pulls, and the time in which
    /// a node pulls everything once, page by page: a round trip, the commit of the page and that of
    /// the record which closes a pull, and the checkpoint that a full backlog waits for.
    private var healingRoundsBound: Int {
        let micros = 2 * (20 + swarm.delayMicros) + 2 * (250 + swarm.commitMicros) + 5_000
        let pages = ledger.writesCount / swarm.bounds.pageDotsCount + 1
        return 20 + pages * Int(micros) / 500_000 + changesBound + repairBound
    }

    /// Half seconds for repair: a round of the background with every other node and one that it
    /// came too late for; a joiner's patience, and ten tries with a donor that is not ready, each
    /// of which waits until the background's is over.
    private var repairBound: Int {
        guard swarm.repairMillis > 0 else { return 0 }
        let rounds = 2 * (Int(swarm.repairMillis) / 500 + 2 * shells.count)
        let pause = Cluster.Limits.joinPauseNanos + swarm.repairMillis * millisecond
        let joiner =
            Cluster.Limits.joinPatienceNanos + UInt64(Cluster.Limits.joinTriesCount) * pause
        let replaced = swarm.damageMillis > 0 ? 2 * Self.mendingRounds : 0
        return replaced + rounds + Int(joiner / 500_000_000)
    }

    /// Half seconds after which a node that is still damaged is replaced: two rounds of the slowest
    /// background with six others, and what two joiners may take, for whom it may have to wait:
    /// each tries the other, and the damaged one, ten times before it goes on without them.
    private static let mendingRounds = 200

    /// Bytes of comparing: questions of each tick to each peer, and twice all marks to each.
    private func repairBytes(_ rounds: Int) -> Int {
        guard swarm.repairMillis > 0 else { return 0 }
        let marks = shells.map(\.disk.truth.marks.count).max() ?? 0
        return shells.count * (2_000 * rounds + 2 * 400 * marks)
    }

    /// Half seconds for the generations that mending takes: each is proposed within ten turns, is
    /// perhaps outbid once, and is caught up with within some rounds of questions.
    private var changesBound: Int {
        let set = newestVoters
        let open = set.slots.count { slot in
            guard let shell = shells.first(where: { $0.disk.node == slot.node }) else {
                return true
            }
            let seat = shell.disk.truth.notes[.seat].flatMap { Core.seat($0.bytes) }
            return shell.disk.isRestored || shell.isOld || slot.since != 1 && seat != slot.since
        }
        let isWanted = wanted.contains { $0.generation > set.generation }
        return 30 * (open + (set.isJoint ? 1 : 0) + (isWanted ? 2 : 0))
    }

    /// A voter that was put back from a copy twice may count its lives no higher than the binding
    /// asks; no generation can bind such a life. The operator starts it again.
    private func restartOutdated() {
        for shell in shells {
            guard let core = shell.core, core.isDoubted,
                let slot = core.voters.slot(of: shell.disk.node),
                core.voters.slots[slot].lowestEpoch > shell.origin.epoch
            else { continue }
            crash(shell)
            timeline.at(now + 50 * millisecond, .start(shell.index, life: shell.life))
        }
    }

    /// All agree: what must be true now, and what it may have cost.
    private func healed(after rounds: Int, since generation: UInt64) {
        reach(.healed)
        ledger.survives(on: shells.map(\.disk))
        checkSketches()
        if ledger.localIsDurable(on: shells.map(\.disk)) { reach(.localMadeDurable) }
        outcome.healingRounds = rounds
        outcome.healingShare = 100 * rounds / healingBound
        // Each generation makes every node say all that it holds once more, to each other one.
        let rounds = rounds + 2 * Int(newestVoters.generation - generation)
        for shell in shells {
            let bytes = shell.healingBytes
            let bound =
                rounds * idleBytes + Self.healingCopies * (ledger.contentBytes + pagesBytes)
                + repairBytes(rounds)
            outcome.healingBytes = max(outcome.healingBytes, bytes)
            outcome.healingBytesShare = max(outcome.healingBytesShare, 100 * bytes / bound)
            if bytes > bound {
                ledger.fail("healing took too many bytes: \(bytes) of \(bound) by \(shell.name)")
            }
        }
    }

    /// How often a node may send all that was ever written, to make everybody equal: once to each
    /// of five others, and some again for pulls that a link's end cut short.
    private static let healingCopies = 8

    /// What the pages of everything take besides their content: each is asked for by what is wanted
    /// and names what its donor holds.
    private var pagesBytes: Int {
        (ledger.writesCount / swarm.bounds.pageDotsCount + 1) * (64 + setBytes)
    }

    /// Bytes of half a second of comparing and confirming: 3 held sets to 3 peers, 3 questions and
    /// answers to each peer, and both name every life of every node.
    private var idleBytes: Int {
        (9 + 6 * shells.count) * (64 + setBytes)
    }

    private var setBytes: Int {
        let held = shells[0].core?.held ?? HeldSet()
        return held.entries.count * 24 + held.intervalCount * 16
    }

    /// More steps than any seed needs; while it heals, what they did not mend.
    var storm: String { isHealing ? difference() ?? "all agree" : "before it healed" }

    /// What keeps this cluster from being whole; nil when nothing does.
    private func difference() -> String? {
        let first = shells[0]
        // A mark or register may show a write that was on one replaced disk only, and that nobody
        // holds any more. Held sets cannot tell; comparing marks by sketches can, where there is
        // repair, and registers are in no sketch.
        let losses: [Fault] = [.wipe, .restore, .rollback, .siege]
        let lostWrites = losses.contains { outcome.faults[$0] != nil }
        for shell in shells {
            guard let core = shell.core else { return "\(shell.name) is down" }
            let theirs = first.core?.held ?? HeldSet()
            let lacks = theirs.subtracting(core.held)
            guard !canBeHad(lacks), !canBeHad(core.held.subtracting(theirs)) else {
                return "\(shell.name) lacks \(lacks.words) of "
                    + "\(first.name), which lacks \(core.held.subtracting(theirs).words)"
            }
            guard lostWrites || shell.disk.truth.marks == first.disk.truth.marks else {
                return "\(shell.name) and \(first.name) hold different marks"
            }
            guard lostWrites || shell.disk.truth.registers == first.disk.truth.registers else {
                return "\(shell.name) and \(first.name) hold different registers"
            }
            let isVouched = core.freshness.lease.permitsAllow(
                now: shell.instant(now).bootNanos,
                boundNanos: swarm.boundMillis * millisecond
            )
            if !isVouched {
                return "\(shell.name) has no lease"
            }
            if core.waitingCount > 0 { return "\(shell.name) owes answers" }
        }
        if let lack = marksDifference() { return lack }
        if let lack = votersDifference() { return lack }
        return ledger.openCount == 0 ? nil : "\(ledger.openCount) callers wait"
    }

    /// Looks at a Core after every step: its queues are within their bounds, and which rare states
    /// it is in.
    func observe(_ core: Core, _ shell: Shell, after event: Event, _ wasPulling: Bool) {
        observeVoters(core, shell)
        let bounds = swarm.bounds
        // Above the bound may stand: the record that closes a pull, and what a node writes down
        // about the voters (a doubt, its end, its seat, the generation that was chosen; its votes).
        let notes = 6 + Limits.owedVotesCount
        if core.pending.count > bounds.pendingChangesCount + notes {
            ledger.fail("pending overflows")
        }
        if core.recent.count > bounds.recentChangesCount { ledger.fail("recent overflows") }
        if core.spread.windowCount > bounds.pushWindowCount { ledger.fail("a window overflows") }
        if core.waitingCount > Limits.waitingWritesCount { ledger.fail("the gate overflows") }
        if core.asking.waitingCount > Limits.waitingConfirmationsCount {
            ledger.fail("confirmations overflow")
        }
        switch event {
        case .refused where core.freshness.lease == .void: reach(.refusedWhatWasShown)
        case .committed: break
        default: if wasPulling, core.pulling.isIdle { reach(.pullAbandoned) }
        }
        if core.spread.hasOverflowed { reach(.windowOverflow) }
        if core.pending.count >= bounds.pendingChangesCount { reach(.pendingFull) }
    }
}

// What breaks, and how a run ends.
//
// A voter's disk is wiped or put back from a copy only as often as a minority of the slots allows:
// beyond that S1 promises nothing. A wiped node comes back under another id and so under no slot; a
// restored one comes back as a learner (DESIGN 6).

import Suppression

@testable import Cluster

extension World {
    /// One of the seed's faults, and the next one scheduled.
    func breakSomething() {
        guard !isHealing, !swarm.faults.isEmpty else { return }
        let number = nextFault
        nextFault += 1
        dice = Dice(seed: seed, .fault, number)
        timeline.at(now + dice.within(1...(2 * swarm.faultMillis)) * millisecond, .fault)
        let fault = dice.one(of: swarm.faults)
        guard let shell = someNode(), trim.hasFault(number, fault) else { return }
        outcome.faults[fault, default: 0] += 1
        outcome.faultNumbers.append(number)
        trace.add(UInt64(shell.index))
        switch fault {
        case .crash: crashAndReturn(shell, after: dice.one(of: [10, 100, 900]))
        case .crashAtEffect: if shell.isUp { shell.crashesAfter = dice.below(30) }
        case .pause: pause(shell)
        case .cutOneWay: cut(shell, both: false)
        case .cutBoth: cut(shell, both: true)
        case .linkReset:
            if let other = someNode(), other !== shell { reset(shell.index, other.index) }
        case .diskFull:
            shell.isDiskFull = true
            timeline.at(now + dice.within(20...600) * millisecond, .makeRoom(shell.index))
        case .diskFail: shell.failsNextCommit = true
        case .slowDisk: shell.slowUntil = now + dice.within(20...800) * millisecond
        case .wipe, .restore: replaceDisk(shell, wiped: fault == .wipe)
        case .clockJump: shell.wallMillis += Int64(dice.below(7_200_001)) - 3_600_000
        case .loopStall:
            let loop = dice.below(shell.loops.count)
            let end = now + dice.within(20...(3 * swarm.boundMillis)) * millisecond
            shell.loops[loop].stalledUntil = end
            if end > now + swarm.boundMillis * millisecond {
                reach(.loopStalledBeyondBound)
            }
        }
    }

    private func crashAndReturn(_ shell: Shell, after millis: UInt64) {
        crash(shell)
        timeline.at(now + millis * millisecond, .start(shell.index, life: shell.life))
    }

    private func pause(_ shell: Shell) {
        guard shell.isUp, now >= shell.pausedUntil else { return }
        let millis = dice.one(of: [20, 300, swarm.boundMillis * 3 / 2])
        if millis > swarm.boundMillis { reach(.pausedBeyondBound) }
        shell.pausedUntil = now + millis * millisecond
        timeline.at(shell.pausedUntil, .resume(shell.index))
    }

    /// Frames of one direction vanish, or both and the link with them.
    private func cut(_ shell: Shell, both: Bool) {
        guard let other = someNode()?.index, other != shell.index else { return }
        let end = now + dice.within(50...(2 * swarm.boundMillis)) * millisecond
        for (from, to) in [(shell.index, other), (other, shell.index)] {
            if !both, from == other { continue }
            cuts[from][to] = true
            timeline.at(end, .mend(from: from, to: to))
        }
        if both { reset(shell.index, other) } else { reach(.oneWayCut) }
    }

    private func replaceDisk(_ shell: Shell, wiped: Bool) {
        let isVoter = voters.slots.contains { $0.node == shell.disk.node }
        if isVoter, !shell.disk.isRestored {
            let spare = voters.slots.count - VoterSet.majority(of: voters.outgoing)
            guard wipedVotersCount < spare else { return }
            wipedVotersCount += 1
        }
        crash(shell)
        ledger.replaced(shell.index)
        if wiped {
            shell.disk = Disk(node: NodeID(raw: dice.bits() | 1 << 63))
            shell.backup = shell.disk
            if isVoter { reach(.votersWiped) }
        } else {
            if shell.backup.node == shell.disk.node { shell.disk = shell.backup }
            shell.disk.isRestored = true
            ledger.forgetStamps(of: shell.name + "/")
            if isVoter { reach(.votersRestored) }
        }
        timeline.at(now + 50 * millisecond, .start(shell.index, life: shell.life))
        ledger.survives(on: shells.map(\.disk))
    }

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
        for round in 1...bound {
            run(until: now + 500 * millisecond)
            if ledger.violation != nil { return }
            if difference() == nil { return healed(after: round) }
            if round % 4 == 0 { restartOutdated() }
        }
        ledger.fail("not healed in \(bound / 2) s: \(difference() ?? "")")
    }

    /// Half seconds until all agree: 10 s for deadlines of gate and pulls, and the time in which
    /// a node pulls everything once, page by page: a round trip, the commit of the page and that of
    /// the record which closes a pull, and the checkpoint that a full backlog waits for.
    private var healingRoundsBound: Int {
        let micros = 2 * (20 + swarm.delayMicros) + 2 * (250 + swarm.commitMicros) + 5_000
        let pages = ledger.writesCount / swarm.bounds.pageDotsCount + 1
        return 20 + pages * Int(micros) / 500_000
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
    private func healed(after rounds: Int) {
        reach(.healed)
        ledger.survives(on: shells.map(\.disk))
        if ledger.localIsDurable(on: shells.map(\.disk)) { reach(.localMadeDurable) }
        outcome.healingRounds = rounds
        outcome.healingShare = 100 * rounds / healingRoundsBound
        for shell in shells {
            let bytes = shell.healingBytes
            let bound = rounds * idleBytes + Self.healingCopies * ledger.contentBytes
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

    /// Bytes of half a second of comparing and confirming: 3 held sets to 3 peers, 3 questions and
    /// answers to each peer, and both name every life of every node.
    private var idleBytes: Int {
        let held = shells[0].core?.held ?? HeldSet()
        let set = held.entries.count * 24 + held.intervalCount * 16
        return (9 + 6 * shells.count) * (64 + set)
    }

    /// What keeps this cluster from being whole; nil when nothing does.
    private func difference() -> String? {
        let first = shells[0]
        // A mark or register may show a write that was on one replaced disk only, and that nobody
        // holds any more. Held sets cannot tell; comparing marks by sketches can, and is not built
        // yet.
        let lostWrites = outcome.faults[.wipe] != nil || outcome.faults[.restore] != nil
        for shell in shells {
            guard let core = shell.core else { return "\(shell.name) is down" }
            guard core.held == first.core?.held else {
                let theirs = first.core?.held ?? HeldSet()
                return "\(shell.name) lacks \(theirs.subtracting(core.held).words) of "
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
        return ledger.openCount == 0 ? nil : "\(ledger.openCount) callers wait"
    }

    /// Looks at a Core after every step: its queues are within their bounds, and which rare states
    /// it is in.
    func observe(_ core: Core, after event: Event, _ wasPulling: Bool) {
        let bounds = swarm.bounds
        // Above the bound may stand: the record that closes a pull, and what a node writes down
        // about the voters (a doubt, its end, its seat, its vote, the generation that was chosen).
        if core.pending.count > bounds.pendingChangesCount + 6 { ledger.fail("pending overflows") }
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

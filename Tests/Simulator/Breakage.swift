// What breaks.
//
// A voter's disk is wiped or put back from a copy only while a majority of the seated voters keeps
// its memory (`isSound`): beyond that S1 promises nothing. A wiped node comes back under another id
// and so under no slot; a restored one comes back as a learner (DESIGN 6).

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
        if isSomebodyUnaware {
            guard ![.crash, .crashAtEffect, .diskFail, .wipe, .restore].contains(fault) else {
                return
            }
        }
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
        case .rollback: rollBack(shell)
        case .siege: besiege(shell)
        case .damage: break  // dealt apart: Damage.swift
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
        guard mayLose(shell) else { return }
        let isVoter = newestVoters.slot(of: shell.disk.node) != nil
        crash(shell)
        ledger.replaced(shell.index)
        shell.saidGeneration = 0
        shell.isOld = false
        shell.isEmptied = wiped && swarm.bugs.contains(.votersByName)
        if wiped {
            let isKept = swarm.bugs.contains(.votersByName)
            let node = isKept ? shell.disk.node : NodeID(raw: dice.bits() | 1 << 63)
            shell.disk = Disk(node: node, repairs: swarm.repairMillis > 0)
            shell.backup = shell.disk
            shell.livesCount = 0
            if isVoter { reach(.votersWiped) }
        } else {
            if shell.backup.node == shell.disk.node { shell.disk = shell.backup }
            shell.disk.isRestored = true
            shell.livesCount += 1
            ledger.forgetStamps(of: shell.disk.node)
            if isVoter { reach(.votersRestored) }
        }
        timeline.at(now + 50 * millisecond, .start(shell.index, life: shell.life))
        ledger.survives(on: shells.map(\.disk))
        looksAtMajorities = true
    }

    /// The whole device is put back from a snapshot: the directory itself looks as it did. Others
    /// find it by what they remember, so all of them must.
    private func rollBack(_ shell: Shell) {
        guard newestVoters.slot(of: shell.disk.node) != nil, shell.backup.node == shell.disk.node,
            !shell.backup.isRestored, !shell.disk.isRestored, !shell.isOld, mayLose(shell),
            isRemembered(shell)
        else { return }
        for other in shells {
            other.crashesAfter = nil
            other.failsNextCommit = false
        }
        crash(shell)
        ledger.replaced(shell.index)
        shell.saidGeneration = 0
        shell.disk = shell.backup
        shell.isOld = true
        shell.livesCount += 1
        ledger.forgetStamps(of: shell.disk.node)
        reach(.diskOfLost)
        timeline.at(now + 50 * millisecond, .start(shell.index, life: shell.life))
        ledger.survives(on: shells.map(\.disk))
        looksAtMajorities = true
    }

    /// Whether every other node would doubt the life that begins on the copy of this one's disk.
    private func isRemembered(_ shell: Shell) -> Bool {
        let epoch = Epoch(counter: shell.backup.counter + 1, random: 0)
        let life = Origin(node: shell.disk.node, epoch: epoch)
        return shells.allSatisfy { other in
            guard other !== shell else { return true }
            guard let core = other.core, !other.isOld else { return false }
            var lives = core.lives
            return !lives.linked(life, before: nil, held: core.held)
        }
    }

    /// A voter misses what the two others make durable; one of these is wiped, and learns from the
    /// one that missed it, which hears nobody else.
    private func besiege(_ late: Shell) {
        let set = newestVoters
        guard set.slot(of: late.disk.node) != nil else { return }
        let others = shells.filter { $0 !== late && set.slot(of: $0.disk.node) != nil }
        guard others.count > 1 else { return }
        let victim = others[dice.below(others.count)]
        let strike = now + dice.within(100...500) * millisecond
        let end = strike + dice.within(1_000...4_000) * millisecond
        for other in shells where other !== late {
            let until = other === victim ? strike : end
            for (from, to) in [(late.index, other.index), (other.index, late.index)] {
                cuts[from][to] = true
                timeline.at(until, .mend(from: from, to: to))
            }
            reset(late.index, other.index)
        }
        timeline.at(strike, .strike(victim.index))
        for millis in [200, 400, 800, 1_600] as [UInt64] {
            timeline.at(strike + millis * millisecond, .tend(victim.index))
        }
    }

    /// The wipe in the middle of a siege.
    func strike(_ victim: Shell) {
        guard !isHealing, !isSomebodyUnaware else { return }
        if mayLose(victim) { reach(.besieged) }
        replaceDisk(victim, wiped: true)
    }

    /// While nobody has told a disk that it is old, those who remember must stay.
    var isSomebodyUnaware: Bool { shells.contains { $0.isOld } }
}

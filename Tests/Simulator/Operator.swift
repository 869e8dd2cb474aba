// The operator: asks nodes for other voters while everything breaks, and binds the slots of lost
// disks anew when a run is mended.
//
// Knows one thing that no operator knows, the truth about every disk, and uses it for the promise
// alone: S1 holds while a majority of the seated voters keeps its memory. So no command and no loss
// may leave a generation, in force or only wanted, without one. A learner is no copy.
//
//     sound    each party: a majority can vote      outgoing party: a majority is seated

import Suppression

@testable import Cluster

extension World {
    // MARK: what may be asked, and what may be lost

    /// The latest generation that any node is in or has on its disk.
    var newestVoters: VoterSet {
        var newest = voters
        for shell in shells {
            let known = shell.core?.voters ?? votersOn(shell.disk)
            if known.generation > newest.generation { newest = known }
        }
        return newest
    }

    /// The generation in force, every value that somebody wants for the next one, and those before
    /// that are not over yet: until a majority of a generation is in it, the one before must bear
    /// that the few who know of it are gone.
    private func setsAtHand(without lost: Shell? = nil) -> [VoterSet] {
        let newest = newestVoters
        var sets = [newest] + wanted.filter { $0.generation == newest.generation + 1 }
        var last = newest
        while !isUnderWay(last, without: lost), let before = ledger.voters(last.generation - 1) {
            sets.append(before)
            last = before
        }
        return sets
    }

    /// Whether a majority of a generation is in it, or in a later one.
    private func isUnderWay(_ set: VoterSet, without lost: Shell?) -> Bool {
        var mask = SlotMask()
        for (n, slot) in set.slots.enumerated() {
            guard let shell = shells.first(where: { $0.disk.node == slot.node }), shell !== lost
            else { continue }
            let known = shell.core?.voters ?? votersOn(shell.disk)
            if known.generation >= set.generation { mask.insert(n) }
        }
        return set.isMajority(mask)
    }

    /// Whether a set can lose nothing, and can still be changed.
    func isSound(_ set: VoterSet, without lost: Shell? = nil) -> Bool {
        var voting = SlotMask()
        var seated = SlotMask()
        for (n, slot) in set.slots.enumerated() {
            guard let shell = shells.first(where: { $0.disk.node == slot.node }), shell !== lost,
                !shell.isOld, !shell.isEmptied, shell.disk.counter >= shell.livesCount,
                !shell.disk.isRestored, !shell.disk.isDamaged,
                shell.core?.isDoubted != true, !holdsLost(shell.disk.truth.held)
            else { continue }
            let life = shell.isUp ? shell.origin.epoch : Epoch(counter: .max, random: 0)
            guard life >= slot.lowestEpoch else { continue }
            voting.insert(n)
            let seat = shell.disk.truth.notes[.seat].flatMap { Core.seat($0.bytes) }
            if slot.since == 1 || seat == slot.since { seated.insert(n) }
        }
        let outgoing = set.outgoing
        return set.parties.allSatisfy {
            voting.intersection($0).count >= VoterSet.majority(of: $0)
        } && seated.intersection(outgoing).count >= VoterSet.majority(of: outgoing)
    }

    /// Whether a disk may be lost: enough others remember in its place.
    func mayLose(_ shell: Shell) -> Bool {
        let sets = setsAtHand(without: shell)
        guard sets.contains(where: { $0.slot(of: shell.disk.node) != nil }) else { return true }
        return sets.allSatisfy { isSound($0, without: shell) }
    }

    /// Notes a generation that a node proposes.
    func wants(_ set: VoterSet) {
        if !wanted.contains(set) { wanted.append(set) }
    }

    // MARK: commands

    /// A command at some node, and the next one scheduled.
    func command() {
        guard !isHealing, swarm.commandMillis > 0 else { return }
        let number = nextCommand
        nextCommand += 1
        dice = Dice(seed: seed, .command, number)
        timeline.at(now + dice.within(1...(2 * swarm.commandMillis)) * millisecond, .command)
        guard let shell = someNode(), let other = someNode(), trim.hasCommand(number) else {
            return
        }
        let kind = dice.below(12)
        outcome.commands.append(number)
        ask(shell, kind)
        // Two at once, at two nodes: one generation comes of it.
        if dice.thousandths(250), other !== shell { ask(other, dice.below(12)) }
    }

    private func ask(_ shell: Shell, _ kind: Int) {
        guard let core = shell.core, now >= shell.pausedUntil else { return }
        let set = core.votersInForce
        let candidates = self.candidates(of: shell)
        let free = candidates.filter { set.slot(of: $0.origin.node) == nil }.map(\.name)
        guard let change = change(kind, of: set, free) else { return }
        propose(change, at: shell, among: candidates)
    }

    private func change(_ kind: Int, of set: VoterSet, _ free: [String]) -> VoterChange? {
        let lost = set.slots.filter { slot in !shells.contains { $0.disk.node == slot.node } }
        switch kind {
        case 0...5 where !lost.isEmpty:
            let slot = dice.one(of: lost)
            guard let by = free.first(where: { $0 == slot.name }) ?? free.first else { return nil }
            return .replace(slot: slot.name, by: by)
        case 0...1, 6...7:
            guard !free.isEmpty else { return nil }
            return .replace(slot: dice.one(of: set.slots).name, by: dice.one(of: free))
        case 2...3, 8...9:
            guard free.count >= 2, set.slots.count < 5 else { return nil }
            return .add(Array(free.prefix(2)))
        default:
            guard set.slots.count >= 3 else { return nil }
            let first = dice.below(set.slots.count - 1)
            return .remove([set.slots[first].name, set.slots[first + 1].name])
        }
    }

    /// The nodes that an asked node knows: itself and those that are linked.
    private func candidates(of shell: Shell) -> [Candidate] {
        let own = Candidate(name: shell.name, origin: shell.origin, zone: shell.zone)
        let peers = shell.core?.spread.peers ?? []
        return [own] + peers.map { Candidate(name: $0.name, origin: $0.origin, zone: $0.zone) }
    }

    private func propose(_ change: VoterChange, at shell: Shell, among candidates: [Candidate]) {
        guard let core = shell.core else { return }
        let next: VoterSet
        do throws(VoterChangeError) {
            next = try core.votersInForce.changed(change, among: candidates)
        } catch { return reach(.commandRefused) }
        // What the Core cannot know yet: whether a disk was lost a moment ago. Once everything is
        // mended no more are lost.
        guard isHealing || setsAtHand().allSatisfy({ isSound($0) }) && isSound(next) else { return }
        wants(next)
        let ticket = Ticket(raw: nextTicket)
        nextTicket += 1
        ledger.asked(ticket)
        shell.openTickets.append(ticket)
        commandTickets.insert(ticket)
        step(shell, .proposed(ticket, next))
    }

    /// Once everything works: a slot whose disk is lost is bound to the node that has its name now.
    func tend(round: Int) {
        let set = newestVoters
        guard
            let slot = set.slots.first(where: { slot in
                !shells.contains { $0.disk.node == slot.node }
            })
        else { return }
        let asked = shells[round % shells.count]
        guard asked.core?.votersInForce == set, asked.core?.isDoubted == false,
            shells.allSatisfy({ $0.core?.choosing.proposal == nil })
        else { return }
        let candidates = self.candidates(of: asked)
        let free = candidates.filter { set.slot(of: $0.origin.node) == nil }.map(\.name)
        guard let by = free.first(where: { $0 == slot.name }) ?? free.first else { return }
        propose(.replace(slot: slot.name, by: by), at: asked, among: candidates)
    }

    /// What the voters still lack; nil when nothing.
    func votersDifference() -> String? {
        let set = newestVoters
        if set.isJoint { return "generation \(set.generation) is joint" }
        for shell in shells {
            guard let core = shell.core else { return "\(shell.name) is down" }
            if core.voters != set {
                return "\(shell.name) is in generation \(core.voters.generation), "
                    + "not \(set.generation)"
            }
            if set.slot(of: core.own.node) != nil, core.isDoubted {
                return "\(shell.name) is doubted"
            }
        }
        for slot in set.slots {
            let core = shells.first { $0.disk.node == slot.node }?.core
            guard let core else { return "the node of slot \(slot.name) is lost" }
            if !core.isSeated { return "\(slot.name) is not seated" }
        }
        return nil
    }
}

// The voters as a register: what a shell reads from its disk at a start, and hands to its Core when
// the register is shown.

import Suppression

@testable import Cluster

extension World {
    /// The voters that a disk knows of; those of the founding while it knows none.
    func votersOn(_ disk: Disk) -> VoterSet {
        for register in disk.state.registers.values {
            if let set = votersIn(register) { return set }
        }
        return voters
    }

    /// The epoch of a life: counted up on the disk, and random.
    func nextLife(of shell: Shell) -> Origin {
        let random = UInt32(truncatingIfNeeded: shell.dice.bits())
        if swarm.bugs.contains(.epochReused) {
            return Origin(node: shell.disk.node, epoch: Epoch(counter: 1, random: 1))
        }
        shell.disk.counter += 1
        shell.livesCount = max(shell.livesCount, shell.disk.counter)
        let epoch = Epoch(counter: shell.disk.counter, random: random)
        return Origin(node: shell.disk.node, epoch: epoch)
    }

    /// The number of the first record that a life writes.
    func firstSequence(on disk: Disk) -> UInt64 {
        swarm.bugs.contains(.logSequenceFromOne) ? 1 : disk.nextLocalSequence
    }

    /// What the Core's log holds now counts as durable where it is known, and under the generation
    /// that its node is in.
    func count(_ core: Core, _ shell: Shell) {
        if core.voters.generation != shell.countedGeneration {
            ledger.adopted(core.voters)
            if core.voters.isJoint { reach(.jointGeneration) }
            looksAtMajorities = true
            let first = heldAtFirst[core.voters.generation]?[core.own.node]
            heldAtFirst[core.voters.generation, default: [:]][core.own.node] =
                first ?? core.held
            shell.countedGeneration = core.voters.generation
            shell.counted = HeldSet()
        }
        guard core.held != shell.counted else { return }
        let more = core.held.subtracting(shell.counted)
        shell.counted = core.held
        ledger.claims(more, shell.disk, "held")
        // A disk that may have forgotten a later generation speaks for no slot.
        guard core.isBoundAsIs || !shell.isOld && !core.isDoubted else { return }
        ledger.holds(more, except: lost(of: more), shell.origin, in: core.voters, now: now)
    }

    /// No majority of a generation may confirm without an opt-out that is durable: whoever asked
    /// them would allow it (S2), and whoever believed them would lose it (S1).
    func checkMajorities() {
        looksAtMajorities = false
        let cores = shells.compactMap(\.core)
        for generation in Set(cores.map(\.voters.generation)).sorted() {
            guard let set = cores.first(where: { $0.voters.generation == generation })?.voters
            else { continue }
            let held = set.slots.map { slot in
                cores.first { core in
                    core.own.node == slot.node && core.voters.generation == generation
                        && core.isSeated && !isOld(core.own.node)
                }?.held
            }
            let dot = ledger.durableOptOut(outside: held, set.isMajority)
            if let dot { ledger.fail("majority: of generation \(generation), without \(dot)") }
        }
    }

    /// A learner that takes its seat holds what enough of the others held when they went into its
    /// generation: of these at least one has whatever was durable before.
    private func checkDonors(_ core: Core) {
        let party = core.voters.outgoing
        var donors = SlotMask()
        for (n, slot) in core.voters.slots.enumerated() where slot.node != core.own.node {
            guard let held = heldAtFirst[core.voters.generation]?[slot.node] else { continue }
            if core.held.isSuperset(of: held) { donors.insert(n) }
        }
        if donors.intersection(party).count < VoterSet.blocking(party) {
            ledger.fail("seat: \(donors.intersection(party).count) donors are too few")
        }
    }

    private func isOld(_ node: NodeID) -> Bool {
        shells.contains { $0.disk.node == node && $0.isOld }
    }

    /// Looks at what a node knows of the voters after every step.
    func observeVoters(_ core: Core, _ shell: Shell) {
        if let proposal = core.choosing.proposal {
            wants(proposal.value)
            if proposal.value != proposal.wanted { reach(.valueFinished) }
            let others = shells.count {
                $0.core?.choosing.proposal?.wanted.generation
                    == proposal.wanted.generation
            }
            if others > 1 { reach(.twoProposers) }
        }
        if core.isSeatPending, !shell.wasSeatPending { checkDonors(core) }
        shell.wasSeatPending = core.isSeatPending
        if core.seat != shell.knownSeat {
            shell.knownSeat = core.seat
            looksAtMajorities = true
            if core.isSeated { reach(.learnerSeated) }
        }
        if shell.wasDoubted, !core.isDoubted { reach(.doubtedBoundAgain) }
        shell.wasDoubted = core.isDoubted
        if shell.isOld, core.isDoubted, shell.disk.isRestored {
            shell.isOld = false
            reach(.oldDiskFound)
        }
        // A node that was no voter any more, and became one again: its life is bound as it is.
        if core.isBoundAsIs { shell.isOld = false }
        if core.voters.generation < newestGeneration { reach(.twoGenerations) }
        newestGeneration = max(newestGeneration, core.voters.generation)
    }

    /// Whether a step minted this change: it was asked for, or a generation was chosen.
    func isMinted(_ change: Change, by event: Event, _ shell: Shell) -> Bool {
        guard change.dot.origin == shell.origin else { return false }
        if case .requested = event { return true }
        return votersIn(change.register) != nil && !ledger.isMinted(change.dot)
    }

    /// The voters that a register names.
    func votersIn(_ register: Register?) -> VoterSet? {
        guard let register else { return nil }
        do {
            guard case .voters(let set) = try Setting(register) else { return nil }
            return set
        } catch { return nil }
    }
}

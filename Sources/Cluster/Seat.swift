// The seat of this node among the voters: when its word counts, and what it must catch up on first.
//
//     no slot ─► bound by generation g > 1 ─► learner: receipts, no confirmations
//                                               │ has merged what |V| - majority + 1 others hold,
//                                               ▼ read after they persisted the generation
//                    doubted ◄─ peers know ── seated: confirms, counts in its own lease
//                       └─► not even receipts; only a generation that binds this very life leads
//                           out
//
// Why so many others: a write that is durable lies on a majority; the learner's own copy may be the
// one that was lost, and of |V| - majority + 1 others at least one has it. Why after they persisted
// the generation: a receipt of the life before may still be under way, and counts only where the
// old generation is in force (DESIGN 6; the models in Tests/ClusterTests).
//
// In a joint generation every member of the incoming party catches up in the same way, also one
// that was there before, because what a majority of the old party holds may lie on none of a
// majority of the new one. The joint generation ends when all of them have.

import Suppression

/// What other slots have said to hold, as far as this node does not hold it yet.
struct CatchingUp: Sendable {
    private var owed: [(slot: Int, missing: HeldSet)] = []
    private(set) var done = SlotMask()

    /// Begins anew, as every generation does.
    init() {}

    /// A seated voter has said all that it holds, under the generation in force.
    mutating func told(_ set: HeldSet, by slot: Int, held: HeldSet) {
        guard !done.contains(slot), !owed.contains(where: { $0.slot == slot }) else { return }
        owed.append((slot, set.subtracting(held)))
        advance(held: held)
    }

    /// More is committed here.
    mutating func advance(held: HeldSet) {
        guard !owed.isEmpty else { return }
        for at in owed.indices {
            owed[at].missing = owed[at].missing.subtracting(held)
            if owed[at].missing.isEmpty { done.insert(owed[at].slot) }
        }
        owed.removeAll { $0.missing.isEmpty }
    }

    /// Whether enough of the outgoing party is merged here.
    ///
    /// - Parameter own: this node's slot where it speaks for it already.
    func isEnough(_ voters: VoterSet, seated own: Int?, bugs: SeededBugs) -> Bool {
        if bugs.has(.rebuildFromOneDonor) { return done.count > 0 }
        var mask = done
        if let own { mask.insert(own) }
        let party = voters.outgoing
        return mask.intersection(party).count >= VoterSet.blocking(party)
    }
}

extension Core {
    /// The slot that binds this life.
    var ownSlot: Int? { voters.slot(of: own) }

    /// Whether the generation in force binds this very life: what an older disk may have forgotten
    /// matters no more.
    var isBoundAsIs: Bool { ownSlot.map { voters.slots[$0].lowestEpoch == own.epoch } ?? false }

    /// The generation that this node speaks under; 0, which is nobody's, while it may have
    /// forgotten a later one: its receipts would bring one that is over back to life.
    var spokenGeneration: UInt64 {
        let mayHaveForgotten = isDoubted && !isBoundAsIs && !bugs.has(.doubtedLifeReceipts)
        return mayHaveForgotten ? 0 : voters.generation
    }

    /// Whether this node's confirmations count.
    public var isSeated: Bool {
        guard let ownSlot, !isDoubted || bugs.has(.doubtedLifeConfirms), !isDamaged,
            !isJoining
        else {
            return false
        }
        let since = voters.slots[ownSlot].since
        return since == 1 || seat == since
    }

    /// Whether another node's confirmation under the generation in force is shown here.
    public func hasConfirmed(slot: Int) -> Bool { freshness.confirmed.contains(slot) }

    /// Whether this node has merged what the generation in force asks of it.
    var isComplete: Bool {
        guard isSeated else { return false }
        return !voters.isJoint || catchingUp.isEnough(voters, seated: ownSlot, bugs: bugs)
    }

    /// Looks whether a learner has caught up; its seat counts once it is on the disk.
    mutating func takeSeat(into effects: inout [Effect]) {
        catchingUp.advance(held: gate.held)
        guard let ownSlot, !isSeated, !isDamaged, !isSeatPending else { return }
        let slot = voters.slots[ownSlot]
        // Of a doubted life, only a binding to this very life may lead out.
        guard !isDoubted || isBoundAsIs, slot.since > 1,
            catchingUp.isEnough(voters, seated: nil, bugs: bugs)
        else { return }
        isSeatPending = true
        if isDoubted { persist(OwnNote(.doubt, []), into: &effects) }
        var bytes: [UInt8] = []
        bytes.append(bigEndian: slot.since)
        persist(OwnNote(.seat, bytes), into: &effects)
    }

    /// A note of this node to itself is on the disk.
    mutating func noted(_ note: OwnNote) {
        switch note.kind {
        case .ballot: break
        case .doubt: if note.bytes.isEmpty { isDoubted = false }
        case .seat:
            isSeatPending = false
            seat = Core.seat(note.bytes)
        }
    }

    /// The generation in a note; nil for none.
    static func seat(_ bytes: [UInt8]) -> UInt64? {
        bytes.count == 8 ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : nil
    }
}

// The Core towards repair: whole marks from another node go through its own log, as pulls' do.
//
// What repair brings is a node's note to itself: no write of anybody, only what writes add up to.
// It raises no held set. The index gets the dots that the mark names and that lead nowhere yet, so
// that whoever is given one of them later is led to the mark; a list among them stays a list.

import Suppression

extension Core {
    /// Hands whole marks to the own log and shows at once those that can only deny.
    ///
    /// - Returns: the local sequence number of the last; nil when there is no room for them now.
    public mutating func merge(
        _ rows: [RepairRow],
        into effects: inout [Effect]
    ) -> UInt64? {
        guard !hasFailed, pending.count + rows.count <= bounds.pendingChangesCount,
            backlogCount <= bounds.pullBacklogCount
        else { return nil }
        for row in rows {
            let named = row.mark.suppressions.map(\.dot) + row.mark.covered
            let dots = Array(named.prefix(Suppression.Limits.mergedDotsCount))
            guard !dots.isEmpty else { continue }
            let note = Change.note(.merged(Merged(.mark(row.key, row.mark), dots: dots)))
            let sequence = nextLocalSequence
            persist(note, isShown: note.onlyDenies, into: &effects)
            if note.onlyDenies { effects.append(.show(sequence: sequence, note)) }
        }
        return nextLocalSequence - 1
    }

    /// Whether the own log has committed or refused everything up to this number.
    public func hasSettled(_ sequence: UInt64) -> Bool { sequence <= settledThrough }
}

extension VoterSet {
    /// Whether these other voters, found equal, end a node's doubt about its marks: with fewer, a
    /// write could sit on the rest alone (DESIGN 6). A joint generation asks it of both parties.
    public func isProof(_ others: SlotMask) -> Bool {
        !slots.isEmpty
            && parties.allSatisfy { $0.intersection(others).count >= VoterSet.blocking($0) }
    }
}

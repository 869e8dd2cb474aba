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

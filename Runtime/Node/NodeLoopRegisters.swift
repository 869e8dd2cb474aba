// Registers on the node loop: a change makes a catalog, and every loop has it before anybody hears.

import Cluster
import EventLoop
import Storage
import Suppression
import Synchronization

extension NodeLoop {
    /// A register changed: every loop gets the new catalog before the change is acknowledged.
    func adopt(_ register: Register) {
        if let known = catalog.registers[register.name], !register.wins(over: known) { return }
        var registers = catalog.registers
        registers[register.name] = register
        catalog = Catalog(registers: registers, clusterKey: clusterKey)
        if let key = catalog.sketchKey { store.adopt(key) }
        peers.belongs(to: catalog.clusterID)
        if let voters = catalog.voters, voters.generation > core.votersInForce.generation {
            nextVoters = voters
        }
        for index in doors.indices { postCatalog(to: index) }
    }

    /// A loop that cannot take the catalog must not allow anything under the old one.
    func postCatalog(to index: Int) {
        if doors[index].mailbox.post(.catalog(catalog)) {
            if catalogOwed.remove(index) != nil {
                doors[index].missedThrough.store(lastPersisted, ordering: .releasing)
            }
        } else {
            catalogOwed.insert(index)
            doors[index].missedThrough.store(.max, ordering: .releasing)
        }
    }
}

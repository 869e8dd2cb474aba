// How a cluster comes to be: explicitly, once, and only among nodes that are all there and empty.
//
//     --bootstrap --voters n1        n1 alone mints at its start
//     --bootstrap --voters n1,n2,n3  each dials the others; n1, the first named, mints when it is
//                                    linked to an empty n2 and an empty n3
//     --join HOST:PORT               never mints; gets the registers from whoever has them
//
// "All there and empty" is what keeps two wiped voters from founding a second cluster beside a
// third that is only away (DESIGN 6). The flags may stay in a node's command line: a directory that
// belongs to a cluster ignores them, and an empty one finds that the others are not empty.

import Cluster
import Servers
import Storage
import Suppression
import Token

extension NodeLoop {
    /// Whether this node waits to found a cluster with others.
    var isFounding: Bool {
        config.bootstrap && config.voters.count > 1 && config.voters.first == config.name
            && catalog.registers.isEmpty && identity.restored == nil
    }

    /// What links tell others of this node.
    var ownIdentity: PeerIdentity {
        PeerIdentity(
            node: identity.nodeID,
            epoch: identity.epoch,
            name: Array(config.name.utf8),
            zone: Array(config.zone.utf8),
            region: Array(config.region.utf8),
            clusterID: catalog.clusterID,
            holdsAll: true,
            protocolRange: config.release.speaks,
            address: Array("\(config.advertiseHost):\(config.peerPort)".utf8)
        )
    }

    /// Founds the cluster as soon as every named voter is linked and empty.
    func foundIfComplete() {
        guard isFounding, !hasFounded else { return }
        var slots: [VoterSlot] = []
        let linked = peers.peers
        for name in config.voters {
            if name == config.name {
                slots.append(
                    VoterSlot(
                        name: name,
                        node: identity.nodeID,
                        lowestEpoch: identity.epoch,
                        zone: config.zone
                    )
                )
                continue
            }
            guard let peer = linked.first(where: { $0.name == name }), peer.isEmpty else { return }
            slots.append(
                VoterSlot(name: name, node: peer.node, lowestEpoch: peer.epoch, zone: peer.zone)
            )
        }
        do {
            let registers = try Keys.founding(config, slots, clusterKey)
            hasFounded = true
            request(registers.map { .register($0) }, policy: .strict, waiter: .bootstrap)
        } catch { end(.failed("\(error)")) }
    }

    /// Mints the cluster's secret, its admin and voters generation 1, in one log transaction.
    func bootstrap() {
        guard !firstRegisters.isEmpty else { return }
        request(firstRegisters.map { .register($0) }, policy: .strict, waiter: .bootstrap)
        flushBatch()
    }
}

// Who is linked to whom where not everybody can be: zones, and relays between them.
//
//     zone z1            relays, of all zones         zone z2
//     n1 ─ n2 ─ r1 ══════════════ r3 ─ n7 ─ n8        ─ inside a group   ═ between relays
//      `── n3 ─ r2 ══════════════ r4 ─ n9 ─'
//
// Two groups, one rule: everybody in a group is linked to everybody up to 32 peers; in a larger one
// the members stand on a circle, and each is linked to those 1, 2, 4, 8 ... places before and
// behind it. So a node has at most 2 log2 n links a group, any two nodes of a group are log2 n / 2
// steps apart, and no few deaths cut the circle (Stoica et al., "Chord", SIGCOMM 2001, whose
// fingers these are). Both ends of a link find it by themselves, from the members that they know:
// nothing is agreed upon, and a difference heals with the table.

public import Suppression

/// A member as the overlay sees it.
public struct Place: Equatable, Sendable {
    /// The node.
    public let node: NodeID
    /// Its failure domain.
    public let zone: String

    /// A member.
    public init(node: NodeID, zone: String) {
        self.node = node
        self.zone = zone
    }
}

/// The rule by which links are chosen.
public enum Overlay {
    /// Whether these many nodes are too many for a link between each two.
    public static func isNeeded(nodes: Int) -> Bool { nodes - 1 > Limits.meshPeersCount }

    /// The nodes that this one keeps linked.
    ///
    /// - Parameter places: all members that are believed to live and not to come and go, in any
    ///   order; this node may be among them or not.
    public static func peers(of own: Place, among places: [Place]) -> [NodeID] {
        let all = ([own] + places.filter { $0.node != own.node }).sorted(by: isBefore)
        guard isNeeded(nodes: all.count) else { return around(own, all) }
        var peers = around(own, all.filter { $0.zone == own.zone })
        let relays = relays(of: all)
        if relays.contains(own) {
            for peer in around(own, relays) where !peers.contains(peer) { peers.append(peer) }
        }
        return peers
    }

    /// The first two of each zone on the circle, in the circle's order.
    ///
    /// - Parameter ordered: in the circle's order.
    static func relays(of ordered: [Place]) -> [Place] {
        var taken: [String: Int] = [:]
        return ordered.filter { place in
            let count = taken[place.zone, default: 0]
            taken[place.zone] = count + 1
            return count < Limits.zoneRelaysCount
        }
    }

    /// The circle's order: by a mix of the id, so that no operator's numbering shapes it.
    static func isBefore(_ a: Place, _ b: Place) -> Bool {
        (mixed(a.node.raw), a.node.raw) < (mixed(b.node.raw), b.node.raw)
    }

    private static func around(_ own: Place, _ circle: [Place]) -> [NodeID] {
        guard circle.count - 1 > Limits.meshPeersCount else {
            return circle.filter { $0.node != own.node }.map(\.node)
        }
        guard let at = circle.firstIndex(where: { $0.node == own.node }) else { return [] }
        var peers: [NodeID] = []
        var step = 1
        while step <= circle.count / 2 {
            for place in [at + step, at + circle.count - step] {
                let peer = circle[place % circle.count].node
                if !peers.contains(peer) { peers.append(peer) }
            }
            step *= 2
        }
        return peers
    }
}

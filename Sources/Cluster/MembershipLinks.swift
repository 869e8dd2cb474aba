// Whom a node dials, and whom its packets can reach.
//
// Packets travel beside links, so whoever is not linked cannot be probed, told or asked to relay.
// Up to 32 peers everybody is linked to everybody. Above, the overlay says who is (Overlay.swift),
// and the ring holds those alone: each node is watched by its neighbours, as in Rapid by its
// observers, and rumors spread along the links. What decides stays the same, and so does the time
// to find a death: everybody probes one node a second, and has as many neighbours as watch it.
//
// Dialed are the neighbours among those who live, and those among all who did not leave: the first
// are what the cluster needs today, the second are how two sides that were cut find each other
// again. Voters are dialed by everybody: receipts and confirmations come over their links alone.

public import Suppression

extension Membership {
    /// Who is a voter; linked whatever the overlay says.
    public mutating func adopt(voters: Set<NodeID>) {
        owesLinks = owesLinks || voters != self.voters
        self.voters = voters
    }

    /// Whether there are too many members for a link between each two.
    public var isOverlaid: Bool { wanted != nil }

    /// Chooses the links anew, if something has changed.
    mutating func relink(now: UInt64, into effects: inout [MemberEffect]) {
        guard owesLinks, now >= linksDueNanos else { return }
        owesLinks = false
        let present = table.values.filter { !$0.record.state.isGone }
        guard wanted != nil || Overlay.isNeeded(nodes: present.count + 1) else { return }
        linksDueNanos = now + Limits.relinkNanos
        let all = present.map { Place(node: $0.record.node, zone: $0.record.facts.zone) }
        if Overlay.isNeeded(nodes: all.count + 1) {
            wanted = overlaid(all, now: now)
        } else {
            wanted = nil
        }
        for node in table.keys.sorted() {
            guard let member = table[node] else { continue }
            let isWanted = wanted?.contains(node) ?? true
            if member.isDialed, !isWanted {
                undial(node, member.record.facts.address, into: &effects)
            }
        }
        for node in table.keys.sorted() { dialIfNeeded(node, into: &effects) }
        let reached = table.filter { $0.value.isLinked || wanted?.contains($0.key) ?? true }
        ring.removeAll { reached[$0] == nil }
        if let target = probe?.target, reached[target] == nil { probe = nil }
        let known = Set(ring)
        for node in reached.keys.sorted() where !known.contains(node) { enterRing(node) }
    }

    private func overlaid(_ all: [Place], now: UInt64) -> Set<NodeID> {
        let place = Place(node: own.node, zone: own.facts.zone)
        let living = all.filter { table[$0.node].map { isSteady($0, now) } ?? false }
        var wanted = voters.intersection(all.map(\.node))
        for node in Overlay.peers(of: place, among: living) + Overlay.peers(of: place, among: all)
        where wanted.count < Limits.peersCount {
            wanted.insert(node)
        }
        return wanted
    }

    private func isSteady(_ member: Member, _ now: UInt64) -> Bool {
        member.record.state != .unreachable && !member.flaps.isUnstable(now: now)
    }

    /// At a random place of the round, so that all newcomers are not probed in a row.
    mutating func enterRing(_ node: NodeID) {
        ring.insert(node, at: chance.below(ring.count + 1))
    }

    /// Members that a node keeps linked, as far as this one knows; nil where everybody is.
    func neighbours(of node: NodeID) -> Set<NodeID>? {
        guard wanted != nil, let member = table[node] else { return nil }
        let all = table.values.filter { !$0.record.state.isGone }.map {
            Place(node: $0.record.node, zone: $0.record.facts.zone)
        }
        let here = Place(node: own.node, zone: own.facts.zone)
        let place = Place(node: node, zone: member.record.facts.zone)
        return Set(Overlay.peers(of: place, among: all + [here])).union(voters)
    }

    mutating func dialIfNeeded(_ node: NodeID, into effects: inout [MemberEffect]) {
        guard let member = table[node], !member.isDialed, !member.record.state.isGone,
            member.record.facts.address != own.facts.address, wanted?.contains(node) ?? true,
            dialedCount < Limits.peersCount
        else { return }
        table[node]?.isDialed = true
        dialedCount += 1
        effects.append(.dial(member.record.facts.address))
    }

    mutating func undial(
        _ node: NodeID,
        _ address: String,
        into effects: inout [MemberEffect]
    ) {
        table[node]?.isDialed = false
        dialedCount -= 1
        // A node that was replaced and its successor share an address.
        let isShared = table.values.contains {
            $0.isDialed && $0.record.facts.address == address
        }
        if !isShared { effects.append(.forget(address)) }
    }
}

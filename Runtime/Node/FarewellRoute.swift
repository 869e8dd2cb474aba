// How a member goes for good: it leaves by itself, or an operator rules it out.
//
//     POST /v1/leave    on the node that goes: it tells the others, then ends
//     POST /v1/evict    {"name":"n4"} or {"node_id":"..."} on any other node
//
// Neither touches the voters: a voter is replaced or removed first, because failure detection and
// farewells must never shrink the set that acknowledgments rest on (DESIGN 6). What the node wrote
// and no majority of the voters is known to hold is owed: leaving waits for it, evicting says it.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Wire

extension NodeLoop {
    func evict(_ call: Call, into answer: inout HTTPAnswer) throws {
        guard call.method == .post else { return answer.methodNotAllowed("POST") }
        let row = try member(named: try call.json())
        let node = row.record.node
        let name = row.record.facts.name
        guard node != identity.nodeID else {
            throw Refused(.conflict, "This is \(name) itself; `quell leave` lets it go.")
        }
        try refuseVoter(node, name)
        let owed = core.owed(of: core.held.written(by: node)).count
        peers.members?.evict(node)
        answer.json { json in
            json.beginObject()
            json.field("name", name)
            json.field("node_id", hexText(node.raw))
            json.field("state", "evicted")
            json.field("owed", owed)
            json.endObject()
        }
    }

    func leave(_ call: Call, into answer: inout HTTPAnswer) throws {
        guard call.method == .post else { return answer.methodNotAllowed("POST") }
        try refuseVoter(identity.nodeID, config.name)
        let owed = core.owed(of: core.held.written(by: identity.nodeID)).count
        guard owed == 0 else {
            throw Refused(
                .conflict,
                "\(owed) writes of \(config.name) are not yet on a majority of the voters; "
                    + "leave when `quell status` shows nothing owed."
            )
        }
        peers.members?.leave()
        answer.json { json in
            json.beginObject()
            json.field("name", config.name)
            json.field("node_id", hexText(identity.nodeID.raw))
            json.field("state", "left")
            json.field("owed", 0)
            json.endObject()
        }
        log.notice("this node leaves the cluster", [:])
        // The word travels with the answers to their probes, one a second from each.
        farewellNanos = Clock.bootNanoseconds() + Limits.farewellNanos
    }

    private func refuseVoter(_ node: NodeID, _ name: String) throws {
        guard core.votersInForce.slot(of: node) != nil else { return }
        throw Refused(
            .conflict,
            "\(name) is a voter: `quell voters replace \(name) --by OTHER` or "
                + "`quell voters remove` comes first."
        )
    }

    /// The one member that a request names, by id or by a name that only one has.
    private func member(named body: JSONValue) throws -> MemberRow {
        let rows = memberRows.filter { !$0.state.isGone }
        if let id = try body.optional("node_id") {
            guard let row = rows.first(where: { hexText($0.record.node.raw) == id }) else {
                throw Refused(.notFound, "No member has the id \(id).")
            }
            return row
        }
        let name = try body.required("name")
        let found = rows.filter { $0.record.facts.name == name }
        guard let row = found.first else {
            throw Refused(.notFound, "No member is called \(name); `quell members` shows them.")
        }
        guard found.count == 1 else {
            let ids = found.map { hexText($0.record.node.raw) }.joined(separator: ", ")
            throw Refused(.conflict, "Several members are called \(name); name one by id: \(ids).")
        }
        return row
    }
}

extension HeldSet {
    /// What any life of a node has written.
    fileprivate func written(by node: NodeID) -> HeldSet {
        var set = HeldSet()
        for entry in entries where entry.origin.node == node {
            set.formUnion(only(entry.origin))
        }
        return set
    }
}

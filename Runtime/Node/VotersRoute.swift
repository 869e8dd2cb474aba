// The voters, as an operator sees and changes them (DESIGN 6).
//
//     GET  /v1/voters    generation, joint or not, and every slot with how far its node is
//     POST /v1/voters    {"action":"replace","name":"n2","by":"n4"?}
//                        {"action":"add"|"remove","names":["n4","n5"]}
//
// A change is computed here from the generation in force, and proposed as its successor. The answer
// waits until a majority has chosen it and the register with it is durable. Two at once: one wins,
// the other hears 409 and looks again.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Wire

extension NodeLoop {
    /// What this node is to the cluster (DESIGN 6).
    var role: String {
        let voters = core.votersInForce
        if voters.slot(of: identity.nodeID) != nil { return core.isSeated ? "voter" : "learner" }
        // A name of a slot that another node id holds: wiped, and waiting to be bound again.
        return voters.slots.contains { $0.name == config.name } ? "learner" : "edge"
    }

    func voters(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        _ = try authorizeAdmin(call)
        switch call.method {
        case .get:
            answer.json { write(core.votersInForce, into: &$0) }
            return .answered
        case .post: return try changeVoters(try call.json(), exchange)
        default:
            answer.methodNotAllowed("GET, POST")
            return .answered
        }
    }

    private func changeVoters(_ body: JSONValue, _ exchange: Exchange) throws -> Disposition {
        let change: VoterChange
        switch try body.required("action") {
        case "replace":
            let name = try body.required("name")
            change = .replace(slot: name, by: try body.optional("by") ?? name)
        case "add": change = .add(try body.names())
        case "remove": change = .remove(try body.names())
        default: throw Refused(.badRequest, "`action` is replace, add or remove.")
        }
        let next: VoterSet
        do {
            next = try core.votersInForce.changed(change, among: candidates)
        } catch { throw Refused(.conflict, error.description) }
        let reply = AdminAnswer.object { json in
            json.field("generation", next.generation)
            json.field("joint", next.isJoint)
        }
        let ticket = Ticket(raw: nextTicket)
        nextTicket += 1
        waiters[ticket] = .admin(exchange, reply)
        step(.proposed(ticket, next))
        return .later
    }

    /// Nodes that a slot can be bound to: this one, and those that are linked.
    private var candidates: [Candidate] {
        let own = Origin(node: identity.nodeID, epoch: identity.epoch)
        let here = Candidate(name: config.name, origin: own, zone: config.zone)
        return [here]
            + peers.peers.map { peer in
                let life = Origin(node: peer.node, epoch: peer.epoch)
                return Candidate(name: peer.name, origin: life, zone: peer.zone)
            }
    }

    private func write(_ voters: VoterSet, into json: inout JSONWriter) {
        let linked = peers.peers
        json.beginObject()
        json.field("generation", voters.generation)
        json.field("joint", voters.isJoint)
        json.key("voters")
        json.beginArray()
        for (at, slot) in voters.slots.enumerated() {
            json.beginObject()
            json.field("name", slot.name)
            json.field("node_id", hexText(slot.node.raw))
            json.field("lowest_epoch", hexText(slot.lowestEpoch.raw))
            json.field("zone", slot.zone)
            json.field("since", slot.since)
            json.field("side", slot.side.word)
            let isHere = slot.node == identity.nodeID
            json.field("linked", isHere || linked.contains { $0.node == slot.node })
            json.field("seated", isHere ? core.isSeated : core.hasConfirmed(slot: at))
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}

extension VoterSlot.Side {
    fileprivate var word: String {
        switch self {
        case .staying: "staying"
        case .leaving: "leaving"
        case .joining: "joining"
        }
    }
}

extension JSONValue {
    /// A member that must be a list of 1 to 5 strings.
    fileprivate func names() throws -> [String] {
        guard let items = self["names"]?.array, !items.isEmpty,
            items.count <= Cluster.Limits.votersCount
        else { throw Refused(.badRequest, "`names` takes 1 to 5 names of nodes.") }
        return try items.map { item in
            guard let text = item.string else {
                throw Refused(.badRequest, "`names` holds something that is no string.")
            }
            return text
        }
    }
}

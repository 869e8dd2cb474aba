// The admin listener: the cluster's registers, its state, its metrics.
//
//     /livez /readyz /metrics                     anybody who reaches the port
//     /v1/status /v1/members                      admin key
//     /v1/voters                                  admin key; see VotersRoute.swift
//     /v1/leave /v1/evict                         admin key; see FarewellRoute.swift
//     /v1/upgrade                                 admin key; see UpgradeRoute.swift
//     /v1/repair                                  admin key; POST compares and mends
//     /v1/functions /v1/deployers                 admin key; see RolloutRoute.swift
//     /v1/tenants /v1/streams /v1/topics /v1/keys admin key; GET, POST, DELETE (for ever)
//
// Every change is a register signed by the admin who asked; the node keeps no admin secret, it
// derives the signing key from the bearer text of the very request.

import Address
import Cluster
import EventLoop
import FunctionHost
import Servers
import Storage
import Suppression
import Synchronization
import Token
import Wire

/// What an admin hears once the register is durable.
enum AdminAnswer: Sendable {
    /// 200 with this JSON.
    case json([UInt8])

    func write(into answer: inout HTTPAnswer) {
        switch self {
        case .json(let bytes):
            answer.start(.ok)
            answer.send("application/json", bytes.span)
        }
    }

    /// Builds the JSON of an object.
    static func object(_ body: (inout JSONWriter) -> Void) -> AdminAnswer {
        var bytes: [UInt8] = []
        bytes.appendJSON { json in
            json.beginObject()
            body(&json)
            json.endObject()
        }
        return .json(bytes)
    }
}

extension NodeLoop: HTTPService {
    func plan(head: borrowing RequestHead, bytes: Span<UInt8>) -> BodyPlan {
        // An artifact is the largest thing that an admin sends.
        bytes.extracting(head.path.range).equals("/v1/functions")
            ? .whole(limit: Int(Cluster.Limits.artifactBytes))
            : .whole(limit: Limits.apiBodyBytes)
    }

    func serve(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        let call = Call(head, bytes)
        do {
            return try route(call, exchange, into: &answer)
        } catch let refused as Refused {
            answer.problem(refused.status, detail: refused.detail)
        } catch let completed as Completed {
            completed.answer.write(into: &answer)
        } catch {
            answer.unavailable("This node cannot read its state.")
        }
        return .answered
    }

    private func route(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        switch String(decoding: call.path, as: UTF8.self) {
        case "/livez":
            answer.start(.ok)
            answer.send("text/plain; charset=utf-8", "alive\n")
        case "/readyz": ready(call, into: &answer)
        case "/metrics":
            answer.start(.ok)
            answer.send("text/plain; version=0.0.4; charset=utf-8", metricsPage().span)
        case "/v1/status":
            _ = try authorizeAdmin(call)
            status(into: &answer)
        case "/v1/members":
            _ = try authorizeAdmin(call)
            answer.json { json in
                json.beginObject()
                json.key("members")
                json.beginArray()
                for row in memberRows { json.member(row) }
                json.endArray()
                json.endObject()
            }
        case "/v1/evict":
            _ = try authorizeAdmin(call)
            try evict(call, into: &answer)
        case "/v1/leave":
            _ = try authorizeAdmin(call)
            try leave(call, into: &answer)
        case "/v1/functions":
            if call.method == .post { return try publishFunction(call, exchange) }
            _ = try authorizeAdmin(call)
            functions(into: &answer)
        case "/v1/functions/activate":
            return try activateFunction(call, exchange, isRollback: false)
        case "/v1/functions/rollback":
            return try activateFunction(call, exchange, isRollback: true)
        case "/v1/functions/canary": return try tryFunction(call, exchange, .canary)
        case "/v1/functions/shadow": return try tryFunction(call, exchange, .shadow)
        case "/v1/functions/promote": return try promoteFunction(call, exchange)
        case "/v1/functions/probe": return try probeFunction(call, exchange)
        case "/v1/deployers": return try deployers(call, exchange, into: &answer)
        case "/v1/voters": return try voters(call, exchange, into: &answer)
        case "/v1/upgrade": return try upgrades(call, exchange, into: &answer)
        case "/v1/repair": return try repairs(call, exchange, into: &answer)
        case "/v1/tenants": return try tenants(call, exchange, into: &answer)
        case "/v1/streams": return try streams(call, exchange, into: &answer)
        case "/v1/topics": return try topics(call, exchange, into: &answer)
        case "/v1/keys": return try keys(call, exchange, into: &answer)
        default:
            answer.problem(.notFound, detail: "No such path on the admin listener.")
        }
        return .answered
    }

    /// Checks the admin's bearer text.
    func authorizeAdmin(_ call: Call) throws -> AdminKey {
        guard let text = call.bearer() else {
            throw Refused(.unauthorized, "Send `Authorization: Bearer ADMIN_KEY` (file admin.key).")
        }
        if catalog.registers.isEmpty {
            let percent = joining.progress.map { " (\($0.percent) % of the writes)" } ?? ""
            throw Refused(
                .unavailable,
                "This node has not joined its cluster yet\(percent); try again."
            )
        }
        guard let key = AdminKey(text: text.span), catalog.isAdmin(hash: key.hash) else {
            throw Refused(.unauthorized, "This is not an admin key of this cluster.")
        }
        return key
    }

    private func ready(_ call: Call, into answer: inout HTTPAnswer) {
        let forOptOuts = call.parameter("for") == Array("unsubscribe".utf8)
        // Not before the serving loops have been told, and not a tick too long.
        let published = forOptOuts ? metrics.writability : metrics.readiness
        let cause = forOptOuts ? unwritable : unready
        answer.readiness(cause ?? published.unready(now: Clock.bootNanoseconds()))
    }

    /// Section 10.5's element for this node.
    private func status(into answer: inout HTTPAnswer) {
        let now = now()
        let staleness = lease.stalenessNanos(now: now.bootNanos)
        let isValid = lease.permitsAllow(
            now: now.bootNanos,
            boundNanos: config.stalenessBoundNanos
        )
        answer.json { json in
            json.beginObject()
            json.field("name", config.name)
            json.field("node_id", hexText(identity.nodeID.raw))
            json.field("epoch", hexText(identity.epoch.raw))
            json.field("zone", config.zone)
            json.field("region", config.region)
            json.field("role", role)
            json.field("holds", "all")
            json.field("ready", isReady)
            json.key("lease")
            json.beginObject()
            json.field("valid", isValid)
            json.staleness(staleness)
            json.endObject()
            json.key("marks")
            json.beginObject()
            json.field("count", metrics.marks.now)
            // Null until the cluster's secret, and with it the key of the hash, is known.
            json.field(
                "digest",
                digest.map { hexText($0.sum) + hexText(UInt64($0.check)).suffix(4) }
            )
            json.endObject()
            json.field("owed", owedCount)
            json.key("format")
            json.release(self)
            json.key("joining")
            json.joining(joining.progress, missing: joining.missing.count)
            json.key("peers")
            json.beginArray()
            for peer in knownPeers { json.peer(peer) }
            json.endArray()
            json.key("functions")
            json.beginArray()
            for state in metrics.functions.withLock({ $0 }).states { json.function(state) }
            json.endArray()
            json.endObject()
        }
    }

    // MARK: changing registers

    /// Signs and writes settings; the answer waits for the gate.
    func set(
        _ settings: [(Setting, final: Bool)],
        by admin: AdminKey,
        _ exchange: Exchange,
        _ answer: AdminAnswer
    ) -> Disposition {
        let drafts = settings.map { setting, final in
            let generation = (catalog.registers[setting.registerName]?.generation ?? 0) + 1
            return Draft.register(
                admin.signed(
                    name: setting.registerName,
                    generation: generation,
                    final: final,
                    value: setting.value
                )
            )
        }
        request(drafts, policy: .strict, waiter: .admin(exchange, answer))
        return .later
    }

    /// Ends a register for ever, with the value it has.
    func finish(
        _ name: [UInt8],
        by admin: AdminKey,
        _ exchange: Exchange,
        _ answer: AdminAnswer
    ) throws -> Disposition {
        guard let register = catalog.registers[name], let setting = try Setting(register) else {
            throw Refused(.notFound, "There is no such register.")
        }
        return set([(setting, final: true)], by: admin, exchange, answer)
    }

    /// The cluster secret, to seal new peppers and token masters.
    func clusterSecret() throws -> ClusterSecret {
        guard let register = catalog.registers[Array("cluster/secret".utf8)],
            case .clusterSecret(let sealed) = try Setting(register)
        else { throw Refused(.unavailable, "The cluster secret is not there yet; try again.") }
        return try clusterKey.open(sealed)
    }
}

extension JSONWriter {
    fileprivate mutating func peer(_ peer: KnownPeer) {
        beginObject()
        field("name", peer.name)
        field("state", peer.state.name)
        roundTrip(peer.roundTripNanos)
        field("behind", peer.behind)
        endObject()
    }

    fileprivate mutating func member(_ row: MemberRow) {
        let facts = row.record.facts
        beginObject()
        field("name", facts.name)
        field("node_id", hexText(facts.node.raw))
        field("epoch", hexText(facts.origin.epoch.raw))
        field("zone", facts.zone)
        field("region", facts.region)
        field("role", row.role)
        field("holds", facts.holds == .all ? "all" : "cache")
        field("address", facts.address)
        field("state", row.state.name)
        field("incarnation", Int(row.record.incarnation))
        roundTrip(row.roundTripNanos)
        endObject()
    }

    private mutating func roundTrip(_ nanos: UInt64?) {
        key("rtt_ms")
        if let nanos {
            number(Double(nanos / 1_000) / 1_000)
        } else {
            null()
        }
    }
}

/// Sixteen hex digits: ids do not fit into a JSON number.
func hexText(_ raw: UInt64) -> String {
    let digits = String(raw, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

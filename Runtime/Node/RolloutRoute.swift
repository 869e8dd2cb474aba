// Functions on the admin listener: publish, activate, roll back, probe, and who may sign.
//
//     GET  /v1/functions            what serves, and what became of each artifact on each node
//     POST /v1/functions            the bytes of a .qfn -> {"name","digest","bytes"}
//     POST /v1/functions/activate   {"name","digest"} -> {"name","digest","generation"}
//     POST /v1/functions/rollback   {"name"} -> the same, with the digest that served before
//     POST /v1/functions/canary, shadow, promote    see TrialRoute.swift
//     POST /v1/functions/probe      {"name","digest"?}
//                                   -> {"name","digest","loops","answered","well"}
//     GET, POST, DELETE /v1/deployers   {"key","name"}; DELETE ?key= ends it for ever
//
// Publishing refuses at once what no node would run. Activating waits for a majority of voters that
// would run the version, then for the register to be durable.

import Cluster
import EventLoop
import FunctionHost
import FunctionKit
import Servers
import Suppression
import Token
import Wire

extension NodeLoop {
    /// Publishes an artifact.
    func publishFunction(_ call: Call, _ exchange: Exchange) throws -> Disposition {
        _ = try authorizeAdmin(call)
        let artifact: Artifact
        do throws(LoadError) {
            artifact = try Artifact(bytes: call.body)
        } catch { throw Refused(.badRequest, "\(error.description).") }
        do throws(LoadError) {
            try artifact.verify(trusting: catalog.trustedDeployers)
        } catch {
            throw Refused(.forbidden, "The artifact is refused: \(error.description).")
        }
        let name = artifact.manifest.spec.name
        guard let digest = ArtifactDigest(artifact.digest) else {
            throw Refused(.badRequest, "The artifact has no digest.")
        }
        guard deploys.machine.hasRoom(for: name) else {
            let most = Cluster.Limits.deployedFunctionsCount
            throw Refused(.conflict, "There are \(most) functions already; no more are kept.")
        }
        // Ready and failed ones are published again: that makes them the newest.
        let notice = ArtifactNotice(artifact, digest, Clock.wallMilliseconds())
        guard deploys.machine.notices.first(where: { $0.digest == digest }) == nil else {
            let reply = AdminAnswer.published(notice)
            throw Completed(reply)
        }
        guard deploys.thread.post(.keep(artifact, notice)) else {
            throw Refused(.unavailable, "Too much waits for the functions' thread; try again.")
        }
        deploys.publishing[digest, default: []].append(exchange)
        return .later
    }

    /// An artifact is on the disk; whoever published it hears so.
    func published(_ notice: ArtifactNotice) {
        for exchange in deploys.publishing.removeValue(forKey: notice.digest) ?? [] {
            _ = admin?.complete(exchange) { AdminAnswer.published(notice).write(into: &$0) }
        }
    }

    /// Activates a version, or rolls back to the one before; where one is on trial, rolling back
    /// ends the trial.
    func activateFunction(
        _ call: Call,
        _ exchange: Exchange,
        isRollback: Bool
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        let body = try call.json()
        let name = try body.required("name")
        guard isRollback else {
            let digest = try published(name, try body.required("digest"))
            return propose(name, .serve(digest), by: admin, exchange)
        }
        guard let now = catalog.activation(of: name)?.activation else {
            throw Refused(.notFound, "No version of \(name) is active.")
        }
        if now.trial != nil { return propose(name, .endTrial, by: admin, exchange) }
        guard now.digest != nil else {
            throw Refused(.notFound, "No version of \(name) is active.")
        }
        guard now.previous != nil || Functions.isBuiltIn(name) else {
            throw Refused(.conflict, "No version of \(name) served before this one.")
        }
        return propose(name, .serve(now.previous), by: admin, exchange)
    }

    /// The digest of a version that this node has.
    func published(_ name: String, _ text: String) throws -> ArtifactDigest {
        guard let digest = ArtifactDigest(hex: text) else {
            throw Refused(.badRequest, "`digest` is not 64 hexadecimal digits.")
        }
        guard
            deploys.machine.notices.contains(where: { $0.digest == digest && $0.name == name })
        else { throw Refused(.notFound, "No such version of \(name) was published.") }
        return digest
    }

    /// Asks the voters; the answer comes with the register, or with their refusal.
    func propose(
        _ name: String,
        _ proposal: RolloutRequest,
        by admin: AdminKey,
        _ exchange: Exchange
    ) -> Disposition {
        let ticket = deploys.nextNumber
        deploys.nextNumber += 1
        deploys.asking[ticket] = (exchange, admin)
        deploys.asked.append(.asked(ticket: ticket, name: name, proposal))
        return .later
    }

    /// Serves admins, then lets the machine hear what they asked for: what it refuses at once can
    /// only be answered when the exchange is known to wait.
    func serveAdmin() {
        admin?.serveReady()
        while !deploys.asked.isEmpty { rollout(deploys.asked.removeFirst()) }
    }

    /// A majority would run it: the register says so from now on.
    func record(_ ticket: UInt64, _ activation: Activation, _ generation: UInt64) {
        guard let asking = deploys.asking.removeValue(forKey: ticket) else { return }
        // The catalog is ahead of the machine for the rest of a turn.
        guard (catalog.activation(of: activation.name)?.generation ?? 0) + 1 == generation else {
            return refuse(asking.exchange, .raced)
        }
        let reply = AdminAnswer.object { json in
            json.field("name", activation.name)
            json.field("digest", activation.digest.map { hexText($0.bytes) })
            json.field("generation", generation)
            if let trial = activation.trial { json.trial(trial) }
        }
        _ = set(
            [(.function(activation), final: false)],
            by: asking.admin,
            asking.exchange,
            reply
        )
    }

    /// Answers why it is not activated.
    func refuse(_ exchange: Exchange, _ refusal: RolloutRefusal) {
        let isTemporary = refusal == .noMajority || refusal == .busy
        _ = admin?.complete(exchange) {
            $0.problem(isTemporary ? .unavailable : .conflict, detail: refusal.words)
        }
    }

    // MARK: probes

    /// Asks every serving loop for what it runs.
    func probeFunction(_ call: Call, _ exchange: Exchange) throws -> Disposition {
        _ = try authorizeAdmin(call)
        let body = try call.json()
        let name = try body.required("name")
        let digest = try body.optional("digest")
        let number = deploys.nextNumber
        deploys.nextNumber += 1
        deploys.probes[number] = FunctionProbe(
            exchange: exchange,
            name: name,
            digest: digest,
            startedNanos: Clock.bootNanoseconds()
        )
        for door in doors {
            // A loop whose mailbox is full does not answer, and is counted so.
            _ = door.mailbox.post(.probe(number, function: name, digest: digest))
        }
        return .later
    }

    /// Says what the loops run; the digest only where all of them run the same.
    func answer(_ probe: FunctionProbe) {
        let isOne = probe.digests.count == doors.count && Set(probe.digests).count == 1
        let (loops, digest) = (doors.count, isOne ? probe.digests.first ?? nil : nil)
        _ = admin?.complete(probe.exchange) { answer in
            answer.json { json in
                json.beginObject()
                json.field("name", probe.name)
                json.field("digest", digest)
                json.field("loops", loops)
                json.field("answered", probe.digests.count)
                json.field("well", probe.isWell && isOne)
                json.endObject()
            }
        }
    }

    // MARK: deployers

    func deployers(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            let rows = catalog.deployers
            answer.json { json in
                json.beginObject()
                json.key("deployers")
                json.beginArray()
                for row in rows {
                    json.beginObject()
                    json.field("key", hexText(row.publicKey))
                    json.field("name", row.name)
                    json.field("revoked", row.isRevoked)
                    json.endObject()
                }
                json.endArray()
                json.endObject()
            }
            return .answered
        case .post:
            let body = try call.json()
            let key = try deployerKey(try body.required("key"))
            let name = try body.optional("name") ?? "deployer"
            guard name.utf8.count <= Cluster.Limits.nameBytes else {
                throw Refused(.badRequest, "`name` is longer than 64 bytes.")
            }
            let reply = AdminAnswer.deployer(key, name)
            if let known = catalog.deployers.first(where: { $0.publicKey == key }) {
                guard !known.isRevoked else {
                    throw Refused(.conflict, "This deployer key was revoked; make another.")
                }
                throw Completed(reply)
            }
            let setting = Setting.deployer(publicKey: key, name: name)
            return set([(setting, final: false)], by: admin, exchange, reply)
        case .delete:
            let text = call.parameter("key").map { String(decoding: $0, as: UTF8.self) } ?? ""
            let key = try deployerKey(text)
            let setting = Setting.deployer(publicKey: key, name: "")
            return try finish(
                setting.registerName,
                by: admin,
                exchange,
                .deployer(key, "")
            )
        default:
            answer.methodNotAllowed("GET, POST, DELETE")
            return .answered
        }
    }

    private func deployerKey(_ text: String) throws -> [UInt8] {
        guard let key = ArtifactDigest(hex: text) else {
            throw Refused(.badRequest, "`key` is not the 64 hexadecimal digits of a public key.")
        }
        return key.bytes
    }
}

/// An answer that needs no write.
struct Completed: Error {
    let answer: AdminAnswer

    init(_ answer: AdminAnswer) { self.answer = answer }
}

extension AdminAnswer {
    fileprivate static func published(_ notice: ArtifactNotice) -> AdminAnswer {
        .object { json in
            json.field("name", notice.name)
            json.field("digest", hexText(notice.digest.bytes))
            json.field("bytes", Int(notice.bytes))
        }
    }

    fileprivate static func deployer(_ key: [UInt8], _ name: String) -> AdminAnswer {
        .object { json in
            json.field("key", hexText(key))
            json.field("name", name)
        }
    }
}

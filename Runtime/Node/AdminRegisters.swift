// Tenants, streams, topics and API keys, as an admin lists, adds and ends them.
//
// Names become ids by hashing (DESIGN 8), so adding the same name on two nodes is the same act.
// Adding what is there already answers with what is there; what was ended stays ended, because its
// id must never mean something else.

import Address
import Cluster
import EventLoop
import FunctionKit
import Servers
import Suppression
import Token
import Wire

extension NodeLoop {
    func tenants(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            list("tenants", catalog.allTenants, into: &answer) { tenant, json in
                json.field("name", text(tenant.name))
                json.field("id", hexText(tenant.id.raw))
                json.field("deleted", tenant.isDeleted)
            }
            return .answered
        case .post: return try addTenant(call, admin, exchange, into: &answer)
        case .delete:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let setting = Setting.tenant(tenant.id, name: text(tenant.name), sealedPepper: [])
            return try finish(
                setting.registerName,
                by: admin,
                exchange,
                deleted(text(tenant.name))
            )
        default:
            answer.methodNotAllowed("GET, POST, DELETE")
            return .answered
        }
    }

    private func addTenant(
        _ call: Call,
        _ admin: AdminKey,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let name = try call.json().required("name")
        let id = try named { () throws(AddressError) in try Names.tenantID(name) }
        let reply = AdminAnswer.object { json in
            json.field("name", name)
            json.field("id", hexText(id.raw))
        }
        if let known = catalog.tenant(id) {
            return try already(
                text(known.name) == name,
                known.isDeleted,
                "tenant",
                reply,
                into: &answer
            )
        }
        let secret = try clusterSecret()
        let tenantName = Setting.tenant(id, name: name, sealedPepper: []).registerName
        let pepper = secret.seal(Pepper.random().bytes, for: .pepper, register: tenantName)
        let keyID = TokenKey.randomID()
        let created = Clock.wallMilliseconds() / 1_000
        let keyName = Setting.tokenKey(id, id: keyID, createdSeconds: 0, sealedMaster: [])
            .registerName
        let master = secret.seal(
            TokenMaster.random().bytes,
            for: .tokenMaster,
            register: keyName
        )
        return set(
            [
                (.tenant(id, name: name, sealedPepper: pepper), final: false),
                (
                    .tokenKey(id, id: keyID, createdSeconds: created, sealedMaster: master),
                    final: false
                ),
            ],
            by: admin,
            exchange,
            reply
        )
    }

    func streams(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let streams = tenant.streams.all.sorted { $0.name.lexicographicallyPrecedes($1.name) }
            list("streams", streams, into: &answer) { stream, json in
                json.field("tenant", text(tenant.name))
                json.field("name", text(stream.name))
                json.field("id", String(stream.id.raw, radix: 16))
                json.field("class", stream.streamClass.name)
                json.field("deleted", stream.isDeleted)
            }
            return .answered
        case .post:
            let body = try call.json()
            let tenant = try tenant(named: body.required("tenant"))
            let name = try body.required("name")
            let classes = ["marketing": StreamClass.marketing, "transactional": .transactional]
            guard let streamClass = classes[try body.optional("class") ?? "marketing"] else {
                throw Refused(.badRequest, "`class` must be marketing or transactional.")
            }
            let id = try named { () throws(AddressError) in
                try Names.streamID(of: tenant.id, name)
            }
            let reply = AdminAnswer.object { json in
                json.field("tenant", text(tenant.name))
                json.field("name", name)
                json.field("id", String(id.raw, radix: 16))
                json.field("class", streamClass.name)
            }
            if let known = tenant.streams.first(where: { $0.id == id }) {
                let isSame = text(known.name) == name && known.streamClass == streamClass
                return try already(isSame, known.isDeleted, "stream", reply, into: &answer)
            }
            let setting = Setting.stream(tenant.id, id, name: name, streamClass: streamClass)
            return set([(setting, final: false)], by: admin, exchange, reply)
        case .delete:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let stream = try stream(named: parameter(call, "stream"), of: tenant)
            let setting = Setting.stream(
                tenant.id,
                stream.id,
                name: "",
                streamClass: .marketing
            )
            return try finish(
                setting.registerName,
                by: admin,
                exchange,
                deleted(text(stream.name))
            )
        default:
            answer.methodNotAllowed("GET, POST, DELETE")
            return .answered
        }
    }

    func topics(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let pairs = tenant.streams.all
                .flatMap { stream in stream.topics.all.map { (stream, $0) } }
                .sorted { (text($0.0.name), text($0.1.name)) < (text($1.0.name), text($1.1.name)) }
            list("topics", pairs, into: &answer) { pair, json in
                json.field("tenant", text(tenant.name))
                json.field("stream", text(pair.0.name))
                json.field("name", text(pair.1.name))
                json.field("id", String(pair.1.id.raw, radix: 16))
                json.field("deleted", pair.1.isDeleted)
            }
            return .answered
        case .post:
            let body = try call.json()
            let tenant = try tenant(named: body.required("tenant"))
            let stream = try stream(named: body.required("stream"), of: tenant)
            let name = try body.required("name")
            let id = try named { () throws(AddressError) in
                try Names.topicID(of: tenant.id, in: stream.id, name)
            }
            let reply = AdminAnswer.object { json in
                json.field("tenant", text(tenant.name))
                json.field("stream", text(stream.name))
                json.field("name", name)
                json.field("id", String(id.raw, radix: 16))
            }
            if let known = stream.topics.first(where: { $0.id == id }) {
                return try already(
                    text(known.name) == name,
                    known.isDeleted,
                    "topic",
                    reply,
                    into: &answer
                )
            }
            let setting = Setting.topic(tenant.id, stream.id, id, name: name)
            return set([(setting, final: false)], by: admin, exchange, reply)
        case .delete:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let stream = try stream(named: parameter(call, "stream"), of: tenant)
            let wanted = try parameter(call, "topic")
            guard let topic = stream.topics.find(Array(wanted.utf8).span) else {
                throw Refused(.notFound, "Unknown topic of this stream.")
            }
            let setting = Setting.topic(tenant.id, stream.id, topic.id, name: "")
            return try finish(setting.registerName, by: admin, exchange, deleted(wanted))
        default:
            answer.methodNotAllowed("GET, POST, DELETE")
            return .answered
        }
    }

    func keys(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let keys = catalog.allKeys.filter { $0.tenant == tenant.id }
            list("keys", keys, into: &answer) { key, json in
                json.field("tenant", text(tenant.name))
                json.field("name", key.name)
                json.scopes(key.scopes)
                json.field("revoked", key.isRevoked)
            }
            return .answered
        case .post: return try addKey(call, admin, exchange)
        case .delete:
            let tenant = try tenant(named: parameter(call, "tenant"))
            let name = try parameter(call, "name")
            let setting = Setting.key(tenant.id, name: name, hash: [], scopes: [])
            return try finish(setting.registerName, by: admin, exchange, deleted(name))
        default:
            answer.methodNotAllowed("GET, POST, DELETE")
            return .answered
        }
    }

    private func addKey(
        _ call: Call,
        _ admin: AdminKey,
        _ exchange: Exchange
    ) throws -> Disposition {
        let body = try call.json()
        let tenant = try tenant(named: body.required("tenant"))
        let name = try body.required("name")
        try named { () throws(AddressError) in try Names.validate(name) }
        let words = body["scopes"]?.array?.compactMap(\.string) ?? []
        guard let scopes = KeyScopes(words: words), words.count == body["scopes"]?.array?.count
        else {
            let known = KeyScopes.words.map(\.word).joined(separator: ", ")
            throw Refused(.badRequest, "`scopes` must be a list of: \(known).")
        }
        if catalog.allKeys.contains(where: { $0.tenant == tenant.id && $0.name == name }) {
            throw Refused(.conflict, "A key of this name exists or existed; choose another name.")
        }
        let key = ApiKey.random()
        let setting = Setting.key(tenant.id, name: name, hash: key.hash, scopes: scopes)
        let reply = AdminAnswer.object { json in
            json.field("tenant", text(tenant.name))
            json.field("name", name)
            json.field("key", key.text)
            json.scopes(scopes)
        }
        return set([(setting, final: false)], by: admin, exchange, reply)
    }
}

// MARK: shared parts

extension NodeLoop {
    private func tenant(named name: String) throws -> KnownTenant {
        let bytes = Array(name.utf8)
        guard let found = catalog.allTenants.first(where: { $0.name == bytes && !$0.isDeleted })
        else { throw Refused(.notFound, "Unknown tenant; `quell tenant list` shows them.") }
        return found
    }

    private func stream(named name: String, of tenant: KnownTenant) throws -> KnownStream {
        guard let found = tenant.streams.find(Array(name.utf8).span), !found.isDeleted else {
            throw Refused(.notFound, "Unknown stream; `quell stream list` shows them.")
        }
        return found
    }

    private func parameter(_ call: Call, _ name: StaticString) throws -> String {
        guard let value = call.parameter(name) else {
            throw Refused(.badRequest, "`\(name)` is missing from the query.")
        }
        return text(value)
    }

    /// A bad name becomes a 400 that says what names look like.
    private func named<T>(_ body: () throws(AddressError) -> T) throws -> T {
        do {
            return try body()
        } catch { throw Refused(.badRequest, error.text) }
    }

    private func already(
        _ isSame: Bool,
        _ isDeleted: Bool,
        _ kind: String,
        _ reply: AdminAnswer,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        if isDeleted {
            throw Refused(.conflict, "A \(kind) of this name was deleted; names are not reused.")
        }
        guard isSame else {
            throw Refused(.conflict, "This \(kind) exists with other settings, or its id is taken.")
        }
        reply.write(into: &answer)
        return .answered
    }

    private func deleted(_ name: String) -> AdminAnswer {
        .object { json in
            json.field("name", name)
            json.field("deleted", true)
        }
    }

    private func list<Row>(
        _ name: String,
        _ rows: [Row],
        into answer: inout HTTPAnswer,
        _ body: (Row, inout JSONWriter) -> Void
    ) {
        answer.json { json in
            json.beginObject()
            json.key(name)
            json.beginArray()
            for row in rows {
                json.beginObject()
                body(row, &json)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }
}

extension JSONWriter {
    fileprivate mutating func scopes(_ scopes: KeyScopes) {
        key("scopes")
        beginArray()
        for word in scopes.words { string(word) }
        endArray()
    }
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

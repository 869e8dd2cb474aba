// The RESP listener (DESIGN 10.3): check and suppress for any Redis client.
//
//     AUTH tenant key
//     GET allow:marketing:news:a@b.c     1 only when sending is allowed, else nil; the form to use
//     SISMEMBER marketing:news a@b.c       1 suppressed, 0 may be sent, -STALE unknown
//     SADD marketing:news a@b.c            reason manual; answers after the gate
//
// The positive form is safe against the wrong server: an empty Redis says nil as well, and nil
// means do not send. In the compatibility form 0 would mean send, so whatever is not known is an
// error there.

import Address
import Cluster
import EventLoop
import Servers
import Suppression
import Token
import Wire

/// What one command of a waiting run will answer.
enum RESPOwed {
    /// So many were not suppressed before.
    case added(Int)
    /// Nothing was written for this command.
    case error(String)
}

extension ServingLoop: RESPService {
    func authenticate(user: Span<UInt8>, key: Span<UInt8>) -> UInt64? {
        guard let presented = ApiKey(text: key), let known = catalog.key(hash: presented.hash),
            let tenant = catalog.tenant(known.tenant), !tenant.isDeleted,
            tenant.name.count == user.count
        else { return nil }
        for i in user.indices where tenant.name[i] != user[i] { return nil }
        return CatalogBuilder.prefix(known.hash)
    }

    func serve(
        batch: borrowing RESPBatch,
        bytes: Span<UInt8>,
        exchange: Exchange,
        session: inout RESPSession,
        into replies: inout RESPReplies
    ) -> Disposition {
        guard let principal = session.principal, let key = catalog.key(principal: principal),
            let tenant = catalog.tenant(key.tenant), !tenant.isDeleted
        else {
            session.principal = nil
            for _ in batch.commands { replies.error("NOAUTH this key was revoked") }
            return .answered
        }
        if batch.isWrite {
            return write(batch, bytes, tenant, key, exchange, into: &replies)
        }
        guard key.scopes.contains(.check) else {
            for _ in batch.commands { replies.error("NOPERM this key lacks the scope check") }
            return .answered
        }
        // Read after the requests' last byte: the `now` that the lease is held against.
        let asked = now()
        var count = 0
        for command in batch.commands {
            let words = batch.words[command.words]
            count += words.count
            read(command.name, Array(words), bytes, tenant, asked, into: &replies)
        }
        let spent = Clock.bootNanoseconds() - asked.bootNanos
        let times = UInt64(max(count, 1))
        door.metrics.checkAnswer.record(nanoseconds: spent / times, times: times)
        return .answered
    }

    private func read(
        _ name: RESPName,
        _ words: [RESPWord],
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ asked: Instant,
        into replies: inout RESPReplies
    ) {
        do {
            switch name {
            case .get, .mget, .exists:
                let decisions = try words.map { try allow($0, bytes, tenant, asked) }
                answer(name, decisions, into: &replies)
            default:
                let decisions = try members(words, bytes, tenant, asked)
                guard !decisions.contains(.unknown) else {
                    return replies.error("STALE freshness cannot be proved; do not send now")
                }
                if name == .smismember { replies.array(decisions.count) }
                for decision in decisions { replies.integer(decision == .allow ? 0 : 1) }
            }
        } catch let refused as Refused {
            replies.error("ERR " + refused.detail)
        } catch { replies.error("ERR this node cannot read its state") }
    }

    private func answer(
        _ name: RESPName,
        _ decisions: [Decision],
        into replies: inout RESPReplies
    ) {
        if name == .exists {
            return replies.integer(decisions.filter { $0 == .allow }.count)
        }
        if name == .mget { replies.array(decisions.count) }
        for decision in decisions {
            if decision == .allow { replies.bulk("1") } else { replies.null() }
        }
    }

    /// `allow:stream:topic:address`
    private func allow(
        _ word: RESPWord,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ asked: Instant
    ) throws -> Decision {
        guard let key = RESPAllowKey(word, in: bytes) else {
            throw Refused(.badRequest, "a key is named allow:stream:topic:address")
        }
        let place = try place(key.stream, key.topic, bytes, tenant)
        return decide(bytes.extracting(key.address.range), place, tenant, asked)
    }

    /// A set and its members.
    private func members(
        _ words: [RESPWord],
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ asked: Instant
    ) throws -> [Decision] {
        guard let set = words.first, let name = RESPSetName(set, in: bytes) else {
            throw Refused(.badRequest, "a set is named stream:topic")
        }
        let place = try place(name.stream, name.topic, bytes, tenant)
        return words.dropFirst().map {
            decide(bytes.extracting($0.range), place, tenant, asked)
        }
    }

    private func place(
        _ stream: RESPWord,
        _ topic: RESPWord,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant
    ) throws -> (scope: Scope, streamClass: StreamClass) {
        let names = [stream, topic].map { word in word.range.map { bytes[$0] } }
        return try resolve(tenant, stream: names[0], topic: names[1])
    }

    private func decide(
        _ address: Span<UInt8>,
        _ place: (scope: Scope, streamClass: StreamClass),
        _ tenant: KnownTenant,
        _ asked: Instant
    ) -> Decision {
        guard let recipient = recipient(address, tenant) else {
            door.metrics.count(.deny)
            return .deny
        }
        let query = Query(
            person: Person(tenant: tenant.id, recipient: recipient),
            stream: place.scope.stream,
            topic: place.scope.topic,
            streamClass: place.streamClass
        )
        let decision = guarded(view.verdict(query, now: asked), query, now: asked).decision
        door.metrics.count(decision)
        return decision
    }
}

// MARK: writing

extension ServingLoop {
    /// A run of SADD and SREM: all suppressions of the run share one ticket.
    private func write(
        _ batch: borrowing RESPBatch,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ key: KnownKey,
        _ exchange: Exchange,
        into replies: inout RESPReplies
    ) -> Disposition {
        var drafts: [Draft] = []
        var fresh: Set<MarkKey> = []
        var owed: [RESPOwed] = []
        for command in batch.commands {
            let words = Array(batch.words[command.words])
            guard command.name == .sadd else {
                owed.append(.error("NOPERM only a consent lifts; see POST /v1/consents"))
                continue
            }
            do {
                guard key.scopes.contains(.suppress) else {
                    throw Refused(.forbidden, "NOPERM this key lacks the scope suppress")
                }
                let keys = try marks(words, bytes, tenant)
                guard drafts.count + keys.count <= Cluster.Limits.changesPerWriteCount else {
                    throw Refused(.badRequest, "ERR at most 1,024 members at once; send fewer")
                }
                owed.append(.added(try added(keys, &fresh)))
                drafts += keys.map { Draft.suppress($0, source: .resp, expiresSeconds: 0) }
            } catch let refused as Refused {
                owed.append(.error(refused.detail))
            } catch { owed.append(.error("ERR this node cannot read its state")) }
        }
        let waiting = PendingWrite.Answer.resp(owed)
        guard !drafts.isEmpty else {
            WriteOutcome.refused(.busy).write(waiting, into: &replies)
            return .answered
        }
        let caller = Caller(door: .resp, exchange: exchange)
        if send(drafts, policy: .strict, caller: caller, pending: waiting) { return .later }
        WriteOutcome.refused(.busy).write(waiting, into: &replies)
        return .answered
    }

    /// The keys that one SADD names; all of them or an error.
    private func marks(
        _ words: [RESPWord],
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant
    ) throws -> [MarkKey] {
        guard let set = words.first, let name = RESPSetName(set, in: bytes) else {
            throw Refused(.badRequest, "ERR a set is named stream:topic")
        }
        let place: (scope: Scope, streamClass: StreamClass)
        do {
            place = try self.place(name.stream, name.topic, bytes, tenant)
        } catch let refused as Refused { throw Refused(refused.status, "ERR " + refused.detail) }
        return try words.dropFirst().map { word in
            guard let recipient = recipient(bytes.extracting(word.range), tenant) else {
                throw Refused(.badRequest, "ERR a member is no e-mail address; nothing was written")
            }
            let person = Person(tenant: tenant.id, recipient: recipient)
            return MarkKey(person: person, scope: place.scope, reason: .manual)
        }
    }

    /// How many of these were not suppressed before, each key once in a run.
    private func added(_ keys: [MarkKey], _ fresh: inout Set<MarkKey>) throws -> Int {
        let seconds = now().wallMillis / 1_000
        var count = 0
        for key in keys where !fresh.contains(key) {
            guard try view.mark(key)?.isSuppressed(atSeconds: seconds) == false else { continue }
            fresh.insert(key)
            count += 1
        }
        return count
    }
}

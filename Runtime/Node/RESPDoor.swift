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
import Storage
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
        // Moved out and back: fields of this object would be checked for exclusive access at every
        // address, 10 % of the time of a check.
        var run = PreparedChecks()
        swap(&run, &prepared)
        run.prepare(batch, bytes, tenant, view.memory())
        view.decide(run.checks, now: asked, into: &run.decisions)
        functions.tighten(run.checks, tenant.id, now: asked, &run.decisions)
        let counts = run.answer(into: &replies)
        swap(&run, &prepared)
        let spent = Clock.bootNanoseconds() - asked.bootNanos
        let times = UInt64(max(counts.total, 1))
        door.metrics.checkAnswer.record(nanoseconds: spent / times, times: times)
        door.metrics.count(counts)
        return .answered
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
        var staged = 0
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
                guard staged + keys.count <= Cluster.Limits.changesPerWriteCount else {
                    throw Refused(.badRequest, "ERR at most 1,024 members at once; send fewer")
                }
                owed.append(.added(try added(keys, &fresh)))
                staged += keys.count
                drafts.append(draft(keys))
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
        send(drafts, policy: .strict, caller: caller, pending: waiting)
        return .later
    }

    /// One write for all members; a list where that is smaller.
    private func draft(_ keys: [MarkKey]) -> Draft {
        if keys.count == 1 { return .suppress(keys[0], source: .resp, expiresSeconds: 0) }
        return .list(
            SuppressionList(
                tenant: keys[0].person.tenant,
                scope: keys[0].scope,
                reason: keys[0].reason,
                source: .resp,
                recipients: keys.map(\.person.recipient)
            )
        )
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
            place = try tenant.place(
                stream: bytes.extracting(name.stream.range),
                topic: bytes.extracting(name.topic.range)
            )
        } catch { throw Refused(error.status, "ERR " + error.detail) }
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

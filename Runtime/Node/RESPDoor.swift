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
        prepare(batch, bytes, tenant)
        let counts = decide(asked, into: &replies)
        let spent = Clock.bootNanoseconds() - asked.bootNanos
        let times = UInt64(max(prepared.checks.count, 1))
        door.metrics.checkAnswer.record(nanoseconds: spent / times, times: times)
        door.metrics.count(counts)
        return .answered
    }

    /// The first pass: every address becomes a digest, and its line of the filter is asked for.
    private func prepare(
        _ batch: borrowing RESPBatch,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant
    ) {
        let memory = view.memory()
        prepared.begin()
        for command in batch.commands {
            let first = prepared.checks.count
            var refusal: String?
            do {
                try prepare(command, batch.words, bytes, tenant, memory)
            } catch let refused as Refused {
                refusal = "ERR " + refused.detail
            } catch { refusal = "ERR this node cannot read its state" }
            prepared.commands.append(
                PreparedCommand(
                    name: command.name,
                    checks: first..<prepared.checks.count,
                    refusal: refusal
                )
            )
        }
    }

    private func prepare(
        _ command: RESPCommand,
        _ words: [RESPWord],
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ memory: MarkMemory
    ) throws {
        switch command.name {
        case .get, .mget, .exists:
            for at in command.words {
                guard let key = RESPAllowKey(words[at], in: bytes) else {
                    throw Refused(.badRequest, "a key is named allow:stream:topic:address")
                }
                let place = try place(key.stream, key.topic, bytes, tenant)
                prepare(bytes.extracting(key.address.range), place, tenant, memory)
            }
        default:
            guard let first = command.words.first,
                let name = RESPSetName(words[first], in: bytes)
            else { throw Refused(.badRequest, "a set is named stream:topic") }
            let place = try place(name.stream, name.topic, bytes, tenant)
            for at in command.words.dropFirst() {
                prepare(bytes.extracting(words[at].range), place, tenant, memory)
            }
        }
    }

    private func prepare(
        _ address: Span<UInt8>,
        _ place: (scope: Scope, streamClass: StreamClass),
        _ tenant: KnownTenant,
        _ memory: MarkMemory
    ) {
        guard let recipient = recipient(address, tenant) else {
            return prepared.checks.append(nil)
        }
        memory.filter.prefetch(recipient)
        prepared.checks.append(
            Query(
                person: Person(tenant: tenant.id, recipient: recipient),
                stream: place.scope.stream,
                topic: place.scope.topic,
                streamClass: place.streamClass
            )
        )
    }

    /// The second pass: the lines are near by now.
    private func decide(_ asked: Instant, into replies: inout RESPReplies) -> DecisionCounts {
        var counts = DecisionCounts()
        for command in prepared.commands {
            if let refusal = command.refusal {
                replies.error(refusal)
                continue
            }
            switch command.name {
            case .get, .mget, .exists:
                if command.name == .mget { replies.array(command.checks.count) }
                var allowed = 0
                for at in command.checks {
                    let isAllowed = decide(at, asked, &counts) == .allow
                    if isAllowed { allowed += 1 }
                    if command.name == .exists { continue }
                    if isAllowed { replies.bulk("1") } else { replies.null() }
                }
                if command.name == .exists { replies.integer(allowed) }
            default: answerMembers(command, asked, &counts, into: &replies)
            }
        }
        return counts
    }

    /// Whoever reads 0 sends, so one unknown member spoils the whole reply.
    private func answerMembers(
        _ command: PreparedCommand,
        _ asked: Instant,
        _ counts: inout DecisionCounts,
        into replies: inout RESPReplies
    ) {
        prepared.decisions.removeAll(keepingCapacity: true)
        var isKnown = true
        for at in command.checks {
            let decision = decide(at, asked, &counts)
            if decision == .unknown { isKnown = false }
            prepared.decisions.append(decision)
        }
        guard isKnown else {
            return replies.error("STALE freshness cannot be proved; do not send now")
        }
        if command.name == .smismember { replies.array(prepared.decisions.count) }
        for decision in prepared.decisions { replies.integer(decision == .allow ? 0 : 1) }
    }

    /// The built-in `check` function has nothing to add to what the marks say, so it is not called
    /// here (DESIGN 9).
    private func decide(
        _ at: Int,
        _ asked: Instant,
        _ counts: inout DecisionCounts
    ) -> Decision {
        let decision = prepared.checks[at].map { view.decide($0, now: asked) } ?? .deny
        counts.add(decision)
        return decision
    }

    /// Stream and topic by name; a run mostly names one set, so the last is remembered.
    private func place(
        _ stream: RESPWord,
        _ topic: RESPWord,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant
    ) throws -> (scope: Scope, streamClass: StreamClass) {
        let named = bytes.extracting(stream.range.lowerBound..<topic.range.upperBound)
        if let known = prepared.place(named) { return known }
        let names = [stream, topic].map { word in word.range.map { bytes[$0] } }
        let place = try resolve(tenant, stream: names[0], topic: names[1])
        prepared.remember(place, as: named)
        return place
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
        prepared.begin()
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
        if send(drafts, policy: .strict, caller: caller, pending: waiting) { return .later }
        WriteOutcome.refused(.busy).write(waiting, into: &replies)
        return .answered
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

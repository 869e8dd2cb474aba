// A run of pipelined checks, in three passes over all of it:
//
//     prepare   every address becomes a digest, and its line of the filter is asked for
//     decide    the lines are near by now: View.decide, one call for the run
//     answer    replies in the order of the commands
//
// Digesting and fetching overlap, which is twice as fast as one check after the other
// (reference/performance.md 1). One value a loop, its arrays reused, so that a run of 64 commands
// allocates nothing. A deployed `check` is then asked about what would be allowed; the built-in has
// nothing to add to what the marks say, so it is not called here (DESIGN 9).

import Address
import Servers
import Storage
import Suppression
import Wire

/// The run of one connection.
struct PreparedChecks: ~Copyable {
    typealias Place = (scope: Scope, streamClass: StreamClass)

    /// One command of a run.
    private struct Command {
        let name: RESPName
        /// Places in `checks`.
        let checks: Range<Int>
        /// What is answered instead; nil when all is well.
        let refusal: String?
    }

    /// One an address; nil for a malformed one, which is denied.
    private(set) var checks: [Query?] = []
    /// One a check.
    var decisions: [Decision] = []
    private var commands: [Command] = []
    private var address = CanonicalAddress()
    private var placeName: [UInt8] = []
    private var lastPlace: Place?

    // MARK: prepare

    /// Digests a run.
    mutating func prepare(
        _ batch: borrowing RESPBatch,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ memory: MarkMemory
    ) {
        checks.removeAll(keepingCapacity: true)
        commands.removeAll(keepingCapacity: true)
        lastPlace = nil  // the catalog may have changed since the run before
        for command in batch.commands {
            let first = checks.count
            var refusal: String?
            do {
                try prepare(command, batch.words, bytes, tenant, memory.filter)
            } catch { refusal = "ERR " + error.detail }
            commands.append(
                Command(name: command.name, checks: first..<checks.count, refusal: refusal)
            )
        }
    }

    private mutating func prepare(
        _ command: RESPCommand,
        _ words: [RESPWord],
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant,
        _ filter: RecipientFilter
    ) throws(Refused) {
        switch command.name {
        case .get, .mget, .exists:
            for at in command.words {
                guard let key = RESPAllowKey(words[at], in: bytes) else {
                    throw Refused(.badRequest, "a key is named allow:stream:topic:address")
                }
                let place = try place(key.stream, key.topic, bytes, tenant)
                add(bytes.extracting(key.address.range), place, tenant, filter)
            }
        default:
            guard let first = command.words.first,
                let name = RESPSetName(words[first], in: bytes)
            else { throw Refused(.badRequest, "a set is named stream:topic") }
            let place = try place(name.stream, name.topic, bytes, tenant)
            for at in command.words.dropFirst() {
                add(bytes.extracting(words[at].range), place, tenant, filter)
            }
        }
    }

    private mutating func add(
        _ text: Span<UInt8>,
        _ place: Place,
        _ tenant: KnownTenant,
        _ filter: RecipientFilter
    ) {
        do { try address.read(text) } catch { return checks.append(nil) }
        let recipient = tenant.digester.recipient(of: address)
        filter.prefetch(recipient)
        checks.append(
            Query(
                person: Person(tenant: tenant.id, recipient: recipient),
                stream: place.scope.stream,
                topic: place.scope.topic,
                streamClass: place.streamClass
            )
        )
    }

    /// Stream and topic by name; a run mostly names one set, so the last is remembered.
    private mutating func place(
        _ stream: RESPWord,
        _ topic: RESPWord,
        _ bytes: Span<UInt8>,
        _ tenant: KnownTenant
    ) throws(Refused) -> Place {
        let named = bytes.extracting(stream.range.lowerBound..<topic.range.upperBound)
        if let lastPlace, isLastPlace(named) { return lastPlace }
        let place = try tenant.place(
            stream: bytes.extracting(stream.range),
            topic: bytes.extracting(topic.range)
        )
        placeName.removeAll(keepingCapacity: true)
        for i in named.indices { placeName.append(named[i]) }
        lastPlace = place
        return place
    }

    private func isLastPlace(_ name: Span<UInt8>) -> Bool {
        guard placeName.count == name.count else { return false }
        for i in name.indices where placeName[i] != name[i] { return false }
        return true
    }

    // MARK: answer

    /// Replies to each command from its decisions.
    func answer(into replies: inout RESPReplies) -> DecisionCounts {
        var counts = DecisionCounts()
        for command in commands {
            if let refusal = command.refusal {
                replies.error(refusal)
                continue
            }
            for at in command.checks { counts.add(decisions[at]) }
            switch command.name {
            case .exists:
                replies.integer(command.checks.count { decisions[$0] == .allow })
            case .get, .mget:
                if command.name == .mget { replies.array(command.checks.count) }
                for at in command.checks {
                    if decisions[at] == .allow { replies.bulk("1") } else { replies.null() }
                }
            default: answerMembers(command, into: &replies)
            }
        }
        return counts
    }

    /// Whoever reads 0 sends, so one unknown member spoils the whole reply.
    private func answerMembers(_ command: Command, into replies: inout RESPReplies) {
        for at in command.checks where decisions[at] == .unknown {
            return replies.error("STALE freshness cannot be proved; do not send now")
        }
        if command.name == .smismember { replies.array(command.checks.count) }
        for at in command.checks { replies.integer(decisions[at] == .allow ? 0 : 1) }
    }
}

/// Decisions of a run, counted once instead of one by one.
struct DecisionCounts {
    private(set) var allowed: UInt64 = 0
    private(set) var denied: UInt64 = 0
    private(set) var unknown: UInt64 = 0

    var total: UInt64 { allowed + denied + unknown }

    mutating func add(_ decision: Decision) {
        switch decision {
        case .allow: allowed += 1
        case .deny: denied += 1
        case .unknown: unknown += 1
        }
    }
}

// Effects in words: one line each, in the order of the buffer, which is the order of execution.

import Suppression

@testable import Cluster

/// Tells what a machine wants done.
struct Telling {
    /// One line of a story.
    static func line(_ effect: Effect, _ cast: inout Cast) -> String {
        switch effect {
        case .persist(let sequence, let change): "log \(sequence): \(line(change, cast))"
        case .show(let sequence, let change): "show \(sequence): \(line(change, cast))"
        case .vouch(let lease): "vouch: \(line(lease))"
        case .acknowledge(let ticket, let durability, let dots):
            "ANSWER \(ticket.raw): yes, \(durability.name), for \(dots.word)"
        case .refuse(let ticket, let refusal): "ANSWER \(ticket.raw): no, \(word(refusal))"
        case .halt: "halt: exit, and say nothing more"
        case .send(let node, let message): "send n\(node.raw): \(line(message, &cast))"
        case .readPage(let request):
            "read a page of \(request.dotsCount) for n\(request.peer.raw): "
                + "\(request.wanted.word)\(behind(request.after))"
        }
    }

    private static func behind(_ dot: Dot?) -> String { dot.map { " behind \($0.word)" } ?? "" }

    /// A lease as of a moment of this node's clock.
    static func line(_ lease: Lease) -> String {
        guard let nanos = lease.asOfNanos else { return "nothing is proved" }
        return "fresh as of \(nanos / 1_000_000) ms, generation \(lease.generation)"
    }

    /// What a check of somebody of whom nothing is shown would answer.
    static func check(_ lease: Lease, now: Instant, boundMillis: UInt64) -> String {
        let isAllowed = lease.permitsAllow(
            now: now.bootNanos,
            boundNanos: boundMillis * 1_000_000
        )
        let age = lease.stalenessNanos(now: now.bootNanos).map { "\($0 / 1_000_000) ms old" }
        return "\(isAllowed ? "may allow" : "UNKNOWN"): \(age ?? "no proof")"
    }

    private static func word(_ refusal: Refusal) -> String {
        switch refusal {
        case .notDurable: "not durable in time"
        case .full: "the disk is full"
        case .busy: "busy"
        case .failed: "the disk failed"
        case .otherBody: "the same key came with another body"
        case .unobserved: "it names a write that is not held here"
        case .superseded: "others were chosen first"
        case .notChosen: "no majority answered; they may still be chosen"
        case .unready: "too few others have caught up"
        }
    }

    private static func line(_ change: Change, _ cast: Cast) -> String {
        switch change.body {
        case .suppress(let key, _): "\(change.dot.word) opts \(cast.name(key)) out"
        case .consent(let key, let covers, _):
            "\(change.dot.word) lifts \(covers.map(\.word).joined(separator: ",")) "
                + "of \(cast.name(key))"
        case .register(let register): "\(change.dot.word) sets \(line(register))"
        case .list(let list): "\(change.dot.word) opts \(list.count) people out"
        case .merged(let merged): line(merged, cast)
        case .own(let note): "note of \(note.kind), \(note.bytes.count) bytes"
        case .holds(let set): "now \(set.word) is held"
        case .opaque(let kind, _): "\(change.dot.word) of kind \(kind)"
        }
    }

    /// A register and what it says.
    static func line(_ register: Register) -> String {
        let name = String(decoding: register.name, as: UTF8.self)
        let value = String(decoding: register.value, as: UTF8.self)
        let end = register.final ? ", for ever" : ""
        return "\(name) = \(value) (generation \(register.generation)\(end))"
    }

    private static func line(_ merged: Merged, _ cast: Cast) -> String {
        let dots = merged.dots.map(\.word).joined(separator: ",")
        switch merged.content {
        case .mark(let key, let mark):
            let covers = mark.covered.map(\.word).joined(separator: ",")
            let state = mark.suppressions.map(\.dot.word).joined(separator: ",")
            return "\(cast.name(key)) as the donor has it for \(dots): out by "
                + (state.isEmpty ? "nothing" : state)
                + (covers.isEmpty ? "" : ", lifted up to \(covers)")
        case .register(let register): return "\(line(register)) as the donor has it for \(dots)"
        }
    }

    private static func line(_ message: Message, _ cast: inout Cast) -> String {
        switch message {
        case .changes(let changes):
            return changes.map { line($0, cast) }.joined(separator: "; ")
        case .receipts(let generation, let ranges):
            let word = ranges.map(\.word).joined(separator: ",")
            return "committed here \(word), generation \(generation)"
        case .heldHash: return "hash of what is held"
        case .held(let generation, let set):
            return "held here \(set.word), generation \(generation)"
        case .ask(let nonce, let known):
            return "\(cast.name(nonce)): what have you committed since step \(known)?"
        case .confirm(let answer):
            return
                "to \(cast.name(answer.nonce)): since step \(answer.since) \(answer.delta.word), "
                + "now step \(answer.counter), generation \(answer.generation)"
        case .pull(let number, let wanted, let after):
            return "pull \(number): give me \(wanted.word)\(behind(after))"
        case .prepare(let generation, let ballot):
            return "ballot \(ballot.word): promise for generation \(generation)"
        case .promised(let generation, let ballot, let accepted):
            let before = accepted.map { "voted in \($0.ballot.word) for \($0.voters.word)" }
            return "ballot \(ballot.word) promised for generation \(generation), "
                + (before ?? "no vote before")
        case .accept(let ballot, let set): return "ballot \(ballot.word): vote for \(set.word)"
        case .accepted(let generation, let ballot):
            return "ballot \(ballot.word): voted, generation \(generation)"
        case .declined(let generation, let ballot, let highest, let why):
            return "ballot \(ballot.word) declined for generation \(generation): \(why), "
                + "highest \(highest.word)"
        case .relay(.announce(let set)): return "here came \(set.word)"
        case .relay(.prune): return "your copies come late: announce"
        case .relay(.graft): return "send at once again"
        case .repair(let session, _): return "repair, session \(session)"
        case .rollout: return "function versions"
        case .doubted(let origin): return "\(origin.word) held more once"
        case .page(let page):
            return "page of pull \(page.number): \(page.entries.count) entries, "
                + "complete for \(page.held.word)\(page.isLast ? ", the last" : "")"
        }
    }
}

extension Ballot {
    /// `3/n2`: the third round, by n2.
    var word: String { "\(round)/n\(node.raw)" }
}

extension VoterSet {
    /// The slots of a generation; those of one party of a joint one with their sign.
    var word: String {
        let names = slots.map { slot in
            let sign =
                switch slot.side {
                case .staying: ""
                case .leaving: "-"
                case .joining: "+"
                }
            return sign + slot.name
        }
        return "generation \(generation): \(names.joined(separator: " "))"
    }
}

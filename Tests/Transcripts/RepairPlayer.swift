// Two nodes that compare their marks, on the stage: all that they say to each other, in order.
//
//     repair n1 n2 [n2 damaged]          two sides without marks
//     both have alice bob                as written; `both have 500 more` of nameless people
//     n1 has dave                        n1 alone; the next write about one whom both have
//     n2 lost alice                      as a damaged disk does
//     compare n1 with n2 [dry]           n1 asks; ticks follow until its run has ended
//     compare n1 with n2 cut after 3     the link falls behind the third message
//     silent n2                          n2 says nothing from now on
//
// Cells are read from frozen sketches of these marks, and messages go through their bytes.

import MarkShelf
import Suppression

@testable import Cluster

/// One side.
private struct Side {
    let node: NodeID
    var machine: Repair
    var shelf = MarkShelf()
    var report: RepairReport?
    var isSilent = false

    init(_ node: NodeID, isDamaged: Bool) {
        self.node = node
        machine = Repair(own: node, isDamaged: isDamaged)
    }
}

/// Plays two repair machines.
struct RepairPlayer: Player {
    private var sides: [Side]
    private var names: [MarkKey: String] = [:]
    private var nanos: UInt64 = 1_000_000_000
    private var written: UInt64 = 0
    private var lines: [String] = []
    /// Messages until the link falls; nil while it stands for good.
    private var left: UInt64?

    /// `n1 n2 [n2 damaged]`.
    init(_ words: inout Words) throws(StoryError) {
        let (a, b) = (try words.origin().node, try words.origin().node)
        var damaged: NodeID?
        if !words.rest.isEmpty {
            damaged = try words.origin().node
            guard words.takes("damaged") else { throw StoryError(why: "say that it is `damaged`") }
        }
        sides = [a, b].map { Side($0, isDamaged: $0 == damaged) }
    }

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        switch word {
        case "both": return try change(sides.indices.map { $0 }, &words)
        case "compare": return try compare(&words)
        case "silent":
            let at = try side(words.next())
            sides[at].isSilent = true
            return ["nothing"]
        default: return try change([side(word)], &words)
        }
    }

    private func side(_ word: String) throws(StoryError) -> Int {
        guard let at = sides.firstIndex(where: { "n\($0.node.raw)" == word }) else {
            throw StoryError(why: "`\(word)` is neither of the two")
        }
        return at
    }

    /// `has PEOPLE`, `have 500 more`, `lost PEOPLE`, `lifts alice`.
    private mutating func change(_ those: [Int], _ words: inout Words) throws(StoryError)
        -> [String]
    {
        let verb = try words.next()
        var people: [String] = []
        while !words.rest.isEmpty { people.append(try words.next()) }
        if people.last == "more", let count = UInt64(people[0]) {
            let before = written
            people = (1...count).map { "\(before + $0)" }
        }
        for name in people {
            let key = key(name)
            switch verb {
            case "has", "have":
                written += 1
                for at in those { sides[at].shelf.merge(key, Mark(suppression(written))) }
            case "lifts":
                let dots = those.flatMap {
                    sides[$0].shelf.marks[key]?.suppressions.map(\.dot) ?? []
                }
                for at in those { sides[at].shelf.merge(key, Mark(covering: dots)) }
            case "lost": for at in those { sides[at].shelf.remove(key) }
            default: throw StoryError(why: "nobody `\(verb)` a mark")
            }
        }
        return sides.map { "n\($0.node.raw): \($0.shelf.marks.count) marks" }
    }

    private func suppression(_ sequence: UInt64) -> SuppressingDot {
        let origin = Origin(node: NodeID(raw: 3), epoch: Epoch(counter: 1, random: 0))
        let time = HybridTime(raw: 1_700_000_000_000 << 16)
        return SuppressingDot(
            dot: Dot(origin: origin, sequence: sequence),
            time: time,
            source: .oneClick
        )
    }

    /// People lie far apart, as digests do.
    private mutating func key(_ name: String) -> MarkKey {
        var bits: UInt64 = 0
        for byte in name.utf8 { bits = mixed(bits ^ UInt64(byte)) }
        let key = MarkKey(
            person: Person(
                tenant: TenantID(raw: 7),
                recipient: Recipient(high: bits, low: 0)
            ),
            scope: .tenant,
            reason: .unsubscribe
        )
        names[key] = name
        return key
    }

    // MARK: the conversation

    private mutating func compare(_ words: inout Words) throws(StoryError) -> [String] {
        let at = try side(words.next())
        guard words.takes("with"), try side(words.next()) == 1 - at else {
            throw StoryError(why: "say `with` whom")
        }
        lines = []
        sides[at].report = nil
        let isDry = words.takes("dry")
        if words.takes("cut") { left = try words.number(after: "after") }
        defer { left = nil }
        step(at, .asked(peer: sides[1 - at].node, isDry: isDry))
        for _ in 0..<600 where sides[at].report == nil {
            nanos += 100_000_000
            for side in sides.indices { step(side, .ticked) }
        }
        return lines
    }

    private mutating func step(_ at: Int, _ event: RepairEvent) {
        var events = [(at, event)]
        while !events.isEmpty {
            let (at, event) = events.removeFirst()
            var effects: [RepairEffect] = []
            sides[at].machine.step(event, now: nanos, into: &effects)
            for effect in effects { carryOut(effect, at, &events) }
        }
    }

    private mutating func carryOut(
        _ effect: RepairEffect,
        _ at: Int,
        _ events: inout [(Int, RepairEvent)]
    ) {
        let name = "n\(sides[at].node.raw)"
        switch effect {
        case .freeze:
            let count = UInt64(sides[at].shelf.marks.count)
            events.append((at, .frozen(sides[at].shelf.sketch, marksCount: count)))
        case .send(let id, let message):
            guard !sides[at].isSilent, left != 0 else { return }
            left? -= 1
            if left == 0 {
                for at in sides.indices { events.append((at, .unlinked(sides[1 - at].node))) }
            }
            if message != .took { lines.append("\(name): \(line(message))") }
            let theirs = RepairID(peer: sides[at].node, number: id.number)
            guard !sides[1 - at].isSilent else { return }
            events.append((1 - at, .received(theirs, recoded(id.number, message))))
        case .lookUp(let id, let ids, let orChanged):
            events.append((at, .found(id, sides[at].shelf.found(ids, orChanged: orChanged))))
        case .list(let id, let partition):
            events.append((at, .listed(id, sides[at].shelf.ids(of: partition))))
        case .merge(let id, let rows):
            lines.append("\(name) logs \(people(rows))")
            for row in rows { sides[at].shelf.merge(row.key, row.mark) }
            events.append((at, .stored(id)))
        case .again: events.append((at, .turned))
        case .proved(let node): lines.append("\(name) has proof: equal to n\(node.raw)")
        case .report(let report):
            sides[at].report = report
            lines.append("\(name) REPORTS \(line(report))")
        }
    }

    private mutating func recoded(_ number: UInt32, _ message: RepairMessage) -> RepairMessage {
        var bytes: [UInt8] = []
        Message.repair(number, message).encode(into: &bytes)
        do {
            if case .repair(_, let read) = try Message(decoding: bytes.span) { return read }
            lines.append("READ BACK AS SOMETHING ELSE")
        } catch { lines.append("NOT READ BACK: \(error)") }
        return message
    }

    // MARK: words

    private func people(_ rows: [RepairRow]) -> String {
        let told = rows.map { row in
            let lifted = row.mark.suppressions.isEmpty ? " (lifted)" : ""
            return (names[row.key] ?? "?") + lifted
        }
        return told.count > 6 ? "\(told.count) marks" : told.sorted().joined(separator: ", ")
    }

    private func line(_ message: RepairMessage) -> String {
        switch message {
        case .open(let state):
            "compare your marks with mine: \(word(state))" + (state.isDry ? "; change nothing" : "")
        case .opened(let state, let samples):
            "mine: \(word(state))" + (samples.isEmpty ? "; equal" : "; \(samples.count) samples")
        case .cells(let scope, let first, let cells):
            "cells \(first) to \(Int(first) + cells.count / scope.count - 1) of \(word(scope))"
        case .more(let scope, let first, let count):
            "give me cells \(first) to \(first + count - 1) of \(word(scope))"
        case .want(let ids): "give me \(ids.count) of your marks"
        case .marks(let rows, let isLast):
            "take \(rows.isEmpty ? "nothing" : people(rows))\(isLast ? "; that is all" : "")"
        case .list(let partition): "give me all ids of partition \(partition)"
        case .ids(let partition, let ids, _): "\(ids.count) ids of partition \(partition)"
        case .took: "took it"
        case .done(let counts):
            "done: \(counts.differences) differ, \(counts.given) given, \(counts.got) got, "
                + "\(counts.roundTrips) round trips"
        case .refused(let why): "no: \(why)"
        }
    }

    private func word(_ state: RepairState) -> String {
        "\(state.marksCount) marks" + (state.isDamaged ? ", in doubt" : "")
    }

    private func word(_ scope: RepairScope) -> String {
        switch scope {
        case .global: "all marks"
        case .partitions(let some): "\(some.count) partitions"
        }
    }

    private func line(_ report: RepairReport) -> String {
        if let failure = report.failure { return "n\(report.peer.raw) \(failure.word)" }
        return (report.isEqual ? "equal" : "not equal")
            + ": \(report.differences) differed, \(report.pushed) pushed, \(report.pulled) pulled, "
            + "\(report.bytesSent + report.bytesReceived) bytes for \(report.floorBytes) "
            + "of marks, \(report.roundTrips) round trips"
    }
}

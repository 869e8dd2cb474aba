// How a story names things, both ways.
//
//     n2        a node; n2.4 its fourth life (the first goes unsaid)
//     n2:3      the third write of that life; n2:3-5 three of them; several with commas
//     alice     a person, by the order in which names come up
//     q1        a question to the voters, by the order in which they were asked

import Cluster
import Suppression

/// A command that nobody understands.
struct StoryError: Error {
    let why: String
}

/// The words of one command, taken from the left.
struct Words {
    private(set) var rest: [String]

    init(_ line: String) { rest = line.split(separator: " ").map(String.init) }

    /// The next word.
    mutating func next() throws(StoryError) -> String {
        guard !rest.isEmpty else { throw StoryError(why: "something is missing at the end") }
        return rest.removeFirst()
    }

    /// Takes the next word if it is this one.
    mutating func takes(_ word: String) -> Bool {
        guard rest.first == word else { return false }
        rest.removeFirst()
        return true
    }

    /// The number behind a word; nil when the word does not come next.
    mutating func number(after word: String) throws(StoryError) -> UInt64? {
        takes(word) ? try number() : nil
    }

    /// The next word as a number.
    mutating func number() throws(StoryError) -> UInt64 {
        let word = try next()
        guard let number = UInt64(word) else { throw StoryError(why: "`\(word)` is no number") }
        return number
    }

    /// The next word as a life of a node.
    mutating func origin() throws(StoryError) -> Origin { try Self.origin(next()) }

    private static func origin(_ word: some StringProtocol) throws(StoryError) -> Origin {
        let parts = word.dropFirst().split(separator: ".").map { UInt32($0) }
        guard word.hasPrefix("n"), let first = parts.first, let node = first,
            parts.count == 1 || parts[1] != nil
        else { throw StoryError(why: "`\(word)` is no node") }
        let life = parts.count > 1 ? parts[1] ?? 1 : 1
        return Origin(node: NodeID(raw: UInt64(node)), epoch: Epoch(counter: life, random: 0))
    }

    /// The next word as consecutive writes.
    mutating func range() throws(StoryError) -> DotRange { try Self.range(next()) }

    private static func range(_ word: some StringProtocol) throws(StoryError) -> DotRange {
        let sides = word.split(separator: ":")
        let ends = (sides.last ?? "").split(separator: "-").map { UInt64($0) }
        guard sides.count == 2, let start = ends.first, let first = start, let end = ends.last,
            let last = end, first > 0, first <= last
        else { throw StoryError(why: "`\(word)` names no writes") }
        let interval = SequenceInterval(first: first, last: last)
        return DotRange(origin: try origin(sides[0]), interval: interval)
    }

    /// The next word as writes with commas between; `nothing` for none.
    mutating func ranges() throws(StoryError) -> [DotRange] {
        let word = try next()
        if word == "nothing" { return [] }
        return try word.split(separator: ",").map { part throws(StoryError) in
            try Self.range(part)
        }
    }

    /// The same as a set.
    mutating func set() throws(StoryError) -> HeldSet {
        var set = HeldSet()
        for range in try ranges() { set.insert(range.interval, of: range.origin) }
        return set
    }

    /// The next word as one write.
    mutating func dot() throws(StoryError) -> Dot { try range().dot(0) }

    /// Nodes, up to the first word that names none, each in a zone of its own or `n1@z`.
    mutating func voters(generation: UInt64) throws(StoryError) -> VoterSet {
        var slots: [VoterSlot] = []
        while let word = rest.first, word.hasPrefix("n") {
            rest.removeFirst()
            let sides = word.split(separator: "@").map(String.init)
            let origin = try Self.origin(sides[0])
            slots.append(
                VoterSlot(
                    name: sides[0],
                    node: origin.node,
                    lowestEpoch: origin.epoch,
                    zone: sides.count > 1 ? sides[1] : "z\(origin.node.raw)"
                )
            )
        }
        guard slots.count <= 5 else { throw StoryError(why: "more than five voters") }
        return VoterSet(generation: generation, slots: slots)
    }

    /// Nothing may be left.
    func end() throws(StoryError) {
        if !rest.isEmpty { throw StoryError(why: "what is `\(rest.joined(separator: " "))`?") }
    }
}

/// The people and questions of a story, in the order in which they came up.
struct Cast {
    private var people: [String] = []
    private var questions: [Nonce] = []

    /// The key under which a person's opt-out stands.
    mutating func key(_ name: String) -> MarkKey {
        let at = people.firstIndex(of: name) ?? people.count
        if at == people.count { people.append(name) }
        let recipient = Recipient(high: 0, low: UInt64(at))
        return MarkKey(
            person: Person(tenant: TenantID(raw: 7), recipient: recipient),
            scope: .tenant,
            reason: .unsubscribe
        )
    }

    /// The name under a key.
    func name(_ key: MarkKey) -> String { people[Int(key.person.recipient.low)] }

    /// `q1`, `q2` and so on.
    mutating func name(_ nonce: Nonce) -> String {
        let at = questions.firstIndex(of: nonce) ?? questions.count
        if at == questions.count { questions.append(nonce) }
        return "q\(at + 1)"
    }

    /// The question of that name; one that nobody asked for a name that did not come up.
    func nonce(_ name: String) -> Nonce {
        let at = Int(name.dropFirst()) ?? 0
        return (1...max(1, questions.count)).contains(at) && at <= questions.count
            ? questions[at - 1] : Nonce(high: 404, low: 404)
    }
}

extension Origin {
    var word: String { "n\(node.raw)" + (epoch.counter == 1 ? "" : ".\(epoch.counter)") }
}

extension DotRange {
    var word: String {
        let last = interval.last == interval.first ? "" : "-\(interval.last)"
        return "\(origin.word):\(interval.first)\(last)"
    }
}

extension Dot {
    var word: String { "\(origin.word):\(sequence)" }
}

extension HeldSet {
    var word: String {
        let ranges = entries.flatMap { entry in
            entry.intervals.map { DotRange(origin: entry.origin, interval: $0).word }
        }
        return ranges.isEmpty ? "nothing" : ranges.joined(separator: ",")
    }
}

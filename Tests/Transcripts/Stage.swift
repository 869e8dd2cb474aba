// Where stories are played: one machine at a time, told what happens line by line.
//
//     node n1 voters n1 n2 n3     a Core, with time and everything that it says
//     gate n1 voters n1 n2 n3     an AckGate alone
//     lease n1 n2 n3              a Freshness alone
//     registers                   what a node keeps of what it hears
//     members n1 knows n2 n3      a Membership: who answers, who is believed
//     repair n1 n2                two nodes that compare their marks
//
// Each command is a fact; what the machine wants done is printed. There is no clock: `at 2000` says
// what time it is from now on, in milliseconds.

import Suppression

@testable import Cluster

/// A machine that understands the rest of a command.
protocol Player {
    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
}

/// One story's machine and its time.
struct Stage {
    private var player: (any Player)?
    private var cast = Cast()
    private var millis: UInt64 = 0

    private var now: Instant {
        Instant(bootNanos: millis * 1_000_000, wallMillis: 1_700_000_000_000 + millis)
    }

    /// Plays one command and says what came of it.
    mutating func play(_ line: String) throws(StoryError) -> [String] {
        var words = Words(line)
        let word = try words.next()
        var said: [String] = []
        switch word {
        case "node": player = try CorePlayer(&words)
        case "gate": player = try GatePlayer(&words)
        case "lease": player = FreshnessPlayer(try words.voters(generation: 1))
        case "registers": player = RegisterPlayer()
        case "members": player = try MemberPlayer(&words)
        case "repair": player = try RepairPlayer(&words)
        case "at": millis = try words.number()
        default:
            guard var actor = player else { throw StoryError(why: "no machine is on the stage") }
            said = try actor.play(word, &words, now: now, &cast)
            player = actor
        }
        try words.end()
        return said
    }
}

/// An AckGate alone.
private struct GatePlayer: Player {
    private let own: Origin
    private var gate: AckGate

    init(_ words: inout Words) throws(StoryError) {
        own = try words.origin()
        _ = words.takes("voters")
        gate = AckGate(own: own, voters: try words.voters(generation: 1), held: HeldSet())
    }

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        var effects: [Effect] = []
        switch word {
        case "wait":
            let ticket = Ticket(raw: try words.number())
            let dots = try words.range()
            let policy: Policy = words.takes("strict") ? .strict : .available
            gate.wait(ticket, for: dots, policy: policy, now: now, into: &effects)
        case "receipt":
            let node = try words.origin()
            let ranges = try words.ranges()
            let generation = try words.number(after: "generation") ?? 1
            gate.stored(ranges, by: node, generation: generation, into: &effects)
        case "begins": gate.begins(try words.origin())
        case "voters":
            let generation = try words.number()
            gate.adopt(try words.voters(generation: generation), into: &effects)
        case "full": gate.refused(try words.range(), into: &effects)
        case "disk-fails": gate.latch(into: &effects)
        case "tick": gate.tick(now: now, isAlone: words.takes("alone"), into: &effects)
        default: throw StoryError(why: "a gate does not understand `\(word)`")
        }
        let lines = effects.map { Telling.line($0, &cast) }
        return lines.isEmpty ? ["nothing; \(gate.waitingCount) waiting"] : lines
    }
}

/// A Freshness alone.
private struct FreshnessPlayer: Player {
    private var freshness: Freshness

    init(_ voters: VoterSet) { freshness = Freshness(voters: voters) }

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        switch word {
        case "shown":
            let voter = try words.origin()
            let sent = try words.number(after: "asked") ?? 0
            let generation = try words.number(after: "generation") ?? 1
            freshness.confirmed(by: voter, generation: generation, sentNanos: sent * 1_000_000)
        case "forget": freshness.forget(try words.origin().node)
        case "voters":
            let generation = try words.number()
            freshness.adopt(try words.voters(generation: generation))
        case "check":
            let bound = try words.number(after: "S") ?? 1_000
            return [Telling.check(freshness.lease, now: now, boundMillis: bound)]
        default: throw StoryError(why: "a lease does not understand `\(word)`")
        }
        return [Telling.line(freshness.lease)]
    }
}

/// What a node keeps of the registers that it hears of.
private struct RegisterPlayer: Player {
    private var kept: [String: Register] = [:]

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        guard word == "hear" else { throw StoryError(why: "registers do not understand `\(word)`") }
        let name = try words.next()
        let register = try Register(name, &words)
        let before = kept[name]
        if before.map(register.wins(over:)) ?? true { kept[name] = register }
        guard let now = kept[name] else { return [] }
        return [now == before ? "still \(Telling.line(now))" : Telling.line(now)]
    }
}

extension Register {
    /// `VALUE generation N [final]`.
    init(_ name: String, _ words: inout Words) throws(StoryError) {
        let value = try words.next()
        self.init(
            name: Array(name.utf8),
            generation: try words.number(after: "generation") ?? 1,
            final: words.takes("final"),
            value: Array(value.utf8),
            author: [],
            signature: []
        )
    }
}

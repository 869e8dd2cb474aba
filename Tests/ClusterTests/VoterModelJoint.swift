// Changing the set of voters (DESIGN 6): from one set to another through a joint generation.
//
//     generation 0   the outgoing set
//     generation 1   joint: gate and lease need a majority of both sets
//     generation 2   the incoming set
//
// Every node persists the generations one by one, each in its own time, and answers nothing under
// an older one. One opt-out X comes from somebody else; a node may commit it at any time. Broken:
// after X was acknowledged, a lease of one generation consists of confirmations without X.
//
// The rule under test says when generation 2 may be chosen:
//
//     EVERY member of the incoming set has merged what at least |old| - majority(old) + 1 members
//     of the outgoing set hold (itself included when it is one), read after these persisted the
//     joint generation; and a majority of both sets has persisted it (they choose).
//
// Two things need no bits of their own. A receipt under generation g can be in flight exactly when
// the node had X while in g, and a confirmation without X exactly when it lacked X there after the
// acknowledgment; each may arrive at any later time or never, so what counts is that it could.
//
// Reading another member comes in two forms. `reads` keeps who has read whom. Without it the worst
// order is taken: a donor is read the moment it persists generation 1, before it may get X. What it
// had by then the reader has too, so a member without X can be complete only if enough donors
// lacked X when they persisted generation 1. Small changes are walked in both forms.

/// When a change is done, and the switches to leave rules out.
struct JointRule {
    enum Readers { case everyIncoming, addedOnly, nobody }
    enum Majority { case both, incoming, outgoing }

    var readers = Readers.everyIncoming
    /// Added to |old| - majority(old) + 1.
    var donorsMore = 0
    /// A donor is read after it has persisted the joint generation.
    var isFenced = true
    /// What the gate needs in the joint generation.
    var gate = Majority.both
    /// What a lease needs there.
    var lease = Majority.both
    /// No joint generation: 1 is the incoming set already.
    var isDirect = false
    /// Receipts of different generations count together.
    var gateMixes = false
    /// Confirmations of different generations count together.
    var leaseMixes = false
}

/// A node takes seven bits, from the lowest on: generation (2), generation in which it committed X
/// (2; 3: it lacks X), generations in which it confirmed without X (3). Then: acknowledged, chosen
/// (generation 2 exists), and who has read whom (5 bits a reader).
struct JointModel: SmallModel {
    let rule: JointRule
    let outgoing: [Int]
    let incoming: [Int]
    let reads: Bool
    private let outgoingMask: Int
    private let incomingMask: Int
    private let donorsCount: Int
    private let nodesCount: Int
    private let readers: [Int]
    /// Nodes that play the same part, where names may be exchanged.
    private let alike: [[Int]]

    private static let acknowledged: UInt64 = 1 << 35
    private static let chosen: UInt64 = 1 << 36

    init(from outgoing: [Int], to incoming: [Int], _ rule: JointRule, reads: Bool = false) {
        self.rule = rule
        self.outgoing = outgoing
        self.incoming = incoming
        self.reads = reads
        outgoingMask = outgoing.reduce(0) { $0 | 1 << $1 }
        incomingMask = incoming.reduce(0) { $0 | 1 << $1 }
        donorsCount = outgoing.count - (outgoing.count / 2 + 1) + 1 + rule.donorsMore
        nodesCount = (outgoing + incoming).reduce(0) { max($0, $1 + 1) }
        let added = incoming.filter { !outgoing.contains($0) }
        switch rule.readers {
        case .everyIncoming: readers = incoming
        case .addedOnly: readers = added
        case .nobody: readers = []
        }
        let staying = incoming.filter { outgoing.contains($0) }
        let leaving = outgoing.filter { !incoming.contains($0) }
        alike = reads ? [] : [staying, leaving, added].filter { $0.count > 1 }
    }

    /// All lack X, in generation 0.
    var start: UInt64 { (0..<nodesCount).reduce(0) { $0 | 3 << UInt64(7 * $1 + 2) } }

    private func generation(_ n: Int, _ s: UInt64) -> UInt64 { s >> UInt64(7 * n) & 3 }

    /// 3 when it lacks X.
    private func since(_ n: Int, _ s: UInt64) -> UInt64 { s >> UInt64(7 * n + 2) & 3 }

    func steps(from s: UInt64, into steps: inout [ModelStep]) {
        for n in 0..<nodesCount {
            let generation = generation(n, s)
            if since(n, s) == 3 {
                steps.append(ModelStep(to: settled(commit(n, s)), code: n))
            }
            let last: UInt64 = rule.isDirect ? 1 : s & Self.chosen != 0 ? 2 : 1
            if generation < last {
                steps.append(ModelStep(to: settled(s + 1 << UInt64(7 * n)), code: 10 + n))
            }
        }
        if s & Self.acknowledged == 0, isAcknowledged(s) {
            steps.append(ModelStep(to: settled(s | Self.acknowledged), code: 20))
        }
        if s & Self.chosen == 0, !rule.isDirect, mayEnd(s) {
            steps.append(ModelStep(to: s | Self.chosen, code: 21))
        }
        if reads, s & Self.chosen == 0 { read(s, into: &steps) }
    }

    private func commit(_ n: Int, _ s: UInt64) -> UInt64 {
        s & ~(3 << UInt64(7 * n + 2)) | generation(n, s) << UInt64(7 * n + 2)
    }

    /// Whoever lacks X now that it is acknowledged may confirm so.
    private func settled(_ s: UInt64) -> UInt64 {
        guard s & Self.acknowledged != 0 else { return s }
        var settled = s
        for n in 0..<nodesCount where since(n, s) == 3 {
            settled |= 1 << (UInt64(7 * n + 4) + generation(n, s))
        }
        return settled
    }

    // MARK: majorities

    private func isMajority(_ mask: Int, of set: Int) -> Bool {
        2 * (mask & set).nonzeroBitCount > set.nonzeroBitCount
    }

    private func decides(_ mask: Int, in generation: Int, _ joint: JointRule.Majority) -> Bool {
        let byOutgoing = isMajority(mask, of: outgoingMask)
        let byIncoming = isMajority(mask, of: incomingMask)
        if generation == 0 { return byOutgoing }
        if generation == 2 || rule.isDirect { return byIncoming }
        switch joint {
        case .both: return byOutgoing && byIncoming
        case .incoming: return byIncoming
        case .outgoing: return byOutgoing
        }
    }

    private func isAcknowledged(_ s: UInt64) -> Bool {
        var any = 0
        var masks = [0, 0, 0]
        for n in 0..<nodesCount where since(n, s) != 3 {
            any |= 1 << n
            for g in Int(since(n, s))...Int(generation(n, s)) { masks[g] |= 1 << n }
        }
        return (0..<3).contains { decides(rule.gateMixes ? any : masks[$0], in: $0, rule.gate) }
    }

    /// The incoming set is in force on all of its members, and X is acknowledged.
    func isDone(_ s: UInt64) -> Bool {
        let last: UInt64 = rule.isDirect ? 1 : 2
        return s & Self.acknowledged != 0 && incoming.allSatisfy { generation($0, s) == last }
    }

    func isBroken(_ s: UInt64) -> Bool { brokenGeneration(s) != nil }

    func verdict(_ s: UInt64) -> String {
        let confirming = (0..<nodesCount).filter { s >> UInt64(7 * $0 + 4) & 7 != 0 }
        return
            "=> a lease of generation \(brokenGeneration(s) ?? 0) without X; confirmed without X: "
            + confirming.map { "n\($0 + 1)" }.joined(separator: " ")
    }

    private func brokenGeneration(_ s: UInt64) -> Int? {
        guard s & Self.acknowledged != 0 else { return nil }
        var any = 0
        var masks = [0, 0, 0]
        for n in 0..<nodesCount {
            let confirmed = s >> UInt64(7 * n + 4) & 7
            if confirmed != 0 { any |= 1 << n }
            for g in 0..<3 where confirmed >> UInt64(g) & 1 == 1 { masks[g] |= 1 << n }
        }
        return (0..<3).first { decides(rule.leaseMixes ? any : masks[$0], in: $0, rule.lease) }
    }

    // MARK: the end of the joint generation

    private func mayEnd(_ s: UInt64) -> Bool {
        var persisted = 0
        for n in 0..<nodesCount where generation(n, s) >= 1 { persisted |= 1 << n }
        guard decides(persisted, in: 1, .both) else { return false }
        return readers.allSatisfy { isComplete($0, s) }
    }

    private func isComplete(_ reader: Int, _ s: UInt64) -> Bool {
        if reads {
            let read = s >> UInt64(37 + 5 * reader) & 0x1f
            let counts = outgoing.contains(reader) && (!rule.isFenced || generation(reader, s) >= 1)
            return read.nonzeroBitCount + (counts ? 1 : 0) >= donorsCount
        }
        guard rule.isFenced else { return true }
        let donors = outgoing.filter { generation($0, s) >= 1 }
        guard donors.count >= donorsCount else { return false }
        return since(reader, s) != 3 || donors.count { since($0, s) >= 1 } >= donorsCount
    }

    /// A member of the incoming set merges what a member of the outgoing one holds.
    private func read(_ s: UInt64, into steps: inout [ModelStep]) {
        for reader in readers where !isComplete(reader, s) {
            for donor in outgoing where donor != reader {
                let bit: UInt64 = 1 << UInt64(37 + 5 * reader + donor)
                guard s & bit == 0, !rule.isFenced || generation(donor, s) >= 1 else { continue }
                let gains = since(donor, s) != 3 && since(reader, s) == 3
                let to = (gains ? commit(reader, s) : s) | bit
                steps.append(ModelStep(to: settled(to), code: 100 + 10 * reader + donor))
            }
        }
    }

    // MARK: names

    func canonical(_ s: UInt64) -> UInt64 {
        var canonical = s
        for group in alike {
            // Two or three nodes: sorted by exchanging neighbours.
            for end in stride(from: group.count - 1, to: 0, by: -1) {
                for at in 0..<end {
                    let low = UInt64(7 * group[at])
                    let high = UInt64(7 * group[at + 1])
                    let difference = (canonical >> low ^ canonical >> high) & 0x7f
                    if canonical >> low & 0x7f > canonical >> high & 0x7f {
                        canonical ^= difference << low | difference << high
                    }
                }
            }
        }
        return canonical
    }

    func words(_ code: Int) -> String {
        switch code {
        case 0..<10: "n\(code + 1) commits X"
        case 10..<20: "n\(code - 9) persists the next generation"
        case 20: "X IS ACKNOWLEDGED"
        case 21: "generation 2 is chosen"
        default: "n\((code - 100) / 10 + 1) merges what n\((code - 100) % 10 + 1) holds"
        }
    }
}

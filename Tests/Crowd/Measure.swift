// One row of the table: a crowd at rest, then under loss or flip-flop, then with nodes that die.

@testable import Cluster

/// What one run is.
struct Scenario {
    var count: Int
    var lossPerMille = 0
    /// One of a hundred nodes, at least one, cannot hear every other 20 s.
    var isFlipping = false
    var quietSeconds: UInt64
    var dying: Int
    var seed: UInt64 = 1
}

/// What came out.
struct Measured {
    var scenario: Scenario
    /// Suspicions that some node began itself, a node-hour; those of living nodes alone run here.
    var suspicionsPerNodeHour = 0.0
    /// Living nodes that somebody called dead: episodes, of nodes that hear and of deaf ones.
    var falseDeaths = 0
    var deafDeaths = 0
    /// Changes to or from unreachable in all tables, about one deaf node and observer.
    var deafViews = 0.0
    var bytesPerSecond = 0.0
    var packetsPerSecond = 0.0
    /// Nanoseconds after a death until the first one knew: of half of the deaths, of the slowest.
    var first: UInt64?
    var slowest: UInt64?
    /// From then until half, 99 of 100 and the last of the others knew.
    var half: UInt64?
    var most: UInt64?
    var last: UInt64?
    /// Living nodes that never knew a death, in all.
    var unaware = 0
    /// How often a node was told of one death.
    var copies = 0.0
}

extension Scenario {
    func run<Machine: CrowdMachine>(_ type: Machine.Type) -> Measured {
        var crowd = Crowd<Machine>(count, seed: seed)
        crowd.pass(seconds: 20)
        crowd.wires.lossPerMille = lossPerMille
        let deaf = isFlipping ? (0..<max(1, count / 100)).map { $0 * 97 % count } : []
        crowd.wires.deaf = Set(deaf)
        crowd.tally.reset()
        let before = crowd.suspicions
        crowd.pass(seconds: quietSeconds)
        var measured = Measured(scenario: self)
        let hours = Double(count) * Double(quietSeconds) / 3_600
        measured.suspicionsPerNodeHour = Double(crowd.suspicions - before) / hours
        for node in 0..<count where deaf.contains(node) {
            measured.deafDeaths += crowd.tally.buried[node]
            measured.deafViews += Double(crowd.tally.views[node]) / Double((count - 1) * deaf.count)
        }
        for node in 0..<count where !deaf.contains(node) {
            measured.falseDeaths += crowd.tally.buried[node]
        }
        let seconds = Double(quietSeconds) * Double(count)
        measured.bytesPerSecond = Double(crowd.tally.bytes) / seconds
        measured.packetsPerSecond = Double(crowd.tally.packets) / seconds
        if dying > 0 { watchDying(&crowd, &measured) }
        return measured
    }

    /// Nodes die, two seconds apart, and everybody has two minutes to know.
    private func watchDying<Machine: CrowdMachine>(
        _ crowd: inout Crowd<Machine>,
        _ measured: inout Measured
    ) {
        var killed: [Int] = []
        for turn in 0..<dying {
            let node = (turn * 31 + 7) % count
            crowd.kill(node)
            killed.append(node)
            crowd.pass(seconds: 2)
        }
        crowd.pass(seconds: 120)
        var firsts: [UInt64] = []
        var spread: [UInt64] = []
        var heard = 0
        for node in killed {
            let known = crowd.tally.known[node] ?? []
            guard let first = known.min() else { continue }
            firsts.append(first)
            spread += known.map { $0 - first }
            measured.unaware += max(0, count - dying - known.count)
            heard += crowd.tally.heardDeaths[node] ?? 0
        }
        measured.first = firsts.percentile(50)
        measured.slowest = firsts.max()
        measured.half = spread.percentile(50)
        measured.most = spread.percentile(99)
        measured.last = spread.max()
        measured.copies = Double(heard) / Double(dying * (count - dying))
    }
}

extension Measured {
    static let head = """
        | rules | nodes | wires | suspicions/node-h | false deaths | B/s/node | packets/s/node \
        | first knows p50 | slowest | then p50 | p99 | last | unaware | copies |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|
        """

    /// A row of the table.
    func row(_ rules: String) -> String {
        let wires =
            scenario.isFlipping
            ? "flip-flop (deaf: \(deafDeaths) deaths, \(deafViews.short) changes a table)"
            : "\(scenario.lossPerMille / 10) % loss"
        return "| \(rules) | \(scenario.count) | \(wires) | \(suspicionsPerNodeHour.short)"
            + " | \(falseDeaths) | \(Int(bytesPerSecond)) | \(packetsPerSecond.short)"
            + " | \(seconds(first)) | \(seconds(slowest)) | \(seconds(half)) | \(seconds(most))"
            + " | \(seconds(last)) | \(unaware) | \(copies.short) |"
    }

    private func seconds(_ nanos: UInt64?) -> String {
        nanos.map { (Double($0) / Double(second)).short + " s" } ?? "-"
    }
}

extension Double {
    /// With one digit, or with two below ten.
    var short: String {
        let scale = self < 10 ? 100.0 : 10.0
        let whole = (self * scale).rounded() / scale
        return whole == whole.rounded() && whole >= 10 ? "\(Int(whole))" : "\(whole)"
    }
}

// Makes a failing seed small: leaves out one thing after the other, runs again, and keeps what
// still fails in the same way.
//
//     end ─► classes of faults ─► simpler options ─► faults one by one ─► writes ─► checks
//      ▲                                                                              │
//      └─────────────── until a whole round makes nothing smaller ◄───────────────────┘
//
// Lists shrink by halves first (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
// input", 2002). Every try is a whole run, so the time is bounded.

import Cluster

/// A failing seed, on its way to a small one.
struct Shrinker {
    let seed: UInt64
    let bug: SeededBugs.Bug?
    /// What was left out so far, and how that failed.
    private(set) var trim: Trim
    private(set) var outcome: Outcome
    private(set) var runsCount = 0
    private let end: ContinuousClock.Instant
    private let runsLimit: Int

    /// Begins with a failure that was seen.
    init(
        seed: UInt64,
        bug: SeededBugs.Bug? = nil,
        _ outcome: Outcome,
        trim: Trim = Trim(),
        seconds: Int = 20,
        runs: Int = 2_000
    ) {
        self.seed = seed
        self.bug = bug
        self.trim = trim
        self.outcome = outcome
        end = .now + .seconds(seconds)
        runsLimit = runs
    }

    /// Shrinks until nothing helps any more, or the time is up.
    mutating func run() {
        var before: Trim
        repeat {
            before = trim
            cutTime()
            for fault in Fault.allCases where outcome.faults[fault] != nil {
                tries { $0.without = ($0.without + [fault]).sorted { $0.rawValue < $1.rawValue } }
            }
            simplify()
            shrinkList(\.faultNumbers, \.faults)
            shrinkList(\.commands, \.commands)
            shrinkList(\.writes, \.writes)
            shrinkList(\.checks, \.checks)
        } while trim != before && !isTimeUp
        // The numbers say it all.
        if trim.faults != nil { tries { $0.without = [] } }
    }

    private var isTimeUp: Bool { runsCount >= runsLimit || ContinuousClock.now >= end }

    /// Keeps a smaller world if it fails in the same way.
    @discardableResult
    private mutating func tries(_ change: (inout Trim) -> Void) -> Bool {
        guard !isTimeUp else { return false }
        var candidate = trim
        change(&candidate)
        guard candidate != trim else { return false }
        runsCount += 1
        let again = simulate(seed: seed, bug: bug, candidate, heals: !outcome.failedEarly)
        guard again.kind == outcome.kind, again.partsCount <= outcome.partsCount else {
            return false
        }
        trim = candidate
        outcome = again
        return true
    }

    private mutating func cutTime() {
        if outcome.failedEarly {
            let last = outcome.simulatedMillis + 1
            tries { $0.untilMillis = last }
            return
        }
        // It fails while all agree: break less long.
        var until = trim.untilMillis ?? Swarm(seed: seed).runMillis
        while until > 1, tries({ $0.untilMillis = until / 2 }) { until /= 2 }
    }

    private mutating func simplify() {
        let simple: [(Option, [Int])] = [
            (.edges, [0, 1]), (.voters, [1, 3]), (.keys, [1]), (.loss, [0]), (.repeats, [0]),
            (.reorders, [0]), (.bounds, [0]), (.delay, [100, 400]), (.commit, [200, 600]),
            (.checkpoint, [20, 100]), (.repair, [0]),
        ]
        for (option, values) in simple {
            let present = Swarm(seed: seed, trim, bug: bug)[option]
            for value in values where value < present {
                if tries({ $0.set[option] = value }) { break }
            }
        }
    }

    /// Drops halves, quarters and at last single entries of what took place.
    private mutating func shrinkList(
        _ happened: KeyPath<Outcome, [Int]>,
        _ kept: WritableKeyPath<Trim, [Int]?>
    ) {
        let all = outcome[keyPath: happened]
        tries { $0[keyPath: kept] = all }
        var size = max(1, all.count / 2)
        while true {
            var at = 0
            while let now = trim[keyPath: kept], at < now.count, !isTimeUp {
                var fewer = now
                fewer.removeSubrange(at..<min(at + size, now.count))
                if !tries({ $0[keyPath: kept] = fewer }) { at += size }
            }
            if size == 1 || isTimeUp { return }
            size /= 2
        }
    }

    /// One line that runs the smallest failure again.
    var line: String {
        var words = ["QUELL_SEED=\(seed)"] + trim.environment.map { "\($0.name)=\($0.value)" }
        if let bug { words.append("QUELL_BUG=\(bug.rawValue)") }
        return (words + ["swift test --filter SimulatorTests"]).joined(separator: " ")
    }
}

extension Outcome {
    /// Which promise broke, without numbers and names: what two failures of one cause share.
    var kind: String? {
        violation.map { text in
            let why = text.drop { $0 != ":" }.dropFirst(2)
            return String(why.prefix { $0 != ":" && !$0.isNumber })
        }
    }

    /// Faults, commands, writes and checks that took place.
    var partsCount: Int { faultNumbers.count + commands.count + writes.count + checks.count }

    /// How much there is to read.
    var size: String {
        "\(nodesCount) nodes, \(faultNumbers.count) faults, \(commands.count) commands, "
            + "\(writes.count) writes, \(checks.count) checks, \(simulatedMillis) ms, "
            + "\(steps) steps"
    }
}

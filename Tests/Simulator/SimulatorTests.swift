// Whole clusters in simulated time (DESIGN 14).
//
//     swift test --filter SimulatorTests                      60 seeds, past failures, seeded bugs
//     QUELL_SEED=17 swift test --filter SimulatorTests        one seed, again; see Trim.swift
//     QUELL_SIM_SECONDS=600 swift test --filter SimulatorTests    a campaign (make sim)
//     QUELL_BUG_SEEDS=1000 swift test --filter SimulatorTests     each seeded bug from seed 0 on
//
// Whatever fails is made small before it is reported, and the report ends in the line that runs the
// small one again.

import Foundation
import Testing

@testable import Cluster

private let environment = ProcessInfo.processInfo.environment

private func number(_ name: String) -> UInt64? { environment[name].flatMap { UInt64($0) } }

/// The one failure that somebody wants to see again.
private var isRerun: Bool { environment["QUELL_SEED"] != nil }

/// Seeds that once failed, oldest first; what follows the number is the reason.
private func pastSeeds() throws -> [UInt64] {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Seeds.txt")
    return try String(contentsOf: path, encoding: .utf8).split(separator: "\n").compactMap {
        UInt64($0.prefix { $0.isNumber })
    }
}

/// Runs a seed twice; what differs is a bug of the simulator.
private func twice(_ seed: UInt64, bug: SeededBugs.Bug? = nil, _ trim: Trim = Trim()) -> Outcome {
    let outcome = simulate(seed: seed, bug: bug, trim)
    let again = simulate(seed: seed, bug: bug, trim)
    #expect(outcome.hash == again.hash, "seed \(seed) is not the same twice")
    return outcome
}

/// Reports a failure, as small as it gets within seconds.
private func report(_ seed: UInt64, _ outcome: Outcome) {
    guard let violation = outcome.violation else { return }
    var shrinker = Shrinker(seed: seed, outcome)
    shrinker.run()
    Issue.record(
        """
        \(violation)
        \(outcome.size); after \(shrinker.runsCount) runs: \(shrinker.outcome.size)
        \(shrinker.outcome.violation ?? "")
        again: \(shrinker.line)
        """
    )
}

@Suite struct SimulatorTests {
    /// Worlds of each half, each run twice: half a minute of a debug build. A campaign runs more.
    private static let seedsCount: UInt64 = 30

    @Test("no seed breaks a promise, and each is the same twice", arguments: [0, 1] as [UInt64])
    func seeds(half: UInt64) throws {
        guard !isRerun, number("QUELL_SIM_SECONDS") == nil else { return }
        for seed in 0..<Self.seedsCount {
            let outcome = twice(2 * seed + half)
            report(2 * seed + half, outcome)
        }
    }

    @Test("the seed that QUELL_SEED names, with what the other variables leave out")
    func again() throws {
        guard let seed = number("QUELL_SEED") else { return }
        let trim = try Trim(environment: environment)
        let bug = environment["QUELL_BUG"].flatMap(SeededBugs.Bug.init(rawValue:))
        let outcome = twice(seed, bug: bug, trim)
        print("seed \(seed): \(outcome.size), \(Swarm(seed: seed, trim, bug: bug))")
        if let violation = outcome.violation { Issue.record("\(violation)") }
    }

    @Test("seeds that failed once never fail again")
    func past() throws {
        guard !isRerun else { return }
        let seeds = try pastSeeds()
        #expect(!seeds.isEmpty)
        for seed in seeds { report(seed, simulate(seed: seed)) }
    }

    @Test("a campaign finds nothing and reaches every rare state")
    func campaign() {
        guard let seconds = number("QUELL_SIM_SECONDS") else { return }
        let first = number("QUELL_SIM_FIRST") ?? 1_000_000
        let end = ContinuousClock.now + .seconds(seconds)
        var campaign = Campaign()
        while ContinuousClock.now < end, campaign.violations.count < 20 {
            let seed = first + UInt64(campaign.seeds)
            let outcome = simulate(seed: seed)
            campaign.add(outcome)
            report(seed, outcome)
        }
        print(campaign.summary)
        #expect(campaign.unreached.isEmpty)
    }

    /// For each rule a seed that finds soon that it is left out: the others pass, or run for long.
    private static let findingSeeds: [SeededBugs.Bug: UInt64] = [
        .asOfNewest: 95, .contiguousOnly: 1, .receiptForPendingDuplicate: 10,
        .heldRaisedPerPage: 19, .votersByName: 18,
        .rebuildFromOneDonor: 170, .jointEndsEarly: 16, .doubtedLifeVotes: 77,
        .doubtedLifeConfirms: 4, .doubtedLifeReceipts: 4, .epochReused: 7,
        .logSequenceFromOne: 7,
    ]

    @Test("a rule that is left out is found", arguments: SeededBugs.Bug.allCases)
    func seededBugs(_ bug: SeededBugs.Bug) {
        guard !isRerun, number("QUELL_SIM_SECONDS") == nil else { return }
        let searched = number("QUELL_BUG_SEEDS")
        let first = searched == nil ? Self.findingSeeds[bug] ?? 0 : 0
        let limit = first + (searched ?? 60)
        let began = ContinuousClock.now
        for seed in first..<limit {
            let outcome = simulate(seed: seed, bug: bug)
            guard let violation = outcome.violation else { continue }
            print("\(bug.rawValue): seed \(seed), \(ContinuousClock.now - began)")
            print("    \(violation.split(separator: "\n")[0])")
            return shrinks(seed, bug, outcome, runs: searched == nil ? 24 : 2_000)
        }
        Issue.record("\(bug.rawValue) is not found from seed \(first) to \(limit)")
    }

    /// The small failure is none but the large one, and its line leads back to it.
    ///
    /// - Parameter runs: so many, however long they take: the same on every machine.
    private func shrinks(_ seed: UInt64, _ bug: SeededBugs.Bug, _ outcome: Outcome, runs: Int) {
        var shrinker = Shrinker(seed: seed, bug: bug, outcome, seconds: 600, runs: runs)
        shrinker.run()
        let small = shrinker.outcome
        print("    \(outcome.size)\n    \(small.size), \(shrinker.runsCount) runs")
        print("    \(shrinker.line)")
        #expect(small.kind == outcome.kind)
        // Fewer parts, though not always fewer steps: a node that no longer crashes goes on.
        #expect(small.partsCount < outcome.partsCount)
        let variables = shrinker.line.split(separator: " ").compactMap { word in
            let sides = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return sides.count == 2 ? (String(sides[0]), String(sides[1])) : nil
        }
        do throws(TrimError) {
            let read = try Trim(environment: Dictionary(variables) { _, last in last })
            #expect(read == shrinker.trim)
            #expect(simulate(seed: seed, bug: bug, read).violation == small.violation)
        } catch { Issue.record("the line cannot be read: \(error.word)") }
    }
}

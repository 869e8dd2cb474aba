// Whole clusters in simulated time (DESIGN 14).
//
//     swift test --filter SimulatorTests                      about 300 short seeds, past failures
//     QUELL_SEED=17 swift test --filter SimulatorTests        one seed, again
//     QUELL_SIM_SECONDS=600 swift test --filter SimulatorTests    a campaign (make sim)

import Foundation
import Testing

@testable import Cluster

private func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
}

/// Seeds that once failed, oldest first; `#` begins a remark.
private func pastSeeds() throws -> [UInt64] {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Seeds.txt")
    return try String(contentsOf: path, encoding: .utf8).split(separator: "\n").compactMap {
        UInt64($0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces))
    }
}

/// Runs a seed twice; what differs is a bug of the simulator.
private func twice(_ seed: UInt64) -> Outcome {
    let outcome = simulate(seed: seed)
    let again = simulate(seed: seed)
    #expect(outcome.hash == again.hash, "seed \(seed) is not the same twice")
    return outcome
}

@Suite struct SimulatorTests {
    private static let seedsCount: UInt64 = 150

    @Test("no seed breaks a promise, and each is the same twice", arguments: [0, 1] as [UInt64])
    func seeds(half: UInt64) throws {
        if let seed = number("QUELL_SEED") {
            guard half == 0 else { return }
            let outcome = twice(seed)
            print("seed \(seed): \(outcome.steps) steps, \(Swarm(seed: seed))")
            return #expect(outcome.violation == nil)
        }
        guard number("QUELL_SIM_SECONDS") == nil else { return }
        for seed in 0..<Self.seedsCount {
            let violation = twice(2 * seed + half).violation
            #expect(violation == nil)
        }
    }

    @Test("seeds that failed once never fail again")
    func past() throws {
        for seed in try pastSeeds() {
            let violation = simulate(seed: seed).violation
            #expect(violation == nil)
        }
    }

    @Test("a campaign finds nothing and reaches every rare state")
    func campaign() {
        guard let seconds = number("QUELL_SIM_SECONDS") else { return }
        let first = number("QUELL_SIM_FIRST") ?? 1_000_000
        let end = ContinuousClock.now + .seconds(seconds)
        var campaign = Campaign()
        while ContinuousClock.now < end, campaign.violations.count < 20 {
            campaign.add(simulate(seed: first + UInt64(campaign.seeds)))
        }
        print(campaign.summary)
        for violation in campaign.violations { Issue.record("\(violation)") }
        #expect(campaign.unreached.isEmpty)
    }

    @Test("a rule that is left out is found", arguments: SeededBugs.Bug.allCases)
    func seededBugs(_ bug: SeededBugs.Bug) {
        guard number("QUELL_SEED") == nil, number("QUELL_SIM_SECONDS") == nil else { return }
        let limit = number("QUELL_BUG_SEEDS") ?? 60
        let began = ContinuousClock.now
        for seed in 0..<limit {
            if let violation = simulate(seed: seed, bug: bug).violation {
                print("\(bug.rawValue): \(seed + 1) seeds, \(ContinuousClock.now - began)")
                print("    \(violation.split(separator: "\n")[0])")
                return
            }
        }
        Issue.record("\(bug.rawValue) is not found in \(limit) seeds")
    }
}

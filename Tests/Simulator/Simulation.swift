// One seed from beginning to end.

@testable import Cluster

/// Runs the world of a seed: what breaks first, then healing, then whether all agree.
///
/// - Parameters:
///   - bug: a rule to leave out.
///   - trim: what else to leave out.
///   - heals: false to end before everything is mended.
func simulate(
    seed: UInt64,
    bug: SeededBugs.Bug? = nil,
    _ trim: Trim = Trim(),
    heals: Bool = true
) -> Outcome {
    let swarm = Swarm(seed: seed, trim, bug: bug)
    let world = World(seed: seed, swarm, trim)
    world.run(until: swarm.runMillis * millisecond)
    let failedEarly = world.ledger.violation != nil
    if !failedEarly, heals { world.heal() }
    var outcome = world.outcome
    outcome.failedEarly = failedEarly
    outcome.nodesCount = world.shells.count
    outcome.violation = world.ledger.violation.map { "seed \(seed): \($0)\n  (\(swarm))" }
    outcome.hash = world.trace.hash
    outcome.simulatedMillis = world.now / millisecond
    return outcome
}

/// A finished campaign.
struct Campaign {
    var seeds = 0
    var steps = 0
    var simulatedMillis: UInt64 = 0
    var faults: [Fault: Int] = [:]
    var reached: [Rare: Int] = [:]
    var violations: [String] = []
    var healingRounds = 0
    var healingShare = 0
    var healingBytes = 0
    var healingBytesShare = 0

    /// Adds one seed.
    mutating func add(_ outcome: Outcome) {
        seeds += 1
        steps += outcome.steps
        simulatedMillis += outcome.simulatedMillis
        faults.merge(outcome.faults, uniquingKeysWith: +)
        reached.merge(outcome.reached, uniquingKeysWith: +)
        healingRounds = max(healingRounds, outcome.healingRounds)
        healingShare = max(healingShare, outcome.healingShare)
        healingBytes = max(healingBytes, outcome.healingBytes)
        healingBytesShare = max(healingBytesShare, outcome.healingBytesShare)
        if let violation = outcome.violation { violations.append(violation) }
    }

    /// States that no seed reached.
    var unreached: [Rare] { Rare.allCases.filter { reached[$0] == nil } }

    /// What `make sim` prints.
    var summary: String {
        let faults = Fault.allCases.map { "\($0.rawValue) \(self.faults[$0] ?? 0)" }
        let rare = Rare.allCases.map { "\($0.rawValue) \(reached[$0] ?? 0)" }
        return """
            \(seeds) seeds, \(simulatedMillis / 1_000) s simulated, \(steps) steps, \
            \(violations.count) findings
            faults: \(faults.joined(separator: ", "))
            states: \(rare.joined(separator: ", "))
            healing: at most \(healingRounds) half seconds, \(healingShare) % of the bound; \
            \(healingBytes) bytes a node, \(healingBytesShare) % of the bound
            never reached: \(unreached.map(\.rawValue).joined(separator: ", "))
            """
    }
}

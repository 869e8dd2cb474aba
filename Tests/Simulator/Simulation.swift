// One seed from beginning to end.

@testable import Cluster

/// Runs the world of a seed: what breaks first, then healing, then whether all agree.
///
/// - Parameter bug: a rule to leave out.
func simulate(seed: UInt64, bug: SeededBugs.Bug? = nil) -> Outcome {
    var swarm = Swarm(seed: seed)
    if let bug { swarm.bugs = [bug] }
    let world = World(seed: seed, swarm)
    world.run(until: swarm.runMillis * millisecond)
    if world.ledger.violation == nil { world.heal() }
    var outcome = world.outcome
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

    /// Adds one seed.
    mutating func add(_ outcome: Outcome) {
        seeds += 1
        steps += outcome.steps
        simulatedMillis += outcome.simulatedMillis
        faults.merge(outcome.faults, uniquingKeysWith: +)
        reached.merge(outcome.reached, uniquingKeysWith: +)
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
            never reached: \(unreached.map(\.rawValue).joined(separator: ", "))
            """
    }
}

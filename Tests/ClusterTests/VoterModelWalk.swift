// Walks every state that a small model can reach, breadth first, so that the trace of a violation
// is a shortest one.
//
// A state is one number, which keeps a few hundred thousand of them cheap even in a debug build.
// Nodes that play the same part may change places without changing what can happen: `canonical`
// names one state for all such permutations.

/// One step of a model: where it leads, and a code that `words` can tell.
struct ModelStep {
    let to: UInt64
    let code: Int
}

/// A protocol small enough to look at all of it.
protocol SmallModel {
    /// Where it begins.
    var start: UInt64 { get }
    /// Everything that may happen next.
    func steps(from state: UInt64, into steps: inout [ModelStep])
    /// Whether the promise is broken.
    func isBroken(_ state: UInt64) -> Bool
    /// Whether the protocol did what it is for: a model that never gets there proves nothing.
    func isDone(_ state: UInt64) -> Bool
    /// One state for all that differ in the names of equal nodes only.
    func canonical(_ state: UInt64) -> UInt64
    /// A step for people.
    func words(_ code: Int) -> String
    /// What a broken state shows.
    func verdict(_ state: UInt64) -> String
}

extension SmallModel {
    func canonical(_ state: UInt64) -> UInt64 { state }
}

/// What a walk found.
struct Walk {
    /// States seen, up to the first broken one.
    let statesCount: Int
    /// States in which the protocol did what it is for.
    let doneCount: Int
    /// The way to a broken state; nil when there is none.
    let trace: [String]?

    /// More states than this are a mistake in the model.
    static let statesLimit = 4_000_000

    init(_ model: some SmallModel) {
        var seen: Set<UInt64> = [model.canonical(model.start)]
        var states = [model.canonical(model.start)]
        var parents: [Int32] = [-1]
        var steps: [ModelStep] = []
        var done = 0
        var at = 0
        while at < states.count {
            if model.isBroken(states[at]) {
                statesCount = states.count
                doneCount = done
                trace = Self.trace(model, to: at, states, parents)
                return
            }
            if model.isDone(states[at]) { done += 1 }
            steps.removeAll(keepingCapacity: true)
            model.steps(from: states[at], into: &steps)
            for step in steps {
                let next = model.canonical(step.to)
                guard seen.insert(next).inserted else { continue }
                states.append(next)
                parents.append(Int32(at))
            }
            precondition(states.count < Self.statesLimit, "the model is too large")
            at += 1
        }
        statesCount = states.count
        doneCount = done
        trace = nil
    }

    /// The steps from the start, under names that stay the same all along.
    private static func trace(
        _ model: some SmallModel,
        to end: Int,
        _ states: [UInt64],
        _ parents: [Int32]
    ) -> [String] {
        var path: [UInt64] = []
        var at = end
        while parents[at] >= 0 {
            path.append(states[at])
            at = Int(parents[at])
        }
        var words: [String] = []
        var state = model.start
        for wanted in path.reversed() {
            var steps: [ModelStep] = []
            model.steps(from: state, into: &steps)
            guard let step = steps.first(where: { model.canonical($0.to) == wanted }) else {
                preconditionFailure("equal states have other futures: `canonical` is wrong")
            }
            words.append(model.words(step.code))
            state = step.to
        }
        return words + [model.verdict(state)]
    }
}

// What a voter has committed, step by step, so that an answer says only what is new.
//
//     steps   1: {a 1-5}   2: {a 6-9, b 1}   3: {a 10}        open: {a 11-12}
//
// Naming step 2 gets {a 10-12} and the number 4: answering closes the open step. Steps close only
// when somebody asks, so at 10,000 writes a second they are a handful of intervals each. Whoever
// names a step that is forgotten, or of another life, is told everything.

import Suppression

/// The steps of one life's committed set.
struct HeldHistory: Sendable {
    private var counter: UInt64 = 1
    private var open = HeldSet()
    /// The set that made each counter, oldest first.
    private var closed: [(counter: UInt64, set: HeldSet)] = []
    private let stepsCount: Int

    /// Remembers so many steps.
    init(stepsCount: Int) { self.stepsCount = stepsCount }

    /// A commit returned.
    mutating func insert(_ range: DotRange) { open.insert(range.interval, of: range.origin) }

    /// What was committed after the step that the asker knows.
    ///
    /// - Parameter all: everything committed, for whom the steps do not reach.
    /// - Returns: nil when everything does not fit into a message.
    mutating func answer(
        known: UInt64,
        all: HeldSet
    ) -> (since: UInt64, counter: UInt64, delta: HeldSet)? {
        if !open.isEmpty {
            counter += 1
            closed.append((counter, open))
            open = HeldSet()
            if closed.count > stepsCount { closed.removeFirst(closed.count - stepsCount) }
        }
        var since = known
        var delta = HeldSet()
        let oldest = closed.first?.counter ?? counter + 1
        if known > 0, known <= counter, known + 1 >= oldest {
            for step in closed where step.counter > known { delta.formUnion(step.set) }
        } else {
            since = 0
            delta = all
        }
        guard delta.intervalCount <= Limits.heldMessageIntervalsCount else { return nil }
        return (since, counter, delta)
    }
}

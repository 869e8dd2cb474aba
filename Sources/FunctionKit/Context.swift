// What a function wants done. It stages, the host acts: dots are minted once, after the run whose
// answer counts, and the answer leaves when all of it is acknowledged. A function names a scope and
// a reason, never a person: the person is the link's own, so there is no way to ask for somebody
// else's.

public import Suppression

/// One staged wish.
public enum Effect: Equatable, Sendable {
    /// Suppress the link's person.
    case suppress(Scope, Reason)
}

/// Collects effects.
public struct Context: Sendable {
    /// In the order in which they were staged.
    public private(set) var effects: [Effect] = []
    /// Whether more was staged than is allowed: the whole answer is then a bad response.
    public private(set) var overflowed = false

    /// Nothing is staged.
    public init() {}

    /// Stages a suppression of the link's person at its tenant.
    public mutating func suppress(_ scope: Scope, _ reason: Reason) {
        guard effects.count < Limits.stagedEffectsCount else {
            overflowed = true
            return
        }
        effects.append(.suppress(scope, reason))
    }
}

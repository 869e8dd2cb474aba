// When a damaged node trusts its marks again.
//
//     equal to as many other voters as it takes for no write to sit on the rest alone     and
//     all that it held at its start was held by those, before it was compared with them   or
//     equal to everybody there is
//
// The first alone is not enough. A write that this node and a silent one hold is counted on both,
// though its mark is gone here; and the others, who lack it, are equal all the same. Trusted by
// them, this node would vouch for a write that it does not have. What a peer held before a
// comparison that found both equal, this node has: marks only ever grow.
//
// What nobody holds any more is not waited for: equal to everybody, there is nobody to get it from.

public import Suppression

/// What proves to a node in doubt that its marks are whole.
public struct RepairTrust: Sendable {
    /// What is committed here, and whose marks may be gone.
    private var held: HeldSet
    private var told: [NodeID: HeldSet] = [:]
    private var asked: (node: NodeID, held: HeldSet)?
    /// Who was found equal, and what it held before.
    private var equal: [NodeID: HeldSet] = [:]
    /// Those of them whom this node asked itself.
    private var answered: Set<NodeID> = []

    /// - Parameter held: committed here when the doubt began.
    public init(held: HeldSet) { self.held = held }

    /// The doubt begins anew: no comparison before it proves anything.
    public mutating func begin(held: HeldSet) {
        self.held = held
        equal = [:]
        answered = []
        asked = nil
    }

    /// A linked node said something.
    ///
    /// - Parameter held: what is committed here now.
    public mutating func heard(_ message: Message, from node: NodeID, held: HeldSet) {
        switch message {
        case .held(_, let set): told[node] = set
        case .heldHash(let hash): if hash == held.fingerprint() { told[node] = held }
        default: break
        }
    }

    /// A link came or went: another life may hold less.
    public mutating func relinked(_ node: NodeID) { told[node] = nil }

    /// This node begins to compare its marks with another one's.
    public mutating func asks(_ node: NodeID) { asked = (node, told[node] ?? HeldSet()) }

    /// The marks of a trustworthy node are equal to those here.
    public mutating func proved(_ node: NodeID) {
        var known = equal[node] ?? HeldSet()
        if let asked, asked.node == node {
            known.formUnion(asked.held)
            answered.insert(node)
        }
        equal[node] = known
    }

    /// Whether asking this node again is left to the background: it was asked, and is equal.
    public func hasAnswered(_ node: NodeID) -> Bool { answered.contains(node) }

    /// Whether the doubt is over.
    ///
    /// - Parameters:
    ///   - own: this node.
    ///   - others: every other node that is not gone.
    public func isOver(_ voters: VoterSet, own: NodeID, others: [NodeID]) -> Bool {
        var proof = SlotMask()
        for (at, slot) in voters.slots.enumerated()
        where slot.node != own && equal[slot.node] != nil {
            proof.insert(at)
        }
        guard voters.isProof(proof) else { return false }
        var known = HeldSet()
        for set in equal.values { known.formUnion(set) }
        return known.isSuperset(of: held) || others.allSatisfy { equal[$0] != nil }
    }
}

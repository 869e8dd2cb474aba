// What an operator may ask of the voters, and the generation that it amounts to.
//
//     replace n2         the slot n2 is bound to the node of that name now: the disk is gone
//     replace n2 by n4   a joint generation first, in which n2 leaves and n4 comes
//     add n4 n5          a joint generation first; the next one ends it by itself
//     remove n4 n5       the same
//
// Why a joint one: n2 may live, cut off from some. Bound to n4 directly, n1 and n4 would answer for
// writes under the next generation while n2 and n3, who have not heard of it, confirm without them.
//
// One change at a time: each is computed from the generation in force and holds only as its
// successor.

public import Suppression

/// A change of the voters, in the operator's words.
public enum VoterChange: Equatable, Sendable {
    /// Bind a slot to another node, or to another life of the same one.
    case replace(slot: String, by: String)
    /// More voters, by the names of linked nodes.
    case add([String])
    /// Fewer voters.
    case remove([String])
}

/// A node that a slot can be bound to.
public struct Candidate: Equatable, Sendable {
    /// The operator's word for it.
    public let name: String
    /// Node and present life.
    public let origin: Origin
    /// Where it stands.
    public let zone: String

    /// Describes a node.
    public init(name: String, origin: Origin, zone: String) {
        self.name = name
        self.origin = origin
        self.zone = zone
    }
}

/// Why a change is refused.
public enum VoterChangeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No slot has this name.
    case noSlot(String)
    /// No linked node has this name.
    case noNode(String)
    /// The node is a voter already, and what it wrote is all there.
    case bound(String)
    /// The number of voters that it would leave.
    case size(Int)
    /// A change is still going on.
    case underWay
    /// Nothing was named.
    case nothing

    /// One sentence: what is wrong and what to do.
    public var description: String {
        switch self {
        case .noSlot(let name):
            "No voter is called \(name); `quell voters list` shows them."
        case .noNode(let name):
            "No node called \(name) is linked to this one; start it with --join first."
        case .bound(let name):
            "\(name) is bound to its slot already."
        case .size(let count):
            "That would make \(count) voters; there can be 1, 3 or 5."
        case .underWay:
            "A change of the voters is still going on; `quell voters list` shows how far it is."
        case .nothing: "Name at least one node."
        }
    }
}

extension VoterSet {
    /// The generation that a change leads to.
    ///
    /// - Parameter candidates: nodes that are linked now, and the asked node itself.
    public func changed(
        _ change: VoterChange,
        among candidates: [Candidate]
    ) throws(VoterChangeError) -> VoterSet {
        switch change {
        case .replace(let name, let by):
            guard let at = slots.firstIndex(where: { $0.name == name }) else {
                throw .noSlot(name)
            }
            // Of two nodes of one name the one that is bound is the one to be replaced.
            let free = candidates.filter { slot(of: $0.origin.node) == nil }
            let isFree = free.contains { $0.name == by }
            let node = try VoterSet.candidate(by, isFree ? free : candidates)
            let next = try rebound(at, to: node)
            // The same name: its disk is gone. One party: the other one's majorities see all.
            guard by != name, slots[at].side == .staying else { return next }
            guard !isJoint else { throw .underWay }
            var both = slots
            both[at] = slots[at].on(.leaving)
            both.append(VoterSlot(node, since: generation + 1, side: .joining))
            return try joint(both, isAny: true)
        case .add(let names):
            guard !isJoint else { throw .underWay }
            var next = slots
            for name in names {
                let node = try VoterSet.candidate(name, candidates)
                guard slot(of: node.origin.node) == nil,
                    !next.contains(where: { $0.name == name })
                else { throw .bound(name) }
                next.append(VoterSlot(node, since: generation + 1, side: .joining))
            }
            return try joint(next, isAny: !names.isEmpty)
        case .remove(let names):
            guard !isJoint else { throw .underWay }
            var next = slots
            for name in names {
                guard let at = next.firstIndex(where: { $0.name == name }) else {
                    throw .noSlot(name)
                }
                next[at] = next[at].on(.leaving)
            }
            return try joint(next, isAny: !names.isEmpty)
        }
    }

    private static func candidate(
        _ name: String,
        _ candidates: [Candidate]
    ) throws(VoterChangeError) -> Candidate {
        guard let found = candidates.first(where: { $0.name == name }) else {
            throw .noNode(name)
        }
        return found
    }

    private func joint(_ next: [VoterSlot], isAny: Bool) throws(VoterChangeError) -> VoterSet {
        guard isAny else { throw .nothing }
        let count = next.count { $0.side != .leaving }
        guard Limits.voterCounts.contains(count) else { throw .size(count) }
        return VoterSet(generation: generation + 1, slots: next)
    }

    /// A slot bound to another node, or to this life of the same one, which begins as a learner.
    func rebound(_ at: Int, to node: Candidate) throws(VoterChangeError) -> VoterSet {
        if let other = slot(of: node.origin.node), other != at { throw .bound(node.name) }
        // A wiped node has the name of the slot that it lost: it may take that one and no other.
        if slots.indices.contains(where: { $0 != at && slots[$0].name == node.name }) {
            throw .bound(node.name)
        }
        guard slots[at].node != node.origin.node || slots[at].lowestEpoch != node.origin.epoch
        else { throw .bound(node.name) }
        var next = slots
        next[at] = VoterSlot(node, since: generation + 1, side: slots[at].side)
        return VoterSet(generation: generation + 1, slots: next)
    }

    /// The generation that ends a joint one; nil where there is nothing to end.
    var settled: VoterSet? {
        guard isJoint else { return nil }
        return VoterSet(
            generation: generation + 1,
            slots: slots.filter { $0.side != .leaving }.map { $0.on(.staying) }
        )
    }

    /// The slots that another set binds anew.
    func rebinds(in next: VoterSet) -> [Int] {
        guard next.slots.count >= slots.count else { return [] }
        return slots.indices.filter { next.slots[$0].since > generation }
    }
}

extension VoterSlot {
    fileprivate init(_ node: Candidate, since: UInt64, side: Side) {
        self.init(
            name: node.name,
            node: node.origin.node,
            lowestEpoch: node.origin.epoch,
            zone: node.zone,
            since: since,
            side: side
        )
    }
}

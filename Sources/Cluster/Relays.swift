// Passing writes on where their origin is not linked to everybody: a tree, and announcements.
//
//     eager link   a write that comes first over any link is passed on over these at once
//     lazy link    every 100 ms it is told which writes came, not what they say
//
//     came first elsewhere, three times  ──► prune: both ends make the link lazy
//     announced and missing for 100 ms   ──► graft: both ends make it eager, and the write comes
//
// Links begin eager, so the first writes flood and find the fastest ways; what is slower is pruned
// until a tree is left, one for all origins. A node that dies takes its branch along; those behind
// it hear announcements from the sides, and graft. Source: Leitão, Pereira, Rodrigues, "Epidemic
// Broadcast Trees" (SRDS 2007). What differs: a link is pruned by a balance of first and later
// copies, since a link that is slow for one origin's writes may be the fast one for another's; and
// comparing held sets (Exchange) stands behind it all, so nothing here must be remembered for ever.

public import Suppression

/// What the caller must send.
public enum RelayEffect: Equatable, Sendable {
    /// These writes came here.
    case announce(to: NodeID, HeldSet)
    /// Make the link between us lazy.
    case prune(NodeID)
    /// Make it eager, and give these.
    case graft(NodeID, HeldSet)
}

/// The tree as one node knows it; a plain value.
public struct Relays: Sendable {
    private struct Link {
        let node: NodeID
        var isEager = true
        /// Writes that came first elsewhere, less those that came first here.
        var balance = 0
        /// Came here, and is not yet told over this link.
        var untold = HeldSet()
        /// Announced over this link since the last look at `doubted`, and missing here then.
        var announced = HeldSet()
        /// Announced before that: asked for at the next look, unless it has come.
        var doubted = HeldSet()
    }

    private var links: [Link] = []
    private var announceDueNanos: UInt64 = 0
    private var graftDueNanos: UInt64 = 0
    /// Asked for, so that no second one is asked while the answer may be on its way.
    private var asked = HeldSet()
    private var askedNanos: UInt64 = 0
    /// Where to begin: behind the one that was asked last, as it may be dead.
    private var askAt = 0
    /// Writes that came here first, and copies of them that came later.
    public private(set) var firsts: UInt64 = 0
    /// See `firsts`.
    public private(set) var duplicates: UInt64 = 0

    /// A node without links.
    public init() {}

    /// Nodes to which writes are passed on at once.
    public var eager: [NodeID] { links.filter(\.isEager).map(\.node) }

    private func at(_ node: NodeID) -> Int? { links.firstIndex { $0.node == node } }

    /// A link came up; eager until something faster is found.
    public mutating func linked(_ node: NodeID) {
        unlinked(node)
        guard links.count < Limits.peersCount else { return }
        links.append(Link(node: node))
    }

    /// A link went down; what it announced, others hold too, or it is found by comparing.
    public mutating func unlinked(_ node: NodeID) { links.removeAll { $0.node == node } }

    /// Writes that are new here, minted or received.
    ///
    /// - Parameter sender: over whose link they came; nil for own ones.
    /// - Returns: whom to pass them on to, now.
    public mutating func came(_ writes: HeldSet, from sender: NodeID?) -> [NodeID] {
        var targets: [NodeID] = []
        if sender != nil { firsts += writes.count }
        for index in links.indices {
            if links[index].node == sender {
                let count = Int(clamping: writes.count)
                links[index].balance = max(0, links[index].balance - count)
            } else if links[index].isEager {
                targets.append(links[index].node)
            } else if links[index].untold.intervalCount < Limits.announcedIntervalsCount {
                links[index].untold.formUnion(writes)
            }
        }
        return targets
    }

    /// A pull brought these: nobody was sent them from here, so everybody is told.
    public mutating func filled(_ writes: HeldSet) {
        for index in links.indices
        where links[index].untold.intervalCount < Limits.announcedIntervalsCount {
            links[index].untold.formUnion(writes)
        }
    }

    /// Writes came that were here already.
    public mutating func repeated(
        _ count: Int,
        from sender: NodeID,
        into effects: inout [RelayEffect]
    ) {
        duplicates += UInt64(count)
        guard count > 0, let index = at(sender) else { return }
        links[index].balance += count
        // A lazy one that pushes has not heard that it is.
        guard links[index].balance >= Limits.pruneDuplicatesCount else { return }
        links[index].balance = 0
        links[index].isEager = false
        effects.append(.prune(sender))
    }

    /// The other end says that its copies come faster from elsewhere.
    public mutating func pruned(by node: NodeID) {
        guard let index = at(node) else { return }
        links[index].isEager = false
        links[index].balance = 0
    }

    /// The other end lacks something, and wants all from here from now on.
    public mutating func grafted(by node: NodeID) {
        guard let index = at(node) else { return }
        links[index].isEager = true
        links[index].balance = 0
    }

    /// The other end has these writes.
    ///
    /// - Parameter arrived: what is here, or on its way to the log.
    public mutating func announced(
        _ writes: HeldSet,
        by node: NodeID,
        arrived: HeldSet
    ) {
        guard let index = at(node) else { return }
        // It has them from elsewhere: it need not be told.
        links[index].untold = links[index].untold.subtracting(writes)
        let missing = writes.subtracting(arrived)
        guard !missing.isEmpty, missing.intervalCount <= Limits.announcedIntervalsCount,
            links[index].announced.intervalCount + links[index].doubted.intervalCount
                < Limits.announcedIntervalsCount
        else { return }
        links[index].announced.formUnion(missing)
    }

    /// Time went by: announcements leave, and what was announced and has not come is asked for.
    public mutating func ticked(
        now: UInt64,
        arrived: HeldSet,
        into effects: inout [RelayEffect]
    ) {
        graft(now: now, arrived: arrived, into: &effects)
        guard now >= announceDueNanos else { return }
        announceDueNanos = now + Limits.announceNanos
        for index in links.indices where !links[index].untold.isEmpty {
            effects.append(.announce(to: links[index].node, links[index].untold))
            links[index].untold = HeldSet()
        }
    }

    private mutating func graft(
        now: UInt64,
        arrived: HeldSet,
        into effects: inout [RelayEffect]
    ) {
        guard now >= graftDueNanos else { return }
        graftDueNanos = now + Limits.graftNanos
        if now >= askedNanos + Limits.graftAnswerNanos { asked = HeldSet() }
        var last: Int?
        for turn in links.indices {
            let index = (askAt + turn) % links.count
            let doubted = links[index].doubted.subtracting(arrived)
            links[index].doubted = doubted
            let wanted = doubted.subtracting(asked)
            if !wanted.isEmpty {
                if asked.isEmpty { askedNanos = now }
                asked.formUnion(wanted)
                links[index].isEager = true
                links[index].balance = 0
                effects.append(.graft(links[index].node, wanted))
                last = index
            }
            links[index].doubted.formUnion(links[index].announced)
            links[index].announced = HeldSet()
        }
        askAt = last.map { $0 + 1 } ?? askAt
    }
}

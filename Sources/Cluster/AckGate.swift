// The acknowledgment gate: the only place that says "yes, it is durable".
//
//     minted ──► waiting ──► majority of slots hold all of its dots ──► acknowledge(quorum)
//                  │
//                  └─ deadline ─► available: held here, and by one more node if any can be reached
//                                             ──► acknowledge(local)
//                                 otherwise   ──► refuse(notDurable); the write itself stays
//
// A receipt means "committed in that node's own log" (DESIGN 5). It counts once per slot, only from
// the node id and epoch that the slot binds, only under the generation that is in force. The answer
// for a ticket is given exactly once.

public import Suppression

/// Decides which writes may be acknowledged.
public struct AckGate: Sendable {
    private struct Waiting {
        let ticket: Ticket
        let dots: DotRange
        let policy: Policy
        let deadlineNanos: UInt64
    }

    private let own: Origin
    private(set) var voters: VoterSet
    /// What each slot has said to hold, in the order of the slots.
    private(set) var heldBySlot: [HeldSet]
    /// The life of each slot's node that said so; another life may have lost what this one had.
    private var lifeBySlot: [Origin?]
    /// What this node itself holds; a slot's entry as well where this node is a voter.
    private var heldHere: HeldSet
    /// What nodes that are no voters have said to hold.
    private var heldElsewhere = HeldSet()
    private var waiting: [Waiting] = []
    private var isLatched = false
    /// This directory may have forgotten a later generation.
    private var isDoubted = false
    private let bugs: SeededBugs

    /// Begins with what the own log held at the start, after its replay.
    public init(
        own: Origin,
        voters: VoterSet,
        held: HeldSet,
        bugs: SeededBugs = SeededBugs()
    ) {
        self.own = own
        self.bugs = bugs
        self.voters = voters
        heldHere = held
        heldBySlot = []
        lifeBySlot = []
        seat()
    }

    /// Every slot of the present generation begins with nothing, but for our own.
    private mutating func seat() {
        heldBySlot = Array(repeating: HeldSet(), count: voters.slots.count)
        lifeBySlot = Array(repeating: nil, count: voters.slots.count)
        guard let slot = countedSlot(of: own) else { return }
        heldBySlot[slot] = heldHere
        lifeBySlot[slot] = own
    }

    /// The slot that a life counts for. This node's own counts for none while it is in doubt: the
    /// others may have gone on to a generation that it once knew of, and forgot.
    private func countedSlot(of life: Origin) -> Int? {
        guard let slot = voters.slot(of: life) else { return nil }
        let isForgetful = isDoubted && life == own && voters.slots[slot].lowestEpoch != own.epoch
        return isForgetful ? nil : slot
    }

    /// This directory may hold less than it once did.
    mutating func becomeDoubted() {
        isDoubted = true
        guard let slot = voters.slot(of: own), countedSlot(of: own) == nil else { return }
        heldBySlot[slot] = HeldSet()
    }

    /// A life turned out to run on an older disk: what it said to hold counts for no slot.
    mutating func forget(_ life: Origin) {
        guard let slot = voters.slot(of: life) else { return }
        heldBySlot[slot] = HeldSet()
    }

    /// Writes without an answer yet.
    public var waitingCount: Int { waiting.count }

    /// Whether one more write may wait.
    public var hasRoom: Bool { waiting.count < Limits.waitingWritesCount }

    /// What this node's own log holds, committed.
    public var held: HeldSet { heldHere }

    /// A later generation: slots are counted anew, from what their nodes say under it.
    mutating func adopt(_ next: VoterSet, into effects: inout [Effect]) {
        voters = next
        seat()
        answerDurable(&effects)
    }

    /// A caller waits for these dots.
    public mutating func wait(
        _ ticket: Ticket,
        for dots: DotRange,
        policy: Policy,
        now: Instant,
        into effects: inout [Effect]
    ) {
        if isLatched { return effects.append(.refuse(ticket, .failed)) }
        if isDurable(dots) { return effects.append(.acknowledge(ticket, .quorum, dots)) }
        waiting.append(
            Waiting(
                ticket: ticket,
                dots: dots,
                policy: policy,
                deadlineNanos: now.bootNanos + Limits.acknowledgeDeadlineNanos
            )
        )
    }

    /// A node says that it has committed these writes.
    ///
    /// - Parameter generation: the voters generation that the node has persisted; another than ours
    ///   counts for no slot.
    public mutating func stored(
        _ interval: SequenceInterval,
        of origin: Origin,
        by node: Origin,
        generation: UInt64,
        into effects: inout [Effect]
    ) {
        let range = DotRange(origin: origin, interval: interval)
        stored([range], by: node, generation: generation, into: &effects)
    }

    /// A node says that it has committed these writes, many at once.
    public mutating func stored(
        _ ranges: [DotRange],
        by node: Origin,
        generation: UInt64,
        into effects: inout [Effect]
    ) {
        for range in ranges {
            record(range.interval, of: range.origin, by: node, generation: generation)
        }
        answerDurable(&effects)
    }

    /// A node says what it has committed: receipts that survive the loss of earlier ones.
    public mutating func stored(
        _ set: HeldSet,
        by node: Origin,
        generation: UInt64,
        into effects: inout [Effect]
    ) {
        for entry in set.entries {
            for interval in entry.intervals {
                record(interval, of: entry.origin, by: node, generation: generation)
            }
        }
        answerDurable(&effects)
    }

    private mutating func record(
        _ interval: SequenceInterval,
        of origin: Origin,
        by node: Origin,
        generation: UInt64
    ) {
        if node == own { heldHere.insert(interval, of: origin) }
        let isOurs = generation == voters.generation || bugs.has(.gateMixesGenerations)
        if isOurs, let slot = countedSlot(of: node) {
            if lifeBySlot[slot] != node { begins(node) }
            heldBySlot[slot].insert(interval, of: origin)
        } else if node != own {
            heldElsewhere.insert(interval, of: origin)
        }
    }

    /// A life of a node begins to speak: what the one before held, its disk may have lost since, by
    /// being put back from a copy. The link brings all that it holds now.
    ///
    /// - Returns: what the life before it had said; nil when there was none under this binding.
    @discardableResult
    public mutating func begins(_ life: Origin) -> HeldSet? {
        guard life != own, let slot = voters.slot(of: life), lifeBySlot[slot] != life else {
            return nil
        }
        let before = lifeBySlot[slot] == nil ? nil : heldBySlot[slot]
        lifeBySlot[slot] = life
        heldBySlot[slot] = HeldSet()
        return before
    }

    /// Answers what has become durable, in the order of arrival.
    ///
    /// Most that wait are held by the same slots, and whether those are a quorum is worked out once
    /// for each group of them: counting parties and zones for each write again took 0.5 us of it.
    /// No method is called on `self` for each write, as every call copies the gate, 0.2 us.
    private mutating func answerDurable(_ effects: inout [Effect]) {
        guard !isLatched, !waiting.isEmpty else { return }
        var kept = 0
        var judged: (holders: SlotMask, isQuorum: Bool)?
        let (held, assumed) = (heldBySlot, self.assumed)
        for i in waiting.indices {
            let holders = held.holders(of: waiting[i].dots, and: assumed)
            if judged?.holders != holders { judged = (holders, isQuorum(holders)) }
            if judged?.isQuorum == true {
                effects.append(.acknowledge(waiting[i].ticket, .quorum, waiting[i].dots))
            } else {
                waiting.swapAt(kept, i)
                kept += 1
            }
        }
        waiting.removeSubrange(kept...)
    }

    /// Time went by: what is past its deadline gets its answer.
    ///
    /// - Parameter isAlone: no other node can be reached.
    public mutating func tick(now: Instant, isAlone: Bool, into effects: inout [Effect]) {
        answer(&effects) { gate, one in
            guard now.bootNanos >= one.deadlineNanos else { return nil }
            let safe = gate.isHeldHere(one.dots) && (isAlone || gate.isHeldByAnother(one.dots))
            return one.policy == .available && safe
                ? .acknowledge(one.ticket, .local, one.dots) : .refuse(one.ticket, .notDurable)
        }
    }

    /// Our own log could not take these dots; whoever waits for one of them is told.
    public mutating func refused(_ dots: DotRange, into effects: inout [Effect]) {
        answer(&effects) { _, one in
            let apart =
                one.dots.origin != dots.origin || one.dots.interval.last < dots.interval.first
                || dots.interval.last < one.dots.interval.first
            return apart ? nil : .refuse(one.ticket, .full)
        }
    }

    /// Our disk failed: nothing is acknowledged again, whoever holds it.
    public mutating func latch(into effects: inout [Effect]) {
        isLatched = true
        answer(&effects) { _, one in .refuse(one.ticket, .failed) }
    }

    private func isDurable(_ dots: DotRange) -> Bool {
        isQuorum(heldBySlot.holders(of: dots, and: assumed))
    }

    /// Slots that count without having said anything: none, but for a seeded bug.
    private var assumed: SlotMask {
        var mask = SlotMask()
        if bugs.has(.acknowledgeBeforeCommit), let mine = voters.slot(of: own) { mask.insert(mine) }
        return mask
    }

    private func isQuorum(_ mask: SlotMask) -> Bool {
        if bugs.has(.countOneVoterTwice), let mine = voters.slot(of: own), mask.contains(mine) {
            return mask.count + 1 >= VoterSet.majority(of: voters.outgoing)
        }
        return voters.isQuorum(mask)
    }

    private func isHeldHere(_ dots: DotRange) -> Bool { heldHere.contains(dots) }

    private func isHeldByAnother(_ dots: DotRange) -> Bool {
        if heldElsewhere.contains(dots) { return true }
        let mine = voters.slot(of: own)
        return heldBySlot.indices.contains { $0 != mine && heldBySlot[$0].contains(dots) }
    }

    /// Answers every waiting write for which `effect` gives one, in the order of arrival.
    private mutating func answer(
        _ effects: inout [Effect],
        _ effect: (borrowing AckGate, Waiting) -> Effect?
    ) {
        var kept = 0
        for i in waiting.indices {
            if let effect = effect(self, waiting[i]) {
                effects.append(effect)
            } else {
                waiting.swapAt(kept, i)
                kept += 1
            }
        }
        waiting.removeSubrange(kept...)
    }
}

extension [HeldSet] {
    /// The slots that hold all of these dots, besides those given.
    fileprivate func holders(of dots: DotRange, and assumed: SlotMask) -> SlotMask {
        var mask = assumed
        for slot in indices where self[slot].contains(dots) { mask.insert(slot) }
        return mask
    }
}

extension HeldSet {
    /// Whether all of these dots are held.
    public func contains(_ dots: DotRange) -> Bool { contains(dots.interval, of: dots.origin) }
}

// What this node remembers of the voters' lives: to find a disk that was put back from a copy.
//
// A life that ends leaves two traces here: its epoch, whose counter each start raises, and what it
// said to hold. A later life of the same binding that counts no higher, or that holds less, runs on
// an older disk than the one before, whatever it believes itself. It is doubted: nothing that it
// confirms counts here, its questions are not answered, and it is told (DESIGN 5, Identity).
//
// This node forgets with each of its own starts. What nobody remembers cannot be found; then the
// files themselves must tell (Sources/Storage/Opening.swift).

import Suppression

/// Lives of voters, as far as they were linked here.
struct Lives: Sendable {
    private struct Known {
        let node: NodeID
        /// The highest life that was linked.
        var epoch: Epoch
        /// What a life before the linked one had said to hold.
        var before: HeldSet?
    }

    private var known: [Known] = []
    private(set) var doubted: [Origin] = []

    /// Whether a life is doubted.
    func isDoubted(_ life: Origin) -> Bool { doubted.contains(life) }

    /// A life of a voter is linked.
    ///
    /// - Parameters:
    ///   - before: what the life before it had said to hold, under the same binding.
    ///   - held: all writes known here, for lives that are known by their writes alone.
    /// - Returns: false for a life that counts no higher than one before it.
    mutating func linked(_ life: Origin, before: HeldSet?, held: HeldSet) -> Bool {
        var highest: Epoch?
        for entry in held.entries where entry.origin.node == life.node {
            highest = max(highest ?? entry.origin.epoch, entry.origin.epoch)
        }
        if let at = known.firstIndex(where: { $0.node == life.node }) {
            highest = max(highest ?? known[at].epoch, known[at].epoch)
            known[at].epoch = max(known[at].epoch, life.epoch)
            if let before { known[at].before = before }
        } else if known.count < Limits.jointSlotsCount {
            known.append(Known(node: life.node, epoch: life.epoch, before: before))
        }
        guard let highest, highest != life.epoch, highest.counter >= life.epoch.counter else {
            return true
        }
        return false
    }

    /// A life says for the first time all that it holds.
    ///
    /// - Returns: false when the life before it had said more.
    mutating func told(_ all: HeldSet, by life: Origin) -> Bool {
        guard let at = known.firstIndex(where: { $0.node == life.node }),
            let before = known[at].before
        else { return true }
        guard all.isSuperset(of: before) else { return false }
        known[at].before = nil
        return true
    }

    /// Nothing that this life confirms counts any more.
    mutating func doubt(_ life: Origin) {
        guard !doubted.contains(life) else { return }
        if doubted.count == Limits.jointSlotsCount { doubted.removeFirst() }
        doubted.append(life)
    }

    /// A generation binds lives anew: of these, what was before does not count.
    mutating func adopt(_ voters: VoterSet) {
        // Who has no slot any more vouches for nothing, and may ask again.
        doubted.removeAll { life in
            let slot = voters.slots.first { $0.node == life.node }
            return slot == nil || slot?.lowestEpoch == life.epoch
        }
        for at in known.indices {
            guard let slot = voters.slots.first(where: { $0.node == known[at].node }) else {
                continue
            }
            if slot.since == voters.generation { known[at].before = nil }
        }
        known.removeAll { one in voters.slot(of: one.node) == nil }
    }
}

extension Core {
    /// Whether a life of a voter may be believed; it is told when it may not.
    mutating func doubt(_ life: Origin, into effects: inout [Effect]) {
        lives.doubt(life)
        gate.forget(life)
        freshness.forget(life.node)
        effects.append(.vouch(lease))
        effects.append(.send(to: life.node, .doubted(life)))
    }

    /// A doubted life is told once more before whatever it could count: alone with a receipt of
    /// ours it would take a write for durable.
    func remind(_ life: Origin, into effects: inout [Effect]) {
        guard lives.isDoubted(life) else { return }
        effects.append(.send(to: life.node, .doubted(life)))
    }

    /// Another node knows that this directory has held more than it does.
    mutating func becomeDoubted(into effects: inout [Effect]) {
        // Bound as it is, it has caught up, or will: whoever says so has not heard of that.
        guard !isDoubted, !isBoundAsIs else { return }
        isDoubted = true
        if !bugs.has(.doubtedLifeReceipts) { gate.becomeDoubted() }
        if !bugs.has(.doubtedLifeVotes) { forgetVotes(into: &effects) }
        freshness.adopt(voters)
        asking.reset()
        effects.append(.vouch(.void))
        let why = "another node knows that this directory has held more"
        persist(OwnNote(.doubt, Array(why.utf8)), into: &effects)
    }
}

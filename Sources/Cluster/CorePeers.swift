// The Core towards linked nodes: what each message does.
//
//     changes    not seen yet ──► own log, and shown at once where it can only deny
//                held already ──► receipt at once;  on its way to the log ──► with that commit
//     receipts, held, confirm ──► the gate counts, the window empties
//     heldHash   differs ──► say what is held here;  held ──► pull what is missing here
//     ask        ──► what this voter has committed, unless it is a learner
//     pull       ──► from memory what is recent, from the state the rest;  page ──► own log

import Suppression

extension Core {
    mutating func linked(_ peer: Peer, into effects: inout [Effect]) {
        let node = peer.origin.node
        guard node != own.node, !hasFailed else { return }
        if asking.isAnotherLife(peer.origin) {
            // A new life: nothing that the one before said vouches for anything any more.
            freshness.forget(node)
            effects.append(.vouch(lease))
        }
        asking.linked(peer.origin)
        let before = gate.begins(peer.origin)
        spread.linked(peer)
        pulling.unlinked(node)
        if let slot = voters.slot(of: node), voters.slots[slot].lowestEpoch != peer.origin.epoch,
            !lives.linked(peer.origin, before: before, held: gate.held),
            !bugs.has(.votersByName)
        {
            doubt(peer.origin, into: &effects)
        }
        guard peer.holds == .all else { return }
        relays?.linked(node)
        // Every receipt that the last link may have lost, and what the peer may pull.
        sayHeld(to: node, into: &effects)
    }

    /// Tells a peer what is committed here.
    func sayHeld(to node: NodeID, into effects: inout [Effect]) {
        if let life = spread.peer(node)?.origin { remind(life, into: &effects) }
        let held = gate.held.prefix(intervals: Limits.heldMessageIntervalsCount)
        effects.append(.send(to: node, .held(generation: spokenGeneration, held)))
    }

    mutating func received(
        _ message: Message,
        from node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        guard !hasFailed, let peer = spread.peer(node) else { return }
        spread.heard(node, now: now.bootNanos)
        switch message {
        case .changes(let changes): arrived(changes, from: node, now: now, into: &effects)
        case .relay(let message): received(message, from: node)
        case .receipts(let generation, let ranges):
            let counted = lives.isDoubted(peer.origin) ? 0 : generation
            gate.stored(ranges, by: peer.origin, generation: counted, into: &effects)
            let mine = ranges.filter { $0.origin == own }.map(\.interval)
            spread.receipted(mine, by: node, bounds: bounds)
        case .heldHash(let hash):
            if hash == gate.held.fingerprint() {
                spread.settled(node)
            } else {
                sayHeld(to: node, into: &effects)
            }
        case .held(let generation, let set):
            holds(set, peer, generation: generation, into: &effects)
            spoke(generation, now: now, into: &effects)
            pullWhatIsMissing(set, from: node, now: now, into: &effects)
        case .ask(let nonce, let known): confirm(nonce, known, to: node, into: &effects)
        case .confirm(let answer):
            confirmed(answer, by: peer, into: &effects)
        case .pull(let number, let wanted, let after):
            give(wanted, after: after, number: number, to: node, into: &effects)
        case .page(let page): take(page, from: node, now: now, into: &effects)
        case .prepare, .promised, .accept, .accepted, .declined:
            vote(message, from: node, now: now, into: &effects)
        case .doubted(let life):
            if life == own { becomeDoubted(into: &effects) }
        case .repair, .rollout: break  // beside the Core: see Repair.swift, Rollout.swift
        }
    }

    // MARK: changes and receipts

    private mutating func arrived(
        _ changes: [Change],
        from node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        var known: [DotRange] = []
        var (firsts, repeated): ([Change], [Change]) = ([], [])
        defer { passOn(firsts, repeated: repeated, from: node, now: now, into: &effects) }
        for change in changes where isCredible(change) {
            if gate.held.contains(change.dot) {
                known.append(joined: change.dot)
                repeatedCount += 1
                if relays != nil { repeated.append(change) }
            } else if arrived.contains(change.dot) {
                repeatedCount += 1
                if relays != nil { repeated.append(change) }
                if bugs.has(.receiptForPendingDuplicate) { known.append(joined: change.dot) }
            } else if pending.count < bounds.pendingChangesCount {
                accept(change, now: now, into: &effects)
                firstsCount += 1
                if relays != nil { firsts.append(change) }
            }  // no room: not held, no receipt; it is pulled once there is
        }
        receipt(known, into: &effects)
    }

    /// Whether a peer may say this: a write, not a note, and none of this life that was not minted.
    private func isCredible(_ change: Change) -> Bool {
        guard !change.isNote, change.dot.sequence > 0 else { return false }
        return change.dot.origin != own || change.dot.sequence < nextDotSequence
    }

    private mutating func accept(_ change: Change, now: Instant, into effects: inout [Effect]) {
        let latest = now.wallMillis + Limits.stampLeadMillis
        if change.time > lastTime, change.time.wallMillis <= latest { lastTime = change.time }
        arrived.insert(change.dot)
        let sequence = nextLocalSequence
        persist(change, isShown: change.onlyDenies, into: &effects)
        if change.onlyDenies {
            effects.append(.show(sequence: sequence, change))
            visible.insert(change.dot)
        }
    }

    private mutating func holds(
        _ set: HeldSet,
        _ peer: Peer,
        generation: UInt64,
        into effects: inout [Effect]
    ) {
        // A disk that does not know that it is old may have forgotten a later generation.
        let counted = lives.isDoubted(peer.origin) ? 0 : generation
        gate.stored(set, by: peer.origin, generation: counted, into: &effects)
        let mine = set.only(own).entries.first?.intervals ?? []
        spread.receipted(mine, by: peer.origin.node, bounds: bounds)
    }

    // MARK: freshness

    private mutating func confirm(
        _ nonce: Nonce,
        _ known: UInt64,
        to node: NodeID,
        into effects: inout [Effect]
    ) {
        guard isSeated, let asker = spread.peer(node)?.origin else { return }
        // Told again with every question: it may not have heard.
        guard !lives.isDoubted(asker) else {
            return effects.append(.send(to: node, .doubted(asker)))
        }
        let isCut = bugs.has(.contiguousOnly)
        let all = isCut ? gate.held.contiguous : gate.held
        guard let told = history.answer(known: isCut ? 0 : known, all: all) else { return }
        let answer = Confirmation(
            nonce: nonce,
            generation: voters.generation,
            since: told.since,
            counter: told.counter,
            isComplete: isComplete,
            delta: told.delta
        )
        effects.append(.send(to: node, .confirm(answer)))
    }

    private mutating func confirmed(
        _ answer: Confirmation,
        by peer: Peer,
        into effects: inout [Effect]
    ) {
        if answer.generation > voters.generation, choosing.ahead == nil {
            choosing.ahead = (peer.origin.node, tellNanos: 0)
        }
        guard let slot = voters.slot(of: peer.origin), !lives.isDoubted(peer.origin) else { return }
        if answer.since == 0, !lives.told(answer.delta, by: peer.origin),
            !bugs.has(.votersByName)
        {
            return doubt(peer.origin, into: &effects)
        }
        holds(answer.delta, peer, generation: answer.generation, into: &effects)
        // What is said under another generation proves nothing here, and the next answer must name
        // all of it again.
        guard answer.generation == voters.generation else { return }
        if answer.since == 0 { catchingUp.told(answer.delta, by: slot, held: gate.held) }
        if answer.isComplete { choosing.complete.insert(slot) }
        asking.confirmed(answer, by: peer.origin, visible: visible)
        asking.advance(visible: visible, bugs: bugs, into: &freshness)
    }

    // MARK: pulls

    private mutating func pullWhatIsMissing(
        _ theirs: HeldSet,
        from node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        // A tree brings what its origin does not.
        let (links, isOverlaid) = (spread, relays != nil)
        let overdue = exchange.overdue(theirs, arrived: arrived, now: now.bootNanos) {
            isOverlaid || links.isLinked($0)
        }
        guard !overdue.isEmpty, pulling.mayAsk(node, now: now.bootNanos) else { return }
        pull(overdue, from: node, now: now, into: &effects)
    }

    mutating func pull(
        _ missing: HeldSet,
        from donor: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        let step = pulling.begin(
            missing,
            from: donor,
            writes: bounds.pullDotsCount,
            bytesPerSecond: bounds.pullBytesPerSecond,
            now: now.bootNanos
        )
        carryOut(step, into: &effects)
    }

    /// Asks for the next page, or closes the pull, once the log and the state have what came.
    mutating func goOnPulling(now: Instant, into effects: inout [Effect]) {
        guard !pulling.isIdle else { return }
        let step = pulling.advance(
            settled: settledThrough,
            hasRoom: backlogCount <= bounds.pullBacklogCount,
            bytesPerSecond: bounds.pullBytesPerSecond,
            now: now.bootNanos
        )
        carryOut(step, into: &effects)
        let more = pulling.takeRest().subtracting(arrived)
        guard !more.isEmpty, spread.peer(pulling.donor) != nil else { return }
        pull(more, from: pulling.donor, now: now, into: &effects)
    }

    private mutating func carryOut(_ step: Pulling.Step, into effects: inout [Effect]) {
        switch step {
        case .rest: break
        case .ask(let donor, let number, let wanted, let after):
            let message = Message.pull(number: number, wanted: wanted, after: after)
            effects.append(.send(to: donor, message))
        case .close(let set):
            pulling.closed(at: nextLocalSequence)
            persist(.note(.holds(set)), isShown: false, into: &effects)
        }
    }

    private mutating func take(
        _ page: Page,
        from node: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        guard let entries = pulling.take(page, from: node) else { return }
        guard pending.count + entries.count <= bounds.pendingChangesCount else {
            return pulling.abandon()
        }
        for entry in entries {
            switch entry {
            case .merged(let merged):
                let note = Change.note(.merged(merged))
                let sequence = nextLocalSequence
                persist(note, isShown: note.onlyDenies, into: &effects)
                if note.onlyDenies { effects.append(.show(sequence: sequence, note)) }
            case .change(let change):
                guard isCredible(change), !arrived.contains(change.dot) else { continue }
                accept(change, now: now, into: &effects)
            }
        }
        if bugs.has(.heldRaisedPerPage), !pulling.wanted.isEmpty {
            persist(.note(.holds(pulling.wanted)), isShown: false, into: &effects)
        }
        pulling.stored(through: nextLocalSequence - 1, isLast: page.isLast)
        goOnPulling(now: now, into: &effects)
    }

    private mutating func give(
        _ wanted: HeldSet,
        after: Dot?,
        number: UInt64,
        to node: NodeID,
        into effects: inout [Effect]
    ) {
        if after == nil {
            let known = recent.map(\.change).filter { wanted.contains($0.dot) }
            let bytes = known.reduce(0) { $0 + $1.approximateBytes }
            for message in known.isEmpty ? [] : known.messages(bytes: bytes) {
                effects.append(.send(to: node, message))
            }
        }
        // Of a damaged state, or one that is only coming, what this life added is known to be
        // whole.
        let isInDoubt = (isDamaged || isJoining) && !bugs.has(.damagedDonates)
        let whole = isInDoubt ? wanted.only(own) : wanted
        guard let link = spread.beginsReading(for: node) else { return }
        let request = PageRequest(
            peer: node,
            link: link,
            number: number,
            wanted: whole,
            after: after,
            dotsCount: bounds.pageDotsCount,
            bytes: Limits.pageBytes
        )
        effects.append(.readPage(request))
    }

    /// The shell has read a page.
    mutating func answer(_ page: Page, to request: PageRequest, into effects: inout [Effect]) {
        guard spread.endsReading(for: request.peer, link: request.link), !hasFailed else { return }
        effects.append(.send(to: request.peer, .page(page)))
    }
}

extension HeldSet {
    /// For a seeded bug: each origin up to its first gap.
    fileprivate var contiguous: HeldSet {
        var heads = HeldSet()
        for entry in entries {
            guard let first = entry.intervals.first, first.first == 1 else { continue }
            heads.insert(first, of: entry.origin)
        }
        return heads
    }
}

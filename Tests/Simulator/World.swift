// A cluster in simulated time: one thread, one heap of actions, one source of chance.
//
// World.swift runs actions and carries out effects, Storing.swift those of the disk; Network.swift
// moves frames; Load.swift is the clients; Operator.swift changes the voters; Breakage.swift breaks
// things; Healing.swift ends a run and looks whether all agree.

import Suppression

@testable import Cluster

/// A cluster, its clients and its misfortunes.
final class World {
    let seed: UInt64
    let swarm: Swarm
    let trim: Trim
    /// The founding generation.
    let voters: VoterSet
    /// Chance for the write, check or fault at hand.
    var dice: Dice
    var trace = Trace()
    var timeline = Timeline()
    var shells: [Shell] = []
    var ledger: Ledger
    var outcome = Outcome()
    var now: UInt64 = 0
    var isHealing = false
    var nextTicket: UInt64 = 1
    var nextStamp: UInt64 = 1
    var registerGeneration: UInt64 = 0
    /// Cut directions, by sender and receiver.
    var cuts: [[Bool]]
    /// When the last frame of a direction arrives, so that frames keep their order.
    var lastArrival: [[UInt64]]
    var nextLink = 1
    var nextWrite = 0
    var nextCheck = 0
    var nextFault = 0
    /// Until when two nodes are busy connecting.
    var connecting: [[UInt64]]
    var nextCommand = 0
    var nextDamage = 0
    /// As `lastArrival`, of repair's frames.
    var repairArrival: [[UInt64]]
    /// Half seconds that healing may take.
    var healingBound = 1
    /// Generations that somebody wants, or wanted.
    var wanted: [VoterSet] = []
    /// Callers that asked for other voters.
    var commandTickets: Set<Ticket> = []
    var newestGeneration: UInt64 = 1
    /// What each node held when it first went into a generation.
    var heldAtFirst: [UInt64: [NodeID: HeldSet]] = [:]
    /// Nodes that the seed deals; fewer may be in the world.
    let dealtNodesCount: Int
    /// A node took its seat, went into a generation, or lost its disk.
    var looksAtMajorities = false
    private var effects: [Effect] = []

    init(seed: UInt64, _ swarm: Swarm, _ trim: Trim = Trim()) {
        self.seed = seed
        self.swarm = swarm
        self.trim = trim
        dice = Dice(seed: seed)
        let dealt = Swarm(seed: seed)
        dealtNodesCount = dealt.votersCount + dealt.edgesCount
        let count = swarm.votersCount + swarm.edgesCount
        cuts = Array(repeating: Array(repeating: false, count: count), count: count)
        lastArrival = Array(repeating: Array(repeating: 0, count: count), count: count)
        connecting = lastArrival
        repairArrival = lastArrival
        for index in 0..<count {
            let node = NodeID(raw: 100 + UInt64(index))
            let shell = Shell(
                index: index,
                node: node,
                nodesCount: count,
                seed: seed,
                repairs: swarm.repairMillis > 0
            )
            shells.append(shell)
        }
        voters = VoterSet(
            generation: 1,
            slots: shells.prefix(swarm.votersCount).map {
                VoterSlot(
                    name: $0.name,
                    node: $0.disk.node,
                    lowestEpoch: Epoch(raw: 0),
                    zone: $0.zone
                )
            }
        )
        ledger = Ledger(voters: voters)
        for index in shells.indices {
            let late = index < swarm.votersCount ? 0 : swarm.lateMillis * millisecond
            timeline.at(late, .start(index, life: 0))
        }
        timeline.at(millisecond, .write)
        timeline.at(millisecond, .ask)
        timeline.at(50 * millisecond, .fault)
        if swarm.commandMillis > 0 { timeline.at(150 * millisecond, .command) }
        if swarm.damageMillis > 0 { timeline.at(200 * millisecond, .misfortune) }
    }

    /// Things that may happen in one world: the busiest of thousands of seeds took half of it.
    private static let stepsLimit = 1_000_000

    /// Notes that a rare state was reached.
    func reach(_ rare: Rare) { outcome.reached[rare, default: 0] += 1 }

    /// Runs until a time, or until something is wrong.
    func run(until end: UInt64) {
        while ledger.violation == nil, let (nanos, action) = timeline.next() {
            now = max(now, nanos)
            perform(action)
            if now >= end { return }
        }
    }

    private func perform(_ action: Action) {
        outcome.steps += 1
        if outcome.steps > Self.stepsLimit { ledger.fail("storm: \(storm)") }
        trace.add(action.code)
        trace.add(now)
        if let (index, life) = action.subject {
            let shell = shells[index]
            trace.add(UInt64(index))
            guard shell.isUp, life.map({ $0 == shell.life }) ?? true else { return }
            if now < shell.pausedUntil {
                shell.deferred.append(action)
                return
            }
        }
        switch action {
        case .tick(let index, let life):
            step(shells[index], .ticked)
            tickRepair(shells[index])
            timeline.at(now + 100 * millisecond, .tick(index, life: life))
        case .commit(let index, _): commit(shells[index])
        case .stored(let index, _, let event): step(shells[index], event)
        case .checkpoint(let index, let life): checkpoint(shells[index], life)
        case .page(let index, _, let request):
            step(shells[index], .page(shells[index].disk.page(request)))
        case .turn(let index, _, let loop): turn(shells[index], loop)
        case .check(let index, _, let loop, let key, let asked):
            check(shells[index], loop, key, asked)
        case .deliver(let to, let from, let link, let message):
            deliver(message, from: from, to: shells[to], link)
        case .linked(let index, let to, let link, let peer):
            if let known = shells[index].links[to] {
                // What repair said over the link before may be lost with it.
                repair(shells[index], .unlinked(known.node))
                // A node that came back under another id: the link to the one before is gone.
                if known.node != peer.origin.node { step(shells[index], .unlinked(known.node)) }
            }
            shells[index].desk?.trust.relinked(peer.origin.node)
            shells[index].links[to] = Link(number: link, node: peer.origin.node)
            step(shells[index], .linked(peer))
        case .unlinked(let index, let to, let link): unlinked(shells[index], to, link)
        case .connect(let a, let b): connect(a, b)
        case .mend(let from, let to): cuts[from][to] = false
        case .resume(let index): resume(shells[index])
        case .start(let index, let life): start(shells[index], life)
        case .makeRoom(let index): shells[index].isDiskFull = false
        case .write: write()
        case .ask: ask()
        case .fault: breakSomething()
        case .command: command()
        case .strike(let index): strike(shells[index])
        case .tend(let index): tend(round: index)
        case .misfortune: damageSomething()
        case .freeze(let index, _): freeze(shells[index])
        case .repair(let index, _, let event): repair(shells[index], event)
        }
    }

    // MARK: lives

    private func start(_ shell: Shell, _ life: Int) {
        guard !shell.isUp, shell.life == life else { return }
        shell.disk.checkpoint()
        if !shell.disk.scan() {
            ledger.fail("sketch: that of \(shell.name) is not what a scan gives")
        }
        shell.origin = nextLife(of: shell)
        var boot = Boot(
            own: shell.origin,
            voters: votersOn(shell.disk),
            held: shell.disk.state.held,
            nextLocalSequence: firstSequence(on: shell.disk),
            isRestored: shell.disk.isRestored,
            isDamaged: shell.disk.isDamaged,
            seed: shell.dice.bits()
        )
        boot.bounds = swarm.bounds
        boot.notes = Array(shell.disk.state.notes.values)
        boot.isJoining = shell.disk.isJoining
        boot.bugs = SeededBugs(swarm.bugs)
        shell.core = Core(boot)
        shell.life += 1
        shell.lastStoredNanos = now
        shell.countedGeneration = 0
        shell.wasDoubted = false
        shell.wasSeatPending = false
        shell.knownSeat = shell.core?.seat
        shell.counted = HeldSet()
        if let core = shell.core { count(core, shell) }
        openDesk(shell)
        let phase = shell.dice.within(0...(100 * millisecond))
        timeline.at(now + phase, .tick(shell.index, life: shell.life))
        timeline.at(
            now + swarm.checkpointMillis * millisecond,
            .checkpoint(shell.index, life: shell.life)
        )
        for other in shells where other.index != shell.index {
            timeline.at(
                now + shell.wire.within(0...(5 * millisecond)),
                .connect(shell.index, other.index)
            )
        }
    }

    /// The process ends here and now.
    func crash(_ shell: Shell) {
        guard shell.isUp else { return }
        if !shell.inFlight.isEmpty, shell.dice.thousandths(500), !shell.isDiskFull {
            // The commit reached the disk, and nobody was told.
            raise(shell, shell.inFlight)
            reach(.committedUnknown)
        }
        ledger.abandoned(shell.openTickets)
        shell.die()
        for other in shells where other.index != shell.index {
            if let link = other.links[shell.index] {
                let delays = [millisecond, 20 * millisecond, 300 * millisecond]
                let delay = other.wire.one(of: delays)
                timeline.at(
                    now + delay,
                    .unlinked(other.index, to: shell.index, link: link.number)
                )
            }
        }
    }

    private func resume(_ shell: Shell) {
        guard now >= shell.pausedUntil else { return }
        let waiting = shell.deferred
        shell.deferred = []
        for action in waiting { timeline.at(now, action) }
    }

    // MARK: the shell

    /// Steps a Core and carries out what it says, in order.
    func step(_ shell: Shell, _ event: Event) {
        guard shell.core != nil else { return }
        let wasPulling = shell.core?.pulling.isIdle == false
        effects.removeAll(keepingCapacity: true)
        shell.core?.step(event, now: shell.instant(now), into: &effects)
        // Minted is minted, whichever of the effects a crash lets through. Registers of the voters
        // are minted when they are chosen, by whoever heard it.
        for case .persist(_, let change) in effects where isMinted(change, by: event, shell) {
            ledger.minted(change)
        }
        if let core = shell.core {
            observe(core, shell, after: event, wasPulling)
            count(core, shell)
        }
        var adopted: VoterSet?
        for effect in effects {
            // Of several in one commit the latest, as a register does: an older one may come again.
            if case .show(_, let change) = effect, let set = votersIn(change.register),
                set.generation >= adopted?.generation ?? 0
            {
                adopted = set
            }
            if let left = shell.crashesAfter {
                if left == 0 {
                    reach(.crashedInsideStep)
                    crash(shell)
                    timeline.at(now + 200 * millisecond, .start(shell.index, life: shell.life))
                    return
                }
                shell.crashesAfter = left - 1
            }
            execute(effect, shell)
            if !shell.isUp { return }
        }
        beginCommit(shell)
        if let adopted { step(shell, .voters(adopted)) }
        takeStored(shell)
        if looksAtMajorities { checkMajorities() }
    }

    func execute(_ effect: Effect, _ shell: Shell) {
        switch effect {
        case .persist(let sequence, let change):
            trace.add(sequence)
            trace.add(change.dot.sequence)
            ledger.passes(change)
            shell.queue.append((sequence, change))
        case .show(let sequence, let change):
            ledger.passes(change)
            post(.show(sequence, change), shell)
        case .vouch(let lease):
            trace.add(lease.asOfNanos ?? 1)
            if let core = shell.core, core.isDamaged || core.isJoining, lease.asOfNanos != nil {
                ledger.fail("doubt: \(shell.name) has a lease without its marks")
            }
            post(.vouch(lease), shell)
        case .acknowledge(let ticket, let durability, let dots):
            trace.add(ticket.raw)
            if durability == .local { reach(.answeredLocal) }
            // Two others may decide before the own log does; a crash then forgets the request.
            let stamp = shell.stampsByTicket.removeValue(forKey: ticket)
            let isRemembered = shell.disk.truth.held.contains(dots)
            ledger.acknowledged(
                ticket,
                durability,
                dots,
                in: shell.core?.voters ?? voters,
                stamp: isRemembered ? stamp : nil
            )
            if commandTickets.contains(ticket) { reach(.votersChanged) }
            shell.openTickets.removeAll { $0 == ticket }
            ledger.holdsLocally(dots, durability, at: shell.index)
            post(.acknowledge(ticket, durability, dots), shell)
        case .refuse(let ticket, let refusal):
            trace.add(ticket.raw)
            shell.stampsByTicket[ticket] = nil
            if refusal == .notDurable { reach(.answeredNotDurable) }
            if commandTickets.contains(ticket) { reach(.commandRefused) }
            ledger.answered(ticket)
            shell.openTickets.removeAll { $0 == ticket }
            post(.refuse(ticket, refusal), shell)
        case .halt:
            crash(shell)
            timeline.at(now + 300 * millisecond, .start(shell.index, life: shell.life))
        case .send(let node, let message): send(message, from: shell, to: node)
        case .readPage(let request):
            let delay = shell.dice.within(10_000...(3 * millisecond))
            timeline.at(now + delay, .page(shell.index, life: shell.life, request))
        }
    }

    /// Marks and leases go to every loop, an answer to the one that has the connection.
    private func post(_ post: Post, _ shell: Shell) {
        for loop in shell.loops.indices
        where post.ticket.map({ shell.loop(of: $0) == loop }) ?? true {
            shell.loops[loop].posts.append(post)
            guard !shell.loops[loop].isTurnDue else { continue }
            shell.loops[loop].isTurnDue = true
            let delay = shell.dice.within(1_000...(millisecond))
            timeline.at(now + delay, .turn(shell.index, life: shell.life, loop: loop))
        }
    }

    private func turn(_ shell: Shell, _ loop: Int) {
        if now < shell.loops[loop].stalledUntil {
            let later = Action.turn(shell.index, life: shell.life, loop: loop)
            return timeline.at(shell.loops[loop].stalledUntil, later)
        }
        shell.loops[loop].isTurnDue = false
        drain(shell, loop)
    }

    /// The mailbox, in order; then the answers leave.
    private func drain(_ shell: Shell, _ loop: Int) {
        shell.loops[loop].drain { post in
            guard case .acknowledge(_, let durability, let dots) = post else { return }
            ledger.told(dots, durability, at: shell.index, now: now)
        }
    }

    private func check(_ shell: Shell, _ loop: Int, _ key: MarkKey, _ asked: UInt64) {
        if now < shell.loops[loop].stalledUntil {
            let waiting = Action.check(
                shell.index,
                life: shell.life,
                loop: loop,
                key,
                askedNanos: asked
            )
            return timeline.at(shell.loops[loop].stalledUntil, waiting)
        }
        // A turn reads requests, then drains its mailbox, then decides.
        drain(shell, loop)
        let bound = swarm.boundMillis * millisecond
        switch shell.decide(key, loop: loop, now: shell.instant(now), boundNanos: bound) {
        case .allow:
            trace.add(2)
            reach(.leaseHeld)
            ledger.allowed(key, askedNanos: asked, boundNanos: bound, at: shell.index)
        case .deny: trace.add(1)
        case .unknown:
            trace.add(0)
            reach(.unknownForLackOfLease)
        }
    }
}

// Some Cores that talk to each other at once: messages arrive in order and are never lost unless a
// test cuts a direction, commits take one tick. For stories about what several nodes do together;
// what chance does to them is the Simulator's matter.

import Suppression

@testable import Cluster

/// A small cluster in one value.
struct Assembly {
    /// One node, its log and what it was told.
    struct Member {
        var name: String
        var own: Origin
        var core: Core
        /// What the log holds, in order.
        var log: [Change] = []
        var queued: [(sequence: UInt64, change: Change)] = []
        var isUp = true
        var lease = Lease.void
        var acknowledged: [Ticket] = []
        var refused: [(ticket: Ticket, why: Refusal)] = []
        var voters: VoterSet
        /// Newest note of each kind, committed.
        var notes: [OwnNote.Kind: OwnNote] = [:]
    }

    var members: [Member] = []
    var nanos: UInt64 = 1_000_000_000
    /// Directions that carry nothing.
    var cuts: Set<[Int]> = []
    /// Nodes whose log takes its time.
    var stalled: Set<Int> = []
    /// Messages to drop, by sender, receiver and content.
    var drops: (Int, Int, Message) -> Bool = { _, _, _ in false }
    /// Counts what was sent, to bound a run.
    private(set) var sent = 0

    /// `count` nodes, the first `voters` of them bound by generation 1; all linked.
    init(_ count: Int, voters: Int, held: [HeldSet] = []) {
        let slots = (0..<voters).map { n in
            VoterSlot(
                name: "n\(n + 1)",
                node: NodeID(raw: UInt64(n + 1)),
                lowestEpoch: Epoch(counter: 1, random: 0),
                zone: "z\(n + 1)"
            )
        }
        let set = VoterSet(generation: 1, slots: slots)
        for n in 0..<count {
            let own = Assembly.life(n, 1)
            let boot = Boot(
                own: own,
                voters: set,
                held: n < held.count ? held[n] : HeldSet(),
                nextLocalSequence: 1,
                seed: UInt64(n + 1)
            )
            members.append(Member(name: "n\(n + 1)", own: own, core: Core(boot), voters: set))
        }
        for a in 0..<count { for b in 0..<a { link(a, b) } }
    }

    static func life(_ n: Int, _ counter: UInt32, node: UInt64? = nil) -> Origin {
        Origin(
            node: NodeID(raw: node ?? UInt64(n + 1)),
            epoch: Epoch(counter: counter, random: 7)
        )
    }

    var candidates: [Candidate] {
        members.filter(\.isUp).enumerated().map { _, member in
            let n = members.firstIndex { $0.own == member.own } ?? 0
            return Candidate(name: member.name, origin: member.own, zone: "z\(n + 1)")
        }
    }

    /// Links two nodes, both ways.
    mutating func link(_ a: Int, _ b: Int) {
        guard members[a].isUp, members[b].isUp else { return }
        for (n, other) in [(a, b), (b, a)] {
            let peer = Peer(
                origin: members[other].own,
                name: members[other].name,
                zone: "z\(other + 1)",
                holds: .all
            )
            step(n, .linked(peer))
        }
    }

    /// One event of one node, and all that follows at once.
    mutating func step(_ n: Int, _ event: Event) {
        guard members[n].isUp else { return }
        var effects: [Effect] = []
        let now = Instant(bootNanos: nanos, wallMillis: 1_700_000_000_000 + nanos / 1_000_000)
        members[n].core.step(event, now: now, into: &effects)
        for effect in effects { carryOut(effect, n) }
    }

    private mutating func carryOut(_ effect: Effect, _ n: Int) {
        switch effect {
        case .persist(let sequence, let change): members[n].queued.append((sequence, change))
        case .show(_, let change):
            guard let register = change.register else { return }
            if case .voters(let set)? = setting(register) {
                members[n].voters = set
                step(n, .voters(set))
            }
        case .vouch(let lease): members[n].lease = lease
        case .acknowledge(let ticket, _, _): members[n].acknowledged.append(ticket)
        case .refuse(let ticket, let why): members[n].refused.append((ticket, why))
        case .send(let node, let message):
            guard let to = members.firstIndex(where: { $0.own.node == node && $0.isUp }),
                !cuts.contains([n, to]), !drops(n, to, message)
            else { return }
            sent += 1
            precondition(sent < 200_000, "they talk without end")
            step(to, .received(from: members[n].own.node, message))
        case .readPage(let request):
            var assembly = PageAssembly(request, held: members[n].core.held)
            while let dot = assembly.next {
                guard let change = members[n].log.first(where: { $0.dot == dot }) else {
                    assembly.skipDamaged()
                    continue
                }
                assembly.take(change)
            }
            step(n, .page(PageRead(request, assembly.page)))
        case .halt: members[n].isUp = false
        }
    }

    private func setting(_ register: Register) -> Setting? {
        do { return try Setting(register) } catch { return nil }
    }

    /// Time goes by: ticks of 100 ms, each with a commit and a checkpoint on every node.
    mutating func run(millis: Int) {
        for _ in 0..<(millis / 100) {
            nanos += 100_000_000
            for n in members.indices where members[n].isUp {
                if !stalled.contains(n) { commit(n) }
                step(n, .ticked)
            }
        }
    }

    private mutating func commit(_ n: Int) {
        guard let last = members[n].queued.last?.sequence else { return }
        for record in members[n].queued {
            members[n].log.append(record.change)
            if case .own(let note) = record.change.body { members[n].notes[note.kind] = note }
        }
        members[n].queued = []
        step(n, .committed(through: last))
        step(n, .checkpointed(through: last))
    }

    /// The process ends; the others hear of it.
    mutating func stop(_ n: Int) {
        members[n].isUp = false
        for other in members.indices where other != n {
            step(other, .unlinked(members[n].own.node))
        }
    }

    /// A node begins a life, on its own disk or with what is given.
    mutating func start(
        _ n: Int,
        counter: UInt32,
        random: UInt32 = 7,
        node: UInt64? = nil,
        log: [Change]? = nil,
        notes: [OwnNote.Kind: OwnNote]? = nil,
        restored: Bool = false
    ) {
        let own = Origin(
            node: node.map { NodeID(raw: $0) } ?? members[n].own.node,
            epoch: Epoch(counter: counter, random: random)
        )
        let kept = log ?? members[n].log
        var held = HeldSet()
        let voters = node == nil ? members[n].voters : VoterSet(generation: 0, slots: [])
        for change in kept {
            if !change.isNote { held.insert(change.dot) }
            if case .holds(let set) = change.body { held.formUnion(set) }
        }
        var boot = Boot(
            own: own,
            voters: voters,
            held: held,
            nextLocalSequence: UInt64(kept.count) + 1,
            isRestored: restored,
            seed: UInt64(n + 1) + UInt64(counter) * 1_000
        )
        let kinds = notes ?? members[n].notes
        boot.notes = kinds.values.filter { !$0.bytes.isEmpty }
        members[n].notes = kinds
        members[n].log = kept
        members[n].queued = []
        members[n].own = own
        members[n].core = Core(boot)
        members[n].voters = voters
        members[n].isUp = true
        members[n].lease = .void
        for other in members.indices where other != n { link(n, other) }
    }

    /// A caller's write on one node.
    mutating func write(_ n: Int, _ ticket: UInt64, _ draft: Draft) {
        let request = WriteRequest(
            ticket: Ticket(raw: ticket),
            drafts: [draft],
            policy: .strict
        )
        step(n, .requested(request))
    }

    /// Whether a node may answer allow, with a bound of one second.
    func mayAllow(_ n: Int) -> Bool {
        members[n].isUp
            && members[n].lease.permitsAllow(now: nanos, boundNanos: 1_000_000_000)
    }
}

/// An opt-out of one of many people.
func optOut(_ n: UInt64) -> Draft {
    let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: n))
    let key = MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
    return .suppress(key, source: .oneClick, expiresSeconds: 0)
}

/// Some nodes, of which the first few are voters and hold leases.
func trio(_ count: Int = 3, voters: Int = 3) -> Assembly {
    var cluster = Assembly(count, voters: voters)
    cluster.run(millis: 1_000)
    return cluster
}

extension Assembly {
    /// An operator's command on one node.
    mutating func change(_ n: Int, _ ticket: UInt64, _ change: VoterChange) throws {
        let next = try members[n].core.votersInForce.changed(change, among: candidates)
        step(n, .proposed(Ticket(raw: ticket), next))
    }

    func generations() -> Set<UInt64> {
        Set(members.filter(\.isUp).map { $0.core.votersInForce.generation })
    }

    func holdsEverywhere(_ set: HeldSet) -> Bool {
        members.allSatisfy { !$0.isUp || $0.core.held.isSuperset(of: set) }
    }
}

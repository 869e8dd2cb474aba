// The Core among peers, as stories of two or three nodes: who is told what, and when it counts.

import Cluster
import Suppression
import Testing

private func node(_ n: UInt64, _ epoch: UInt64 = 1) -> Origin {
    Origin(node: NodeID(raw: n), epoch: Epoch(raw: epoch))
}

private let voters = VoterSet(
    generation: 1,
    slots: (1...3).map {
        VoterSlot(
            name: "n\($0)",
            node: NodeID(raw: $0),
            lowestEpoch: Epoch(raw: 0),
            zone: "z\($0)"
        )
    }
)

private func key(_ n: UInt64) -> MarkKey {
    MarkKey(
        person: Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: n)),
        scope: .tenant,
        reason: .unsubscribe
    )
}

private func dot(_ origin: Origin, _ sequence: UInt64) -> Dot {
    Dot(origin: origin, sequence: sequence)
}

private func range(_ origin: Origin, _ first: UInt64, _ last: UInt64) -> DotRange {
    DotRange(origin: origin, interval: SequenceInterval(first: first, last: last))
}

private func held(_ ranges: DotRange...) -> HeldSet {
    var set = HeldSet()
    for range in ranges { set.insert(range.interval, of: range.origin) }
    return set
}

private func optOut(_ origin: Origin, _ sequence: UInt64) -> Change {
    let time = HybridTime(raw: 1 << 16)
    let suppression = SuppressingDot(dot: dot(origin, sequence), time: time, source: .oneClick)
    return Change(
        dot: dot(origin, sequence),
        time: time,
        body: .suppress(key(sequence), suppression)
    )
}

private func consent(_ origin: Origin, _ sequence: UInt64, covers: Dot) -> Change {
    Change(
        dot: dot(origin, sequence),
        time: HybridTime(raw: 1 << 16),
        body: .consent(key(covers.sequence), covers: [covers], evidence: [])
    )
}

/// Node 1 of three, with links to 2 and 3.
private struct Stage {
    var core: Core
    var nanos: UInt64 = 1_000_000_000

    init(held: HeldSet = HeldSet(), restored: Bool = false, bounds: Bounds = Bounds()) {
        var boot = Boot(
            own: node(1),
            voters: voters,
            held: held,
            nextLocalSequence: 1,
            isRestored: restored
        )
        boot.bounds = bounds
        core = Core(boot)
        for n in [2, 3] as [UInt64] { _ = link(node(n)) }
    }

    mutating func step(_ event: Event, after millis: UInt64 = 0) -> [Effect] {
        nanos += millis * 1_000_000
        var effects: [Effect] = []
        let now = Instant(bootNanos: nanos, wallMillis: 1_700_000_000_000 + nanos / 1_000_000)
        core.step(event, now: now, into: &effects)
        return effects
    }

    mutating func link(_ origin: Origin) -> [Effect] {
        let peer = Peer(origin: origin, name: "n", zone: "z", holds: .all)
        return step(.linked(peer))
    }

    mutating func hear(_ n: UInt64, _ message: Message, after millis: UInt64 = 0) -> [Effect] {
        step(.received(from: NodeID(raw: n), message), after: millis)
    }

    mutating func write(_ ticket: UInt64, policy: Policy = .strict) -> [Effect] {
        let draft = Draft.suppress(key(ticket), source: .oneClick, expiresSeconds: 0)
        return step(
            .requested(
                WriteRequest(ticket: Ticket(raw: ticket), drafts: [draft], policy: policy)
            )
        )
    }

    /// The nonce of the question that a tick sends.
    mutating func ask(after millis: UInt64 = 300) -> Nonce? {
        for case .send(_, .ask(let nonce, _)) in step(.ticked, after: millis) { return nonce }
        return nil
    }

    /// When the lease stands, as a tick says it; the tick's own time comes first.
    mutating func lease(after millis: UInt64 = 1) -> UInt64? {
        for case .vouch(let lease) in step(.ticked, after: millis) { return lease.asOfNanos }
        return nil
    }
}

private func sent(_ effects: [Effect], to n: UInt64) -> [Message] {
    effects.compactMap {
        if case .send(NodeID(raw: n), let message) = $0 { return message }
        return nil
    }
}

private func confirm(_ nonce: Nonce, since: UInt64 = 0, counter: UInt64 = 1, _ delta: HeldSet)
    -> Message
{
    .confirm(
        Confirmation(nonce: nonce, generation: 1, since: since, counter: counter, delta: delta)
    )
}

@Suite struct PeerCoreTests {
    @Test(
        "a write goes to the peers before the own log, and counts with one receipt and our commit"
    )
    func pushes() {
        var stage = Stage()
        let asked = stage.write(1)
        guard asked.count == 3, case .send(NodeID(raw: 2), .changes) = asked[0],
            case .send(NodeID(raw: 3), .changes) = asked[1], case .persist(1, _) = asked[2]
        else {
            Issue.record("\(asked)")
            return
        }
        let receipt = Message.receipts(generation: 1, [range(node(1), 1, 1)])
        #expect(stage.hear(2, receipt).isEmpty)
        let committed = stage.step(.committed(through: 1))
        #expect(committed.last == .acknowledge(Ticket(raw: 1), .quorum, range(node(1), 1, 1)))
    }

    @Test("any two of three decide: two receipts are enough before the own commit")
    func others() {
        var stage = Stage()
        _ = stage.write(1)
        let receipt = Message.receipts(generation: 1, [range(node(1), 1, 1)])
        #expect(stage.hear(2, receipt).isEmpty)
        #expect(stage.hear(2, receipt).isEmpty, "one voter counts once")
        let said = stage.hear(3, receipt)
        #expect(said.last == .acknowledge(Ticket(raw: 1), .quorum, range(node(1), 1, 1)))
        #expect(said.count == 2, "and it was shown first")
    }

    @Test("a peer's opt-out shows at once, its receipt waits for the commit")
    func shows() {
        var stage = Stage()
        let change = optOut(node(2), 1)
        let arrived = stage.hear(2, .changes([change]))
        #expect(arrived == [.persist(sequence: 1, change), .show(sequence: 1, change)])
        #expect(
            stage.hear(2, .changes([change])).isEmpty,
            "in flight: no receipt, no second record"
        )
        let receipt = Message.receipts(generation: 1, [range(node(2), 1, 1)])
        #expect(stage.step(.committed(through: 1)) == [.send(to: NodeID(raw: 2), receipt)])
        #expect(stage.hear(3, .changes([change])) == [.send(to: NodeID(raw: 2), receipt)])
    }

    @Test("a consent shows with its commit, never before")
    func consents() {
        var stage = Stage(held: held(range(node(2), 1, 1)))
        let change = consent(node(2), 2, covers: dot(node(2), 1))
        #expect(stage.hear(2, .changes([change])) == [.persist(sequence: 1, change)])
        #expect(stage.step(.committed(through: 1)).first == .show(sequence: 1, change))
    }

    @Test("what the log refuses is not held, gets no receipt, and voids the proof of freshness")
    func refused() {
        var stage = Stage()
        _ = stage.hear(2, .changes([optOut(node(2), 1)]))
        #expect(stage.step(.refused(first: 1, last: 1)) == [.vouch(.void)])
        #expect(!stage.core.held.contains(dot(node(2), 1)))
        #expect(stage.hear(2, .changes([optOut(node(2), 1)])).count == 2, "it is taken again")
    }

    @Test("a full window stops pushing to that peer alone, receipts open it again")
    func window() {
        var bounds = Bounds()
        bounds.pushWindowCount = 2
        var stage = Stage(bounds: bounds)
        for n in 1...3 as ClosedRange<UInt64> {
            _ = stage.write(n)
            _ = stage.hear(3, .receipts(generation: 1, [range(node(1), n, n)]))
        }
        let fourth = stage.write(4)
        #expect(sent(fourth, to: 2).isEmpty)
        #expect(sent(fourth, to: 3).count == 1)
        _ = stage.hear(2, .receipts(generation: 1, [range(node(1), 1, 2)]))
        #expect(sent(stage.write(5), to: 2).count == 1)
    }

    @Test("an answer counts once all that it names is shown, as of when the question left")
    func freshness() {
        var stage = Stage()
        guard let nonce = stage.ask() else {
            Issue.record("no question")
            return
        }
        let asked = stage.nanos
        _ = stage.hear(2, confirm(nonce, held(range(node(3), 1, 1))), after: 5)
        #expect(stage.lease() == nil)
        _ = stage.hear(3, .changes([optOut(node(3), 1)]))
        #expect(stage.lease() == asked)
    }

    @Test("a lease is the oldest of a majority, and answers to no question of ours are nothing")
    func oldest() {
        var stage = Stage(restored: true)
        guard let first = stage.ask() else {
            Issue.record("no question")
            return
        }
        let early = stage.nanos
        guard let second = stage.ask() else {
            Issue.record("no question")
            return
        }
        _ = stage.hear(2, confirm(first, HeldSet()))
        #expect(stage.lease() == nil, "a learner does not confirm itself")
        _ = stage.hear(3, confirm(second, HeldSet()))
        #expect(stage.lease() == early)
        var deaf = Stage(restored: true)
        _ = deaf.ask()
        for n in [2, 3] as [UInt64] {
            _ = deaf.hear(n, confirm(Nonce(high: 1, low: 2), HeldSet()))
        }
        #expect(deaf.lease() == nil)
    }

    @Test("another life of a voter voids what the one before confirmed")
    func anotherLife() {
        var stage = Stage(restored: true)
        guard let nonce = stage.ask() else {
            Issue.record("no question")
            return
        }
        for n in [2, 3] as [UInt64] { _ = stage.hear(n, confirm(nonce, HeldSet())) }
        #expect(stage.lease() != nil)
        _ = stage.step(.unlinked(NodeID(raw: 2)))
        #expect(stage.lease() != nil, "a lost link proves nothing")
        #expect(stage.link(node(2, 2)).first == .vouch(.void))
    }

    @Test("a lease holds although every answer names writes that have just begun to arrive")
    func constantWrites() {
        var stage = Stage(restored: true)
        var written: UInt64 = 0
        for round in 1...20 as ClosedRange<UInt64> {
            guard let nonce = stage.ask(after: 250) else {
                Issue.record("no question")
                return
            }
            for n in [2, 3] as [UInt64] {
                let delta = held(range(node(3), written + 1, written + 40))
                _ = stage.hear(n, confirm(nonce, since: round - 1, counter: round, delta))
            }
            // Half of what the answers name is here; the other half comes before the next ones.
            let changes = (written + 1...written + 40).map { optOut(node(3), $0) }
            _ = stage.hear(3, .changes(Array(changes.prefix(20))))
            _ = stage.lease()
            _ = stage.hear(3, .changes(Array(changes.dropFirst(20))))
            written += 40
            let asOf = stage.lease() ?? 0
            #expect(stage.nanos - asOf < 300_000_000)
        }
    }

    @Test("a learner takes writes and confirms nothing")
    func learner() {
        var stage = Stage(restored: true)
        let question = Message.ask(Nonce(high: 7, low: 7), known: 0)
        #expect(stage.hear(2, question).isEmpty)
        _ = stage.hear(2, .changes([optOut(node(2), 1)]))
        #expect(stage.step(.committed(through: 1)).count == 1, "a receipt all the same")
    }

    @Test("what nobody can push is pulled; it is held when all pages are committed, not before")
    func pulls() {
        var stage = Stage()
        let lost = node(9)
        let missing = held(range(lost, 1, 2))
        let asked = stage.hear(2, .held(generation: 1, missing))
        #expect(sent(asked, to: 2) == [.pull(number: 1, wanted: missing, after: nil)])
        func page(_ n: UInt64, last: Bool) -> Message {
            let mark = Mark(
                SuppressingDot(dot: dot(lost, n), time: HybridTime(raw: 1), source: .oneClick)
            )
            let merged = Merged(.mark(key(n), mark), dots: [dot(lost, n)])
            return .page(
                Page(
                    number: 1,
                    entries: [.merged(merged)],
                    held: missing,
                    reached: dot(lost, n),
                    isLast: last
                )
            )
        }
        #expect(stage.hear(3, page(1, last: true)).isEmpty, "from nobody who was asked")
        #expect(stage.hear(2, page(1, last: false)).count == 2)
        let next = stage.step(.committed(through: 1))
        #expect(sent(next, to: 2) == [.pull(number: 1, wanted: missing, after: dot(lost, 1))])
        #expect(stage.hear(2, page(1, last: false)).isEmpty, "a page that gets no further")
        _ = stage.hear(2, page(2, last: true))
        #expect(stage.core.held.isEmpty)
        let closing = stage.step(.committed(through: 2))
        #expect(closing == [.persist(sequence: 3, .note(.holds(missing)))])
        #expect(stage.core.held.isEmpty)
        _ = stage.step(.committed(through: 3))
        #expect(stage.core.held == missing)
    }

    @Test("a link that comes up gets all receipts that the one before may have lost")
    func relinked() {
        var stage = Stage()
        _ = stage.hear(2, .changes([optOut(node(2), 1)]))
        _ = stage.step(.committed(through: 1))
        let sets = sent(stage.link(node(2)), to: 2)
        #expect(sets == [.held(generation: 1, held(range(node(2), 1, 1)))])
        _ = stage.write(1)
        _ = stage.step(.committed(through: 2))
        let heard = stage.hear(2, .held(generation: 1, held(range(node(1), 1, 1))))
        #expect(heard.first == .acknowledge(Ticket(raw: 1), .quorum, range(node(1), 1, 1)))
    }

    @Test("alone, an opt-out is answered local at the deadline; with peers that hold it too")
    func local() {
        var stage = Stage()
        _ = stage.write(1, policy: .available)
        _ = stage.step(.committed(through: 1))
        _ = stage.hear(2, .heldHash(1), after: 1_500)
        let withPeers = stage.step(.ticked, after: 501)
        #expect(withPeers.contains(.refuse(Ticket(raw: 1), .notDurable)))
        _ = stage.write(2, policy: .available)
        _ = stage.step(.committed(through: 2))
        for n in [2, 3] as [UInt64] { _ = stage.step(.unlinked(NodeID(raw: n))) }
        let alone = stage.step(.ticked, after: 2_001)
        #expect(alone.contains(.acknowledge(Ticket(raw: 2), .local, range(node(1), 2, 2))))
    }

    @Test("who says that it holds the same has spoken: nobody is alone beside it")
    func heardWithoutNews() {
        var stage = Stage()
        _ = stage.hear(2, .heldHash(stage.core.held.fingerprint()), after: 1_500)
        _ = stage.write(1, policy: .available)
        _ = stage.step(.committed(through: 1))
        _ = stage.hear(2, .heldHash(stage.core.held.fingerprint()), after: 1_500)
        let answers = stage.step(.ticked, after: 501)
        #expect(answers.contains(.refuse(Ticket(raw: 1), .notDurable)))
    }
}

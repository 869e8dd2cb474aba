// A node that joins: what it waits for, whom it is compared with, and what it must not say
// meanwhile.

import Suppression
import Testing

@testable import Cluster

private func node(_ n: UInt64) -> NodeID { NodeID(raw: n) }

private func origin(_ n: UInt64) -> Origin { Origin(node: node(n), epoch: Epoch(raw: 10)) }

private func held(_ last: UInt64, of n: UInt64 = 1) -> HeldSet {
    var set = HeldSet()
    if last > 0 { set.insert(SequenceInterval(first: 1, last: last), of: origin(n)) }
    return set
}

/// A joiner beside some others, told what to do at one second after another.
private struct Stage {
    var joining = Joining(isJoining: true)
    var held = HeldSet()
    var linked: [UInt64: Bool] = [:]
    var seconds: UInt64 = 1

    init(_ others: UInt64...) { for other in others { linked[other] = true } }

    mutating func tick(after more: UInt64 = 0) -> Joining.Step {
        seconds += more
        let others = linked.sorted { $0.key < $1.key }.map {
            (node: node($0.key), isLinked: $0.value)
        }
        return joining.ticked(held: held, others: others, now: seconds * 1_000_000_000)
    }

    mutating func compared(_ n: UInt64, _ outcome: Joining.Outcome) {
        joining.compared(node(n), outcome, now: seconds * 1_000_000_000)
    }
}

@Suite("a node that joins") struct JoiningTests {
    @Test("waits for all that the others held when it came, and for nothing that came later")
    func target() {
        var stage = Stage(1, 2)
        #expect(stage.tick() == .rest, "nobody has said anything")
        stage.joining.told(held(10), by: node(1))
        stage.joining.told(held(12), by: node(1))
        stage.held = held(9)
        #expect(stage.joining.progress?.percent == 0, "nothing was counted yet")
        #expect(stage.tick() == .rest)
        #expect(stage.joining.progress?.percent == 90)
        stage.held = held(10)
        #expect(stage.tick() == .compare(node(1)))
        #expect(stage.joining.progress?.percent == 100)
    }

    @Test("is whole when two others were compared with to the end, one after the other")
    func twoDonors() {
        var stage = Stage(1, 2, 3)
        stage.joining.told(HeldSet(), by: node(1))
        #expect(stage.tick() == .compare(node(1)))
        #expect(stage.tick() == .rest, "one at a time")
        stage.compared(2, .whole)
        #expect(stage.tick() == .rest, "that was not asked for")
        stage.compared(1, .whole)
        #expect(stage.tick() == .compare(node(2)))
        #expect(!stage.joining.isOver)
        stage.compared(2, .whole)
        #expect(stage.tick() == .joined)
        #expect(stage.joining.isOver && stage.joining.progress == nil)
        #expect(stage.tick() == .rest)
    }

    @Test("one donor is enough only where there is no second, or none that can be compared with")
    func oneDonor() {
        var stage = Stage(1)
        stage.joining.told(HeldSet(), by: node(1))
        #expect(stage.tick() == .compare(node(1)))
        stage.compared(1, .whole)
        #expect(stage.tick() == .joined)

        stage = Stage(1, 2)
        stage.joining.told(HeldSet(), by: node(1))
        stage.linked[2] = false
        #expect(stage.tick() == .compare(node(1)))
        stage.compared(1, .whole)
        var tries = 0
        while stage.tick(after: 1) != .joined, tries < 100 { tries += 1 }
        #expect(tries == Limits.joinTriesCount)
    }

    @Test("a donor that fails is asked again after a pause, and not for ever")
    func failures() {
        var stage = Stage(1)
        stage.joining.told(HeldSet(), by: node(1))
        for _ in 0..<3 * Limits.joinTriesCount {
            #expect(stage.tick(after: 1) == .compare(node(1)))
            stage.compared(1, .failed)
            #expect(stage.tick() == .rest, "not before the pause is over")
        }
        #expect(!stage.joining.isOver, "without any donor it never is whole")
        #expect(stage.tick(after: 1) == .compare(node(1)))
        stage.compared(1, .whole)
        #expect(stage.tick() == .joined)
    }

    @Test("what nobody gives is listed at last, and not waited for")
    func missing() {
        var stage = Stage(1)
        stage.joining.told(held(10), by: node(1))
        stage.held = held(8)
        #expect(stage.tick() == .rest)
        #expect(stage.tick(after: 9) == .rest)
        stage.held = held(9)
        #expect(stage.tick(after: 1) == .rest, "something came: the patience begins anew")
        #expect(stage.tick(after: 9) == .rest)
        #expect(stage.tick(after: 1) == .compare(node(1)))
        #expect(stage.joining.missing.count == 1)
    }

    @Test("says how far it is at each tenth, and at what rate")
    func news() {
        var stage = Stage(1)
        stage.joining.told(held(100), by: node(1))
        _ = stage.tick()
        #expect(stage.joining.news(now: 0)?.percent == 0)
        stage.held = held(9)
        stage.joining.took(bytes: 3_000)
        _ = stage.tick(after: 1)
        #expect(stage.joining.news(now: 0) == nil)
        #expect(stage.joining.progress?.bytesPerSecond == 3_000)
        stage.held = held(10)
        _ = stage.tick()
        #expect(stage.joining.news(now: 0)?.held == 10)
        #expect(stage.joining.news(now: Limits.joinSilenceNanos)?.percent == 10, "long silence")
    }
}

@Suite("a Core that joins") struct JoiningCoreTests {
    private static let voters = VoterSet(
        generation: 2,
        slots: (1...3).map { slot(origin($0), since: 1) }
    )

    private static func slot(_ voter: Origin, since: UInt64) -> VoterSlot {
        VoterSlot(
            name: "n\(voter.node.raw)",
            node: voter.node,
            lowestEpoch: voter.epoch,
            zone: "z\(voter.node.raw)",
            since: since
        )
    }

    private static func core(
        _ own: UInt64,
        _ voters: VoterSet,
        pace: UInt64 = .max,
        seat: UInt8? = nil
    ) -> Core {
        var boot = Boot(own: origin(own), voters: voters, held: HeldSet(), nextLocalSequence: 1)
        boot.isJoining = true
        boot.bounds.pullBytesPerSecond = pace
        if let seat { boot.notes = [OwnNote(.seat, [0, 0, 0, 0, 0, 0, 0, seat])] }
        var core = Core(boot)
        for n in (1...3) as ClosedRange<UInt64> where n != own {
            let peer = Peer(origin: origin(n), name: "n\(n)", zone: "z\(n)", holds: .all)
            _ = step(&core, .linked(peer))
        }
        return core
    }

    private static func step(_ core: inout Core, _ event: Event, at millis: UInt64 = 1) -> [Effect]
    {
        var effects: [Effect] = []
        let now = Instant(bootNanos: millis * 1_000_000, wallMillis: 1_700_000_000_000)
        core.step(event, now: now, into: &effects)
        return effects
    }

    /// Confirmed by voters 1 and 2; answers when the lease stands then.
    private static func confirmed(_ core: inout Core, at millis: UInt64) -> UInt64? {
        for case .send(_, .ask(let nonce, _)) in step(&core, .ticked, at: millis) {
            for n in [1, 2] as [UInt64] {
                let answer = Confirmation(
                    nonce: nonce,
                    generation: 2,
                    since: 0,
                    counter: 1,
                    delta: HeldSet()
                )
                _ = step(&core, .received(from: node(n), .confirm(answer)), at: millis)
            }
            break
        }
        for case .vouch(let lease) in step(&core, .ticked, at: millis + 1) {
            return lease.asOfNanos
        }
        return nil
    }

    @Test("has no lease before it is whole, however fresh the confirmations, and one after")
    func lease() {
        var core = Self.core(4, Self.voters)
        #expect(Self.confirmed(&core, at: 1_000) == nil)
        _ = Self.step(&core, .joined)
        #expect(Self.confirmed(&core, at: 2_000) != nil)
    }

    @Test("gives no pages but of its own writes")
    func pages() {
        var core = Self.core(4, Self.voters)
        var wanted = held(3)
        wanted.formUnion(held(2, of: 4))
        let pull = Event.received(
            from: node(1),
            .pull(number: 1, wanted: wanted, after: nil)
        )
        guard case .readPage(let request)? = Self.step(&core, pull).last else {
            Issue.record("no page is read")
            return
        }
        #expect(request.wanted == held(2, of: 4))
    }

    @Test("confirms nothing, though a generation binds it and its seat is taken")
    func silent() {
        let slots = [1, 2, 3].map { Self.slot(origin($0), since: $0 == 3 ? 2 : 1) }
        var core = Self.core(3, VoterSet(generation: 2, slots: slots), seat: 2)
        let ask = Event.received(from: node(1), .ask(Nonce(high: 1, low: 1), known: 0))
        #expect(!core.isSeated)
        #expect(Self.step(&core, ask).isEmpty)
        _ = Self.step(&core, .joined)
        #expect(core.isSeated)
        #expect(!Self.step(&core, ask).isEmpty)
    }

    @Test("who was there when nobody held anything has nothing to catch up with")
    func founder() {
        var core = Self.core(4, VoterSet(generation: 0, slots: []))
        #expect(core.isJoining)
        let slots = [4, 1, 2].map { Self.slot(origin($0), since: 1) }
        _ = Self.step(&core, .voters(VoterSet(generation: 1, slots: slots)))
        #expect(!core.isJoining)
        #expect(!Self.core(4, VoterSet(generation: 1, slots: slots)).isJoining)
    }

    @Test("asks for the next page when the bytes before it are paid for")
    func pace() {
        var core = Self.core(4, Self.voters, pace: 100)
        let told = Event.received(from: node(1), .held(generation: 2, held(9)))
        _ = Self.step(&core, told, at: 1_000)
        var asked = Self.pulls(Self.step(&core, told, at: 1_200))
        #expect(asked == 1)
        let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 1))
        let key = MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
        let dot = Dot(origin: origin(1), sequence: 1)
        let mark = Mark(
            SuppressingDot(dot: dot, time: HybridTime(raw: 1 << 16), source: .oneClick)
        )
        let page = Page(
            number: 1,
            entries: [.merged(Merged(.mark(key, mark), dots: [dot]))],
            held: held(9),
            reached: dot,
            isLast: false
        )
        let bytes = UInt64(page.approximateBytes)
        #expect(bytes > 100 && bytes < 200)
        _ = Self.step(&core, .received(from: node(1), .page(page)), at: 1_300)
        asked = Self.pulls(Self.step(&core, .committed(through: 1), at: 1_300))
        #expect(asked == 0, "\(bytes) bytes at 100 a second are not paid for")
        asked = Self.pulls(Self.step(&core, .ticked, at: 1_400))
        #expect(asked == 0)
        asked = Self.pulls(Self.step(&core, .ticked, at: 2_400))
        #expect(asked == 1)
    }

    private static func pulls(_ effects: [Effect]) -> Int {
        effects.count { if case .send(_, .pull) = $0 { true } else { false } }
    }
}

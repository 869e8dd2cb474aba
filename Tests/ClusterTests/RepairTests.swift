// Stories of two nodes that compare their marks: no disk, no socket, no sleep.

import MarkShelf
import Suppression
import Testing

@testable import Cluster

/// A node's marks, and a repair machine beside them.
private struct Side {
    let node: NodeID
    var shelf = MarkShelf()
    var machine: Repair
    var reports: [RepairReport] = []
    var proved: [NodeID] = []
    var isReady = true

    init(_ node: UInt64, isDamaged: Bool = false) {
        self.node = NodeID(raw: node)
        machine = Repair(own: self.node, isDamaged: isDamaged)
    }

    mutating func merge(_ row: RepairRow) { shelf.merge(row.key, row.mark) }
}

/// Two linked sides; messages travel as bytes.
private struct Pair {
    var sides: [Side]
    var now: UInt64 = 1_000_000_000
    /// Bytes that travelled, both ways.
    var bytes = 0
    /// Messages that get lost.
    var drops: (RepairMessage) -> Bool = { _ in false }

    init(_ a: Side, _ b: Side) { sides = [a, b] }

    mutating func step(_ at: Int, _ event: RepairEvent) throws {
        var events = [(at, event)]
        var count = 0
        while !events.isEmpty {
            let (at, event) = events.removeFirst()
            count += 1
            try #require(count < 200_000, "the machines talk for ever")
            var effects: [RepairEffect] = []
            sides[at].machine.step(event, now: now, into: &effects)
            for effect in effects { try carryOut(effect, at, &events) }
        }
    }

    private mutating func carryOut(
        _ effect: RepairEffect,
        _ at: Int,
        _ events: inout [(Int, RepairEvent)]
    ) throws {
        switch effect {
        case .freeze:
            let sketch = sides[at].isReady ? sides[at].shelf.sketch : nil
            let count = UInt64(sides[at].shelf.marks.count)
            events.append((at, .frozen(sketch, marksCount: count)))
        case .send(let id, let message):
            #expect(id.peer == sides[1 - at].node)
            var out: [UInt8] = []
            Message.repair(id.number, message).encode(into: &out)
            #expect(out.count == message.encodedBytes, "what is counted is what travels")
            #expect(out.count <= Limits.messageBytes)
            bytes += out.count
            guard !drops(message) else { return }
            let decoded = try Message(decoding: out.span)
            #expect(decoded == .repair(id.number, message))
            let theirs = RepairID(peer: sides[at].node, number: id.number)
            events.append((1 - at, .received(theirs, message)))
        case .lookUp(let id, let ids, let orChanged):
            events.append((at, .found(id, sides[at].shelf.found(ids, orChanged: orChanged))))
        case .list(let id, let partition):
            events.append((at, .listed(id, sides[at].shelf.ids(of: partition))))
        case .merge(let id, let rows):
            for row in rows { sides[at].merge(row) }
            events.append((at, .stored(id)))
        case .again: events.append((at, .turned))
        case .proved(let node): sides[at].proved.append(node)
        case .report(let report): sides[at].reports.append(report)
        }
    }

    /// Runs from one side to its report.
    mutating func run(from at: Int, isDry: Bool = false, ticks: Int = 2_000) throws -> RepairReport
    {
        let before = sides[at].reports.count
        try step(at, .asked(peer: sides[1 - at].node, isDry: isDry))
        for _ in 0..<ticks where sides[at].reports.count == before {
            now += 100_000_000
            for side in 0..<2 { try step(side, .ticked) }
        }
        return try #require(sides[at].reports.last)
    }
}

private func row(_ n: UInt64, sequence: UInt64 = 1, covers: Bool = false) -> RepairRow {
    let person = Person(
        tenant: TenantID(raw: 7),
        recipient: Recipient(high: n &* 0x9E37_79B9_7F4A_7C15, low: n)
    )
    let key = MarkKey(
        person: person,
        scope: Scope(stream: StreamID(raw: 5), topic: .any),
        reason: .unsubscribe
    )
    let origin = Origin(node: NodeID(raw: 9), epoch: Epoch(raw: 1))
    let dot = Dot(origin: origin, sequence: n * 16 + sequence)
    var mark = Mark(SuppressingDot(dot: dot, time: HybridTime(raw: sequence), source: .oneClick))
    if covers { mark.merge(Mark(covering: [dot])) }
    return RepairRow(key: key, mark: mark)
}

@Suite struct RepairTests {
    /// Two sides that share some marks.
    private func pair(shared: UInt64, damaged: Int? = nil) -> Pair {
        var (a, b) = (Side(1, isDamaged: damaged == 0), Side(2, isDamaged: damaged == 1))
        for n in 1..<shared + 1 {
            a.merge(row(n))
            b.merge(row(n))
        }
        return Pair(a, b)
    }

    private func expectEqual(_ pair: Pair) {
        #expect(pair.sides[0].shelf.marks == pair.sides[1].shelf.marks)
        #expect(pair.sides[0].shelf.sketch == pair.sides[1].shelf.sketch)
        #expect(pair.sides.allSatisfy { $0.machine.conversationsCount == 0 })
    }

    @Test("in sync: one round trip, 50 bytes in all, and both sides have proof")
    func inSync() throws {
        var pair = pair(shared: 100)
        let report = try pair.run(from: 0)
        #expect(report.isEqual && report.differences == 0 && report.roundTrips == 1)
        #expect(pair.bytes == 50 && report.bytesSent + report.bytesReceived == 50)
        #expect(pair.sides[0].proved == [pair.sides[1].node])
        #expect(pair.sides[1].proved == [pair.sides[0].node])
    }

    @Test("one-sided, from either end: exactly those keys, two round trips, close to the floor")
    func oneSided() throws {
        for (count, initiator, lacking) in [
            (1, 0, 0), (1, 1, 0), (40, 0, 1), (200, 0, 0), (200, 1, 0), (900, 1, 1),
        ] {
            var pair = pair(shared: 1_000)
            for n in 1...UInt64(count) { pair.sides[lacking].shelf.remove(row(n).key) }
            let report = try pair.run(from: initiator)
            expectEqual(pair)
            #expect(report.isEqual && report.failure == nil)
            #expect(report.differences == UInt64(count))
            #expect(report.pushed == (initiator == lacking ? 0 : UInt64(count)))
            #expect(report.pulled == (initiator == lacking ? UInt64(count) : 0))
            #expect(report.floorBytes == UInt64(90 * count))
            let overhead = Double(report.bytesSent + report.bytesReceived) / Double(count) - 90
            print("\(count) lacking: \(overhead) bytes over, \(report.roundTrips) round trips")
            #expect(report.roundTrips == 2 || count < 100)
            if count >= 200 { #expect(overhead <= 24) }
        }
    }

    @Test("a key changed on both sides is one key; both end with the merge of both")
    func bothSides() throws {
        var pair = pair(shared: 500)
        for n in 1...100 as ClosedRange<UInt64> {
            pair.sides[0].merge(row(n, sequence: 2, covers: n % 2 == 0))
            pair.sides[1].merge(row(n, sequence: 3))
        }
        let report = try pair.run(from: 0)
        expectEqual(pair)
        #expect(report.isEqual && report.differences == 100)
        #expect(report.pushed == 100 && report.pulled == 100)
        #expect(report.roundTrips <= 4)
    }

    @Test("a dry run names exactly the difference and changes nothing")
    func dry() throws {
        for initiator in 0..<2 {
            var pair = pair(shared: 300)
            for n in 1...30 as ClosedRange<UInt64> { pair.sides[1].shelf.remove(row(n).key) }
            for n in 1_000..<1_007 as Range<UInt64> { pair.sides[1].merge(row(n)) }
            let before = pair.sides.map(\.shelf.marks)
            let report = try pair.run(from: initiator, isDry: true)
            #expect(!report.isEqual && report.differences == 37)
            #expect(report.pushed == 0 && report.pulled == 0 && report.floorBytes == 37 * 90)
            #expect(pair.sides.map(\.shelf.marks) == before)
        }
    }

    @Test("more than the global cells decode: with those of partitions, in two round trips")
    func jointly() throws {
        for (count, lacking, initiator) in [(13_000, 0, 0), (30_000, 0, 1)] {
            var pair = pair(shared: 2_000)
            for n in 10_001...10_000 + UInt64(count) { pair.sides[1 - lacking].merge(row(n)) }
            let report = try pair.run(from: initiator)
            expectEqual(pair)
            #expect(report.isEqual && report.differences == UInt64(count))
            #expect(report.roundTrips == 2)
            let overhead = Double(report.bytesSent + report.bytesReceived) / Double(count) - 90
            print("\(count) lacking: \(overhead) bytes over, \(report.roundTrips) round trips")
            #expect(overhead <= 24)
        }
    }

    @Test("a difference that nobody could guess: partitions are asked for, lists where those end")
    func partitions() throws {
        var pair = pair(shared: 2_000)
        // 150 partitions that differ by more than all cells together can say.
        for n in 30_001...55_000 as ClosedRange<UInt64> {
            let key = MarkKey(
                person: Person(
                    tenant: TenantID(raw: 8),
                    recipient: Recipient(high: (n % 150) << 52 | n, low: n)
                ),
                scope: Scope(stream: StreamID(raw: 5), topic: .any),
                reason: .manual
            )
            pair.sides[Int(n / 150 % 2)].merge(RepairRow(key: key, mark: row(n).mark))
        }
        var (clean, lists) = (pair, 0)
        clean.drops = { message in
            if case .ids = message { lists += 1 }
            return false
        }
        let report = try clean.run(from: 1)
        expectEqual(clean)
        #expect(report.isEqual && report.differences == 25_000 && lists > 0)
        #expect(report.roundTrips <= 10)
        let spent = Double(report.bytesSent + report.bytesReceived)
        print("25,000: \(spent / Double(report.floorBytes)), \(report.roundTrips) round trips")
    }

    @Test("a damaged node is mended, lifts nobody elsewhere, and counts as proof for nobody")
    func damaged() throws {
        var pair = pair(shared: 50, damaged: 1)
        for n in 1...5 as ClosedRange<UInt64> { pair.sides[1].shelf.remove(row(n).key) }
        pair.sides[1].merge(row(6, covers: true))
        let report = try pair.run(from: 0)
        #expect(!report.isEqual && report.pushed >= 5)
        #expect(pair.sides[1].shelf.marks.count == 50)
        #expect(
            pair.sides[0].shelf.marks[row(6).key] == row(6).mark,
            "no consent from a doubted node"
        )
        #expect(pair.sides[0].proved.isEmpty && pair.sides[1].proved.isEmpty)
        // Without the forged consent both become equal, and only the damaged side gains a proof.
        pair.sides[1].shelf.remove(row(6).key)
        let again = try pair.run(from: 1)
        #expect(again.isEqual && again.pulled == 1)
        #expect(pair.sides[1].proved == [pair.sides[0].node] && pair.sides[0].proved.isEmpty)
    }

    @Test("a damaged node's suppression reaches the others, also beside what was lifted")
    func suppressionBesideConsent() throws {
        var pair = pair(shared: 20, damaged: 1)
        for side in 0...1 { pair.sides[side].merge(row(6, covers: true)) }
        let later = row(6, sequence: 5)
        pair.sides[1].merge(later)
        let report = try pair.run(from: 1)
        #expect(report.isEqual && pair.sides[0].shelf.marks == pair.sides[1].shelf.marks)
        #expect(pair.sides[0].shelf.marks[row(6).key]?.suppressions == later.mark.suppressions)
    }

    @Test("a peer that is silent, gone or not ready ends the run with that reason")
    func failures() throws {
        var silent = pair(shared: 5)
        silent.drops = { _ in true }
        #expect(try silent.run(from: 0).failure == .silent)

        var gone = pair(shared: 5)
        gone.drops = { _ in true }
        try gone.step(0, .asked(peer: gone.sides[1].node, isDry: false))
        try gone.step(0, .unlinked(gone.sides[1].node))
        #expect(gone.sides[0].reports.last?.failure == .unreachable)

        var early = pair(shared: 5)
        early.sides[1].isReady = false
        #expect(try early.run(from: 0).failure == .notReady)
        #expect(early.sides.allSatisfy { $0.machine.conversationsCount == 0 })
        early.sides[1].isReady = true
        #expect(try early.run(from: 0).isEqual)
    }

    @Test("messages that make no sense end the conversation and nothing else")
    func nonsense() throws {
        var pair = pair(shared: 20)
        pair.sides[0].shelf.remove(row(3).key)
        let stray = RepairID(peer: pair.sides[1].node, number: 77)
        try pair.step(0, .received(stray, .took))
        try pair.step(0, .received(stray, .done(RepairCounts())))
        try pair.step(0, .stored(stray))
        try pair.step(0, .found(stray, []))
        let state = RepairState(
            digest: MarkDigest(sum: 1, check: 1),
            marksCount: 9,
            isDamaged: false,
            isDry: false
        )
        // A number of the wrong parity is one that this node would have chosen.
        try pair.step(0, .received(stray, .open(state)))
        #expect(pair.sides[0].machine.conversationsCount <= 1)
        #expect(try pair.run(from: 0).isEqual)
    }
}

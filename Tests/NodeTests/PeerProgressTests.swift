// What a node knows of the others, told as the links tell it: behind, lacking, how soon.

import Cluster
import Suppression
import Testing

@testable import Node

private let own = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 10))
private let two = NodeID(raw: 2)
private let three = NodeID(raw: 3)

private func held(_ range: ClosedRange<UInt64>, of origin: Origin = own) -> HeldSet {
    var set = HeldSet()
    set.insert(SequenceInterval(first: range.lowerBound, last: range.upperBound), of: origin)
    return set
}

private func receipts(_ range: ClosedRange<UInt64>) -> Message {
    let interval = SequenceInterval(first: range.lowerBound, last: range.upperBound)
    return .receipts(generation: 1, [DotRange(origin: own, interval: interval)])
}

private func write(_ sequence: UInt64, by origin: Origin = own) -> Change {
    let dot = Dot(origin: origin, sequence: sequence)
    let time = HybridTime(raw: 1_700_000_000_000 << 16)
    let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 2))
    let key = MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
    return Change(
        dot: dot,
        time: time,
        body: .suppress(key, SuppressingDot(dot: dot, time: time, source: .oneClick))
    )
}

private func linked(_ nodes: NodeID...) -> PeerProgress {
    var progress = PeerProgress(own: own)
    for node in nodes { progress.linked(node, holdsAll: true) }
    return progress
}

private func count(_ histogram: Histogram) -> UInt64 {
    (0...Histogram.bucketsCount).reduce(0) { $0 + histogram.count(inBucket: $1) }
}

@Suite struct PeerProgressTests {
    @Test("behind falls with receipts, held sets, confirmations and an equal hash")
    func behind() {
        var progress = linked(two)
        let mine = held(1...10)
        #expect(progress.behind(two, held: mine) == 10)
        progress.heard(receipts(1...4), from: two, held: mine)
        #expect(progress.behind(two, held: mine) == 6)
        #expect(progress.receiptsReceived == 4)
        progress.heard(.held(generation: 1, held(6...7)), from: two, held: mine)
        #expect(progress.behind(two, held: mine) == 4)
        let answer = Confirmation(
            nonce: Nonce(high: 1, low: 1),
            generation: 1,
            since: 0,
            counter: 2,
            delta: held(5...5)
        )
        progress.heard(.confirm(answer), from: two, held: mine)
        #expect(progress.behind(two, held: mine) == 3)
        progress.heard(.heldHash(mine.fingerprint() &+ 1), from: two, held: mine)
        #expect(progress.behind(two, held: mine) == 3)
        progress.heard(.heldHash(mine.fingerprint()), from: two, held: mine)
        #expect(progress.behind(two, held: mine) == 0)
    }

    @Test("a node that is away keeps what it held; its next life begins with nothing")
    func away() {
        var progress = linked(two)
        progress.heard(receipts(1...4), from: two, held: held(1...4))
        progress.unlinked(two)
        #expect(progress.behind(two, held: held(1...9)) == 5)
        progress.linked(two, holdsAll: true)
        #expect(progress.behind(two, held: held(1...9)) == 9)
        #expect(progress.behind(three, held: held(1...9)) == 9, "one that was never heard of")
    }

    @Test("what others hold of an origin and we do not is counted once, for that origin")
    func lacking() {
        var progress = linked(two, three)
        let old = Origin(node: two, epoch: Epoch(raw: 3))
        let new = Origin(node: two, epoch: Epoch(raw: 4))
        progress.heard(.held(generation: 1, held(1...5, of: old)), from: two, held: HeldSet())
        progress.heard(.held(generation: 1, held(3...8, of: old)), from: three, held: HeldSet())
        progress.heard(.held(generation: 1, held(1...2, of: new)), from: three, held: HeldSet())
        #expect(progress.lacking(held: held(1...1, of: old)) == [two: 9])
        progress.unlinked(three)
        #expect(progress.lacking(held: held(1...1, of: old)) == [two: 4])
    }

    @Test("a write is spread when our log and every linked holder have it, and not before")
    func spread() {
        var progress = linked(two, three)
        progress.linked(NodeID(raw: 4), holdsAll: false)
        let seconds = Histogram()
        progress.persisted(write(1)) { 1_000_000 }
        progress.persisted(write(1, by: Origin(node: two, epoch: Epoch(raw: 3)))) { 0 }
        progress.heard(receipts(1...1), from: two, held: HeldSet())
        progress.settle(held: held(1...1), now: 3_000_000, into: seconds)
        #expect(count(seconds) == 0 && progress.unseenNanos(now: 3_000_000) == 2_000_000)
        progress.heard(receipts(1...1), from: three, held: HeldSet())
        progress.settle(held: HeldSet(), now: 4_000_000, into: seconds)
        #expect(count(seconds) == 0)
        progress.settle(held: held(1...1), now: 5_000_000, into: seconds)
        #expect(count(seconds) == 1 && seconds.sumSeconds == 0.004)
        #expect(!progress.isWatching && progress.unseenNanos(now: 9_000_000) == 0)
    }

    @Test("a node that goes is not waited for; a write that the log refused is not either")
    func gone() {
        var progress = linked(two, three)
        let seconds = Histogram()
        progress.persisted(write(1)) { 0 }
        progress.heard(receipts(1...1), from: two, held: HeldSet())
        progress.unlinked(three)
        progress.settle(held: held(1...1), now: 1_000, into: seconds)
        #expect(count(seconds) == 1)
        progress.persisted(write(2)) { 0 }
        progress.refused()
        #expect(!progress.isWatching)
        progress.persisted(write(3)) { 0 }
        progress.unlinked(two)
        progress.settle(held: held(1...3), now: 1_000, into: seconds)
        #expect(count(seconds) == 1 && !progress.isWatching, "alone, nothing is spread")
        progress.persisted(write(4)) { 0 }
        #expect(!progress.isWatching)
    }

    @Test("what is remembered has a bound: writes watched, and nodes that are gone")
    func bounds() {
        var progress = linked(two)
        for sequence in 1...100 as ClosedRange<UInt64> {
            progress.persisted(write(sequence)) { sequence }
        }
        let seconds = Histogram()
        progress.heard(receipts(1...100), from: two, held: HeldSet())
        progress.settle(held: held(1...100), now: 200, into: seconds)
        #expect(count(seconds) == UInt64(Limits.watchedWritesCount))
        for n in 10..<(10 + UInt64(Cluster.Limits.peersCount) * 2) {
            let node = NodeID(raw: n)
            progress.linked(node, holdsAll: true)
            progress.heard(receipts(1...1), from: node, held: HeldSet())
            progress.unlinked(node)
        }
        let remembered = (10..<(10 + UInt64(Cluster.Limits.peersCount) * 2)).count {
            progress.behind(NodeID(raw: $0), held: held(1...1)) == 0
        }
        #expect(remembered <= Cluster.Limits.peersCount)
        #expect(progress.behind(two, held: held(1...100)) == 0, "a linked node is never forgotten")
    }

    @Test("readiness: the node loop's cause, and its silence, turn the answer to no")
    func readiness() {
        let published = PublishedReadiness()
        #expect(published.unready(now: 0) == .starting && !published.isReady)
        published.set(nil, now: 1_000)
        #expect(published.unready(now: 1_000) == nil && published.isReady)
        let late = 1_001 + Cluster.Limits.acknowledgeDeadlineNanos
        #expect(published.unready(now: late) == .stands)
        published.set(.full, now: late)
        #expect(published.unready(now: late) == .full && !published.isReady)
    }

    @Test("a name that came twice, and one with quotes, leave the page readable")
    func labels() {
        func peer(_ name: String, _ behind: Int) -> KnownPeer {
            KnownPeer(
                name: name,
                node: two,
                state: .alive,
                isLinked: true,
                roundTripNanos: nil,
                behind: behind,
                lacking: 0,
                isClose: true
            )
        }
        let page = MetricsPage.write(
            node: NodeMetrics(),
            loops: [],
            peers: [peer("n2", 3), peer("n2", 9), peer("a\"}\n", 1)],
            name: "n",
            version: "1"
        )
        let lines = String(decoding: page, as: UTF8.self).split(separator: "\n")
        let behind = lines.filter { $0.hasPrefix("quell_peer_behind_changes{") }
        #expect(
            behind == [
                "quell_peer_behind_changes{peer=\"a___\"} 1",
                "quell_peer_behind_changes{peer=\"n2\"} 9",
            ]
        )
    }
}

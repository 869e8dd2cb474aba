// Messages as bytes: what is written is read back, what nobody writes is refused, and no bytes at
// all bring a node down.

import Cluster
import Suppression
import Testing

/// A small generator, so that a failing case can be named by its seed.
private struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 31)
    }

    mutating func upTo(_ bound: UInt64) -> UInt64 { next() % (bound + 1) }

    mutating func origin() -> Origin {
        Origin(node: NodeID(raw: 1 + upTo(3)), epoch: Epoch(raw: upTo(2)))
    }

    mutating func dot() -> Dot { Dot(origin: origin(), sequence: 1 + upTo(40)) }

    mutating func key() -> MarkKey {
        let person = Person(
            tenant: TenantID(raw: 1 + upTo(2)),
            recipient: Recipient(high: upTo(9), low: next())
        )
        return MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
    }

    mutating func suppression(_ dot: Dot) -> SuppressingDot {
        SuppressingDot(
            dot: dot,
            time: HybridTime(raw: next()),
            source: .oneClick,
            expiresSeconds: upTo(1)
        )
    }

    mutating func register() -> Register {
        Register(
            name: [1, 2, UInt8(upTo(255))],
            generation: next(),
            final: upTo(1) == 1,
            value: [UInt8](repeating: 7, count: Int(upTo(20))),
            author: [3],
            signature: [4, 4]
        )
    }

    mutating func change() -> Change {
        let dot = dot()
        let body: Change.Body =
            switch upTo(3) {
            case 0: .suppress(key(), suppression(dot))
            case 1: .consent(key(), covers: [self.dot(), self.dot()], evidence: [9])
            case 2: .register(register())
            default: .opaque(kind: 90, [1, 2, 3])
            }
        guard case .suppress(let key, let known) = body else {
            return Change(dot: dot, time: HybridTime(raw: next()), body: body)
        }
        let stamp = RequestStamp(id: Recipient(high: next(), low: next()), body: next())
        return Change(dot: dot, time: known.time, request: stamp, body: .suppress(key, known))
    }

    mutating func held() -> HeldSet {
        var set = HeldSet()
        for _ in 0...upTo(12) { set.insert(dot()) }
        return set
    }

    mutating func entry() -> PageEntry {
        if upTo(5) == 0 {
            let odd = Change(dot: dot(), time: HybridTime(raw: 1), body: .opaque(kind: 91, [0]))
            return .change(odd)
        }
        if upTo(3) == 0 { return .merged(Merged(.register(register()), dots: [dot()])) }
        var mark = Mark()
        for _ in 0...upTo(3) { mark.merge(Mark(suppression(dot()))) }
        mark.merge(Mark(covering: [dot()]))
        return .merged(Merged(.mark(key(), mark), dots: [dot(), dot()]))
    }

    private mutating func digest() -> ArtifactDigest {
        let byte = UInt8(upTo(255))
        return ArtifactDigest([UInt8](repeating: byte, count: 32)) ?? digest()
    }

    private mutating func notice() -> ArtifactNotice {
        let states: [ArtifactState] = [.preparing, .ready, .failed("trap"), .failed("")]
        return ArtifactNotice(
            digest: digest(),
            name: "greet",
            bytes: UInt32(1 + upTo(1_000)),
            publishedMillis: next(),
            state: states[Int(upTo(3))],
            generation: upTo(3)
        )
    }

    private mutating func report() -> TrialReport {
        var report = TrialReport(name: "greet", generation: upTo(3), digest: digest())
        report.calls = next()
        report.failed = next()
        report.cause = UInt8(upTo(255))
        report.isBroken = upTo(1) == 0
        report.compared = next()
        report.differing = next()
        report.loosened = next()
        return report
    }

    private mutating func rollout() -> RolloutMessage {
        switch upTo(5) {
        case 0: return .have((0..<upTo(3)).map { _ in notice() })
        case 1: return .want(digest(), offset: UInt32(upTo(1_000)))
        case 2: return .piece(digest(), offset: 3, total: 9, [1, 2, 3])
        case 3:
            let digest = upTo(1) == 0 ? nil : digest()
            return .poll(RolloutPoll(number: next(), name: "greet", base: upTo(3), digest: digest))
        case 4: return .report((0..<upTo(3)).map { _ in report() })
        default: return .vote(number: next(), RolloutVote(rawValue: UInt8(upTo(2))) ?? .ready)
        }
    }

    mutating func message() -> Message {
        let generation = upTo(3)
        switch upTo(8) {
        case 0: return .changes((0...upTo(4)).map { _ in change() })
        case 1:
            let ranges = (0...upTo(4)).map { _ in
                let first = 1 + upTo(9)
                return DotRange(
                    origin: origin(),
                    interval: SequenceInterval(first: first, last: first + upTo(9))
                )
            }
            return .receipts(generation: generation, ranges)
        case 2: return .heldHash(next())
        case 3: return .held(generation: generation, held())
        case 4: return .ask(Nonce(high: next(), low: next()), known: next())
        case 5:
            let since = upTo(9)
            return .confirm(
                Confirmation(
                    nonce: Nonce(high: next(), low: next()),
                    generation: generation,
                    since: since,
                    counter: since + upTo(9),
                    delta: held()
                )
            )
        case 8: return .rollout(rollout())
        case 6:
            return .pull(number: next(), wanted: held(), after: upTo(1) == 0 ? nil : dot())
        default:
            return .page(
                Page(
                    number: next(),
                    entries: (0...upTo(4)).map { _ in entry() },
                    held: held(),
                    reached: dot(),
                    isLast: upTo(1) == 0
                )
            )
        }
    }
}

private func bytes(_ message: Message) -> [UInt8] {
    var out: [UInt8] = []
    message.encode(into: &out)
    return out
}

private func decoded(_ bytes: [UInt8]) -> Message? {
    do { return try Message(decoding: bytes.span) } catch { return nil }
}

@Suite struct MessageCodecTests {
    @Test("every message reads back as what was written")
    func roundTrip() {
        var dice = Dice(state: 1)
        for _ in 0..<3_000 {
            let message = dice.message()
            let again = decoded(bytes(message))
            #expect(again == message)
        }
    }

    @Test("a message cut short or with a byte too many is refused")
    func cut() {
        var dice = Dice(state: 2)
        for _ in 0..<200 {
            let whole = bytes(dice.message())
            for count in 0..<whole.count {
                let part = decoded(Array(whole[..<count]))
                #expect(part == nil)
            }
            let longer = decoded(whole + [0])
            #expect(longer == nil)
        }
    }

    @Test("changed bytes are refused or read as a message that has bytes of its own")
    func flipped() {
        var dice = Dice(state: 3)
        var refusedCount = 0
        for _ in 0..<20_000 {
            var whole = bytes(dice.message())
            for _ in 0...dice.upTo(2) {
                whole[Int(dice.upTo(UInt64(whole.count - 1)))] = UInt8(dice.upTo(255))
            }
            guard let message = decoded(whole) else {
                refusedCount += 1
                continue
            }
            let again = decoded(bytes(message))
            #expect(again == message)
        }
        #expect(refusedCount > 5_000)
    }

    @Test("a peer of version 1 is told no form of version 2, and reads none")
    func versions() throws {
        let dot = Dot(origin: Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 1)), sequence: 3)
        let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 1))
        let key = MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
        let mark = Mark(
            SuppressingDot(dot: dot, time: HybridTime(raw: 1), source: .oneClick)
        )
        var held = HeldSet()
        held.insert(dot)
        let entry = PageEntry.merged(Merged(.mark(key, mark), dots: [dot]))
        let page = Message.page(
            Page(number: 1, entries: [entry], held: held, reached: dot, isLast: true)
        )
        for (writes, reads) in [(1, 1), (2, 2), (1, 2), (2, 1)] as [(UInt16, UInt16)] {
            var bytes: [UInt8] = []
            page.encode(into: &bytes, version: writes)
            if writes == reads {
                #expect(try Message(decoding: bytes.span, version: reads) == page)
            } else {
                #expect(throws: DecodeError.self, "\(writes) written, \(reads) read") {
                    try Message(decoding: bytes.span, version: reads)
                }
            }
        }
    }

    @Test("numbers that no correct sender means are refused")
    func ranges() throws {
        let origin = Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 1))
        let good = Message.receipts(
            generation: 1,
            [DotRange(origin: origin, interval: SequenceInterval(first: 2, last: 3))]
        )
        // version, kind, generation 8, count 4, then node, epoch, first and last of 8 each.
        func with(_ at: Int, _ value: UInt8) -> Message? {
            var out = bytes(good)
            out[at] = value
            return decoded(out)
        }
        #expect(with(0, 1) == good)
        #expect(with(0, 2) == nil, "another version")
        #expect(with(1, 99) == nil, "an unknown kind")
        #expect(with(21, 0) == nil, "node 0 is nobody")
        #expect(with(37, 0) == nil, "sequences begin at 1")
        #expect(with(37, 9) == nil, "a reversed interval")
        #expect(with(10, 0xff) == nil, "a count beyond its bound")
    }

    @Test("a piece beyond its artifact, an empty one and a digest of 31 bytes are refused")
    func pieces() {
        let digest = [UInt8](repeating: 7, count: 32)
        func piece(_ offset: UInt32, _ total: UInt32, _ count: Int) -> Message? {
            var out: [UInt8] = [1, 50] + digest
            out.append(bigEndian: offset)
            out.append(bigEndian: total)
            out.append(bigEndian: UInt32(count))
            return decoded(out + [UInt8](repeating: 1, count: count))
        }
        #expect(piece(0, 9, 9) != nil)
        #expect(piece(8, 9, 2) == nil)
        #expect(piece(.max, 9, 1) == nil)
        #expect(piece(0, 9, 0) == nil)
        #expect(piece(0, 393_217, 1) == nil)
        #expect(piece(0, 393_216, 65_536) != nil)
        #expect(piece(0, 393_216, 65_537) == nil)
        #expect(
            decoded([1, 51] + [UInt8](repeating: 0, count: 8) + [0, 31] + digest[1...]) == nil
        )
    }

    @Test("a node's notes to itself do not travel, nor do writes of nobody")
    func notes() {
        var dice = Dice(state: 4)
        let note = Change.note(.holds(dice.held()))
        let noted = decoded(bytes(.changes([note])))
        #expect(noted == nil)
        let nobody = Dot(
            origin: Origin(node: NodeID(raw: 0), epoch: Epoch(raw: 1)),
            sequence: 1
        )
        let change = Change(
            dot: nobody,
            time: HybridTime(raw: 1),
            body: .suppress(dice.key(), dice.suppression(nobody))
        )
        let refused = decoded(bytes(.changes([change])))
        #expect(refused == nil)
        let empty = decoded(bytes(.changes([])))
        #expect(empty == nil)
    }

    @Test("held sets that touch, overlap or fall are refused")
    func heldSets() {
        func held(_ intervals: [(UInt64, UInt64)]) -> Message? {
            var out: [UInt8] = [1, 4]
            out.append(bigEndian: UInt64(1))
            out.append(bigEndian: UInt32(1))
            out.append(bigEndian: UInt64(7))
            out.append(bigEndian: UInt64(1))
            out.append(bigEndian: UInt32(intervals.count))
            for (first, last) in intervals {
                out.append(bigEndian: first)
                out.append(bigEndian: last)
            }
            return decoded(out)
        }
        #expect(held([(1, 2), (4, 5)]) != nil)
        #expect(held([(1, 2), (3, 5)]) == nil)
        #expect(held([(1, 4), (3, 5)]) == nil)
        #expect(held([(4, 5), (1, 2)]) == nil)
        #expect(held([(0, 2)]) == nil)
        #expect(held([(3, 2)]) == nil)
        #expect(held([]) == nil)
        #expect(held([(1, .max)]) != nil)
    }
}

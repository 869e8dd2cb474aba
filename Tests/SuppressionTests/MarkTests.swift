// The merge laws of DESIGN 4 on random triples, and S1 as a property: nothing but a consent that
// names a dot ends it.

import Suppression
import Testing

/// A seeded generator, so that a red test can be run again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

func origin(_ node: UInt64, _ epoch: UInt64 = 1) -> Origin {
    Origin(node: NodeID(raw: node), epoch: Epoch(raw: epoch))
}

func dot(_ node: UInt64, _ sequence: UInt64) -> Dot {
    Dot(origin: origin(node), sequence: sequence)
}

/// What a dot says is a function of the dot, as in the running system.
func suppression(_ dot: Dot) -> SuppressingDot {
    if dot.sequence % 7 == 3 {
        return SuppressingDot(dot: dot, kind: 200, opaque: [1, UInt8(dot.sequence)])
    }
    return SuppressingDot(
        dot: dot,
        time: HybridTime(raw: dot.sequence << 16 | dot.origin.node.raw),
        source: .api,
        evidence: dot.sequence,
        expiresSeconds: dot.sequence % 5 == 4 ? 1_000 + dot.sequence : 0
    )
}

func randomMark(_ rng: inout SplitMix) -> Mark {
    var mark = Mark()
    for _ in 0..<Int.random(in: 0...8, using: &rng) {
        let any = dot(.random(in: 1...4, using: &rng), .random(in: 1...9, using: &rng))
        mark.merge(Bool.random(using: &rng) ? Mark(suppression(any)) : Mark(covering: [any]))
    }
    return mark
}

func merged(_ a: Mark, _ b: Mark) -> Mark {
    var out = a
    out.merge(b)
    return out
}

func bytes(_ mark: Mark) -> [UInt8] {
    var out: [UInt8] = []
    mark.encode(into: &out)
    return out
}

@Suite struct MarkTests {
    @Test("merging commutes, associates and is idempotent, to the byte")
    func laws() {
        var rng = SplitMix(state: 1)
        for _ in 0..<20_000 {
            let (a, b, c) = (randomMark(&rng), randomMark(&rng), randomMark(&rng))
            #expect(bytes(merged(a, b)) == bytes(merged(b, a)))
            #expect(bytes(merged(merged(a, b), c)) == bytes(merged(a, merged(b, c))))
            #expect(bytes(merged(a, a)) == bytes(a))
        }
    }

    @Test("the order in which writes arrive, and their repetition, never shows")
    func order() {
        var rng = SplitMix(state: 2)
        for _ in 0..<2_000 {
            var parts: [Mark] = []
            for _ in 0..<12 { parts.append(randomMark(&rng)) }
            let forward = parts.reduce(Mark(), merged)
            let shuffled = (parts + parts).shuffled(using: &rng).reduce(Mark(), merged)
            #expect(bytes(forward) == bytes(shuffled))
        }
    }

    @Test("a suppression stands until a consent names it or a later dot of its origin")
    func onlyConsentLifts() {
        var rng = SplitMix(state: 3)
        for _ in 0..<5_000 {
            let target = dot(.random(in: 1...4, using: &rng), .random(in: 1...9, using: &rng))
            var mark = randomMark(&rng)
            mark.merge(Mark(suppression(target)))
            var others = Mark()
            for _ in 0..<4 { others.merge(randomMark(&rng)) }
            let after = merged(mark, others)
            let named = after.covers(target)
            let stands = after.suppressions.contains {
                $0.dot.origin == target.origin && $0.dot.sequence >= target.sequence
            }
            #expect(stands || named)
        }
    }

    @Test("a consent that did not see a concurrent opt-out leaves it standing")
    func concurrentConsent() {
        var mark = Mark(suppression(dot(1, 1)))
        let consent = Mark(covering: [dot(1, 1)])
        let elsewhere = Mark(suppression(dot(2, 1)))
        mark.merge(elsewhere)
        mark.merge(consent)
        #expect(mark.isSuppressed(atSeconds: 0))
        #expect(!merged(Mark(suppression(dot(1, 1))), consent).isSuppressed(atSeconds: 0))
    }

    @Test("the same link after a consent suppresses again, because it mints a new dot")
    func again() {
        var mark = Mark(suppression(dot(1, 1)))
        mark.merge(Mark(covering: [dot(1, 1)]))
        #expect(!mark.isSuppressed(atSeconds: 0))
        mark.merge(Mark(suppression(dot(1, 2))))
        #expect(mark.isSuppressed(atSeconds: 0))
    }

    @Test("expiry ends its own dot alone, and only after the slack")
    func expiry() {
        let ends = SuppressingDot(
            dot: dot(1, 1),
            time: HybridTime(raw: 0),
            source: .api,
            expiresSeconds: 100
        )
        #expect(Mark(ends).isSuppressed(atSeconds: 159))
        #expect(!Mark(ends).isSuppressed(atSeconds: 160))
        #expect(Mark(ends).end(atSeconds: 159) == 100 && Mark(ends).end(atSeconds: 160) == nil)
        #expect(merged(Mark(ends), Mark(suppression(dot(2, 1)))).end(atSeconds: 0) == nil)
        #expect(Mark(suppression(dot(2, 1))).end(atSeconds: 0) == nil)
        #expect(merged(Mark(ends), Mark(suppression(dot(2, 1)))).isSuppressed(atSeconds: 999_999))
    }

    @Test("a kind of a newer version is kept as bytes and suppresses")
    func unknownKind() throws {
        let mark = Mark(SuppressingDot(dot: dot(1, 3), kind: 77, opaque: [9, 8, 7]))
        var cursor = ByteCursor()
        let back = try Mark(bytes(mark).span, at: &cursor)
        #expect(back == mark)
        #expect(back.isSuppressed(atSeconds: .max - 100))
    }

    @Test("every mark reads back; every flipped bit on disk is found")
    func sealing() throws {
        var rng = SplitMix(state: 4)
        var key: [UInt8] = []
        MarkKey(
            person: Person(tenant: TenantID(raw: 7), recipient: Recipient(high: 1, low: 2)),
            scope: .tenant,
            reason: .unsubscribe
        ).encode(into: &key)
        for _ in 0..<300 {
            let mark = randomMark(&rng)
            var value: [UInt8] = []
            mark.seal(under: key, into: &value)
            #expect(try Mark(unsealing: value.span, under: key.span) == mark)
            let at = Int.random(in: 0..<value.count, using: &rng)
            value[at] ^= 1 << UInt8.random(in: 0...7, using: &rng)
            #expect(throws: DecodeError.corrupt) {
                try Mark(unsealing: value.span, under: key.span)
            }
        }
    }

    @Test("a value that moved to another key does not pass")
    func moved() {
        var value: [UInt8] = []
        Mark(suppression(dot(1, 1))).seal(under: [1], into: &value)
        let (there, sealed): ([UInt8], [UInt8]) = ([2], value)
        #expect(throws: DecodeError.corrupt) {
            try Mark(unsealing: sealed.span, under: there.span)
        }
    }

    @Test("truncated or random bytes are refused, never trusted and never a trap")
    func hostile() {
        var rng = SplitMix(state: 5)
        var refused = 0
        for _ in 0..<20_000 {
            var noise = bytes(randomMark(&rng))
            if Bool.random(using: &rng), !noise.isEmpty {
                noise.removeLast(Int.random(in: 1...noise.count, using: &rng))
            }
            for i in noise.indices where UInt8.random(in: 0...9, using: &rng) == 0 {
                noise[i] = .random(in: 0...255, using: &rng)
            }
            var cursor = ByteCursor()
            do {
                let read = try Mark(noise.span, at: &cursor)
                #expect(bytes(read).count == cursor.offset)
            } catch { refused += 1 }
            do { _ = try Change(decoding: noise.span) } catch { refused += 1 }
        }
        #expect(refused > 20_000)
    }
}

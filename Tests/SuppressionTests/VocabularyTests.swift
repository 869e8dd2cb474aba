// Keys, held sets, changes, registers, precedence: the small rules that everything else leans on.

import Suppression
import Testing

private let person = Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 10, low: 11))

private func query(_ streamClass: StreamClass) -> Query {
    Query(
        person: person,
        stream: StreamID(raw: 3),
        topic: TopicID(raw: 4),
        streamClass: streamClass
    )
}

private func denial(_ keys: [(Scope, Reason)], _ streamClass: StreamClass) -> Verdict? {
    var judgement = Judgement(query(streamClass), nowSeconds: 0)
    for (scope, reason) in keys {
        let key = MarkKey(person: person, scope: scope, reason: reason)
        judgement.consider(key, Mark(suppression(dot(1, 1))))
    }
    return judgement.denial
}

@Suite struct VerdictTests {
    private let topic = Scope(stream: StreamID(raw: 3), topic: TopicID(raw: 4))
    private let stream = Scope(stream: StreamID(raw: 3), topic: .any)

    @Test("every reason blocks marketing; four block transactional")
    func classes() {
        for reason in Reason.known {
            #expect(denial([(topic, reason)], .marketing)?.reason == reason)
            let four: [Reason] = [.hardBounce, .manual, .legal, .erasure]
            #expect((denial([(topic, reason)], .transactional) != nil) == four.contains(reason))
        }
        #expect(denial([(topic, Reason(raw: 99))], .transactional)?.decision == .deny)
    }

    @Test("marks of the topic, its stream and the tenant count; others do not")
    func scopes() {
        for scope in [topic, stream, .tenant] {
            #expect(denial([(scope, .unsubscribe)], .marketing) != nil)
        }
        let otherTopic = Scope(stream: StreamID(raw: 3), topic: TopicID(raw: 9))
        let otherStream = Scope(stream: StreamID(raw: 9), topic: .any)
        for scope in [otherTopic, otherStream] {
            #expect(denial([(scope, .unsubscribe)], .marketing) == nil)
        }
    }

    @Test("the reply names the winner by precedence, whatever the order of the walk")
    func precedence() {
        var rng = SplitMix(state: 6)
        for first in Reason.known.indices {
            let rest = Reason.known[first...].map { (topic, $0) }.shuffled(using: &rng)
            #expect(denial(rest, .marketing)?.reason == Reason.known[first])
        }
    }

    @Test("of two unsubscribes the widest is named")
    func widest() {
        let wide = SuppressingDot(dot: dot(1, 1), time: HybridTime(raw: 111), source: .api)
        let narrow = SuppressingDot(dot: dot(1, 2), time: HybridTime(raw: 222), source: .api)
        for flip in [false, true] {
            var judgement = Judgement(query(.marketing), nowSeconds: 0)
            var pairs = [
                (MarkKey(person: person, scope: .tenant, reason: .unsubscribe), Mark(wide)),
                (MarkKey(person: person, scope: topic, reason: .unsubscribe), Mark(narrow)),
            ]
            if flip { pairs.reverse() }
            for (key, mark) in pairs { judgement.consider(key, mark) }
            #expect(judgement.denial?.since == HybridTime(raw: 111))
        }
    }

    @Test("a damaged value denies; a lifted one does not")
    func damage() {
        var judgement = Judgement(query(.marketing), nowSeconds: 0)
        let key = MarkKey(person: person, scope: topic, reason: .unsubscribe)
        judgement.consider(key, Mark(covering: [dot(1, 1)]))
        #expect(judgement.denial == nil)
        judgement.consider(key, nil)
        #expect(judgement.denial?.decision == .deny)
    }
}

@Suite struct KeyTests {
    @Test("keys are 33 bytes, read back, and sort as their bytes do")
    func keys() throws {
        var rng = SplitMix(state: 7)
        var all: [(MarkKey, [UInt8])] = []
        for _ in 0..<2_000 {
            let someone = Person(
                tenant: TenantID(raw: .random(in: 0...3, using: &rng)),
                recipient: Recipient(high: .random(in: 0...3, using: &rng), low: rng.next())
            )
            let scope = Scope(
                stream: StreamID(raw: .random(in: 0...2, using: &rng)),
                topic: TopicID(raw: .random(in: 0...2, using: &rng))
            )
            let key = MarkKey(
                person: someone,
                scope: scope,
                reason: Reason(raw: .random(in: 1...9, using: &rng))
            )
            var out: [UInt8] = []
            key.encode(into: &out)
            #expect(out.count == MarkKey.encodedBytes)
            #expect(try MarkKey(decoding: out.span) == key)
            all.append((key, out))
        }
        for (a, b) in zip(all, all.dropFirst()) {
            #expect((a.0 < b.0) == a.1.lexicographicallyPrecedes(b.1))
        }
    }

    @Test("complaint, legal and erasure are tenant-wide whatever scope they were given")
    func widening() {
        let narrow = Scope(stream: StreamID(raw: 3), topic: TopicID(raw: 4))
        for reason in Reason.known {
            let wide: [Reason] = [.complaint, .legal, .erasure]
            let key = MarkKey(person: person, scope: narrow, reason: reason)
            #expect(key.scope == (wide.contains(reason) ? .tenant : narrow))
        }
    }

    @Test("reason words read back and are unique")
    func words() {
        let words = Reason.known.compactMap(\.name)
        #expect(Set(words).count == 9)
        for reason in Reason.known { #expect(Reason(named: reason.name ?? "") == reason) }
        #expect(Reason(named: "Unsubscribe") == nil)
    }
}

@Suite struct HeldSetTests {
    @Test("agrees with a plain set of dots under any order of insertion")
    func model() throws {
        var rng = SplitMix(state: 8)
        for _ in 0..<300 {
            var (held, other, plain) = (HeldSet(), HeldSet(), Set<Dot>())
            for _ in 0..<60 {
                let one = dot(.random(in: 1...3, using: &rng), .random(in: 1...30, using: &rng))
                #expect(held.insert(one) == plain.insert(one).inserted)
                if Bool.random(using: &rng) { other.insert(one) }
            }
            for node in 1...3 as ClosedRange<UInt64> {
                for sequence in 1...31 as ClosedRange<UInt64> {
                    #expect(
                        held.contains(dot(node, sequence)) == plain.contains(dot(node, sequence))
                    )
                }
            }
            #expect(held.isSuperset(of: other))
            #expect(other.isSuperset(of: held) == (other == held))
            var union = other
            union.formUnion(held)
            #expect(union == held)
            var out: [UInt8] = []
            held.encode(into: &out)
            var cursor = ByteCursor()
            #expect(try HeldSet(out.span, at: &cursor) == held)
        }
    }

    @Test("a gap stays a gap")
    func gap() {
        var held = HeldSet()
        for sequence in [1, 2, 4] as [UInt64] { held.insert(dot(1, sequence)) }
        #expect(!held.contains(dot(1, 3)))
        #expect(held.highest(of: origin(1)) == 4)
        #expect(held.entries[0].intervals.count == 2)
        held.insert(dot(1, 3))
        #expect(held.entries[0].intervals == [SequenceInterval(first: 1, last: 4)])
    }
}

@Suite struct ChangeTests {
    @Test("every body reads back to the byte, an unknown kind included")
    func roundTrip() throws {
        let key = MarkKey(person: person, scope: .tenant, reason: .complaint)
        let register = Register(
            name: Array("topic/x".utf8),
            generation: 3,
            final: true,
            value: [1, 2],
            author: [3],
            signature: [4, 5]
        )
        let recipients = (1...3).map { Recipient(high: $0, low: $0) }
        let people = SuppressionList(
            tenant: person.tenant,
            scope: Scope(stream: StreamID(raw: 1), topic: TopicID(raw: 2)),
            reason: .imported,
            source: .imported,
            recipients: recipients
        )
        let dated = SuppressionList(
            tenant: person.tenant,
            scope: .tenant,
            reason: .manual,
            source: .resp,
            recipients: recipients,
            millis: [0, 5, 7]
        )
        let bodies: [Change.Body] = [
            .suppress(key, suppression(dot(1, 1))),
            .consent(key, covers: [dot(1, 1), dot(2, 2)], evidence: Array("{}".utf8)),
            .register(register), .opaque(kind: 99, [5, 6]), .list(people), .list(dated),
        ]
        let stamp = RequestStamp(id: Recipient(high: 1, low: 2), body: 3)
        for body in bodies {
            for request in [nil, stamp] {
                let time = HybridTime(raw: 1 << 16 | 1)
                let change = Change(dot: dot(1, 1), time: time, request: request, body: body)
                var out: [UInt8] = []
                change.encode(into: &out)
                #expect(try Change(decoding: out.span) == change)
                let cut = Array(out.dropLast())
                if case .opaque = body { continue }
                #expect(throws: DecodeError.self) { try Change(decoding: cut.span) }
            }
        }
    }

    @Test("a list is as many marks as people, each with the list's dot and its own time")
    func lists() {
        let list = SuppressionList(
            tenant: person.tenant,
            scope: Scope(stream: StreamID(raw: 1), topic: TopicID(raw: 2)),
            reason: .complaint,
            source: .imported,
            recipients: (1...3).map { Recipient(high: $0, low: 9) },
            millis: [0, 5, 7]
        )
        let change = Change(dot: dot(1, 4), time: HybridTime(raw: 99 << 16), body: .list(list))
        #expect(change.markCount == 3 && change.isImport)
        #expect(change.markKey(1).person.recipient == Recipient(high: 2, low: 9))
        #expect(change.markKey(1).scope == .tenant, "a complaint is never narrow")
        let marks = (0..<3).map { change.mark($0) }
        #expect(marks.map { $0.suppressions.map(\.dot) } == Array(repeating: [dot(1, 4)], count: 3))
        #expect(marks.map { $0.since(atSeconds: 0)?.wallMillis } == [99, 5, 7])
        // A consent that names the dot under one key leaves the others.
        var lifted = marks[0]
        lifted.merge(Mark(covering: [dot(1, 4)]))
        #expect(!lifted.isSuppressed(atSeconds: 0) && marks[1].isSuppressed(atSeconds: 0))
    }

    @Test("the highest generation wins, a final flag always, bytes break ties the same everywhere")
    func registers() {
        func register(_ generation: UInt64, _ value: UInt8, final: Bool = false) -> Register {
            Register(
                name: [1],
                generation: generation,
                final: final,
                value: [value],
                author: [],
                signature: []
            )
        }
        #expect(register(2, 0).wins(over: register(1, 9)))
        #expect(!register(1, 9).wins(over: register(2, 0)))
        #expect(register(1, 0, final: true).wins(over: register(7, 0)))
        #expect(!register(7, 0).wins(over: register(1, 0, final: true)))
        #expect(
            register(1, 2).wins(over: register(1, 1)) != register(1, 1).wins(over: register(1, 2))
        )
        #expect(!register(1, 1).wins(over: register(1, 1)))
    }

    @Test("SipHash-2-4 gives the value of its paper's appendix")
    func sipHash() {
        let key = SipHash(k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908)
        let message: [UInt8] = Array(0..<15)
        #expect(key.hash(message.span) == 0xa129_ca61_49be_45e5)
    }
}

// What a pull brings, as bytes: the brief form is read where it may be there, and nowhere else.

import Suppression
import Testing

private func point(_ node: UInt64, _ sequence: UInt64) -> Dot {
    Dot(origin: Origin(node: NodeID(raw: node), epoch: Epoch(raw: 1)), sequence: sequence)
}

private let key = MarkKey(
    person: Person(tenant: TenantID(raw: 5), recipient: Recipient(high: 1, low: 2)),
    scope: .tenant,
    reason: .unsubscribe
)

private func mark(_ dots: Dot...) -> Mark {
    var mark = Mark()
    for dot in dots {
        mark.merge(Mark(SuppressingDot(dot: dot, time: HybridTime(raw: 9), source: .oneClick)))
    }
    return mark
}

private func bytes(_ merged: Merged, isBrief: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    merged.encode(into: &bytes, isBrief: isBrief)
    return bytes
}

private func read(_ bytes: [UInt8], isBrief: Bool, isStrict: Bool = false) throws -> Merged {
    var cursor = ByteCursor()
    let merged = try Merged(bytes.span, at: &cursor, isBrief: isBrief, isStrict: isStrict)
    #expect(cursor.offset == bytes.count)
    return merged
}

@Suite("a state that was pulled, as bytes") struct MergedTests {
    @Test("the brief form says a write once that the mark names, and comes back whole")
    func brief() throws {
        let merged = Merged(.mark(key, mark(point(1, 7))), dots: [point(1, 7)])
        let long = bytes(merged, isBrief: false)
        let short = bytes(merged, isBrief: true)
        #expect(long[0] == 1 && short[0] == 3)
        #expect(long.count - short.count == 26, "a count and a dot")
        #expect(try read(short, isBrief: true) == merged)
        #expect(try read(long, isBrief: true) == merged)
        #expect(try read(long, isBrief: false) == merged)
        #expect(try read(short, isBrief: true, isStrict: true) == merged)
        #expect(throws: DecodeError.self, "a message has one spelling") {
            try read(long, isBrief: true, isStrict: true)
        }
    }

    @Test("who speaks the version before refuses the brief form")
    func older() {
        let merged = Merged(.mark(key, mark(point(1, 7))), dots: [point(1, 7)])
        #expect(throws: DecodeError.self) {
            try read(bytes(merged, isBrief: true), isBrief: false)
        }
    }

    @Test("other writes than the mark names are said, and none is made up")
    func others() throws {
        let both = mark(point(1, 7), point(2, 3))
        for dots in [[point(1, 7)], [point(1, 6), point(2, 3)], [point(2, 3), point(1, 7)]] {
            let merged = Merged(.mark(key, both), dots: dots)
            let written = bytes(merged, isBrief: true)
            #expect(written[0] == 1)
            #expect(try read(written, isBrief: true, isStrict: true) == merged)
        }
        let all = Merged(.mark(key, both), dots: [point(1, 7), point(2, 3)])
        #expect(bytes(all, isBrief: true)[0] == 3)
        #expect(try read(bytes(all, isBrief: true), isBrief: true) == all)
    }

    @Test("a mark that names nothing, or a write of nobody, has no brief form")
    func nobody() {
        var empty: [UInt8] = [3]
        key.encode(into: &empty)
        Mark().encode(into: &empty)
        #expect(throws: DecodeError.self) { try read(empty, isBrief: true) }
        var nobody: [UInt8] = [3]
        key.encode(into: &nobody)
        mark(point(0, 1)).encode(into: &nobody)
        #expect(throws: DecodeError.self) { try read(nobody, isBrief: true) }
    }
}

// What names a write must name that write alone, for that mark and person alone.

import Suppression
import Testing

@testable import Token

@Suite struct SealedIDTests {
    private let mark = MarkKey(person: person, scope: claims.scope, reason: .unsubscribe)
    private let dot = Dot(
        origin: Origin(node: NodeID(raw: 3), epoch: Epoch(raw: 4)),
        sequence: 5
    )

    private func item(_ sequence: UInt64, _ scope: Scope = claims.scope) -> UndoItem {
        UndoItem(
            key: MarkKey(person: person, scope: scope, reason: .unsubscribe),
            dot: Dot(origin: dot.origin, sequence: sequence)
        )
    }

    @Test("a consent id opens for its mark, and for no other person, scope, reason or tenant")
    func consentIsBound() throws {
        let keys = ring(try key(1))
        let id = try keys.sealConsent(dot, of: mark)
        #expect(id.count == 76)
        #expect(try keys.sealConsent(dot, of: mark) == id)
        #expect(try keys.openedConsent(id, of: mark) == dot)
        let stranger = Person(tenant: demo, recipient: Recipient(high: 1, low: 2))
        for other in [
            MarkKey(person: stranger, scope: claims.scope, reason: .unsubscribe),
            MarkKey(person: person, scope: .tenant, reason: .unsubscribe),
            MarkKey(person: person, scope: claims.scope, reason: .hardBounce),
        ] {
            #expect(throws: TokenError.forged) { try keys.openedConsent(id, of: other) }
        }
        let tenant = TenantID(raw: 2)
        let theirs = ring(try key(1, tenant: tenant), of: tenant)
        #expect(throws: TokenError.forged) { try theirs.openedConsent(id, of: mark) }
    }

    @Test("every one-character change of a consent id fails")
    func consentChanges() throws {
        let keys = ring(try key(1))
        let id = try keys.sealConsent(dot, of: mark)
        for position in 0..<id.count {
            for other in [alphabet[0], alphabet[1], alphabet[33], alphabet[63]]
            where other != id[position] {
                var changed = id
                changed[position] = other
                #expect(throws: TokenError.self) { try keys.openedConsent(changed, of: mark) }
            }
        }
    }

    @Test("an undo token names its writes for 15 minutes, to the millisecond")
    func undoExpires() throws {
        let keys = ring(try key(1))
        let items = [
            item(1), item(2, .tenant), item(3, Scope(stream: StreamID(raw: 7), topic: .any)),
        ]
        let token = try keys.sealUndo(items, of: person, nowMillis: 1_000)
        #expect(try keys.openedUndo(token, of: person, nowMillis: 1_000) == items)
        #expect(try keys.openedUndo(token, of: person, nowMillis: 900_999) == items)
        #expect(throws: TokenError.expired) {
            try keys.openedUndo(token, of: person, nowMillis: 901_000)
        }
    }

    @Test("an undo token of another person or with any change does not open")
    func undoIsBound() throws {
        let keys = ring(try key(1))
        let token = try keys.sealUndo([item(1), item(2)], of: person, nowMillis: 0)
        let stranger = Person(tenant: demo, recipient: Recipient(high: 1, low: 2))
        #expect(throws: TokenError.forged) {
            try keys.openedUndo(token, of: stranger, nowMillis: 0)
        }
        for position in 0..<token.count {
            for other in [alphabet[0], alphabet[1], alphabet[62]] where other != token[position] {
                var changed = token
                changed[position] = other
                #expect(throws: TokenError.self, "\(position)") {
                    try keys.openedUndo(changed, of: person, nowMillis: 0)
                }
            }
        }
    }

    @Test("forty writes fit an undo token, one more does not")
    func undoIsBounded() throws {
        let keys = ring(try key(1))
        let forty = (1...40).map { item($0) }
        let token = try keys.sealUndo(forty, of: person, nowMillis: 0)
        #expect(token.count == 1_815)
        #expect(try keys.openedUndo(token, of: person, nowMillis: 0) == forty)
        #expect(throws: TokenError.tooLong) {
            try keys.sealUndo(forty + [item(41)], of: person, nowMillis: 0)
        }
    }

    @Test("keys of one purpose open nothing of another, also when the header is the same")
    func purposes() throws {
        let token = try key(1)
        let plain = Array("plain".utf8)
        let keys = [token.link, token.consent, token.undo]
        for (i, sealing) in keys.enumerated() {
            let sealed = sealing.seal(plain, header: [1])
            for (j, opening) in keys.enumerated() {
                if i == j {
                    #expect(try opening.open(sealed, header: [1]) == plain)
                } else {
                    #expect(throws: TokenError.forged) { try opening.open(sealed, header: [1]) }
                }
            }
        }
        #expect(keys[0].seal(plain, header: [1]) != keys[0].seal(plain, header: [2]))
    }

    @Test("ids of retired keys still open")
    func rotation() throws {
        var keys = ring(try key(1, at: 1))
        let id = try keys.sealConsent(dot, of: mark)
        let undo = try keys.sealUndo([item(1)], of: person, nowMillis: 0)
        keys.add(try key(2, at: 2))
        keys.add(try key(3, at: 3))
        #expect(try keys.openedConsent(id, of: mark) == dot)
        #expect(try keys.openedUndo(undo, of: person, nowMillis: 0) == [item(1)])
    }
}

// Tokens: nothing opens but what was sealed; what opens is spelled in one way only.
//
//     input as text       opened as link, consent id and undo token: if it opens, minting gives it
//     input as program    25 bytes of claims, then pairs (place, change) applied to the sealed text

import Suppression
import Token

enum FuzzToken {
    private static let tenant = TenantID(raw: 0x51_75_65_6C_6C)
    private static let now: UInt64 = 1_795_233_060_123
    private static let rings = [ring(of: tenant, fill: 7), ring(of: tenant, fill: 8)]

    private static func ring(of tenant: TenantID, fill: UInt8) -> TokenKeyRing {
        var ring = TokenKeyRing(tenant: tenant)
        guard let master = TokenMaster([UInt8](repeating: fill, count: TokenMaster.byteCount))
        else {
            return ring
        }
        // One id in both rings: only the secret differs.
        ring.add(TokenKey(id: 9, createdSeconds: 1, master: master, tenant: tenant))
        return ring
    }

    static func finding(_ bytes: [UInt8]) -> String? {
        do {
            return try raw(bytes) ?? program(bytes)
        } catch {
            return "a sealed token does not open: \(error)"
        }
    }

    private static func raw(_ bytes: [UInt8]) throws(TokenError) -> String? {
        if let claims = link(bytes, rings[0]), try rings[0].mint(claims) != bytes {
            return "an opened link is spelled differently"
        }
        let key = MarkKey(person: person([], 0), scope: .tenant, reason: .unsubscribe)
        if let dot = consent(bytes, key), try rings[0].sealConsent(dot, of: key) != bytes {
            return "an opened consent id is spelled differently"
        }
        return nil
    }

    private static func program(_ bytes: [UInt8]) throws(TokenError) -> String? {
        guard bytes.count >= 25 else { return nil }
        let scope = Scope(
            stream: StreamID(raw: UInt32(truncatingIfNeeded: number(bytes, 0))),
            topic: TopicID(raw: UInt32(truncatingIfNeeded: number(bytes, 4)))
        )
        let claims = LinkClaims(person: person(bytes, 8), scope: scope, flags: bytes[24])
        let key = MarkKey(person: claims.person, scope: scope, reason: Reason(raw: bytes[0]))
        let origin = Origin(
            node: NodeID(raw: number(bytes, 1)),
            epoch: Epoch(raw: number(bytes, 2))
        )
        let dot = Dot(origin: origin, sequence: number(bytes, 3))
        let texts = [
            try rings[0].mint(claims), try rings[0].sealConsent(dot, of: key),
            try rings[0].sealUndo(
                [UndoItem(key: key, dot: dot)],
                of: claims.person,
                nowMillis: now
            ),
        ]
        guard link(texts[0], rings[0]) == claims, consent(texts[1], key) == dot,
            undo(texts[2], claims.person)?.count == 1
        else { return "a sealed token does not open as it was" }
        if link(texts[0], rings[1]) != nil { return "another secret opens a link" }
        let other = Person(tenant: tenant, recipient: Recipient(high: 1, low: 2))
        if claims.person != other, undo(texts[2], other) != nil { return "another person's undo" }
        for text in texts {
            let changed = change(text, by: bytes[25...])
            if changed == text { continue }
            if link(changed, rings[0]) != nil { return "a changed link opens" }
            if consent(changed, key) != nil { return "a changed consent id opens" }
            if undo(changed, claims.person) != nil { return "a changed undo token opens" }
        }
        return nil
    }

    /// Replaces, cuts or lengthens.
    private static func change(_ text: [UInt8], by bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text = text
        var at = bytes.startIndex
        while at + 1 < bytes.endIndex {
            let place = Int(bytes[at])
            if place < text.count {
                text[place] = bytes[at + 1]
            } else if place < 254 {
                text.append(bytes[at + 1])
            } else if !text.isEmpty {
                text.removeLast()
            }
            at += 2
        }
        return text
    }

    private static func number(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func person(_ bytes: [UInt8], _ at: Int) -> Person {
        let halves = bytes.isEmpty ? (0, 0) : (number(bytes, at), number(bytes, at + 8))
        return Person(tenant: tenant, recipient: Recipient(high: halves.0, low: halves.1))
    }

    private static func link(_ text: [UInt8], _ ring: TokenKeyRing) -> LinkClaims? {
        do { return try ring.open(text.span) } catch { return nil }
    }

    private static func consent(_ text: [UInt8], _ key: MarkKey) -> Dot? {
        do { return try rings[0].openConsent(text.span, of: key) } catch { return nil }
    }

    private static func undo(_ text: [UInt8], _ person: Person) -> [UndoItem]? {
        do {
            return try rings[0].openUndo(text.span, of: person, nowMillis: now)
        } catch {
            return nil
        }
    }
}

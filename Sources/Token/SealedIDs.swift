// Names of single writes for people outside: consent ids and undo tokens (DESIGN 4).
//
// A consent must name what it lifts, and the name must come from us: `show` and the 409 answer hand
// out one id per live dot, sealed for its mark key. Presented with another key it does not open, so
// a consent cannot be turned on something that its author has not seen.
//
//     consent id   version 1 | key u32 | sealed(dot 24 B)                        76 characters
//                      authenticated beside it: mark key 33 B
//     undo token   version 1 | key u32 | sealed(expiry u64 ms, 1 to 40 times
//                                               (stream u32, topic u32, reason u8, dot 24 B))
//                      authenticated beside it: person 24 B
//
// An undo token is the one consent that a person gives without logging in, so it names exactly the
// dots of the page it stands on, for 15 minutes, and only together with that person's link.

public import Suppression

/// One write that an undo token takes back.
public struct UndoItem: Equatable, Sendable {
    /// The mark.
    public let key: MarkKey
    /// The opt-out that the page reported.
    public let dot: Dot

    /// Pairs a mark with a write.
    public init(key: MarkKey, dot: Dot) {
        self.key = key
        self.dot = dot
    }
}

extension TokenKeyRing {
    private static let idHeaderBytes = 5
    private static let idVersion: UInt8 = 1

    /// The opaque name of one suppression of one mark: 76 characters, the same every time.
    public func sealConsent(_ dot: Dot, of key: MarkKey) throws(TokenError) -> [UInt8] {
        precondition(key.person.tenant == tenant)
        let sealing = try newest()
        let head = TokenKeyRing.head(sealing.id)
        var plain: [UInt8] = []
        dot.encode(into: &plain)
        let sealed = sealing.consent.seal(plain, header: TokenKeyRing.bound(head, to: key))
        return Base64URL.encode(head + sealed)
    }

    /// Reads a consent id back.
    ///
    /// - Throws: `.forged` when it was not sealed for this very mark.
    public func openConsent(_ text: Span<UInt8>, of key: MarkKey) throws(TokenError) -> Dot {
        let (head, id, sealed) = try TokenKeyRing.split(text)
        let header = TokenKeyRing.bound(head, to: key)
        let plain = try self.key(id).consent.open(sealed, header: header)
        var cursor = ByteCursor()
        do {
            return try Dot(plain.span, at: &cursor)
        } catch {
            throw .malformed
        }
    }

    /// The token of a result page's undo form.
    ///
    /// - Parameters:
    ///   - items: 1 to 40 writes, all of `person`.
    ///   - person: whose link the page belongs to.
    ///   - nowMillis: wall clock, milliseconds since 1970.
    /// - Returns: base64url, 99 to 1,815 characters.
    /// - Throws: `.tooLong` for more writes, `.unknownKey` when the ring is empty.
    public func sealUndo(
        _ items: [UndoItem],
        of person: Person,
        nowMillis: UInt64
    ) throws(TokenError) -> [UInt8] {
        precondition(!items.isEmpty && items.allSatisfy { $0.key.person == person })
        guard items.count <= Limits.undoItemsCount else { throw .tooLong }
        let sealing = try newest()
        let head = TokenKeyRing.head(sealing.id)
        var plain: [UInt8] = []
        plain.append(bigEndian: nowMillis + Limits.undoMillis)
        for item in items {
            plain.append(bigEndian: item.key.scope.stream.raw)
            plain.append(bigEndian: item.key.scope.topic.raw)
            plain.append(item.key.reason.raw)
            item.dot.encode(into: &plain)
        }
        let sealed = sealing.undo.seal(plain, header: TokenKeyRing.bound(head, to: person))
        return Base64URL.encode(head + sealed)
    }

    /// What an undo token takes back.
    ///
    /// - Throws: `.expired` after 15 minutes, `.forged` with another person's link.
    public func openUndo(
        _ text: Span<UInt8>,
        of person: Person,
        nowMillis: UInt64
    ) throws(TokenError) -> [UndoItem] {
        let (head, id, sealed) = try TokenKeyRing.split(text)
        let header = TokenKeyRing.bound(head, to: person)
        let plain = try key(id).undo.open(sealed, header: header)
        var cursor = ByteCursor()
        var items: [UndoItem] = []
        do {
            let expiry = try cursor.u64(plain.span)
            guard nowMillis < expiry else { throw TokenError.expired }
            while cursor.remaining(plain.span) > 0 {
                let stream = StreamID(raw: try cursor.u32(plain.span))
                let scope = Scope(stream: stream, topic: TopicID(raw: try cursor.u32(plain.span)))
                let reason = Reason(raw: try cursor.u8(plain.span))
                let key = MarkKey(person: person, scope: scope, reason: reason)
                items.append(UndoItem(key: key, dot: try Dot(plain.span, at: &cursor)))
            }
        } catch let error as TokenError {
            throw error
        } catch {
            throw .malformed
        }
        return items
    }

    private static func head(_ id: UInt32) -> [UInt8] {
        var head: [UInt8] = [idVersion]
        head.append(bigEndian: id)
        return head
    }

    private static func bound(_ head: [UInt8], to key: MarkKey) -> [UInt8] {
        var header = head
        key.encode(into: &header)
        return header
    }

    private static func bound(_ head: [UInt8], to person: Person) -> [UInt8] {
        var header = head
        person.encode(into: &header)
        return header
    }

    private static func split(
        _ text: Span<UInt8>
    ) throws(TokenError) -> (head: [UInt8], key: UInt32, sealed: [UInt8]) {
        guard let bytes = Base64URL.decode(text), bytes.count > idHeaderBytes,
            bytes[0] == idVersion
        else { throw .malformed }
        let id = bytes[1..<idHeaderBytes].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return (Array(bytes[..<idHeaderBytes]), id, Array(bytes[idHeaderBytes...]))
    }
}

// JSON, as much of it as a list of events needs: strings of known members are kept, all else is
// skipped. Strict about structure and strings, so a cut body is refused; numbers and words are
// skipped by their letters.

import FunctionKit

/// One event, as far as it matters here.
struct Event {
    var name: [UInt8] = []
    var type: [UInt8] = []
    var address: [UInt8] = []
}

/// A position in a JSON text.
struct EventReader {
    /// Objects and lists inside of each other; services nest two.
    private static var depthMost: Int { 8 }

    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A list of events, or one; nil for anything else.
    mutating func events() -> [Event]? {
        var events: [Event] = []
        if takes(0x5b) {
            if !takes(0x5d) {
                repeat {
                    guard let event = event() else { return nil }
                    events.append(event)
                } while takes(0x2c)
                guard takes(0x5d) else { return nil }
            }
        } else {
            guard let event = event() else { return nil }
            events.append(event)
        }
        skipBlank()
        return at == bytes.count ? events : nil
    }

    private mutating func event() -> Event? {
        guard takes(0x7b) else { return nil }
        var event = Event()
        if takes(0x7d) { return event }
        repeat {
            skipBlank()
            let name = at
            guard skipString(), takes(0x3a) else { return nil }
            skipBlank()
            let value = at
            guard skipValue(EventReader.depthMost) else { return nil }
            guard bytes[value] == 0x22 else { continue }
            if bytes.holds("\"event\"", at: name) { event.name = text(at: value) }
            if bytes.holds("\"type\"", at: name) { event.type = text(at: value) }
            if bytes.holds("\"email\"", at: name) || bytes.holds("\"recipient\"", at: name) {
                event.address = text(at: value)
            }
        } while takes(0x2c)
        return takes(0x7d) ? event : nil
    }

    /// Steps over a value of any kind; false for what is none.
    private mutating func skipValue(_ depth: Int) -> Bool {
        skipBlank()
        guard depth > 0, at < bytes.count else { return false }
        let isObject = bytes[at] == 0x7b
        if bytes[at] == 0x22 { return skipString() }
        if isObject || bytes[at] == 0x5b {
            at += 1
            let end: UInt8 = isObject ? 0x7d : 0x5d
            if takes(end) { return true }
            repeat {
                if isObject {
                    skipBlank()
                    guard skipString(), takes(0x3a) else { return false }
                }
                guard skipValue(depth - 1) else { return false }
            } while takes(0x2c)
            return takes(end)
        }
        let start = at
        while at < bytes.count, isWordly(bytes[at]) { at += 1 }
        return at > start
    }

    /// Letters and signs of numbers, true, false and null.
    private func isWordly(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7a, 0x45, 0x2b, 0x2d, 0x2e: true
        default: false
        }
    }

    /// Steps over a string; false for what is none. Nothing is taken from the arena, which gives
    /// nothing back before the call's end.
    private mutating func skipString() -> Bool {
        guard at < bytes.count, bytes[at] == 0x22 else { return false }
        at += 1
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == 0x22 { return true }
            guard byte >= 0x20 else { return false }
            if byte == 0x5c {
                guard escape() != nil else { return false }
            }
        }
        return false
    }

    /// The text of a string that was stepped over, its escapes resolved.
    private mutating func text(at start: Int) -> [UInt8] {
        let end = at
        var text: [UInt8] = []
        text.reserveCapacity(end - start)
        at = start + 1
        while at < end - 1 {
            let byte = bytes[at]
            at += 1
            if byte == 0x5c {
                text.append(scalar: escape() ?? 0x20)
            } else {
                text.append(byte)
            }
        }
        at = end
        return text
    }

    /// What stands behind a backslash; nil for what JSON does not have.
    private mutating func escape() -> UInt32? {
        guard at < bytes.count else { return nil }
        let byte = bytes[at]
        at += 1
        switch byte {
        case 0x22, 0x5c, 0x2f: return UInt32(byte)
        case 0x62, 0x66, 0x6e, 0x72, 0x74: return 0x20
        case 0x75: break
        default: return nil
        }
        guard let high = unit() else { return nil }
        guard high >= 0xd800, high < 0xe000 else { return high }
        guard high < 0xdc00, at + 1 < bytes.count, bytes[at] == 0x5c, bytes[at + 1] == 0x75 else {
            return nil
        }
        at += 2
        guard let low = unit(), low >= 0xdc00, low < 0xe000 else { return nil }
        return 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00))
    }

    /// Four hexadecimal digits.
    private mutating func unit() -> UInt32? {
        guard at + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Percent.digit(bytes[at]) else { return nil }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    private mutating func takes(_ byte: UInt8) -> Bool {
        skipBlank()
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func skipBlank() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0a, 0x0d: at += 1
            default: return
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(scalar: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 {
            0x80 | UInt8(truncatingIfNeeded: scalar >> shift) & 0x3f
        }
        switch scalar {
        case 0..<0x80: append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            append(0xc0 | UInt8(truncatingIfNeeded: scalar >> 6))
            append(tail(0))
        case 0x800..<0x10000:
            append(0xe0 | UInt8(truncatingIfNeeded: scalar >> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(0xf0 | UInt8(truncatingIfNeeded: scalar >> 18))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }
}

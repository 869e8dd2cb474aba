// The values of the state's tables as bytes; Docs/formats.md shows each.

public import Suppression

/// Where a write went.
public enum DotTarget: Equatable, Sendable {
    /// It is part of this mark.
    case mark(MarkKey)
    /// It set this register.
    case register(name: [UInt8])
    /// The whole change as bytes: a list, which leads to many marks, or a kind of a newer version.
    case whole([UInt8])
    /// The entry's checksum is wrong: this node cannot say what it holds there.
    case damaged
}

extension DotTarget {
    /// Where a change goes; nil for a held set, which goes nowhere but into `held`, and for
    /// what a node remembers of itself.
    init?(of change: Change) {
        switch change.body {
        case .suppress(let key, _): self = .mark(key)
        case .consent(let key, _, _): self = .mark(key)
        case .register(let register): self = .register(name: register.name)
        case .merged(let merged):
            switch merged.content {
            case .mark(let key, _): self = .mark(key)
            case .register(let register): self = .register(name: register.name)
            }
        case .holds, .own: return nil
        case .list, .opaque:
            var bytes: [UInt8] = []
            change.encode(into: &bytes)
            self = .whole(bytes)
        }
    }

    func encode(into out: inout [UInt8]) {
        switch self {
        case .mark(let key):
            out.append(1)
            key.encode(into: &out)
        case .register(let name):
            out.append(2)
            out.append(contentsOf: name)
        case .whole(let bytes):
            out.append(3)
            out.append(contentsOf: bytes)
        case .damaged: preconditionFailure("damage is found, never written")
        }
    }

    init(_ buffer: Unsealed) {
        do {
            var cursor = buffer.cursor
            let span = buffer.bytes.span
            switch try cursor.u8(span) {
            case 1: self = .mark(try MarkKey(span, at: &cursor))
            case 2: self = .register(name: try cursor.take(cursor.remaining(span), of: span))
            case 3: self = .whole(try cursor.take(cursor.remaining(span), of: span))
            default: self = .damaged
            }
        } catch {
            self = .damaged
        }
    }
}

extension RememberedRequest {
    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: body)
        dot.encode(into: &out)
        out.append(bigEndian: millis)
    }

    init?(_ buffer: Unsealed) {
        do {
            var cursor = buffer.cursor
            let span = buffer.bytes.span
            let body = try cursor.u64(span)
            let dot = try Dot(span, at: &cursor)
            self.init(dot: dot, body: body, millis: try cursor.u64(span))
        } catch {
            return nil  // as good as forgotten: the next request mints a second, harmless dot
        }
    }
}

extension Recipient {
    /// The sixteen bytes, as a key of their own.
    var key: [UInt8] {
        var key: [UInt8] = []
        key.append(bigEndian: high)
        key.append(bigEndian: low)
        return key
    }
}

/// The mark in an opened seal; nil when no version could have written it.
func decodedMark(_ buffer: Unsealed) -> Mark? {
    do {
        var cursor = buffer.cursor
        let mark = try Mark(buffer.bytes.span, at: &cursor)
        return cursor.remaining(buffer.bytes.span) == 0 ? mark : nil
    } catch {
        return nil
    }
}

/// The register in an opened seal; nil when no version could have written it.
func decodedRegister(_ buffer: Unsealed) -> Register? {
    do {
        var cursor = buffer.cursor
        let register = try Register(buffer.bytes.span, at: &cursor)
        return cursor.remaining(buffer.bytes.span) == 0 ? register : nil
    } catch {
        return nil
    }
}

/// The intervals of an opened seal; nil when no version could have written them.
func decodedIntervals(_ buffer: Unsealed) -> (Origin, [SequenceInterval])? {
    do {
        let span = buffer.bytes.span
        var cursor = ByteCursor()
        let node = NodeID(raw: try cursor.u64(span))
        let origin = Origin(node: node, epoch: Epoch(raw: try cursor.u64(span)))
        var intervals: [SequenceInterval] = []
        while cursor.remaining(span) > 0 {
            let first = try cursor.u64(span)
            let last = try cursor.u64(span)
            guard first > 0, first <= last else { return nil }
            intervals.append(SequenceInterval(first: first, last: last))
        }
        return (origin, intervals)
    } catch {
        return nil
    }
}

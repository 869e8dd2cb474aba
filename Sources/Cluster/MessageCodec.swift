// A message as bytes: what one sealed frame of a link carries (Docs/formats.md, Peer messages).
//
//     version u8 = 1 | kind u8 | body
//
// Whatever a peer sends is checked before it is believed: counts against their bounds before
// anything is allocated for them, numbers against what a correct sender can mean. Bytes left over
// are an error as well, so each message has one spelling.

public import Suppression

extension Message {
    static let version: UInt8 = 1
    /// The newest version of the protocol; who speaks it to a peer of version 1 says less.
    public static let newest: UInt16 = 2

    /// Appends the whole message.
    ///
    /// - Parameter version: what both ends of the link speak.
    public func encode(into out: inout [UInt8], version: UInt16 = Message.newest) {
        out.append(Message.version)
        switch self {
        case .changes(let changes):
            out.append(1)
            out.append(bigEndian: UInt32(changes.count))
            for change in changes { out.append(change: change) }
        case .receipts(let generation, let ranges):
            out.append(2)
            out.append(bigEndian: generation)
            out.append(bigEndian: UInt32(ranges.count))
            for range in ranges { range.encode(into: &out) }
        case .heldHash(let hash):
            out.append(3)
            out.append(bigEndian: hash)
        case .held(let generation, let set):
            out.append(4)
            out.append(bigEndian: generation)
            set.encode(into: &out)
        case .ask(let nonce, let known):
            out.append(5)
            nonce.encode(into: &out)
            out.append(bigEndian: known)
        case .confirm(let confirmation):
            out.append(6)
            confirmation.encode(into: &out)
        case .pull(let number, let wanted, let after):
            out.append(7)
            out.append(bigEndian: number)
            out.append(optional: after)
            wanted.encode(into: &out)
        case .page(let page):
            out.append(8)
            page.encode(into: &out, isBrief: version >= 2)
        case .prepare, .promised, .accept, .accepted, .declined, .doubted:
            encodeChoice(into: &out)
        case .relay(let message): message.encode(into: &out)
        case .repair(let conversation, let message): message.encode(conversation, into: &out)
        case .rollout(let message): message.encode(into: &out)
        }
    }

    /// Reads one message that fills all of `bytes`.
    ///
    /// - Parameter version: as in `encode`; what belongs to a newer one is malformed.
    public init(
        decoding bytes: Span<UInt8>,
        version: UInt16 = Message.newest
    ) throws(DecodeError) {
        guard bytes.count <= Limits.messageBytes else { throw .malformed }
        var cursor = ByteCursor()
        guard try cursor.u8(bytes) == Message.version else { throw .malformed }
        let kind = try cursor.u8(bytes)
        switch kind {
        case RepairMessage.kinds:
            let conversation = try cursor.u32(bytes)
            self = .repair(conversation, try RepairMessage(kind: kind, bytes, at: &cursor))
        case RolloutMessage.kinds:
            self = .rollout(try RolloutMessage(kind: kind, bytes, at: &cursor))
        case RelayMessage.kinds: self = .relay(try RelayMessage(kind: kind, bytes, at: &cursor))
        case 1: self = .changes(try cursor.changes(bytes))
        case 2:
            let generation = try cursor.u64(bytes)
            self = .receipts(generation: generation, try cursor.ranges(bytes))
        case 3: self = .heldHash(try cursor.u64(bytes))
        case 4:
            let generation = try cursor.u64(bytes)
            self = .held(generation: generation, try cursor.heldSet(bytes))
        case 5:
            let nonce = try Nonce(bytes, at: &cursor)
            self = .ask(nonce, known: try cursor.u64(bytes))
        case 6: self = .confirm(try Confirmation(bytes, at: &cursor))
        case 7:
            let number = try cursor.u64(bytes)
            let after = try cursor.optionalDot(bytes)
            let wanted = try cursor.heldSet(bytes)
            guard !wanted.isEmpty else { throw .malformed }
            self = .pull(number: number, wanted: wanted, after: after)
        case 8: self = .page(try Page(bytes, at: &cursor, isBrief: version >= 2))
        default: self = try Message.choice(kind, bytes, at: &cursor)
        }
        guard cursor.offset == bytes.count else { throw .malformed }
    }
}

extension Nonce {
    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: high)
        out.append(bigEndian: low)
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        high = try cursor.u64(bytes)
        low = try cursor.u64(bytes)
    }
}

extension DotRange {
    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: origin.node.raw)
        out.append(bigEndian: origin.epoch.raw)
        out.append(bigEndian: interval.first)
        out.append(bigEndian: interval.last)
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let node = NodeID(raw: try cursor.u64(bytes))
        let epoch = Epoch(raw: try cursor.u64(bytes))
        let first = try cursor.u64(bytes)
        let last = try cursor.u64(bytes)
        guard node.raw > 0, first > 0, first <= last else { throw .malformed }
        self.init(
            origin: Origin(node: node, epoch: epoch),
            interval: SequenceInterval(first: first, last: last)
        )
    }
}

extension Confirmation {
    func encode(into out: inout [UInt8]) {
        nonce.encode(into: &out)
        out.append(bigEndian: generation)
        out.append(bigEndian: since)
        out.append(bigEndian: counter)
        out.append(isComplete ? 1 : 0)
        delta.encode(into: &out)
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        nonce = try Nonce(bytes, at: &cursor)
        generation = try cursor.u64(bytes)
        since = try cursor.u64(bytes)
        counter = try cursor.u64(bytes)
        guard since <= counter else { throw .malformed }
        isComplete = try cursor.flag(bytes)
        delta = try cursor.heldSet(bytes)
    }
}

extension Page {
    func encode(into out: inout [UInt8], isBrief: Bool) {
        out.append(bigEndian: number)
        out.append(isLast ? 1 : 0)
        out.append(optional: reached)
        held.encode(into: &out)
        out.append(bigEndian: UInt32(entries.count))
        for entry in entries {
            switch entry {
            case .merged(let merged):
                out.append(1)
                merged.encode(into: &out, isBrief: isBrief)
            case .change(let change):
                out.append(2)
                out.append(change: change)
            }
        }
    }

    init(
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor,
        isBrief: Bool
    ) throws(DecodeError) {
        number = try cursor.u64(bytes)
        isLast = try cursor.flag(bytes)
        reached = try cursor.optionalDot(bytes)
        held = try cursor.heldSet(bytes)
        let count = Int(try cursor.u32(bytes))
        guard count <= Limits.pageDotsCount else { throw .malformed }
        // A page that goes on must get further, or its puller would ask for ever.
        guard isLast || reached != nil else { throw .malformed }
        var entries: [PageEntry] = []
        for _ in 0..<count {
            switch try cursor.u8(bytes) {
            case 1:
                let strict = isBrief
                let merged = try Merged(bytes, at: &cursor, isBrief: isBrief, isStrict: strict)
                entries.append(.merged(merged))
            case 2: entries.append(.change(try cursor.change(bytes)))
            default: throw .malformed
            }
        }
        self.entries = entries
    }
}

extension [UInt8] {
    fileprivate mutating func append(change: Change) {
        let start = count
        append(bigEndian: UInt32(0))
        change.encode(into: &self)
        let bytes = UInt32(count - start - 4)
        for i in 0..<4 {
            self[start + i] = UInt8(truncatingIfNeeded: bytes >> UInt32(24 - 8 * i))
        }
    }

    fileprivate mutating func append(optional dot: Dot?) { (dot ?? .none).encode(into: &self) }
}

extension ByteCursor {
    mutating func flag(_ bytes: Span<UInt8>) throws(DecodeError) -> Bool {
        switch try u8(bytes) {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    fileprivate mutating func optionalDot(_ bytes: Span<UInt8>) throws(DecodeError) -> Dot? {
        let dot = try Dot(bytes, at: &self)
        if dot == .none { return nil }
        guard dot.origin.node.raw > 0, dot.sequence > 0 else { throw .malformed }
        return dot
    }

    /// A change that may travel: no note of another node, no write of nobody.
    fileprivate mutating func change(_ bytes: Span<UInt8>) throws(DecodeError) -> Change {
        let count = Int(try u32(bytes))
        guard count <= Suppression.Limits.changeBytes + Limits.changeFrameBytes
        else { throw .malformed }
        let whole = try take(count, of: bytes)
        let change = try Change(decoding: whole.span)
        guard !change.isNote, change.dot.origin.node.raw > 0, change.dot.sequence > 0
        else { throw .malformed }
        return change
    }

    fileprivate mutating func changes(_ bytes: Span<UInt8>) throws(DecodeError) -> [Change] {
        let count = Int(try u32(bytes))
        guard count > 0, count <= Limits.changesPerMessageCount else { throw .malformed }
        var changes: [Change] = []
        for _ in 0..<count { changes.append(try change(bytes)) }
        return changes
    }

    fileprivate mutating func ranges(_ bytes: Span<UInt8>) throws(DecodeError) -> [DotRange] {
        let count = Int(try u32(bytes))
        guard count > 0, count <= Limits.rangesPerMessageCount else { throw .malformed }
        var ranges: [DotRange] = []
        for _ in 0..<count { ranges.append(try DotRange(bytes, at: &self)) }
        return ranges
    }

    fileprivate mutating func heldSet(_ bytes: Span<UInt8>) throws(DecodeError) -> HeldSet {
        let set = try HeldSet(bytes, at: &self)
        guard set.intervalCount <= Limits.heldMessageIntervalsCount else { throw .malformed }
        return set
    }
}

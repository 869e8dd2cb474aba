// A change: one write as it lies in the event log and travels between nodes.
//
//     version u8 = 1 | kind u8 | dot 24 B | hlc u64 | request: 0, or 1 | id 16 B | body u64 | rest
//     kind 1 suppress   mark key 33 B | source u8 | evidence u64 | expires u64
//     kind 2 consent    mark key 33 B | count u16 | dots 24 B each | evidence field
//     kind 3 register   as in Register.swift
//     kind 4 merged     as in Merged.swift
//     kind 5 holds      a held set, as in HeldSet.swift
//     kind 6 list       as in SuppressionList.swift
//     kind 7 own        as in OwnNote.swift
//     other             a newer version's: kept as bytes and forwarded
//
// Kinds 4 and 5 are a node's notes to itself about what a pull brought, kind 7 one about itself:
// they lie in its own log, have no dot (all zeros) and never travel.
//
// A change is what is made durable; a mark is what all changes of a key add up to. `mark(_:)` below
// is the only place where the one becomes the other.

/// The `Idempotency-Key` of a request, as far as it must travel and be remembered (DESIGN 4).
public struct RequestStamp: Equatable, Hashable, Sendable {
    /// Keyed digest of tenant, API key and header value: the person behind it stays unknown.
    public let id: Recipient
    /// Digest of the body: the same key with another body is a mistake of the caller (422).
    public let body: UInt64

    /// Pairs the digests.
    public init(id: Recipient, body: UInt64) {
        self.id = id
        self.body = body
    }
}

/// One durable, replicated write.
public struct Change: Equatable, Sendable {
    /// What the write does.
    public enum Body: Equatable, Sendable {
        /// Suppress a key. The suppression's dot is the change's own.
        case suppress(MarkKey, SuppressingDot)
        /// Cover the named dots of a key.
        case consent(MarkKey, covers: [Dot], evidence: [UInt8])
        /// Set a register.
        case register(Register)
        /// Suppress many people; each suppression's dot is the change's own.
        case list(SuppressionList)
        /// A mark or a register as a peer had it; only in the log of the node that pulled it.
        case merged(Merged)
        /// All of these writes are held; only in the log of the node that pulled them.
        case holds(HeldSet)
        /// What this node remembers of itself; only in its own log.
        case own(OwnNote)
        /// A kind of a newer version, as its bytes.
        case opaque(kind: UInt8, [UInt8])
    }

    /// The write's identity.
    public let dot: Dot
    /// When the origin minted it.
    public let time: HybridTime
    /// The caller's idempotency key, when one was given.
    public let request: RequestStamp?
    /// What it does.
    public let body: Body

    /// Puts a change together.
    public init(dot: Dot, time: HybridTime, request: RequestStamp? = nil, body: Body) {
        self.dot = dot
        self.time = time
        self.request = request
        self.body = body
    }

    /// A node's note to itself: no dot, no time.
    public static func note(_ body: Body) -> Change {
        let note = Change(dot: .none, time: HybridTime(raw: 0), body: body)
        precondition(note.isNote, "a write of its own has a dot")
        return note
    }

    /// Whether this is a node's note to itself rather than a write.
    public var isNote: Bool {
        switch body {
        case .merged, .holds, .own: true
        case .suppress, .consent, .list, .register, .opaque: false
        }
    }

    /// Whether a check may obey it before any log has it: it can only deny, so if it is lost with a
    /// crash nobody was allowed because of it. Consents and settings wait for the commit.
    public var onlyDenies: Bool {
        switch body {
        case .suppress, .list: true
        case .merged(let merged): merged.mark.map { $0.mark.covered.isEmpty } ?? false
        case .consent, .register, .holds, .own, .opaque: false
        }
    }

    /// How many marks this changes.
    public var markCount: Int {
        switch body {
        case .suppress, .consent: 1
        case .list(let list): list.count
        case .merged(let merged): merged.mark == nil ? 0 : 1
        case .register, .holds, .own, .opaque: 0
        }
    }

    /// The key of the n-th mark that this changes.
    public func markKey(_ n: Int) -> MarkKey {
        switch body {
        case .suppress(let key, _), .consent(let key, _, _): return key
        case .list(let list): return list.key(n)
        case .merged(let merged): if let mark = merged.mark { return mark.key }
        case .register, .holds, .own, .opaque: break
        }
        preconditionFailure("this change is about no mark")
    }

    /// What this change adds to that mark.
    public func mark(_ n: Int) -> Mark {
        switch body {
        case .suppress(_, let suppression): return Mark(suppression)
        case .consent(_, let dots, _): return Mark(covering: dots)
        case .list(let list):
            let time = list.time(n, own: time)
            return Mark(SuppressingDot(dot: dot, time: time, source: list.source))
        case .merged(let merged): if let mark = merged.mark { return mark.mark }
        case .register, .holds, .own, .opaque: break
        }
        preconditionFailure("this change is about no mark")
    }

    /// Whether these are rows of an import, or a mark that only imports made.
    public var isImport: Bool {
        switch body {
        case .suppress(_, let suppression): suppression.source == .imported
        case .list(let list): list.source == .imported
        case .merged(let merged): merged.isOfImports
        case .consent, .register, .holds, .own, .opaque: false
        }
    }

    /// The register that this sets; nil for what is none.
    public var register: Register? {
        switch body {
        case .register(let register): register
        case .merged(let merged): merged.register
        case .suppress, .consent, .list, .holds, .own, .opaque: nil
        }
    }

    /// Bytes on disk or wire, near enough to bound a commit or a frame.
    public var approximateBytes: Int {
        switch body {
        case .suppress: 128
        case .consent(_, let dots, let evidence):
            128 + dots.count * Dot.encodedBytes + evidence.count
        case .register(let register): 256 + register.value.count + register.name.count
        case .list(let list): 128 + list.count * 24
        case .merged(let merged): merged.approximateBytes
        case .holds(let set): 64 + set.entries.count * 20 + set.intervalCount * 16
        case .own(let note): 64 + note.bytes.count
        case .opaque(_, let bytes): 128 + bytes.count
        }
    }

    static let version: UInt8 = 1

    /// Appends the whole change.
    public func encode(into out: inout [UInt8], isBrief: Bool = false) {
        out.append(Change.version)
        out.append(kind)
        dot.encode(into: &out)
        out.append(bigEndian: time.raw)
        if let request {
            out.append(1)
            out.append(bigEndian: request.id.high)
            out.append(bigEndian: request.id.low)
            out.append(bigEndian: request.body)
        } else {
            out.append(0)
        }
        switch body {
        case .suppress(let key, let suppression):
            key.encode(into: &out)
            out.append(suppression.source.raw)
            out.append(bigEndian: suppression.evidence)
            out.append(bigEndian: suppression.expiresSeconds)
        case .consent(let key, let dots, let evidence):
            key.encode(into: &out)
            out.append(bigEndian: UInt16(dots.count))
            for dot in dots { dot.encode(into: &out) }
            out.append(field: evidence)
        case .register(let register): register.encode(into: &out)
        case .list(let list): list.encode(into: &out)
        case .merged(let merged): merged.encode(into: &out, isBrief: isBrief)
        case .holds(let set): set.encode(into: &out)
        case .own(let note): note.encode(into: &out)
        case .opaque(_, let bytes): out.append(contentsOf: bytes)
        }
    }

    private var kind: UInt8 {
        switch body {
        case .suppress: 1
        case .consent: 2
        case .register: 3
        case .list: 6
        case .merged: 4
        case .holds: 5
        case .own: 7
        case .opaque(let kind, _): kind
        }
    }

    /// Reads one change that fills all of `bytes`.
    public init(decoding bytes: Span<UInt8>) throws(DecodeError) {
        var cursor = ByteCursor()
        guard try cursor.u8(bytes) == Change.version else { throw .malformed }
        let kind = try cursor.u8(bytes)
        dot = try Dot(bytes, at: &cursor)
        time = HybridTime(raw: try cursor.u64(bytes))
        switch try cursor.u8(bytes) {
        case 0: request = nil
        case 1:
            let id = Recipient(high: try cursor.u64(bytes), low: try cursor.u64(bytes))
            request = RequestStamp(id: id, body: try cursor.u64(bytes))
        default: throw .malformed
        }
        body = try Change.body(of: kind, dot: dot, time: time, bytes, at: &cursor)
        guard cursor.offset == bytes.count else { throw .malformed }
        guard !isNote || (dot == .none && request == nil) else { throw .malformed }
    }

    private static func body(
        of kind: UInt8,
        dot: Dot,
        time: HybridTime,
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor
    ) throws(DecodeError) -> Body {
        switch kind {
        case 1:
            let key = try MarkKey(bytes, at: &cursor)
            let suppression = SuppressingDot(
                dot: dot,
                time: time,
                source: Source(raw: try cursor.u8(bytes)),
                evidence: try cursor.u64(bytes),
                expiresSeconds: try cursor.u64(bytes)
            )
            return .suppress(key, suppression)
        case 2:
            let key = try MarkKey(bytes, at: &cursor)
            let count = Int(try cursor.u16(bytes))
            guard count <= Limits.consentDotsCount else { throw .malformed }
            var dots: [Dot] = []
            for _ in 0..<count { dots.append(try Dot(bytes, at: &cursor)) }
            let evidence = try cursor.field(bytes, limit: Limits.evidenceBytes)
            return .consent(key, covers: dots, evidence: evidence)
        case 3: return .register(try Register(bytes, at: &cursor))
        case 6: return .list(try SuppressionList(bytes, at: &cursor))
        case 4: return .merged(try Merged(bytes, at: &cursor))
        case 5: return .holds(try HeldSet(bytes, at: &cursor))
        case 7: return .own(try OwnNote(bytes, at: &cursor))
        default:
            return .opaque(kind: kind, try cursor.take(cursor.remaining(bytes), of: bytes))
        }
    }
}

// What a pull brings: the state of one key as another node had it, and the writes it stands for.
//
// A node that lacks writes does not get the writes back, it gets what they add up to: the whole
// mark, or the register that won. Beside it travel the dots for which it was looked up, because
// whoever holds a write must be able to lead others to its mark (DESIGN 7): they become entries of
// the index. The writes count as held only when a `holds` record behind all of them says so.
//
//     form 1   mark key, mark | count u16 | dots 24 B each
//     form 2   register       | count u16 | dots 24 B each
//     form 3   mark key, mark: the dots are those that the mark names, in its order
//
// Form 3 belongs to format 2, on disk and on the wire: most marks were looked up for the one write
// that they name, and a fifth of a page said it twice.

/// The state of one key, with the writes that it accounts for.
public struct Merged: Equatable, Sendable {
    /// What is kept under a key.
    public enum Content: Equatable, Sendable {
        /// A whole mark.
        case mark(MarkKey, Mark)
        /// A register as it won so far.
        case register(Register)
    }

    /// The state.
    public let content: Content
    /// The writes for which it was looked up, 1 to `Limits.mergedDotsCount`.
    public let dots: [Dot]

    /// Pairs a state with its writes.
    public init(_ content: Content, dots: [Dot]) {
        precondition(!dots.isEmpty && dots.count <= Limits.mergedDotsCount)
        self.content = content
        self.dots = dots
    }

    /// The mark and its key; nil for a register.
    public var mark: (key: MarkKey, mark: Mark)? {
        if case .mark(let key, let mark) = content { return (key, mark) }
        return nil
    }

    /// The register; nil for a mark.
    public var register: Register? {
        if case .register(let register) = content { return register }
        return nil
    }

    /// Whether nothing but imports made this mark.
    var isOfImports: Bool {
        guard let (_, mark) = mark, mark.covered.isEmpty else { return false }
        return mark.suppressions.allSatisfy { $0.source == .imported && $0.expiresSeconds == 0 }
    }

    /// Bytes on disk or wire, near enough to bound a page.
    public var approximateBytes: Int {
        let state =
            switch content {
            case .mark(_, let mark):
                mark.suppressions.reduce(64 + mark.covered.count * Dot.encodedBytes) {
                    $0 + 56 + $1.opaque.count
                }
            case .register(let register): 256 + register.value.count + register.name.count
            }
        return state + dots.count * Dot.encodedBytes
    }

    /// Whether the mark itself names the writes for which it was looked up, and no others.
    private var namesItsDots: Bool {
        guard let mark = mark?.mark else { return false }
        let count = mark.suppressions.count + mark.covered.count
        return count == dots.count && mark.namedDots == dots
    }

    /// Appends form, state and dots.
    ///
    /// - Parameter isBrief: form 3 may be used.
    public func encode(into out: inout [UInt8], isBrief: Bool = false) {
        switch content {
        case .mark(let key, let mark) where isBrief && namesItsDots:
            out.append(3)
            key.encode(into: &out)
            return mark.encode(into: &out)
        case .mark(let key, let mark):
            out.append(1)
            key.encode(into: &out)
            mark.encode(into: &out)
        case .register(let register):
            out.append(2)
            register.encode(into: &out)
        }
        out.append(bigEndian: UInt16(dots.count))
        for dot in dots { dot.encode(into: &out) }
    }

    /// Reads what `encode` wrote; dots of nobody are refused.
    ///
    /// - Parameters:
    ///   - isBrief: form 3 may be there.
    ///   - isStrict: and is, wherever it could be: a message has one spelling, a log has records of
    ///     before.
    public init(
        _ bytes: Span<UInt8>,
        at cursor: inout ByteCursor,
        isBrief: Bool = true,
        isStrict: Bool = false
    ) throws(DecodeError) {
        let form = try cursor.u8(bytes)
        if form == 3, isBrief {
            let key = try MarkKey(bytes, at: &cursor)
            let mark = try Mark(bytes, at: &cursor)
            content = .mark(key, mark)
            dots = mark.namedDots
            guard !dots.isEmpty, dots.count <= Limits.mergedDotsCount,
                dots.allSatisfy({ $0.isReal })
            else { throw .malformed }
            return
        }
        switch form {
        case 1:
            let key = try MarkKey(bytes, at: &cursor)
            content = .mark(key, try Mark(bytes, at: &cursor))
        case 2: content = .register(try Register(bytes, at: &cursor))
        default: throw .malformed
        }
        let count = Int(try cursor.u16(bytes))
        guard count > 0, count <= Limits.mergedDotsCount else { throw .malformed }
        var dots: [Dot] = []
        for _ in 0..<count {
            let dot = try Dot(bytes, at: &cursor)
            guard dot.isReal else { throw .malformed }
            dots.append(dot)
        }
        self.dots = dots
        guard !isStrict || !namesItsDots else { throw .malformed }
    }
}

extension Mark {
    /// Every write that the mark names: suppressions, then what is covered.
    fileprivate var namedDots: [Dot] { suppressions.map { $0.dot } + covered }
}

extension Dot {
    /// Whether it is a write of somebody.
    fileprivate var isReal: Bool { origin.node.raw > 0 && sequence > 0 }
}

extension Change {
    /// The writes that the index leads from to what this change touched.
    public var indexedDots: [Dot] {
        switch body {
        case .merged(let merged): merged.dots
        case .holds, .own: []
        case .suppress, .consent, .register, .list, .opaque: [dot]
        }
    }
}

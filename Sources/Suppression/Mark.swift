// The mark: what is known about one key, as a register that no clock can decide.
//
// Two maps from origin to the highest sequence number:
//
//     U  suppressions     which dots suppress
//     C  covered          which dots a consent has named
//
//     suppressed  <=>  some origin has U > C
//
// Merge is the pointwise maximum of both maps; an entry of U at or below C is dropped (the
// canonical form). Maximum commutes, associates and is idempotent, so nodes that have seen the same
// writes in any order hold equal bytes. A consent covers only what it names: an opt-out that
// happened elsewhere at the same time has a dot above C and stays (DESIGN 4, S1). This is an
// observed-remove register; compare Shapiro et al., "A comprehensive study of CRDTs" (2011),
// section 3.3.5.

/// One surviving dot that suppresses, with what people want to know about it.
public struct SuppressingDot: Equatable, Sendable {
    /// The write.
    public let dot: Dot
    /// 1 for the layout below; any other kind is a newer version's, kept in `opaque` and obeyed.
    public let kind: UInt8
    /// When the origin minted it.
    public let time: HybridTime
    /// Through which door.
    public let source: Source
    /// Names an audit record, 0 for none.
    public let evidence: UInt64
    /// Seconds since 1970 after which this dot alone no longer suppresses; 0 for never.
    ///
    /// A later dot of the same origin replaces this one in U, so whoever mints must not shorten:
    /// the new dot expires no sooner than the origin's own live dot of the key, and never if that
    /// never does.
    public let expiresSeconds: UInt64
    /// The bytes of a kind that this version does not know; empty for kind 1.
    public let opaque: [UInt8]

    /// The kind that this version writes.
    public static let currentKind: UInt8 = 1

    /// A suppression of the current kind.
    public init(
        dot: Dot,
        time: HybridTime,
        source: Source,
        evidence: UInt64 = 0,
        expiresSeconds: UInt64 = 0
    ) {
        self.dot = dot
        kind = SuppressingDot.currentKind
        self.time = time
        self.source = source
        self.evidence = evidence
        self.expiresSeconds = expiresSeconds
        opaque = []
    }

    /// A suppression of a newer kind, carried as bytes.
    public init(dot: Dot, kind: UInt8, opaque: [UInt8]) {
        precondition(kind != SuppressingDot.currentKind)
        self.dot = dot
        self.kind = kind
        time = HybridTime(raw: 0)
        source = Source(raw: 0)
        evidence = 0
        expiresSeconds = 0
        self.opaque = opaque
    }

    /// Whether this dot still suppresses at a wall-clock time, with slack for clocks that disagree.
    public func isLive(atSeconds now: UInt64) -> Bool {
        expiresSeconds == 0 || now < expiresSeconds + Limits.expirySlackSeconds
    }
}

/// The replicated state of one key.
public struct Mark: Equatable, Sendable {
    /// U: at most one entry an origin, its highest, ordered by origin, none at or below C.
    public private(set) var suppressions: [SuppressingDot]
    /// C: at most one entry an origin, its highest, ordered by origin.
    public private(set) var covered: [Dot]

    /// The mark of a key that nobody wrote.
    public init() {
        suppressions = []
        covered = []
    }

    /// The mark that one suppression makes.
    public init(_ suppression: SuppressingDot) {
        suppressions = [suppression]
        covered = []
    }

    /// The mark that one consent makes: nothing but C.
    public init(covering dots: [Dot]) {
        suppressions = []
        covered = []
        for dot in dots { cover(dot) }
    }

    /// What it says against writing, without what it lifts.
    public var withoutConsents: Mark {
        var mark = self
        mark.covered = []
        return mark
    }

    /// True for the mark of a key that nobody wrote.
    public var isEmpty: Bool { suppressions.isEmpty && covered.isEmpty }

    /// Whether any dot suppresses at this wall-clock time.
    public func isSuppressed(atSeconds now: UInt64) -> Bool {
        suppressions.contains { $0.isLive(atSeconds: now) }
    }

    /// The time of the oldest dot that suppresses now; nil when none does.
    public func since(atSeconds now: UInt64) -> HybridTime? {
        suppressions.filter { $0.isLive(atSeconds: now) }.map { $0.time }.min()
    }

    /// When the last dot that suppresses now expires; nil when one of them never does, or none
    /// does.
    public func end(atSeconds now: UInt64) -> UInt64? {
        var end: UInt64 = 0
        for suppression in suppressions where suppression.isLive(atSeconds: now) {
            guard suppression.expiresSeconds > 0 else { return nil }
            end = max(end, suppression.expiresSeconds)
        }
        return end > 0 ? end : nil
    }

    /// Whether this mark already tells all that the dot of a suppression could.
    public func hasSeen(_ dot: Dot) -> Bool {
        suppressions.contains { $0.dot.origin == dot.origin && $0.dot.sequence >= dot.sequence }
            || covers(dot)
    }

    /// Whether what the dot of a suppression said stands no more: a consent has covered it, or the
    /// mark is not the one that had it.
    ///
    /// - Parameter isCommitted: it is on the disk, so this mark should have it.
    public func isUndone(_ dot: Dot, isCommitted: Bool) -> Bool {
        covers(dot) || isCommitted && !hasSeen(dot)
    }

    /// Whether a consent has named this dot, or a later one of its origin.
    public func covers(_ dot: Dot) -> Bool {
        covered.contains { $0.origin == dot.origin && $0.sequence >= dot.sequence }
    }

    /// Pointwise maximum of both maps, then the canonical form.
    public mutating func merge(_ other: Mark) {
        for suppression in other.suppressions { add(suppression) }
        for dot in other.covered { cover(dot) }
    }

    private mutating func add(_ suppression: SuppressingDot) {
        if covers(suppression.dot) { return }
        let origin = suppression.dot.origin
        let at = suppressions.firstIndex { $0.dot.origin >= origin } ?? suppressions.count
        if at == suppressions.count || suppressions[at].dot.origin != origin {
            suppressions.insert(suppression, at: at)
        } else if suppressions[at].dot.sequence < suppression.dot.sequence {
            suppressions[at] = suppression
        }
    }

    private mutating func cover(_ dot: Dot) {
        let at = covered.firstIndex { $0.origin >= dot.origin } ?? covered.count
        if at == covered.count || covered[at].origin != dot.origin {
            covered.insert(dot, at: at)
        } else if covered[at].sequence < dot.sequence {
            covered[at] = dot
        }
        let named = covered[at]
        suppressions.removeAll {
            $0.dot.origin == named.origin && $0.dot.sequence <= named.sequence
        }
    }
}

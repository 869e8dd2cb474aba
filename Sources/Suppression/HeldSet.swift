// Which writes a node holds: per origin, the intervals of sequence numbers committed in its own
// log.
//
// Intervals rather than one highest number, because a number can be spent and never reach a disk (a
// crash between minting and commit), and because a peer may send 7 before 5. "Holds" means
// committed here (DESIGN 5): whoever inserts must have seen the commit return.

/// Closed interval of sequence numbers.
public struct SequenceInterval: Equatable, Sendable {
    /// First number held.
    public var first: UInt64
    /// Last number held, at least `first`.
    public var last: UInt64

    /// Both ends are held.
    public init(first: UInt64, last: UInt64) {
        precondition(first <= last)
        self.first = first
        self.last = last
    }
}

/// All writes that one node holds.
public struct HeldSet: Equatable, Sendable {
    /// One origin's intervals: ascending, disjoint, never adjacent.
    public struct Entry: Equatable, Sendable {
        /// Node and life.
        public let origin: Origin
        /// What is held of it.
        public internal(set) var intervals: [SequenceInterval]
    }

    /// Ordered by origin; no entry is empty.
    public private(set) var entries: [Entry] = []

    /// Holds nothing.
    public init() {}

    /// Whether this write is held.
    public func contains(_ dot: Dot) -> Bool {
        contains(SequenceInterval(first: dot.sequence, last: dot.sequence), of: dot.origin)
    }

    /// Whether all of these writes are held.
    public func contains(_ interval: SequenceInterval, of origin: Origin) -> Bool {
        guard let at = index(of: origin) else { return false }
        return entries[at].intervals.covering(interval.first).map { $0.last >= interval.last }
            ?? false
    }

    /// The highest number held of an origin, 0 when none.
    public func highest(of origin: Origin) -> UInt64 {
        guard let at = index(of: origin) else { return 0 }
        return entries[at].intervals.last?.last ?? 0
    }

    /// Adds one write. Returns false when it was held already.
    @discardableResult
    public mutating func insert(_ dot: Dot) -> Bool {
        guard !contains(dot) else { return false }
        insert(SequenceInterval(first: dot.sequence, last: dot.sequence), of: dot.origin)
        return true
    }

    /// Adds all that another set holds.
    public mutating func formUnion(_ other: HeldSet) {
        for entry in other.entries {
            for interval in entry.intervals { insert(interval, of: entry.origin) }
        }
    }

    /// Whether all that `other` holds is held here as well.
    public func isSuperset(of other: HeldSet) -> Bool {
        other.entries.allSatisfy { theirs in
            guard let at = index(of: theirs.origin) else { return false }
            return theirs.intervals.allSatisfy { wanted in
                entries[at].intervals.covering(wanted.first).map { $0.last >= wanted.last } ?? false
            }
        }
    }

    /// Adds an interval of one origin.
    public mutating func insert(_ interval: SequenceInterval, of origin: Origin) {
        let at = position(of: origin)
        if at == entries.count || entries[at].origin != origin {
            entries.insert(Entry(origin: origin, intervals: [interval]), at: at)
            return
        }
        entries[at].intervals.join(interval)
    }

    /// Where the origin's entry is, nil when nothing of it is held.
    func index(of origin: Origin) -> Int? {
        let at = position(of: origin)
        return at < entries.count && entries[at].origin == origin ? at : nil
    }

    /// The first entry that is not below the origin.
    private func position(of origin: Origin) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].origin < origin { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Replaces an origin's intervals, which must be ascending, disjoint and never adjacent.
    mutating func set(_ intervals: [SequenceInterval], of origin: Origin) {
        let at = position(of: origin)
        let isKnown = at < entries.count && entries[at].origin == origin
        if intervals.isEmpty {
            if isKnown { entries.remove(at: at) }
        } else if isKnown {
            entries[at].intervals = intervals
        } else {
            entries.insert(Entry(origin: origin, intervals: intervals), at: at)
        }
    }

    /// Appends origins and intervals: count u32, then per origin node, epoch, count u32, pairs u64.
    public func encode(into out: inout [UInt8]) {
        out.append(bigEndian: UInt32(entries.count))
        for entry in entries {
            out.append(bigEndian: entry.origin.node.raw)
            out.append(bigEndian: entry.origin.epoch.raw)
            out.append(bigEndian: UInt32(entry.intervals.count))
            for interval in entry.intervals {
                out.append(bigEndian: interval.first)
                out.append(bigEndian: interval.last)
            }
        }
    }

    /// Reads what `encode` wrote; anything that it could not have written is refused.
    public init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let originCount = Int(try cursor.u32(bytes))
        guard originCount <= cursor.remaining(bytes) / 20 else { throw .truncated }
        for _ in 0..<originCount {
            let node = NodeID(raw: try cursor.u64(bytes))
            let epoch = Epoch(raw: try cursor.u64(bytes))
            let count = Int(try cursor.u32(bytes))
            guard count > 0, count <= Limits.heldIntervalsCount else { throw .malformed }
            let origin = Origin(node: node, epoch: epoch)
            guard node.raw > 0, entries.last.map({ $0.origin < origin }) ?? true
            else { throw .malformed }
            var intervals: [SequenceInterval] = []
            for _ in 0..<count {
                let first = try cursor.u64(bytes)
                let last = try cursor.u64(bytes)
                guard first > 0, first <= last else { throw .malformed }
                if let before = intervals.last {
                    guard before.last < first, before.last + 1 < first else { throw .malformed }
                }
                intervals.append(SequenceInterval(first: first, last: last))
            }
            entries.append(Entry(origin: origin, intervals: intervals))
        }
    }
}

extension [SequenceInterval] {
    /// The interval that holds this number, found by halving.
    func covering(_ sequence: UInt64) -> SequenceInterval? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].last < sequence { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].first <= sequence ? self[low] : nil
    }

    /// Merges one interval in, joining neighbours.
    mutating func join(_ added: SequenceInterval) {
        // The common case by far: the next number of a gapless origin.
        if let end = last, end.last < added.first {
            if end.last + 1 == added.first {
                self[count - 1].last = added.last
            } else {
                append(added)
            }
            return
        }
        var joined = added
        var kept: [SequenceInterval] = []
        for interval in self {
            let apartBelow = interval.last < joined.first && interval.last + 1 < joined.first
            let apartAbove = joined.last < interval.first && joined.last + 1 < interval.first
            if apartBelow || apartAbove {
                kept.append(interval)
            } else {
                joined = SequenceInterval(
                    first: Swift.min(joined.first, interval.first),
                    last: Swift.max(joined.last, interval.last)
                )
            }
        }
        let at = kept.firstIndex { $0.first > joined.last } ?? kept.count
        kept.insert(joined, at: at)
        self = kept
    }
}

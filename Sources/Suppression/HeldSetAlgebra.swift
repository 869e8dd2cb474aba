// Sums over held sets: what another node has that this one lacks, what both have, are they equal.
//
// All of them walk two ascending lists of intervals once, so they cost what the sets are long and
// never what they hold: a million writes of one origin are one interval.

extension HeldSet {
    /// Whether nothing is held.
    public var isEmpty: Bool { entries.isEmpty }

    /// Intervals of all origins together.
    public var intervalCount: Int { entries.reduce(0) { $0 + $1.intervals.count } }

    /// Writes held, at most `UInt64.max`.
    public var count: UInt64 {
        var sum: UInt64 = 0
        for entry in entries {
            for interval in entry.intervals {
                let (next, over) = sum.addingReportingOverflow(interval.last - interval.first)
                guard !over, next < .max else { return .max }
                sum = next + 1
            }
        }
        return sum
    }

    /// The lowest write above another, or the lowest of all.
    public func first(after dot: Dot?) -> Dot? {
        for entry in entries where dot.map({ $0.origin <= entry.origin }) ?? true {
            guard let dot, dot.origin == entry.origin else {
                return entry.intervals.first.map { Dot(origin: entry.origin, sequence: $0.first) }
            }
            for interval in entry.intervals where interval.last > dot.sequence {
                let sequence = Swift.max(interval.first, dot.sequence + 1)
                return Dot(origin: entry.origin, sequence: sequence)
            }
        }
        return nil
    }

    /// What is held here and not in `other`.
    public func subtracting(_ other: HeldSet) -> HeldSet {
        var rest = HeldSet()
        for entry in entries {
            guard let at = other.index(of: entry.origin) else {
                rest.set(entry.intervals, of: entry.origin)
                continue
            }
            let theirs = other.entries[at].intervals
            rest.set(entry.intervals.without(theirs), of: entry.origin)
        }
        return rest
    }

    /// What both hold.
    public func intersection(_ other: HeldSet) -> HeldSet {
        subtracting(subtracting(other))
    }

    /// What is held of one origin.
    public func only(_ origin: Origin) -> HeldSet {
        var one = HeldSet()
        if let at = index(of: origin) { one.set(entries[at].intervals, of: origin) }
        return one
    }

    /// The lowest part of the set, for a message that must end somewhere.
    ///
    /// - Parameters:
    ///   - intervals: at most so many of them.
    ///   - writes: at most so many held.
    public func prefix(intervals: Int, writes: UInt64 = .max) -> HeldSet {
        var part = HeldSet()
        var intervalsLeft = intervals
        var left = writes
        for entry in entries {
            var kept: [SequenceInterval] = []
            for interval in entry.intervals where intervalsLeft > 0 && left > 0 {
                let over = interval.last - interval.first
                let last = over < left ? interval.last : interval.first + (left - 1)
                kept.append(SequenceInterval(first: interval.first, last: last))
                left -= Swift.min(left, over == .max ? .max : over + 1)
                intervalsLeft -= 1
            }
            if !kept.isEmpty { part.set(kept, of: entry.origin) }
            if intervalsLeft == 0 || left == 0 { break }
        }
        return part
    }

    /// Equal sets give equal numbers, different ones differ but for odds of 2^-64.
    public func fingerprint() -> UInt64 {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return SipHash.checksum.hash(bytes.span)
    }
}

extension [SequenceInterval] {
    /// What remains of these intervals when others, ascending too, are taken out.
    fileprivate func without(_ others: [SequenceInterval]) -> [SequenceInterval] {
        var rest: [SequenceInterval] = []
        var at = 0
        for interval in self {
            var first = interval.first
            var isDone = false
            while at < others.count, others[at].last < first { at += 1 }
            var next = at
            while !isDone, next < others.count, others[next].first <= interval.last {
                if others[next].first > first {
                    rest.append(SequenceInterval(first: first, last: others[next].first - 1))
                }
                if others[next].last >= interval.last {
                    isDone = true
                } else {
                    first = others[next].last + 1
                    next += 1
                }
            }
            if !isDone { rest.append(SequenceInterval(first: first, last: interval.last)) }
        }
        return rest
    }
}

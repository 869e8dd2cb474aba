// Pulling: one at a time, page by page, and counted only when all of it is there.
//
//     idle ──► asked ──page──► storing ──committed──► asked (next page)
//               │                  └──── last page, committed ──► closing ──committed──► idle, or
//               │                                     asked again, while the same donor has more
//               └─ no page in time: idle, and this donor is passed over for a while
//
// A page is asked for when the bytes that came before it are paid for: a node that takes in a
// million marks leaves the line, and its donor's time, to those who opt out meanwhile.
//
// The held set rises by a `holds` record that is handed to the log only when every entry of every
// page is committed: raised any sooner, a crash or a full disk would leave writes "held" that are
// nowhere. A refused record ends the pull; what it brought stays, and counts for nothing.

import Suppression

/// The pull in hand.
struct Pulling: Sendable {
    private enum Phase: Equatable {
        case idle
        /// The next page will be asked for when there is room and the last ones are paid for.
        case due
        case asked(deadlineNanos: UInt64)
        case storing(through: UInt64, isLast: Bool)
        case closing(through: UInt64)
    }

    /// What the pull does next.
    enum Step: Equatable {
        /// Wait.
        case rest
        /// Ask the donor for the page behind the last one.
        case ask(NodeID, number: UInt64, HeldSet, after: Dot?)
        /// All pages are committed: write down that these writes are held.
        case close(HeldSet)
    }

    private var phase = Phase.idle
    private(set) var donor = NodeID(raw: 0)
    private var number: UInt64 = 0
    private(set) var wanted = HeldSet()
    /// What the donor has beyond this pull.
    private var rest = HeldSet()
    private var after: Dot?
    private var avoided = NodeID(raw: 0)
    private var avoidedUntilNanos: UInt64 = 0
    private var pace = Pace()

    /// Whether nothing is being pulled.
    var isIdle: Bool { phase == .idle }

    /// Whether a donor may be asked.
    func mayAsk(_ peer: NodeID, now: UInt64) -> Bool {
        isIdle && (peer != avoided || now >= avoidedUntilNanos)
    }

    /// Begins, and says what to ask.
    ///
    /// - Parameters:
    ///   - missing: everything that the donor has and this node lacks.
    ///   - writes: how many of them one pull asks for.
    mutating func begin(
        _ missing: HeldSet,
        from donor: NodeID,
        writes: UInt64,
        bytesPerSecond: UInt64 = .max,
        now: UInt64
    ) -> Step {
        precondition(isIdle, "one pull at a time")
        self.donor = donor
        wanted = missing.prefix(intervals: Limits.pullIntervalsCount, writes: writes)
        rest = missing.subtracting(wanted)
        number += 1
        after = nil
        phase = .due
        return ask(bytesPerSecond, now: now)
    }

    private mutating func ask(_ bytesPerSecond: UInt64, now: UInt64) -> Step {
        guard pace.isPaid(bytesPerSecond, now: now) else { return .rest }
        phase = .asked(deadlineNanos: now + Limits.pageDeadlineNanos)
        return .ask(donor, number: number, wanted, after: after)
    }

    /// A page came. Returns its entries when they belong to the page that was asked for.
    mutating func take(_ page: Page, from peer: NodeID) -> [PageEntry]? {
        guard case .asked = phase, peer == donor, page.number == number else { return nil }
        guard page.isLast || isBeyond(page.reached) else { return nil }
        let known = wanted
        guard page.entries.allSatisfy({ $0.dots.allSatisfy(known.contains) }) else { return nil }
        wanted = wanted.intersection(page.held)
        after = page.reached ?? after
        pace.spend(page.approximateBytes)
        return page.entries
    }

    private func isBeyond(_ reached: Dot?) -> Bool {
        guard let reached else { return false }
        return after.map { $0 < reached } ?? true
    }

    /// The entries of the page are on their way to the log.
    mutating func stored(through sequence: UInt64, isLast: Bool) {
        phase = .storing(through: sequence, isLast: isLast)
    }

    /// The record that closes the pull is on its way to the log.
    mutating func closed(at sequence: UInt64) { phase = .closing(through: sequence) }

    /// Goes on if what was handed to the log is committed.
    ///
    /// - Parameters:
    ///   - settled: local sequence up to which the log is on disk, or was refused; a refusal ends
    ///     the pull, so what a pull of now handed to the log is on disk.
    ///   - hasRoom: whether the state keeps up with the log.
    mutating func advance(
        settled: UInt64,
        hasRoom: Bool,
        bytesPerSecond: UInt64 = .max,
        now: UInt64
    ) -> Step {
        switch phase {
        case .idle: return .rest
        case .due: return hasRoom ? ask(bytesPerSecond, now: now) : .rest
        case .asked(let deadlineNanos):
            if now >= deadlineNanos {
                avoided = donor
                avoidedUntilNanos = now + Limits.pageDeadlineNanos
                abandon()
            }
            return .rest
        case .storing(let through, let isLast):
            guard settled >= through else { return .rest }
            if isLast {
                if wanted.isEmpty {
                    // The donor could give nothing: somebody else may.
                    avoided = donor
                    avoidedUntilNanos = now + Limits.exchangeNanos
                    abandon()
                    return .rest
                }
                return .close(wanted)
            }
            phase = .due
            return hasRoom ? ask(bytesPerSecond, now: now) : .rest
        case .closing(let through):
            guard settled >= through else { return .rest }
            let more = rest
            abandon()
            rest = more
            return .rest
        }
    }

    /// After a pull that brought all it asked for: what the same donor has beyond it.
    mutating func takeRest() -> HeldSet {
        guard isIdle, !rest.isEmpty else { return HeldSet() }
        let more = rest
        rest = HeldSet()
        return more
    }

    /// Ends the pull; what it brought stays and counts for nothing.
    mutating func abandon() {
        phase = .idle
        wanted = HeldSet()
        rest = HeldSet()
        after = nil
    }

    /// A link went down.
    mutating func unlinked(_ peer: NodeID) {
        if phase == .due, peer == donor { abandon() }
        if case .asked = phase, peer == donor { abandon() }
        if case .storing(_, isLast: false) = phase, peer == donor { abandon() }
    }
}

/// Bytes that came, against bytes that may come: a bucket of one second's worth.
private struct Pace: Sendable {
    private var debt: UInt64 = 0
    private var paidNanos: UInt64 = 0

    mutating func spend(_ bytes: Int) { debt += UInt64(bytes) }

    /// Whether less than a second's worth is owed now.
    mutating func isPaid(_ bytesPerSecond: UInt64, now: UInt64) -> Bool {
        guard bytesPerSecond < .max else { return true }
        // A second pays all that is ever owed: a page may cross the line, a second one not.
        let nanos = min(now - min(now, paidNanos), 1_000_000_000)
        let paid = bytesPerSecond * nanos / 1_000_000_000
        guard paid > 0 else { return debt < bytesPerSecond }
        debt -= min(debt, paid)
        paidNanos = now
        return debt < bytesPerSecond
    }
}

extension Page {
    /// Bytes on the wire, near enough to pace pulls.
    public var approximateBytes: Int {
        entries.reduce(0) { sum, entry in
            switch entry {
            case .merged(let merged): sum + merged.approximateBytes
            case .change(let change): sum + change.approximateBytes
            }
        }
    }
}

extension PageEntry {
    /// The writes that the entry stands for.
    var dots: [Dot] {
        switch self {
        case .merged(let merged): merged.dots
        case .change(let change): [change.dot]
        }
    }
}

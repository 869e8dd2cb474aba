// What the disk's snapshot does not show yet: the changes between commit in the log and checkpoint.
//
// One a loop, fed in order from its mailbox, pure. An entry may go only when the loop's *own*
// snapshot is at or past its checkpoint; dropped any sooner, a loop that still reads the old
// snapshot would allow what was acknowledged (DESIGN 3, models/overlay.py). Merging is idempotent,
// so an entry that stays too long costs memory and nothing else.
//
//     arrivals   1 ─ 2 ─ 3 ─ 4 ─ 5 ─ 6        in order of sequence, dropped from the front
//     newest     ann: 6 ──► 3 ──► 1           of each person, each with the one before it
//
// Every loop of every node takes in every write, and hardly any is asked for before it is dropped.
// So an arrival is only linked to the person's one before, and merged when somebody asks: merging
// each at once took 0.8 us and three allocations, an eighth of what a write costs a peer (perf, 64
// connections on three nodes). Now and then the marks of a long chain are merged into its newest,
// so that nobody who writes a person again and again makes the next question slow.

public import Suppression

/// An idempotency key that was answered.
public struct RememberedRequest: Equatable, Sendable {
    /// The write that it made.
    public let dot: Dot
    /// Digest of the body that it came with.
    public let body: UInt64
    /// When it was stored, milliseconds since 1970.
    public let millis: UInt64

    /// Puts one together.
    public init(dot: Dot, body: UInt64, millis: UInt64) {
        self.dot = dot
        self.body = body
        self.millis = millis
    }
}

/// Changes that a loop knows of and its snapshot does not show.
public struct Overlay: Sendable {
    /// What all arrivals of one key add up to.
    struct Entry: Sendable {
        let key: MarkKey
        var mark: Mark
    }

    private struct Arrival: Sendable {
        let sequence: UInt64
        let change: Change
        /// Which mark of the change.
        let nth: Int
        /// The person's arrival before this one, as a number; it may be gone.
        let previous: UInt64
        /// Arrivals of the chain that ends here and is not merged.
        let depth: Int
        /// All that the chain before this one said, where it grew too long.
        var merged: [Entry]
    }

    private struct Asked: Sendable {
        let answer: RememberedRequest
        let sequence: UInt64
    }

    /// The number of each person's newest arrival.
    private var newest: [Person: UInt64] = [:]
    private var requests: [Recipient: Asked] = [:]
    /// In order of sequence; the first `gone` are dropped already.
    private var arrivals: [Arrival] = []
    private var gone = 0
    /// The number of the first of `arrivals`; they are counted from 1 on.
    private var firstNumber: UInt64 = 1

    /// Knows nothing.
    public init() {}

    /// Changes held.
    public var count: Int { arrivals.count - gone }
    /// Imports and API writes stop here.
    public var isHalfFull: Bool { count >= Limits.overlayHalfCount }
    /// Public opt-outs are shed from here on.
    public var isFull: Bool { count >= Limits.overlayFullCount }

    /// Shows a change to this loop.
    ///
    /// A peer's opt-out is shown before its commit and may overtake one of a lower number; the late
    /// one then stays as long as those before it, which is too long and harmless.
    ///
    /// - Parameter sequence: its local sequence.
    /// - Returns: false when even the hard bound is reached; nothing was taken, and the loop must
    ///   not answer allow until it has caught up.
    public mutating func insert(_ sequence: UInt64, _ change: Change) -> Bool {
        let marks = change.markCount
        guard count + marks <= Limits.overlayBoundCount else { return false }
        let sequence = max(sequence, arrivals.last?.sequence ?? 0)
        if let request = change.request {
            let answer = RememberedRequest(
                dot: change.dot,
                body: request.body,
                millis: change.time.wallMillis
            )
            requests[request.id] = Asked(answer: answer, sequence: sequence)
        }
        for n in 0..<marks { append(change, n, at: sequence) }
        if marks == 0 {
            arrivals.append(
                Arrival(
                    sequence: sequence,
                    change: change,
                    nth: -1,
                    previous: 0,
                    depth: 0,
                    merged: []
                )
            )
        }
        return true
    }

    private mutating func append(_ change: Change, _ nth: Int, at sequence: UInt64) {
        let person = change.markKey(nth).person
        let number = firstNumber + UInt64(arrivals.count)
        let previous = newest.updateValue(number, forKey: person) ?? 0
        let depth = previous > 0 ? arrival(previous).depth + 1 : 1
        let isLong = depth > Limits.overlayChainCount
        arrivals.append(
            Arrival(
                sequence: sequence,
                change: change,
                nth: nth,
                previous: isLong ? 0 : previous,
                depth: isLong ? 1 : depth,
                merged: isLong ? shorten(from: previous) : []
            )
        )
    }

    /// The chain that ends here as entries; what was merged at its other end goes over to them.
    private mutating func shorten(from newest: UInt64) -> [Entry] {
        let all = entries(from: newest)
        var oldest = newest
        while arrival(oldest).previous >= firstNumber + UInt64(gone) {
            oldest = arrival(oldest).previous
        }
        arrivals[Int(oldest - firstNumber)].merged = []
        return all
    }

    /// Forgets what a snapshot shows.
    ///
    /// - Parameter watermark: of the snapshot that this very loop reads.
    public mutating func drop(through watermark: UInt64) {
        while gone < arrivals.count, arrivals[gone].sequence <= watermark {
            let number = firstNumber + UInt64(gone)
            let (change, nth) = (arrivals[gone].change, arrivals[gone].nth)
            gone += 1
            if nth <= 0, let id = change.request?.id, let asked = requests[id],
                asked.sequence <= watermark
            {
                requests[id] = nil
            }
            guard nth >= 0, let at = newest.index(forKey: change.markKey(nth).person),
                newest[at].value == number
            else { continue }
            newest.remove(at: at)
        }
        // Half of the array is dead: moving the rest costs no more than its arrival did.
        if gone * 2 >= arrivals.count {
            arrivals.removeFirst(gone)
            firstNumber += UInt64(gone)
            gone = 0
        }
    }

    /// Calls `body` with each mark of a person that changed, in key order.
    public func forEachMark(of person: Person, _ body: (MarkKey, Mark) -> Void) {
        for entry in marks(of: person) { body(entry.key, entry.mark) }
    }

    /// A person's entries, in key order; the empty array costs no allocation.
    func marks(of person: Person) -> [Entry] {
        newest[person].map { entries(from: $0) } ?? []
    }

    /// What changed under one key.
    public func mark(_ key: MarkKey) -> Mark? {
        marks(of: key.person).first { $0.key == key }?.mark
    }

    /// What an idempotency key was answered with, if lately.
    public func request(_ id: Recipient) -> RememberedRequest? { requests[id]?.answer }

    private func arrival(_ number: UInt64) -> Arrival { arrivals[Int(number - firstNumber)] }

    /// The chain that ends here, merged, as far as it is not gone.
    private func entries(from newest: UInt64) -> [Entry] {
        var entries: [Entry] = []
        var number = newest
        while number >= firstNumber + UInt64(gone) {
            let one = arrival(number)
            entries.merge(Entry(key: one.change.markKey(one.nth), mark: one.change.mark(one.nth)))
            for entry in one.merged { entries.merge(entry) }
            number = one.previous
        }
        return entries
    }
}

extension [Overlay.Entry] {
    /// Adds a mark, in key order.
    fileprivate mutating func merge(_ entry: Overlay.Entry) {
        let at = firstIndex { $0.key >= entry.key } ?? count
        if at < count, self[at].key == entry.key {
            self[at].mark.merge(entry.mark)
        } else {
            insert(entry, at: at)
        }
    }
}

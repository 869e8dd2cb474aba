// What the disk's snapshot does not show yet: the changes between commit in the log and checkpoint.
//
// One a loop, fed in order from its mailbox, pure. An entry may go only when the loop's *own*
// snapshot is at or past its checkpoint; dropped any sooner, a loop that still reads the old
// snapshot would allow what was acknowledged (DESIGN 3, models/overlay.py). Merging is idempotent,
// so an entry that stays too long costs memory and nothing else.

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
    struct Entry: Sendable {
        let key: MarkKey
        var mark: Mark
        var lastSequence: UInt64
    }

    private struct Arrival: Sendable {
        let sequence: UInt64
        let key: MarkKey?
        let request: Recipient?
    }

    private struct Asked: Sendable {
        let answer: RememberedRequest
        let sequence: UInt64
    }

    private var people: [Person: [Entry]] = [:]
    private var requests: [Recipient: Asked] = [:]
    /// In order of sequence; the first `gone` are dropped already.
    private var arrivals: [Arrival] = []
    private var gone = 0

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
    /// - Parameter sequence: its local sequence, above all inserted before.
    /// - Returns: false when even the hard bound is reached; nothing was taken, and the loop must
    ///   not answer allow until it has caught up.
    public mutating func insert(_ sequence: UInt64, _ change: Change) -> Bool {
        guard count + change.markCount <= Limits.overlayBoundCount else { return false }
        if let last = arrivals.last {
            precondition(last.sequence < sequence, "changes arrive in the order of the log")
        }
        if let request = change.request {
            let answer = RememberedRequest(
                dot: change.dot,
                body: request.body,
                millis: change.time.wallMillis
            )
            requests[request.id] = Asked(answer: answer, sequence: sequence)
        }
        var request = change.request?.id
        for n in 0..<change.markCount {
            let key = change.markKey(n)
            merge(change.mark(n), under: key, at: sequence)
            arrivals.append(Arrival(sequence: sequence, key: key, request: request))
            request = nil
        }
        if change.markCount == 0 {
            arrivals.append(Arrival(sequence: sequence, key: nil, request: request))
        }
        return true
    }

    private mutating func merge(_ mark: Mark, under key: MarkKey, at sequence: UInt64) {
        // Taken out and put back, so that the array is changed in place.
        var entries = people.removeValue(forKey: key.person) ?? []
        let at = entries.firstIndex { $0.key >= key } ?? entries.count
        if at < entries.count, entries[at].key == key {
            entries[at].mark.merge(mark)
            entries[at].lastSequence = sequence
        } else {
            entries.insert(Entry(key: key, mark: mark, lastSequence: sequence), at: at)
        }
        people[key.person] = entries
    }

    /// Forgets what a snapshot shows.
    ///
    /// - Parameter watermark: of the snapshot that this very loop reads.
    public mutating func drop(through watermark: UInt64) {
        while gone < arrivals.count, arrivals[gone].sequence <= watermark {
            let arrival = arrivals[gone]
            gone += 1
            if let id = arrival.request, let asked = requests[id], asked.sequence <= watermark {
                requests[id] = nil
            }
            guard let key = arrival.key else { continue }
            guard var entries = people.removeValue(forKey: key.person) else { continue }
            entries.removeAll { $0.key == key && $0.lastSequence <= watermark }
            if !entries.isEmpty { people[key.person] = entries }
        }
        // Half of the array is dead: moving the rest costs no more than its arrival did.
        if gone * 2 >= arrivals.count {
            arrivals.removeFirst(gone)
            gone = 0
        }
    }

    /// Calls `body` with each mark of a person that changed, in key order.
    public func forEachMark(of person: Person, _ body: (MarkKey, Mark) -> Void) {
        for entry in marks(of: person) { body(entry.key, entry.mark) }
    }

    /// A person's entries, in key order; the empty array costs no allocation.
    func marks(of person: Person) -> [Entry] { people[person] ?? [] }

    /// What changed under one key.
    public func mark(_ key: MarkKey) -> Mark? {
        people[key.person]?.first { $0.key == key }?.mark
    }

    /// What an idempotency key was answered with, if lately.
    public func request(_ id: Recipient) -> RememberedRequest? { requests[id]?.answer }
}

// Pages: how a node that lacks writes gets what they add up to.
//
//     puller                      donor's Core          donor's shell
//       pull(wanted, after) ────────► readPage ─────────► one snapshot of the state
//       page(entries, held) ◄──────── page(read) ◄─────── index -> marks, registers
//
// A page is read from one snapshot. Its `held` says which of the wanted writes that very snapshot
// holds. The state's held set, marks and index rise in one transaction and the index never forgets
// a write, so a write in `held` of the first page is found at its place on this or a later page,
// with a mark at least as new. What is not in that first set is left for the next pull (DESIGN 7,
// models/pull.py: a page's newest set says nothing about places that were passed before).

public import Suppression

/// What the donor's shell must read.
public struct PageRequest: Equatable, Sendable {
    /// Who asked.
    public let peer: NodeID
    /// The link over which it asked; another one, even to the same node, gets no answer to this.
    public let link: UInt64
    /// The puller's number for this pull, echoed in the page.
    public let number: UInt64
    /// The writes that the puller lacks.
    public let wanted: HeldSet
    /// Where the page before ended; nil for the first.
    public let after: Dot?
    /// Writes to look up at most.
    public let dotsCount: Int
    /// Bytes of entries after which the page ends; one entry always fits.
    public let bytes: Int
}

/// One entry of a page.
public enum PageEntry: Equatable, Sendable {
    /// The state under one key, with the wanted writes that led to it.
    case merged(Merged)
    /// A change of a kind that this version does not know, whole.
    case change(Change)
}

/// Some of what the puller lacks.
public struct Page: Equatable, Sendable {
    /// The puller's number for this pull.
    public let number: UInt64
    /// In the order in which the writes were looked up.
    public let entries: [PageEntry]
    /// Which of the wanted writes the snapshot held, damaged ones left out.
    public let held: HeldSet
    /// The last write that was looked up; nil when there was none.
    public let reached: Dot?
    /// Whether all of `held` has been looked up now.
    public let isLast: Bool

    /// Puts a page together.
    public init(
        number: UInt64,
        entries: [PageEntry],
        held: HeldSet,
        reached: Dot?,
        isLast: Bool
    ) {
        self.number = number
        self.entries = entries
        self.held = held
        self.reached = reached
        self.isLast = isLast
    }
}

/// What the shell found.
public struct PageRead: Equatable, Sendable {
    /// What was asked.
    public let request: PageRequest
    /// The page; nil when the state could not be read.
    public let page: Page?

    /// Answers a request.
    public init(_ request: PageRequest, _ page: Page?) {
        self.request = request
        self.page = page
    }
}

/// Builds a page while the shell looks writes up, all in one snapshot:
///
///     var assembly = PageAssembly(request, held: snapshot's held set)
///     while let dot = assembly.next {
///         target of dot in the index:
///             a mark's key that `assembly.joins(key)` already took   nothing more to read
///             a mark or register that can be read                    assembly.take(content)
///             a whole change of an unknown kind                      assembly.take(change)
///             missing, damaged, or its mark is                       assembly.skipDamaged()
///     }
///     event: .page(PageRead(request, assembly.page))
public struct PageAssembly: Sendable {
    private let request: PageRequest
    private var held: HeldSet
    private var reached: Dot?
    private var contents: [(content: Merged.Content, dots: [Dot])] = []
    private var changes: [Change] = []
    private var places: [MarkKey: Int] = [:]
    private var dotsCount = 0
    private var bytes = 0

    /// The write to look up next; nil when the page is full or complete.
    public private(set) var next: Dot?

    /// Begins behind the page before.
    ///
    /// - Parameter held: the held set of the snapshot from which everything is read.
    public init(_ request: PageRequest, held: HeldSet) {
        self.request = request
        self.held = held.intersection(request.wanted)
        reached = request.after
        next = self.held.first(after: request.after)
    }

    /// Whether the mark of this key is in the page already; then the write is added to it.
    public mutating func joins(_ key: MarkKey) -> Bool {
        guard let dot = next, let place = places[key],
            contents[place].dots.count < Suppression.Limits.mergedDotsCount
        else { return false }
        contents[place].dots.append(dot)
        advance(past: dot, adding: Dot.encodedBytes)
        return true
    }

    /// The state to which the present write led.
    public mutating func take(_ content: Merged.Content) {
        guard let dot = next else { return }
        if case .mark(let key, _) = content { places[key] = contents.count }
        contents.append((content, [dot]))
        advance(past: dot, adding: Merged(content, dots: [dot]).approximateBytes)
    }

    /// The present write, whole, of a kind that this version does not know.
    public mutating func take(_ change: Change) {
        guard let dot = next, change.dot == dot else { return skipDamaged() }
        changes.append(change)
        advance(past: dot, adding: change.approximateBytes)
    }

    /// The present write leads nowhere: it is not given, and never counted as complete.
    public mutating func skipDamaged() {
        guard let dot = next else { return }
        var lost = HeldSet()
        lost.insert(dot)
        held = held.subtracting(lost)
        advance(past: dot, adding: 0)
    }

    private mutating func advance(past dot: Dot, adding more: Int) {
        dotsCount += 1
        bytes += more
        reached = dot
        let isFull = dotsCount >= request.dotsCount || bytes >= request.bytes
        next = isFull ? nil : held.first(after: dot)
    }

    /// What was collected.
    public var page: Page {
        Page(
            number: request.number,
            entries: contents.map { .merged(Merged($0.content, dots: $0.dots)) }
                + changes.map { .change($0) },
            held: held,
            reached: reached,
            isLast: held.first(after: reached) == nil
        )
    }
}

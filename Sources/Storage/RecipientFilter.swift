// The common check, answered from memory: is anything known against this person?
//
// An LMDB look-up among 10 M marks costs 2.5 us in C too, four levels of cache and TLB misses; a
// line of this table costs one. It holds a fingerprint for each (recipient, scope, class) that ever
// had a mark, in 64-byte lines that the recipient's leading bits choose, so that the scopes of one
// check lie side by side:
//
//     slot   30 bits of (tenant, recipient, scope) | class 1 | ask 1          u32, 0 for empty
//     line   16 slots, filled from the front; a full line goes on in the next
//
// `class` says that the reason stops transactional mail as well. `ask` says that the slot proves
// nothing by itself, because a consent named something, or what is there expires: then the marks
// decide. An `ask` is never taken back, so the table errs towards looking, or towards deny: a
// stranger's fingerprint denies by mistake about once in 10^8 checks, and nothing makes it allow.
//
// Slots go from empty to taken, once, by compare and exchange; nothing is deleted or moved. So any
// thread may read at any time without a lock, and a table is filled by one thread while another
// adds what happens meanwhile. It grows by being replaced: a new one is filled from a scan of the
// marks (`Checkpointer`), while every change goes into both.

internal import CLMDB
internal import Glibc
public import Suppression
internal import Synchronization

/// What the table knows.
public enum FilterAnswer: Equatable, Sendable {
    /// Nobody ever wrote a mark that touches this query.
    case absent
    /// A mark stands against it.
    case denied
    /// Only the marks can tell.
    case ask
}

/// Fingerprints of all marks.
public final class RecipientFilter: Sendable {
    /// A pointer is not Sendable; it crosses threads as a number, as in `Environment`.
    private let address: UInt
    private let mappedBytes: Int
    private let lineCount: UInt64
    private let taken = Atomic<Int>(0)
    private let overflowed = Atomic<Bool>(false)

    /// An empty table.
    ///
    /// - Parameter lineCount: of 64 bytes and 16 slots each; rounded up to whole huge pages, but
    ///   for the small tables of tests.
    public init(lineCount: Int) throws(StorageError) {
        precondition(lineCount > 0)
        let huge = Limits.hugePageBytes
        let bytes = lineCount * Limits.filterLineBytes
        let isSmall = bytes < huge
        let wanted = isSmall ? huge : (bytes + huge - 1) / huge * huge
        // One page more than needed, so that an aligned start can be cut out of it.
        let mapped = unsafe mmap(
            nil,
            wanted + huge,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1,
            0
        )
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            throw systemError("mmap", path: "the recipient filter")
        }
        let start = UInt(bitPattern: mapped)
        let aligned = (start + UInt(huge) - 1) / UInt(huge) * UInt(huge)
        if aligned > start { unsafe munmap(mapped, Int(aligned - start)) }
        let end = start + UInt(wanted + huge)
        if end > aligned + UInt(wanted) {
            unsafe munmap(
                UnsafeMutableRawPointer(bitPattern: aligned + UInt(wanted)),
                Int(end - aligned) - wanted
            )
        }
        // Advice only: without huge pages each probe costs a TLB miss more.
        if !isSmall {
            unsafe madvise(
                UnsafeMutableRawPointer(bitPattern: aligned),
                wanted,
                MADV_HUGEPAGE
            )
        }
        address = aligned
        mappedBytes = wanted
        self.lineCount = UInt64(isSmall ? lineCount : wanted / Limits.filterLineBytes)
    }

    /// A table that so many marks fill as a start should.
    convenience init(marks: Int, atLeast lineCount: Int) throws(StorageError) {
        let slots = marks * 100 / Limits.filterFilledPercent
        try self.init(lineCount: max(slots / Limits.filterSlotsCount + 1, lineCount))
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(bitPattern: address), mappedBytes) }

    /// Fingerprints that a line holds.
    public static var slotsPerLine: Int { Limits.filterSlotsCount }

    /// Slots taken.
    public var count: Int { taken.load(ordering: .relaxed) }

    /// Slots in all.
    public var capacity: Int { Int(lineCount) * Limits.filterSlotsCount }

    /// Bytes of memory at most; the kernel gives pages as they are touched.
    public var bytes: Int { Int(lineCount) * Limits.filterLineBytes }

    /// Whether a larger one should be filled.
    public var isCrowded: Bool { count * 100 >= capacity * Limits.filterCrowdedPercent }

    /// Whether writes that can wait should wait for the larger one.
    public var isNearlyFull: Bool { count * 100 >= capacity * Limits.filterBusyPercent }

    /// Lines that a successor should have: twice as many, or half as many again for a large one,
    /// since both exist while it is filled.
    public var successorLineCount: Int {
        let lines = Int(lineCount)
        return lines < Limits.filterDoublingLines ? lines * 2 : lines + lines / 2
    }

    // MARK: reading

    /// Asks for a recipient's line, so that a later `probe` finds it near.
    public func prefetch(_ recipient: Recipient) {
        let line = address + UInt(firstLine(recipient)) * UInt(Limits.filterLineBytes)
        unsafe quell_prefetch(UnsafeRawPointer(bitPattern: line))
    }

    /// What is known against a message.
    public func probe(_ query: Query) -> FilterAnswer {
        let wanted = Fingerprint.Wanted(query)
        let answer = walk(from: firstLine(query.person.recipient)) { slot in wanted.match(slot) }
        // A table that could not take everything knows nothing of what it does not have.
        if answer == .absent, overflowed.load(ordering: .acquiring) { return .ask }
        return answer
    }

    /// Whether a mark of this person and scope was ever inserted, of any reason.
    public func hasSeen(_ person: Person, _ scope: Scope) -> Bool {
        if overflowed.load(ordering: .acquiring) { return true }
        let hash = Fingerprint.hash(person, scope)
        let answer = walk(from: firstLine(person.recipient)) { slot in
            slot & Fingerprint.hashMask == hash ? .denied : .absent
        }
        return answer != .absent
    }

    /// Asks `judge` about each taken slot until it denies or a line has room.
    @inline(__always)
    private func walk(from first: UInt64, _ judge: (UInt32) -> FilterAnswer) -> FilterAnswer {
        var line = first
        var answer = FilterAnswer.absent
        for _ in 0..<lineCount {
            let slots = unsafe slots(of: line)
            for i in 0..<Limits.filterSlotsCount {
                // Relaxed is enough: whoever must see a mark has synchronised with its writer by
                // the lease, the acknowledgment or the mailbox that told of it.
                let slot = unsafe slots[i].load(ordering: .relaxed)
                if slot == 0 { return answer }
                switch judge(slot) {
                case .absent: break
                case .denied: return .denied
                case .ask: answer = .ask
                }
            }
            line = line + 1 == lineCount ? 0 : line + 1
        }
        return answer
    }

    // MARK: writing

    /// What an insertion found.
    public enum Inserted: Equatable, Sendable {
        /// The fingerprint is in the table and denies.
        case plain
        /// The fingerprint is in the table and asks the marks.
        case asks
        /// No slot is left; every query that finds nothing asks from now on.
        case overflowed
    }

    /// Makes a mark known.
    ///
    /// - Parameter asks: the mark alone does not deny for ever; see `Change.asksMarks`.
    @discardableResult
    public func insert(_ key: MarkKey, asks: Bool) -> Inserted {
        let wanted =
            Fingerprint.hash(key.person, key.scope)
            | (key.reason.blocks(.transactional) ? Fingerprint.classBit : 0)
        var line = firstLine(key.person.recipient)
        for _ in 0..<lineCount {
            let slots = unsafe slots(of: line)
            var i = 0
            while i < Limits.filterSlotsCount {
                let slot = unsafe slots[i].load(ordering: .relaxed)
                if slot == 0 {
                    let fresh = asks ? wanted | Fingerprint.askBit : wanted
                    let outcome = unsafe slots[i].compareExchange(
                        expected: 0,
                        desired: fresh,
                        ordering: .acquiringAndReleasing
                    )
                    // Another thread took it: perhaps with this very fingerprint, so look again.
                    guard outcome.exchanged else { continue }
                    taken.add(1, ordering: .relaxed)
                    return asks ? .asks : .plain
                }
                if slot & ~Fingerprint.askBit == wanted {
                    guard asks, slot & Fingerprint.askBit == 0 else {
                        return slot & Fingerprint.askBit == 0 ? .plain : .asks
                    }
                    unsafe slots[i].bitwiseOr(Fingerprint.askBit, ordering: .releasing)
                    return .asks
                }
                i += 1
            }
            line = line + 1 == lineCount ? 0 : line + 1
        }
        overflowed.store(true, ordering: .releasing)
        return .overflowed
    }

    /// The line where a recipient's fingerprints begin: the leading bits, scaled (Lemire 2016, "A
    /// fast alternative to the modulo reduction"), so filling in key order walks the memory once.
    @inline(__always)
    private func firstLine(_ recipient: Recipient) -> UInt64 {
        recipient.high.multipliedFullWidth(by: lineCount).high
    }

    @inline(__always)
    private func slots(of line: UInt64) -> UnsafePointer<Atomic<UInt32>> {
        let place = address + UInt(line) * UInt(Limits.filterLineBytes)
        guard let raw = unsafe UnsafeRawPointer(bitPattern: place) else {
            preconditionFailure("a table has an address")
        }
        return unsafe raw.assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}

/// What a slot says, bit by bit.
enum Fingerprint {
    static let askBit: UInt32 = 1
    static let classBit: UInt32 = 2
    static let hashMask: UInt32 = ~3

    /// 30 bits of tenant, recipient and scope, never 0 as a whole.
    ///
    /// The line comes from the recipient's high half and these from the low one, so they are
    /// independent; the digest is keyed, so nobody can choose them.
    @inline(__always)
    static func hash(_ person: Person, _ scope: Scope) -> UInt32 {
        let place = UInt64(scope.stream.raw) << 32 | UInt64(scope.topic.raw)
        var mixed = person.recipient.low ^ person.tenant.raw &* 0x9e37_79b9_7f4a_7c15
        mixed ^= place &* 0xd6e8_feb8_6659_fd93
        mixed ^= mixed >> 32
        mixed = mixed &* 0xd6e8_feb8_6659_fd93
        mixed ^= mixed >> 32
        let hash = UInt32(truncatingIfNeeded: mixed) & hashMask
        return hash == 0 ? 4 : hash
    }

    /// The three fingerprints that concern a message.
    struct Wanted {
        private let topic: UInt32
        private let stream: UInt32
        private let tenant: UInt32
        private let needsClass: UInt32

        init(_ query: Query) {
            topic = hash(query.person, Scope(stream: query.stream, topic: query.topic))
            stream = hash(query.person, Scope(stream: query.stream, topic: .any))
            tenant = hash(query.person, .tenant)
            needsClass = query.streamClass == .marketing ? 0 : classBit
        }

        @inline(__always)
        func match(_ slot: UInt32) -> FilterAnswer {
            let hash = slot & hashMask
            guard hash == topic || hash == stream || hash == tenant else { return .absent }
            guard slot & needsClass == needsClass else { return .absent }
            return slot & askBit == 0 ? .denied : .ask
        }
    }
}

extension Change {
    /// Whether the marks that this changes cannot say deny for ever by themselves.
    public var asksMarks: Bool {
        switch body {
        case .suppress(_, let suppression):
            suppression.kind == SuppressingDot.currentKind && suppression.expiresSeconds > 0
        case .merged(let merged):
            merged.mark.map { _, mark in
                let isPlain = mark.suppressions.allSatisfy {
                    $0.kind == SuppressingDot.currentKind && $0.expiresSeconds == 0
                }
                return !isPlain || !mark.covered.isEmpty
            } ?? false
        case .consent: true
        case .list, .register, .holds, .own, .opaque: false
        }
    }
}

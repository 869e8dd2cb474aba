// Read-mostly memory shared by all loops: one writer, readers that load a pointer and nothing else.
//
// The difficulty is when to free the old value, as a reader leaves no trace of its reading. A loop
// does leave one: it takes turns, and keeps no borrowed value across them. So every reader says
// `passed()` once a turn, which copies the writer's counter into its own cell; the writer frees
// what it retired at count n when every reader has passed n. (Quiescent-state-based reclamation:
// McKenney & Slingwine 1998; the same idea as Linux's RCU and liburcu's QSBR flavour.)
//
//     writer   store pointer B, count 7, retire A@7 ......... all cells >= 7: free A
//     loop 1   load A ... | passed: cell = 7   (its later loads see B, as it has seen count 7)
//     loop 2   load A ............. | passed: cell = 7
//
// A loop that sleeps in poll passes no turn, so memory waits for its next one; loops tick several
// times a second. `@unchecked Sendable` because the retired list is the one writer's own.

public import Synchronization

/// A value that one thread replaces and many loops read without a lock.
@safe
public final class Published<Value: AnyObject & Sendable>: @unchecked Sendable {
    @usableFromInline let current: Atomic<UInt>
    @usableFromInline let count = Atomic<UInt64>(0)
    private let cells = Mutex<[Cell]>([])
    private var retired: [(bits: UInt, count: UInt64)] = []

    /// What one reader has passed.
    @usableFromInline
    final class Cell: Sendable {
        @usableFromInline let passed: Atomic<UInt64>
        init(_ count: UInt64) { passed = Atomic(count) }
    }

    /// Publishes the first value.
    public init(_ value: Value) {
        current = Atomic(Self.bits(of: value))
    }

    /// Registers a reader; hand it to the thread of its loop. One a loop is enough.
    public func reader() -> sending Reader {
        let cell = cells.withLock { cells in
            let cell = Cell(count.load(ordering: .acquiring))
            cells.append(cell)
            return cell
        }
        return Reader(self, cell)
    }

    /// Replaces the value; the one writer only. The old one lives until `reclaim` may free it.
    public func publish(_ value: Value) {
        let old = current.exchange(Self.bits(of: value), ordering: .acquiringAndReleasing)
        let stamp = count.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        retired.append((old, stamp))
    }

    /// Frees what every reader has passed; the one writer only.
    ///
    /// - Returns: how many old values still wait for a reader.
    @discardableResult
    public func reclaim() -> Int {
        guard !retired.isEmpty else { return 0 }
        let lowest = cells.withLock { cells in
            cells.reduce(UInt64.max) { min($0, $1.passed.load(ordering: .acquiring)) }
        }
        while let first = retired.first, first.count <= lowest {
            retired.removeFirst()
            unsafe Self.value(of: first.bits).release()
        }
        return retired.count
    }

    private func drop(_ cell: Cell) {
        cells.withLock { cells in cells.removeAll { $0 === cell } }
    }

    private static func bits(of value: Value) -> UInt {
        unsafe UInt(bitPattern: Unmanaged.passRetained(value).toOpaque())
    }

    @usableFromInline
    static func value(of bits: UInt) -> Unmanaged<Value> {
        guard let pointer = unsafe UnsafeRawPointer(bitPattern: bits) else {
            preconditionFailure("a published value is never nil")
        }
        return unsafe Unmanaged<Value>.fromOpaque(pointer)
    }

    deinit {
        precondition(cells.withLock { $0.isEmpty }, "a reader outlived its registration")
        for entry in retired { unsafe Self.value(of: entry.bits).release() }
        unsafe Self.value(of: current.load(ordering: .acquiring)).release()
    }

    /// One loop's right to read; confined to that loop's thread.
    public final class Reader {
        @usableFromInline let published: Published
        @usableFromInline let cell: Cell
        private var isClosed = false

        init(_ published: Published, _ cell: Cell) {
            self.published = published
            self.cell = cell
        }

        /// Reads the value: one atomic load. Nothing of it may outlive `body`.
        @inlinable
        public func withValue<Result>(_ body: (Value) -> Result) -> Result {
            let bits = published.current.load(ordering: .acquiring)
            return unsafe Published.value(of: bits)._withUnsafeGuaranteedRef(body)
        }

        /// The value itself, for the rest of a turn or longer: costs a reference count.
        public func value() -> Value { withValue { $0 } }

        /// Says that this loop keeps nothing it has read; once a turn.
        @inlinable
        public func passed() {
            let count = published.count.load(ordering: .acquiring)
            cell.passed.store(count, ordering: .releasing)
        }

        /// Ends the registration; on the loop's thread, before its last reference goes.
        public func close() {
            guard !isClosed else { return }
            isClosed = true
            published.drop(cell)
        }

        deinit { close() }
    }
}

@available(*, unavailable) extension Published.Reader: Sendable {}

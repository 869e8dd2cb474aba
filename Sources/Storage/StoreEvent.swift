// What the storage threads tell the node, and the one place through which they tell it.

public import Suppression
internal import Synchronization

/// Something that became true on the disk. Sent from a storage thread, in order; nothing follows
/// `failed`.
public enum StoreEvent: Equatable, Sendable {
    /// Every change up to here that was not refused lies on the disk. One per commit of the log.
    case committed(through: UInt64, count: Int, nanoseconds: UInt64)
    /// No room: nothing of these is held. Their numbers are never used again; later ones may
    /// succeed.
    case refused(sequences: ClosedRange<UInt64>, StorageError)
    /// The marks show every change up to here, `marks` keys in all; the digest once the cluster's
    /// sketch key is known.
    case checkpointed(through: UInt64, marks: Int, digest: MarkDigest?, nanoseconds: UInt64)
    /// The answer to `Store.freeze`: the sketch of all marks, `marks` keys; nil while the start's
    /// walk has not read them all.
    case frozen(Sketch?, marks: Int)
    /// The answer to `Store.audit`; nil while the start's walk has not read all marks.
    case audited(Audit?)
    /// The filter given to `Store.fill` has every mark.
    case filled
    /// No room for the marks: tried again until there is. Sent once a stall.
    case checkpointRefused(StorageError)
    /// The answer to `tryLog`: a commit works.
    case writable
    /// This file is written in this format now.
    case raised(file: StoreFile, UInt64)
    /// Nothing is acknowledged again; the process should say why and exit.
    case failed(StorageError)
}

/// Changes to append, with consecutive local sequence numbers.
public struct LogBatch: Equatable, Sendable {
    /// The number of the first change; above every number appended before.
    public let firstSequence: UInt64
    /// At least one.
    public let changes: [Change]

    /// Numbers the changes from `firstSequence` on.
    public init(firstSequence: UInt64, changes: [Change]) {
        precondition(firstSequence > 0, "local sequences begin at 1")
        precondition(!changes.isEmpty, "a batch carries something")
        self.firstSequence = firstSequence
        self.changes = changes
    }

    /// The number of the last change.
    public var lastSequence: UInt64 { firstSequence + UInt64(changes.count) - 1 }
}

/// A change with its place in the log.
struct LoggedChange: Equatable, Sendable {
    let sequence: UInt64
    let change: Change
}

/// The way out for events, and the latch: once failed, no acknowledgment passes.
final class Outlet: Sendable {
    private let sink: @Sendable (StoreEvent) -> Void
    private let failed = Mutex(false)

    /// Events go to `sink`, one at a time.
    init(_ sink: @escaping @Sendable (StoreEvent) -> Void) { self.sink = sink }

    /// Sends an event unless the store has failed. The lock is held meanwhile, so that an event of
    /// one thread cannot overtake the failure that another has just seen.
    func send(_ event: StoreEvent) {
        failed.withLock { failed in
            guard !failed else { return }
            if case .failed = event { failed = true }
            sink(event)
        }
    }

    /// Whether anything may still be acknowledged.
    var isOpen: Bool { failed.withLock { !$0 } }
}

/// One of the two files.
public enum StoreFile: Sendable {
    /// `state.mdb`.
    case state
    /// `log.mdb`.
    case log
}

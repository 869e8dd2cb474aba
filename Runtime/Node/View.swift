// How a serving loop answers "may I write to this person?".
//
// Four things go into a verdict, taken in this order in every turn (DESIGN 3; the order is the
// result of reference/models/overlay.py): the mailbox is drained, which brings marks and then the
// lease that vouches for them; lease and overlay are taken, and the memory that all loops share;
// then the read transaction is renewed. An overlay entry goes only when this loop's own snapshot is
// at or past it. Any other order lets some loop allow an opt-out that was already acknowledged.
//
// Most checks need the memory and the lease alone: the filter has every mark that was ever shown.

import Cluster
import EventLoop
import Storage
import Suppression
import Synchronization

/// What one serving loop knows of the marks.
struct View: ~Copyable {
    private var reader: ReadTransaction
    private var overlay = Overlay()
    private(set) var lease = Lease.void
    private var isRenewed = false
    private var missed: UInt64 = 0
    private let door: LoopDoor?
    private let shared: Published<MarkMemory>.Reader
    private var taken: MarkMemory?
    private let boundNanos: UInt64

    /// - Parameters:
    ///   - shared: this thread's right to read the memory of all loops.
    ///   - door: of a serving loop; nil on the node loop, which misses nothing.
    init(
        reader: consuming ReadTransaction,
        shared: Published<MarkMemory>.Reader,
        door: LoopDoor?,
        boundNanos: UInt64
    ) {
        self.reader = reader
        self.shared = shared
        self.door = door
        self.boundNanos = boundNanos
    }

    /// A change that is committed and that the state may not have yet.
    ///
    /// One that does not fit is a change this loop cannot see: it allows nothing until its snapshot
    /// has it.
    mutating func show(_ sequence: UInt64, _ change: Change) {
        if !overlay.insert(sequence, change) { missed = max(missed, sequence) }
    }

    /// Imported changes go into the shared memory alone from here on.
    var isForImports: Bool { overlay.count < Limits.overlayImportCount }

    /// Imports and the API stop here.
    var isHalfFull: Bool { overlay.isHalfFull }

    /// Public opt-outs stop here.
    var isFull: Bool { overlay.isFull }

    /// The newest proof of freshness.
    mutating func vouch(_ lease: Lease) { self.lease = lease }

    /// Renews the snapshot, once a turn and after the mailbox was drained.
    mutating func renew() throws(StorageError) {
        guard !isRenewed else { return }
        _ = memory()  // before the snapshot: what it drops, the snapshot has
        try reader.renew()
        overlay.drop(through: reader.watermark)
        isRenewed = true
    }

    /// The memory of all loops, the same for the whole turn.
    mutating func memory() -> MarkMemory {
        if let taken { return taken }
        let memory = shared.value()
        taken = memory
        return memory
    }

    /// Gives the snapshot back, so that its pages can be reused while the loop sleeps.
    mutating func endTurn() {
        if taken != nil {
            taken = nil
            shared.passed()
        }
        guard isRenewed else { return }
        reader.reset()
        isRenewed = false
        door?.metrics.overlay.set(overlay.count)
    }

    /// The loop ends: its snapshot must not outlive the environment.
    mutating func close() {
        reader.reset()
        isRenewed = false
        taken = nil
        shared.close()
    }

    /// Walks every mark of a person, state and overlay merged.
    mutating func forEachMark(
        of person: Person,
        _ body: (MarkKey, Mark?) -> Void
    ) throws(StorageError) {
        try renew()
        try reader.forEachMark(of: person, under: overlay, body)
    }

    /// Walks some marks of a tenant behind a key, as the state has them.
    mutating func forEachMark(
        of tenant: TenantID,
        after last: MarkKey?,
        limit: Int,
        _ body: (MarkKey, Mark?) -> Void
    ) throws(StorageError) {
        try renew()
        try reader.forEachMark(of: tenant, after: last, limit: limit, body)
    }

    /// A page for a peer that lacks writes, from one snapshot of the state.
    mutating func page(for request: PageRequest) throws(StorageError) -> Page {
        try renew()
        var assembly = PageAssembly(request, held: try reader.heldSet())
        while let dot = assembly.next {
            switch try reader.target(of: dot) {
            case .mark(let key):
                if assembly.joins(key) { continue }
                if case .present(let mark) = try reader.mark(key) {
                    assembly.take(.mark(key, mark))
                } else {
                    assembly.skipDamaged()
                }
            case .register(let name):
                if let register = try reader.register(name) {
                    assembly.take(.register(register))
                } else {
                    assembly.skipDamaged()
                }
            case .whole(let bytes):
                do {
                    assembly.take(try Change(decoding: bytes.span))
                } catch { assembly.skipDamaged() }
            case .damaged, nil: assembly.skipDamaged()
            }
        }
        return assembly.page
    }

    /// The marks that these ids lead to, as the state has them.
    mutating func marks(
        withIDs ids: [UInt64],
        under key: SketchKey,
        orChanged: Bool
    ) throws(StorageError) -> [RepairFound] {
        try renew()
        return try reader.marks(withIDs: ids, under: key, orChanged: orChanged).map {
            RepairFound(id: $0.id, row: RepairRow(key: $0.key, mark: $0.mark))
        }
    }

    /// The ids of all marks of a partition, as the state has them.
    mutating func ids(
        ofPartition partition: Int,
        under key: SketchKey
    ) throws(StorageError) -> [UInt64] {
        try renew()
        return try reader.ids(ofPartition: partition, under: key)
    }

    /// Whether the snapshot has everything up to here.
    mutating func shows(_ sequence: UInt64) throws(StorageError) -> Bool {
        try renew()
        return reader.watermark >= sequence
    }

    /// The decision alone, from memory where that is enough: what RESP and Postfix ask for.
    ///
    /// - Parameter now: read after the request's last byte, never a loop's cached time.
    mutating func decide(_ query: Query, now: Instant) -> Decision {
        let memory = memory()
        switch memory.filter.probe(query) {
        case .denied: return .deny
        case .absent: return mayAllow(now) ? .allow : .unknown
        case .ask: return asked(query, memory, now: now).decision
        }
    }

    /// Decides a run; nil, a malformed address, is denied.
    mutating func decide(
        _ queries: [Query?],
        now: Instant,
        into decisions: inout [Decision]
    ) {
        decisions.removeAll(keepingCapacity: true)
        let memory = memory()
        let known: Decision = mayAllow(now) ? .allow : .unknown
        for query in queries {
            guard let query else {
                decisions.append(.deny)
                continue
            }
            switch memory.filter.probe(query) {
            case .denied: decisions.append(.deny)
            case .absent: decisions.append(known)
            case .ask: decisions.append(asked(query, memory, now: now).decision)
            }
        }
    }

    /// The decision with reason and time, fail-closed: `allow` needs a lease within the bound and a
    /// complete view.
    ///
    /// A denial from memory stands even if the marks do not say why: they may be on their way to
    /// this loop, and a stranger's fingerprint denies at every listener alike.
    mutating func verdict(_ query: Query, now: Instant) -> Verdict {
        let memory = memory()
        switch memory.filter.probe(query) {
        case .absent: return mayAllow(now) ? .allow : .unknown
        case .ask: return asked(query, memory, now: now)
        case .denied:
            let known = asked(query, memory, now: now)
            return known.decision == .deny ? known : Verdict(decision: .deny)
        }
    }

    private mutating func asked(_ query: Query, _ memory: MarkMemory, now: Instant) -> Verdict {
        var judgement = Judgement(query, nowSeconds: now.wallMillis / 1_000)
        var damaged: UInt64 = 0
        do {
            try forEachMark(of: query.person) { key, mark in
                if mark == nil { damaged += 1 }
                judgement.consider(key, mark)
            }
        } catch { return .unknown }
        if damaged > 0 { door?.metrics.damaged.add(damaged) }
        if let denial = judgement.denial { return denial }
        if memory.deniesRecently(query) { return Verdict(decision: .deny) }
        return mayAllow(now) ? .allow : .unknown
    }

    /// Whether a person without a mark would be allowed now.
    mutating func mayAllow(_ now: Instant) -> Bool {
        isComplete && lease.permitsAllow(now: now.bootNanos, boundNanos: boundNanos)
    }

    /// Whether nothing that the node loop showed is missing here.
    private var isComplete: Bool {
        mutating get {
            let missed = max(missed, door?.missedThrough.load(ordering: .acquiring) ?? 0)
            guard missed > 0 else { return true }
            do { try renew() } catch { return false }
            return reader.watermark >= missed
        }
    }

    /// The mark of one key, merged; empty when nobody wrote it, nil when its bytes are damaged.
    mutating func mark(_ key: MarkKey) throws(StorageError) -> Mark? {
        try renew()
        return switch try reader.mark(key, under: overlay) {
        case .absent: Mark()
        case .present(let mark): mark
        case .damaged: nil
        }
    }

    /// What the state on disk remembers of an idempotency key, within its 24 hours.
    mutating func request(
        _ id: Recipient,
        now: Instant
    ) throws(StorageError) -> Cluster.RememberedRequest? {
        try renew()
        guard let known = try reader.request(id),
            known.millis + Suppression.Limits.requestMemoryMillis > now.wallMillis
        else { return nil }
        let interval = SequenceInterval(first: known.dot.sequence, last: known.dot.sequence)
        return Cluster.RememberedRequest(
            body: known.body,
            dots: DotRange(origin: known.dot.origin, interval: interval)
        )
    }
}

// What all marks amount to, kept beside them: the digest on the disk, the sketch in memory.
//
//     commit ──► toggles: the ids of each mark before and after ──► digest, with that commit
//                                                               └─► sketch, once it has returned
//     start  ──► scan ──► digest, before the first lease
//                    └──► page by page ──► sketch, behind it
//     audit  ──► the same walk once more, every checksum verified ──► compared with the sketch
//
// All of it happens on the checkpointer's thread, so the walk that rebuilds the sketch and the
// commits never overlap: a mark that the walk has passed is toggled, one that it has not reached is
// read as it is by then. A commit that fails has toggled nothing.
//
// Doubt. The digest that was written and the one found at a start may differ: someone deleted or
// changed marks while the node was stopped. What is found is what is reported and compared. What is
// written keeps the difference, whatever else is written meanwhile, so that a restart does not
// forget it; only repair does.

internal import Suppression

/// What reading every mark again has found (DESIGN 7, layer 3).
public struct Audit: Equatable, Sendable {
    /// Marks whose checksum is wrong.
    public let damagedCount: Int
    /// Whether the sketch in memory is that of the marks on the disk.
    public let isEqual: Bool
}

/// The ids that a transaction puts in or takes out; applied when it has committed.
struct MarkToggles {
    private let hash: SipHash?
    private let walk: MarkScan?
    fileprivate var ids: [UInt64] = []
    /// Those of them that the walk has yet to read.
    fileprivate var ahead: [UInt64] = []

    /// For tables that the digest does not describe.
    init() { self.init(nil, nil) }

    fileprivate init(_ hash: SipHash?, _ walk: MarkScan?) {
        self.hash = hash
        self.walk = walk
    }

    /// A record goes in or out: key and canonical value, `count` bytes in all.
    mutating func add(_ record: Span<UInt8>, count: Int) {
        guard let hash else { return }
        let id = MarkDigest.id(record: record, count: count, hash: hash)
        ids.append(id)
        if let walk, !walk.hasPassed(record) { ahead.append(id) }
    }
}

/// Digest and sketch of the marks.
struct MarkTally {
    private var key: SketchKey?
    /// What all marks amount to, as found; nil before the cluster's secret is known.
    private(set) var digest: MarkDigest?
    /// By what the written digest differs from the one that was found.
    private var doubt = MarkDigest()
    private var cells: Sketch?
    private var walk: MarkScan?
    /// The same again, for comparison; never together with the first walk.
    private var again: (cells: Sketch, walk: MarkScan)?
    /// What the last audit found; taken by whoever reports it.
    var audit: Audit?

    /// - Parameters:
    ///   - key: as adopted; nil before that.
    ///   - written: the digest on the disk.
    init(_ key: SketchKey?, written: MarkDigest?) {
        self.key = key
        digest = written
    }

    /// The start has read every mark.
    mutating func found(_ scanned: MarkDigest) {
        guard let written = digest else { return }
        doubt = written.distance(to: scanned)
        digest = scanned
        beginSketch()
    }

    /// The marks were read under a key that is known only now.
    mutating func adopted(_ key: SketchKey, _ scanned: MarkDigest) {
        self.key = key
        digest = scanned
        doubt = MarkDigest()
        beginSketch()
    }

    private mutating func beginSketch() {
        cells = Sketch()
        walk = MarkScan(filter: nil, key: key, collectsIDs: true)
    }

    /// Whether what was found is not what was written.
    var isDoubted: Bool { doubt != MarkDigest() }

    /// The cells of all marks; nil while they are being read.
    var sketch: Sketch? { walk == nil ? cells : nil }

    /// Whether marks have yet to be read for the sketch.
    var isWalking: Bool { walk != nil || again != nil }

    /// Begins to read every mark once more; false while the sketch is not complete.
    mutating func beginAudit() -> Bool {
        guard walk == nil, cells != nil else { return false }
        let reader = MarkScan(filter: nil, key: key, collectsIDs: true, verifies: true)
        if again == nil { again = (Sketch(), reader) }
        return true
    }

    private mutating func endAudit(_ reading: MarkScan, _ recomputed: Sketch) {
        audit = Audit(damagedCount: reading.damagedCount, isEqual: recomputed == cells)
        again = nil
        guard let digest, recomputed != cells else { return }
        // The disk is what a start would find; what was written keeps its say.
        let written = digest.distance(to: doubt)
        cells = recomputed
        self.digest = recomputed.digest
        doubt = written.distance(to: recomputed.digest)
    }

    /// Reads the next marks for the sketch, from a snapshot that shows every commit.
    mutating func walk(
        _ snapshot: borrowing Snapshot,
        _ table: Table,
        limit: Int
    ) throws(StorageError) {
        if let hasMore = try walk?.page(snapshot, table, limit: limit) {
            if let ids = walk?.ids { cells?.toggle(ids) }
            if !hasMore { walk = nil }
        } else if let hasMore = try again?.walk.page(snapshot, table, limit: limit) {
            if let ids = again?.walk.ids { again?.cells.toggle(ids) }
            if !hasMore, let (recomputed, reading) = again { endAudit(reading, recomputed) }
        }
    }

    /// For the next transaction.
    var toggles: MarkToggles {
        MarkToggles(digest == nil ? nil : key?.hash, walk ?? again?.walk)
    }

    /// The digest to write with a transaction; nil when it does not change.
    func written(after toggles: MarkToggles) -> MarkDigest? {
        guard var after = digest, !toggles.ids.isEmpty else { return nil }
        for id in toggles.ids { after.toggle(id) }
        return after.distance(to: doubt)
    }

    /// The transaction has committed.
    mutating func apply(_ toggles: inout MarkToggles) {
        for id in toggles.ids { digest?.toggle(id) }
        cells?.toggle(toggles.ids)
        // Taken out again where the walk will come to them.
        if walk != nil { cells?.toggle(toggles.ahead) }
        again?.cells.toggle(toggles.ids)
        again?.cells.toggle(toggles.ahead)
    }

    /// What was found is what there should be.
    mutating func trust() { doubt = MarkDigest() }
}

extension Checkpoint {
    /// Takes the cluster's sketch key, once: from here on digest and sketch follow every mark.
    mutating func adopt(_ key: SketchKey) throws(StorageError) {
        let transaction = try WriteTransaction(environment)
        guard try transaction.sketchKey(in: tables.meta) != key else { return }
        var scan = MarkScan(filter: nil, key: key)
        _ = try scan.page(Snapshot(environment), tables.marks)
        try transaction.set(.sketchKey0, to: key.k0, in: tables.meta)
        try transaction.set(.sketchKey1, to: key.k1, in: tables.meta)
        try transaction.set(scan.digest, in: tables.meta)
        try transaction.commit()
        tally.adopted(key, scan.digest)
    }

    /// Reads the next marks for the sketch; false when it is complete.
    mutating func walk(limit: Int) throws(StorageError) -> Bool {
        guard tally.isWalking else { return false }
        try tally.walk(Snapshot(environment), tables.marks, limit: limit)
        return tally.isWalking
    }

    /// The marks are what they should be: repair has found them equal to those of other nodes.
    mutating func forgetDamage() throws(StorageError) {
        guard let digest = tally.digest else { return }
        let transaction = try WriteTransaction(environment)
        try transaction.set(digest, in: tables.meta)
        try transaction.commit()
        tally.trust()
    }
}

extension WriteTransaction {
    /// The sketch key that was adopted, if any.
    func sketchKey(in meta: Table) throws(StorageError) -> SketchKey? {
        guard let k0 = try number(.sketchKey0, in: meta), let k1 = try number(.sketchKey1, in: meta)
        else { return nil }
        return SketchKey(k0: k0, k1: k1)
    }

    /// The digest as it was written.
    func digest(in meta: Table) throws(StorageError) -> MarkDigest {
        MarkDigest(
            sum: try number(.digestSum, in: meta) ?? 0,
            check: UInt16(truncatingIfNeeded: try number(.digestCheck, in: meta) ?? 0)
        )
    }

    /// Writes the digest.
    func set(_ digest: MarkDigest, in meta: Table) throws(StorageError) {
        try set(.digestSum, to: digest.sum, in: meta)
        try set(.digestCheck, to: UInt64(digest.check), in: meta)
    }
}

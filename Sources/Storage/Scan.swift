// Reading every mark: what a start does before the node may vouch for anything.
//
//     marks ──► RecipientFilter        who has a mark, so that checks need no look-up
//           ├─► MarkDigest             what all marks amount to, to compare with what was written
//           └─► ids                    for the other cells of the sketch, behind the first lease
//
// Someone who deletes or changes a mark while the node is stopped cannot make the digests agree
// without the cluster's secret, and neither can a disk that forgets (DESIGN 7). Both come from one
// walk in key order: the filter's lines are chosen by leading bits, so it is filled front to back.

internal import CLMDB
internal import Suppression

/// A key for the digest of marks, derived from the cluster's secret; the same for its life.
public struct SketchKey: Equatable, Sendable {
    let k0: UInt64
    let k1: UInt64

    /// Takes the two words of a SipHash key.
    public init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// Takes the first 16 of a derived key's bytes, big-endian; nil for fewer.
    public init?(bytes: [UInt8]) {
        guard bytes.count >= 16 else { return nil }
        k0 = bytes[0..<8].reduce(0) { $0 << 8 | UInt64($1) }
        k1 = bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    var hash: SipHash { SipHash(k0: k0, k1: k1) }
}

/// A walk over the table `marks`, as a whole or page by page.
struct MarkScan {
    /// The digest of what was read so far; meaningful with a key.
    private(set) var digest = MarkDigest()
    /// Keys that no version writes.
    private(set) var strangeCount = 0
    /// The ids of the last page, when they are collected.
    private(set) var ids: [UInt64] = []
    private var nextKey: [UInt8] = []
    private let hash: SipHash?
    private let filter: RecipientFilter?
    private let collectsIDs: Bool
    private let verifies: Bool
    /// Marks whose checksum is wrong, when that is looked at.
    private(set) var damagedCount = 0

    /// - Parameters:
    ///   - filter: gets every mark; nil to compute the digest alone.
    ///   - key: hashes for the digest; nil to fill the filter alone.
    ///   - collectsIDs: keeps the ids of each page for the sketch.
    ///   - verifies: compares every checksum.
    init(
        filter: RecipientFilter?,
        key: SketchKey?,
        collectsIDs: Bool = false,
        verifies: Bool = false
    ) {
        self.filter = filter
        self.collectsIDs = collectsIDs
        self.verifies = verifies
        hash = key?.hash
    }

    /// Whether the walk, resting between two pages, has the key of a record behind it.
    func hasPassed(_ record: Span<UInt8>) -> Bool {
        for at in nextKey.indices where at < record.count && record[at] != nextKey[at] {
            return record[at] < nextKey[at]
        }
        return record.count < nextKey.count
    }

    /// Reads the next marks; false when all have been read.
    ///
    /// Each page may come from a newer snapshot: what changed behind the walk was inserted into the
    /// filter by whoever changed it. A digest needs one snapshot, so all marks in one page.
    mutating func page(
        _ snapshot: borrowing Snapshot,
        _ table: Table,
        limit: Int = .max
    ) throws(StorageError) -> Bool {
        ids.removeAll(keepingCapacity: true)
        let cursor = try snapshot.cursor(table)
        var count = 0
        var found: Bool
        if nextKey.isEmpty {
            found = try cursor.first { take($0, $1) }
        } else {
            found = try cursor.seek(nextKey) { take($0, $1) }
        }
        while found {
            count += 1
            if count >= limit {
                return try cursor.next { key, _ in
                    nextKey.removeAll(keepingCapacity: true)
                    for i in key.indices { nextKey.append(key[i]) }
                }
            }
            found = try cursor.next { take($0, $1) }
        }
        return false
    }

    private mutating func take(_ encoded: Span<UInt8>, _ value: Span<UInt8>) {
        guard encoded.count == MarkKey.encodedBytes, value.count >= 8 else {
            strangeCount += 1
            return
        }
        let count = value.count - 8
        if let hash {
            let id = MarkDigest.id(key: encoded, value: value, valueCount: count, hash: hash)
            digest.toggle(id)
            if collectsIDs { ids.append(id) }
        }
        if verifies {
            var stored = ByteCursor(at: count)
            let checksum = SipHash.checksum.hash(encoded, then: value, count: count)
            do { if try stored.u64(value) != checksum { damagedCount += 1 } } catch {
                damagedCount += 1
            }
        }
        guard let filter else { return }
        do {
            let key = try MarkKey(decoding: encoded)
            // A value that cannot be read asks: the look-up finds the damage and denies.
            filter.insert(key, asks: !Mark.deniesForEver(encoded: value.extracting(0..<count)))
        } catch {
            strangeCount += 1
        }
    }
}

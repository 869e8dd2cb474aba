// The table `meta` of each environment: who this directory is and how far it got.
//
//     name (ASCII)  ->  number u64 | checksum        (`restored`, `born`: text | checksum;
//                                          `own_*`, `members`: bytes | checksum)
//
// Both environments carry store id, node id and epoch, so that each can tell whether the other is
// its own, and whether one of them was put back from a copy.

internal import Suppression

/// Names in the table `meta`.
enum MetaName: String {
    /// Layout of everything else in this environment.
    case format
    /// Random, the same in both.
    case storeID = "store"
    /// This node.
    case nodeID = "node"
    /// The present life; in the log, the life that last opened both.
    case epoch
    /// State only: what the log said when this life began.
    case logEpoch = "log_epoch"
    /// State only: changes up to here are merged.
    case watermark
    /// State only: records of the log that could not be read back.
    case lost
    /// State only: why this directory counts as restored.
    case restored
    /// State only: the two words of the cluster's sketch key, under which marks are hashed.
    case sketchKey0 = "sketch_key_0"
    /// See `sketchKey0`.
    case sketchKey1 = "sketch_key_1"
    /// State only: the digest of the marks as they were written, both halves.
    case digestSum = "digest_sum"
    /// See `digestSum`.
    case digestCheck = "digest_check"
    /// State only: what this node promised and accepted for the next generation of the voters.
    case ballot = "own_ballot"
    /// State only: the binding for which this node has caught up.
    case seat = "own_seat"
    /// State only: which files these are, as the file system numbers them.
    case born
    /// State only: 1 once the files were found to be copies.
    case copied
    /// State only: 1 until a directory that began empty was found whole by others.
    case joining
    /// State only: the member book, bytes of the shell's.
    case members
    /// Log only: the highest number ever deleted.
    case trimmed

    var key: [UInt8] { Array(rawValue.utf8) }

    /// Where a note of the node to itself lies.
    init(_ kind: OwnNote.Kind) {
        switch kind {
        case .ballot: self = .ballot
        case .seat: self = .seat
        case .doubt: self = .restored
        }
    }
}

/// The layouts of this version; see Docs/formats.md.
public enum Format {
    /// The newest one, N. Both files say which one they are written in; N and N - 1 are read, and
    /// what was found is written until `raise`, so that the version before can be started again.
    public static let newest: UInt64 = 2
    /// Since this one a log keeps merged states without the dots that their marks name.
    static let brief: UInt64 = 2

    /// In which one a directory begins: it may belong to a cluster that is not through with an
    /// upgrade.
    static func first(under newest: UInt64) -> UInt64 { max(1, newest - 1) }

    /// Refuses what a newer version wrote, and what is too old.
    static func admit(_ found: UInt64, newest: UInt64) throws(StorageError) {
        guard found > 0 else { throw .corrupt("the data names disk format 0, which never was") }
        let number = UInt32(truncatingIfNeeded: found)
        let ours = UInt32(truncatingIfNeeded: newest)
        guard found <= newest else { throw .newerFormat(found: number, supported: ours) }
        guard found + 1 >= newest else { throw .olderFormat(found: number, supported: ours) }
    }
}

extension WriteTransaction {
    /// A number, or nil when it was never written.
    func number(_ name: MetaName, in table: Table) throws(StorageError) -> UInt64? {
        var buffer = Unsealed()
        return try metaNumber(try read(name.key, in: table, into: &buffer), buffer, name)
    }

    /// A text, or nil when it was never written.
    func text(_ name: MetaName, in table: Table) throws(StorageError) -> String? {
        var buffer = Unsealed()
        switch try read(name.key, in: table, into: &buffer) {
        case .absent: return nil
        case .intact: return String(decoding: buffer.value, as: UTF8.self)
        case .damaged: return "the field '\(name.rawValue)' is damaged"
        }
    }

    /// Writes a number.
    func set(_ name: MetaName, to number: UInt64, in table: Table) throws(StorageError) {
        var value: [UInt8] = []
        value.append(bigEndian: number)
        try put(Record(key: name.key, value: value), in: table)
    }

    /// Writes a text.
    func set(_ name: MetaName, to text: String, in table: Table) throws(StorageError) {
        try put(Record(key: name.key, value: Array(text.utf8)), in: table)
    }
}

/// Reads the number in an opened seal.
func metaNumber(
    _ found: Found,
    _ buffer: Unsealed,
    _ name: MetaName
) throws(StorageError) -> UInt64? {
    guard found != .absent else { return nil }
    do {
        guard found == .intact else { throw DecodeError.corrupt }
        var cursor = buffer.cursor
        return try cursor.u64(buffer.bytes.span)
    } catch {
        throw .corrupt("the field '\(name.rawValue)' of the data directory is damaged")
    }
}

// A record: key and value in one run of bytes, with the checksum that both share.
//
//     key | value | SipHash-2-4(key | value) u64          stored as  key  ->  value | checksum
//
// LMDB has no checksums of its own. Covering the key as well finds a value that moved to another key.
// Every value of both environments is sealed like this; a mark's is the same by `Mark.seal`.

internal import Suppression

/// A key and a value on their way to the disk; the buffer is reused.
struct Record {
    private(set) var bytes: [UInt8] = []
    private(set) var keyCount = 0

    /// Begins again with a key.
    mutating func begin(_ encodeKey: (inout [UInt8]) -> Void) {
        bytes.removeAll(keepingCapacity: true)
        encodeKey(&bytes)
        keyCount = bytes.count
    }

    /// Appends the value and the checksum; nothing may follow.
    mutating func seal(_ encodeValue: (inout [UInt8]) -> Void) {
        encodeValue(&bytes)
        bytes.append(bigEndian: SipHash.checksum.hash(bytes.span))
    }

    /// The whole record of a key and a value.
    init(key: [UInt8], value: [UInt8]) {
        begin { $0 = key }
        seal { $0.append(contentsOf: value) }
    }

    /// An empty buffer.
    init() {}
}

/// A key and a value that came from the disk, joined again; the buffer is reused.
struct Unsealed {
    /// Key and value, without the checksum.
    private(set) var bytes: [UInt8] = []
    private(set) var keyCount = 0

    /// Takes a copy and compares the checksum.
    mutating func open(key: Span<UInt8>, value: Span<UInt8>) throws(DecodeError) {
        bytes.removeAll(keepingCapacity: true)
        guard value.count >= 8 else { throw .corrupt }
        bytes.reserveCapacity(key.count + value.count)
        for i in key.indices { bytes.append(key[i]) }
        for i in 0..<(value.count - 8) { bytes.append(value[i]) }
        keyCount = key.count
        var tail = ByteCursor(at: value.count - 8)
        guard try tail.u64(value) == SipHash.checksum.hash(bytes.span) else { throw .corrupt }
    }

    /// Where the value begins.
    var cursor: ByteCursor { ByteCursor(at: keyCount) }

    /// The value alone.
    var value: [UInt8] { Array(bytes[keyCount...]) }
}

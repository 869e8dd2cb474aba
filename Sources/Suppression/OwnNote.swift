// What a node writes down about itself, for itself: its promises among the voters, the seat that it
// has earned, its doubt.
//
//     kind u8 | bytes, to the end
//
// Such a note lies in the node's own log like any change, because it must be on the disk before
// anyone hears of it, and in the same order as everything else. It has no dot and never travels.
// The newest of a kind counts; empty bytes take the kind back.

/// One thing that a node remembers of itself.
public struct OwnNote: Equatable, Sendable {
    /// What is remembered; numbers as on disk.
    public enum Kind: UInt8, CaseIterable, Sendable {
        /// What this node promised and accepted for the next generation of the voters.
        case ballot = 1
        /// The binding for which this node has caught up, and speaks as a voter.
        case seat = 2
        /// Why this directory counts as restored.
        case doubt = 3
    }

    /// Which of them.
    public let kind: Kind
    /// What is said, at most `Limits.changeBytes`; empty: nothing any more.
    public let bytes: [UInt8]

    /// Puts a note together.
    public init(_ kind: Kind, _ bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    func encode(into out: inout [UInt8]) {
        out.append(kind.rawValue)
        out.append(contentsOf: bytes)
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        guard let kind = Kind(rawValue: try cursor.u8(bytes)) else { throw .malformed }
        self.kind = kind
        self.bytes = try cursor.take(cursor.remaining(bytes), of: bytes)
    }
}

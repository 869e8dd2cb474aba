// Frames on a link: a head in the clear and authenticated, a body under a counter that nobody
// sends.
//
//     kind u8 | length u24 | sealed body (length bytes) | tag 16
//
// TCP keeps order, so both sides just count. A frame that is changed, repeated, left out or moved
// meets the wrong counter or the wrong head, does not open, and ends the link. Kinds that a newer
// version may send are opened, counted and passed over.

internal import Suppression

/// What a frame is.
enum PeerFrameKind: UInt8 {
    /// The service's bytes.
    case frame = 0
    /// The first of either side; u32: links with this peer that were seen to begin (PeerPairs).
    case ready = 1
    /// u64 of the sender's choice, to be sent back.
    case ping = 2
    /// That u64.
    case pong = 3
    /// A farewell; u8: its cause.
    case farewell = 4
}

/// The head of a frame.
struct PeerFrameHead {
    static let bytes = 4
    let kind: UInt8
    let length: Int

    /// Bytes of the whole frame.
    var frameBytes: Int { PeerFrameHead.bytes + length + PeerCipher.tagBytes }

    init(kind: UInt8, length: Int) {
        self.kind = kind
        self.length = length
    }

    /// Reads the head at an offset; nil if more has to come.
    init?(_ bytes: Span<UInt8>, at offset: Int) throws(PeerEnd) {
        guard bytes.count - offset >= PeerFrameHead.bytes else { return nil }
        kind = bytes[offset]
        length =
            Int(bytes[offset + 1]) << 16 | Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
        guard length <= Limits.peerFrameBytes else { throw .tooLong }
    }

    var encoded: [UInt8] {
        [
            kind, UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
            UInt8(truncatingIfNeeded: length),
        ]
    }
}

/// One direction of a link, sending; a plain value.
struct FrameSealer {
    private let cipher: PeerCipher
    private var counter: UInt64 = 0

    init(_ cipher: PeerCipher) { self.cipher = cipher }

    /// Appends one frame.
    ///
    /// - Parameter body: at most `Limits.peerFrameBytes`.
    mutating func seal(_ kind: PeerFrameKind, _ body: Span<UInt8>, onto output: inout [UInt8]) {
        precondition(body.count <= Limits.peerFrameBytes, "a frame is 1 MiB at most")
        let head = PeerFrameHead(kind: kind.rawValue, length: body.count).encoded
        output.append(contentsOf: head)
        cipher.seal(body, header: head, counter: counter, onto: &output)
        counter += 1
    }
}

/// One direction of a link, receiving; a plain value.
struct FrameOpener {
    private let cipher: PeerCipher
    private var counter: UInt64 = 0

    init(_ cipher: PeerCipher) { self.cipher = cipher }

    /// Opens the frame at an offset, all of which has come.
    mutating func open(
        _ head: PeerFrameHead,
        _ bytes: Span<UInt8>,
        at offset: Int
    ) throws(PeerEnd) -> [UInt8] {
        let start = offset + PeerFrameHead.bytes
        let body = cipher.open(
            bytes.extracting(start..<offset + head.frameBytes),
            header: head.encoded,
            counter: counter
        )
        guard let body else { throw .forged }
        counter += 1
        return body
    }
}

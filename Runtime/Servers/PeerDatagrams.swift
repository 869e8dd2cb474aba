// Packets beside a link: the link's handshake gives the keys, an explicit number the nonce.
//
//     version 1 | sender's node u64 | number u64 | sealed bytes | tag 16     at most 1,200 bytes
//     `----------- 17 bytes, authenticated -----'
//
// UDP may lose, repeat, reorder and forge; so each packet names its number, each number opens once
// within a window, and where a packet came from is not asked. Without a link there are no keys, and
// with another link there are others: a packet of an earlier link is dropped.

internal import Suppression

/// Where sealed packets begin and end.
enum DatagramFrame {
    static let version: UInt8 = 1
    static let headBytes = 17

    /// Bytes of the service that one packet takes.
    static let bodyBytes = Limits.datagramBytes - headBytes - PeerCipher.tagBytes

    /// Whose packet it claims to be, and its number; nil if it cannot be one.
    static func claim(_ bytes: Span<UInt8>) -> (node: NodeID, number: UInt64)? {
        guard bytes.count >= headBytes + PeerCipher.tagBytes,
            bytes.count <= Limits.datagramBytes, bytes[0] == version
        else { return nil }
        var node: UInt64 = 0
        var number: UInt64 = 0
        for at in 1...8 { node = node << 8 | UInt64(bytes[at]) }
        for at in 9...16 { number = number << 8 | UInt64(bytes[at]) }
        return (NodeID(raw: node), number)
    }

    static func head(_ node: NodeID, _ number: UInt64) -> [UInt8] {
        var head = [version]
        head.append(bigEndian: node.raw)
        head.append(bigEndian: number)
        return head
    }
}

/// Our packets of one link; a plain value.
struct DatagramSealer {
    private let cipher: PeerCipher
    private let node: NodeID
    private var number: UInt64 = 0

    init(_ cipher: PeerCipher, node: NodeID) {
        self.cipher = cipher
        self.node = node
    }

    /// One packet.
    ///
    /// - Parameter body: at most `DatagramFrame.bodyBytes`.
    mutating func seal(_ body: Span<UInt8>) -> [UInt8] {
        precondition(body.count <= DatagramFrame.bodyBytes, "a packet is 1,200 bytes at most")
        let head = DatagramFrame.head(node, number)
        var packet = head
        cipher.seal(body, header: head, counter: number, onto: &packet)
        number += 1
        return packet
    }
}

/// A peer's packets of one link; a plain value.
struct DatagramOpener {
    /// What became of a packet.
    enum Opened: Equatable {
        case bytes([UInt8])
        /// Its number has come, or is too old to tell.
        case replayed
        case forged
    }

    private let cipher: PeerCipher
    private let node: NodeID
    private var window = ReplayWindow()

    init(_ cipher: PeerCipher, node: NodeID) {
        self.cipher = cipher
        self.node = node
    }

    /// Opens a packet that claims this number.
    mutating func open(_ packet: Span<UInt8>, number: UInt64) -> Opened {
        guard window.isFresh(number) else { return .replayed }
        let body = cipher.open(
            packet.extracting(DatagramFrame.headBytes...),
            header: DatagramFrame.head(node, number),
            counter: number
        )
        guard let body else { return .forged }
        window.note(number)
        return .bytes(body)
    }
}

// Why a link ended, or never began: by who has to act on it.
//
// `garbage`, `wrongKey` and `forged` are strangers or a wrong key file; `otherCluster`,
// `otherProtocol` and `cloned` are for an operator; the rest is the life of a network.

/// Why there is no link any more, or none at all.
public enum PeerEnd: Error, Hashable, Sendable {
    /// `close`, `drain` or `forget` on this side.
    case closedHere
    /// The peer ended its half without a word.
    case peerClosed
    /// The peer said farewell, for this cause.
    case farewell(PeerFarewell)
    /// The system reports this negated errno.
    case failed(code: Int32)
    /// Nothing was heard for the time allowed.
    case silent
    /// More waited for the peer than allowed.
    case overflow
    /// No link came about in the time allowed.
    case handshakeTime
    /// Bytes that are no hello.
    case garbage
    /// A hello under a key that is not accepted here.
    case wrongKey
    /// A hello or a frame that does not open: changed, replayed, left out or out of order.
    case forged
    /// An opened hello or frame with values that no version writes.
    case malformed
    /// A frame above the largest size.
    case tooLong
    /// The peer belongs to another cluster.
    case otherCluster
    /// No version of the protocol is spoken by both; these are the peer's.
    case otherProtocol(ClosedRange<UInt16>)
    /// We reached ourselves.
    case ourselves
    /// Another life or another place of the same node is linked and alive.
    case cloned
    /// The pair has a link already.
    case duplicate
    /// The peer has begun another link in this one's place.
    case replaced
}

/// What one side says before it closes; a byte on the wire.
public enum PeerFarewell: UInt8, Hashable, Sendable {
    /// The node ends, or forgets the peer.
    case leaving = 1
    /// The pair has a link already.
    case duplicate = 2
    /// Another life or place of this node is linked and alive.
    case cloned = 3
    /// A cause that only a newer version knows.
    case unknown = 255
}

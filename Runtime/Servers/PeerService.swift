// What a peer server asks of its node, and what it can be told to do differently.
//
// All calls but `datagram` come from `serveReady`, so a service may send, end links and dial from
// any of them. Frames and packets are opaque here.

public import Suppression

/// One link; never used twice by a server.
public struct PeerLinkID: Hashable, Sendable {
    /// Counts from 1.
    public let raw: UInt64
}

/// The node behind a `PeerServer`.
public protocol PeerService: AnyObject {
    /// A link to one life of a peer stands; both sides have shown the cluster's key.
    func linked(_ link: PeerLinkID, _ peer: PeerIdentity)
    /// One frame, in order; the span is valid during the call.
    func received(_ link: PeerLinkID, _ frame: Span<UInt8>)
    /// The link is gone: once, and nothing of it after this. What was not yet read is lost.
    func unlinked(_ link: PeerLinkID, _ why: PeerEnd)
    /// All that waited for the peer has left; `hasRoom` is true again.
    func drained(_ link: PeerLinkID)
    /// A packet of a linked peer: at most once, in any order. Comes from the poll, not the turn.
    func datagram(from node: NodeID, _ bytes: Span<UInt8>)
    /// Two lives or two places of one node answer at the same time: a directory was copied.
    ///
    /// - Parameters:
    ///   - node: perhaps our own.
    ///   - addresses: where both say that they are reached; the linked one first.
    func cloned(node: NodeID, addresses: [[UInt8]])
    /// A dial or an accepted connection came to no link.
    ///
    /// - Parameters:
    ///   - address: the dialed address, or the `address:port` that a stranger came from.
    ///   - why: `otherCluster` and `otherProtocol` are told on both sides.
    func failed(address: [UInt8], _ why: PeerEnd)
}

/// What a server may be told to do differently. The defaults are the module's limits.
public struct PeerOptions: Sendable {
    /// Bytes that may wait for one peer before a frame is refused and the link ended.
    public var queueBytes = Limits.peerQueueBytes
    /// Links and strangers at once.
    public var links = Limits.peerLinks
    /// Accepted connections at once that have not proved the key.
    public var strangers = Limits.peerStrangers
    /// Milliseconds from the connection to the link.
    public var handshakeMilliseconds = Limits.peerHandshakeMilliseconds
    /// Milliseconds between two pings of one link.
    public var pingMilliseconds = Limits.peerPingMilliseconds
    /// Milliseconds without a byte after which a link is dead.
    public var silenceMilliseconds = Limits.peerSilenceMilliseconds
    /// Milliseconds between two looks at all deadlines; 0 leaves them to calls of `sweep`.
    public var sweepMilliseconds = Limits.peerSweepMilliseconds
    /// Spreads the dials of different nodes; any number that is not the same in all of them.
    public var seed: UInt64 = 0

    /// The defaults.
    public init() {}
}

/// A link as it is now; a plain value.
public struct PeerLinkState: Sendable {
    /// The link.
    public let id: PeerLinkID
    /// Who is at the other end.
    public let peer: PeerIdentity
    /// The version of the peer protocol that both speak.
    public let protocolVersion: UInt16
    /// The smoothed round-trip time in nanoseconds (RFC 6298, 2.3); nil before the first answer.
    public let roundTripNanos: UInt64?
    /// Bytes that wait for the peer.
    public let queuedBytes: Int
    /// Milliseconds since the link stands.
    public let ageMilliseconds: UInt64
    /// We dialed.
    public let isDialed: Bool
}

/// What a server has counted since its start; a plain value to read at any time on its loop.
public struct PeerCounters: Sendable {
    /// Connections accepted.
    public var accepted = 0
    /// Dials begun.
    public var dialed = 0
    /// Connections closed as they came, because too many were open or unproved.
    public var turnedAway = 0
    /// Links that came to stand.
    public var linked = 0
    /// Connections open now, linked or not.
    public var open = 0
    /// Frames given to peers, and frames of peers given to the service.
    public var sentFrames = 0
    /// See `sentFrames`.
    public var receivedFrames = 0
    /// Bytes on streams, sealed, of all kinds.
    public var sentBytes = 0
    /// See `sentBytes`.
    public var receivedBytes = 0
    /// Frames of kinds that only a newer version knows; passed over.
    public var unknownFrames = 0
    /// Packets given to the kernel.
    public var sentDatagrams = 0
    /// Packets that it did not take, or that had no link to go with.
    public var unsentDatagrams = 0
    /// Packets given to the service.
    public var receivedDatagrams = 0
    /// Packets that came before, or too late to tell.
    public var replayedDatagrams = 0
    /// Packets that are none, do not open, or belong to no link.
    public var refusedDatagrams = 0
    /// Reports of `cloned`.
    public var clones = 0
    private var ends: [PeerEnd: Int] = [:]

    init() {}

    /// Links and attempts that ended for this cause.
    public func ended(_ why: PeerEnd) -> Int { ends[why, default: 0] }

    mutating func end(_ why: PeerEnd) { ends[why, default: 0] += 1 }
}

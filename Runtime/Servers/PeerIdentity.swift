// Who a node says it is, in the first bytes of a link; sealed on the wire, plain here.
//
//     version 1 | node u64 | epoch u64 | cluster u64 | lowest u16 | highest u16 | flags u8
//     | name | zone | region | address            each a u16 length and that many bytes
//     | whatever later versions add, which earlier ones pass over
//
// A member of the cluster wrote it, as it was sealed under the cluster's key. It is checked all the
// same, field by field: an operator's mistake in one node must not become a value in all of them.

public import Suppression

/// What a node tells each peer of itself.
public struct PeerIdentity: Equatable, Sendable {
    /// The node; not 0.
    public var node: NodeID
    /// Its present life.
    public var epoch: Epoch
    /// 1 to 64 printable ASCII bytes without blanks.
    public var name: [UInt8]
    /// The failure domain, as the name; may be empty.
    public var zone: [UInt8]
    /// The region, as the name; may be empty.
    public var region: [UInt8]
    /// The cluster; 0 while an empty node does not know it, which meets every cluster.
    public var clusterID: UInt64
    /// A full copy, not a cache.
    public var holdsAll: Bool
    /// Versions of the peer protocol that the node speaks.
    public var protocolRange: ClosedRange<UInt16>
    /// Where others reach it by TCP and UDP: numeric `host:port`, at most 64 bytes.
    public var address: [UInt8]

    /// Describes a node; the bounds of each field are checked when it is sealed and when it is
    /// read.
    public init(
        node: NodeID,
        epoch: Epoch,
        name: [UInt8],
        zone: [UInt8],
        region: [UInt8],
        clusterID: UInt64,
        holdsAll: Bool,
        protocolRange: ClosedRange<UInt16>,
        address: [UInt8]
    ) {
        self.node = node
        self.epoch = epoch
        self.name = name
        self.zone = zone
        self.region = region
        self.clusterID = clusterID
        self.holdsAll = holdsAll
        self.protocolRange = protocolRange
        self.address = address
    }

    /// The node in its life: what a link is to.
    public var origin: Origin { Origin(node: node, epoch: epoch) }

    /// The protocol version that both speak: the highest of both; nil if there is none.
    public func agreed(with other: PeerIdentity) -> UInt16? {
        let highest = min(protocolRange.upperBound, other.protocolRange.upperBound)
        let lowest = max(protocolRange.lowerBound, other.protocolRange.lowerBound)
        return lowest <= highest ? highest : nil
    }

    /// Why these two can have no link; nil if they can. Both sides come to the same answer.
    func refusal(of other: PeerIdentity) -> PeerEnd? {
        let isSameCluster = clusterID == other.clusterID
        if !isSameCluster, clusterID != 0, other.clusterID != 0 { return .otherCluster }
        if agreed(with: other) == nil { return .otherProtocol(other.protocolRange) }
        if node == other.node { return epoch == other.epoch ? .ourselves : .cloned }
        return nil
    }

    /// The bytes of a hello, before sealing.
    func encoded() -> [UInt8] {
        precondition(isSound, "an identity must keep its bounds: see PeerIdentity")
        var bytes: [UInt8] = [PeerIdentity.version]
        bytes.append(bigEndian: node.raw)
        bytes.append(bigEndian: epoch.raw)
        bytes.append(bigEndian: clusterID)
        bytes.append(bigEndian: protocolRange.lowerBound)
        bytes.append(bigEndian: protocolRange.upperBound)
        bytes.append(holdsAll ? 1 : 0)
        for text in [name, zone, region, address] { bytes.append(field: text) }
        return bytes
    }

    /// Reads an opened hello.
    static func decode(_ bytes: Span<UInt8>) throws(DecodeError) -> PeerIdentity {
        var cursor = ByteCursor()
        guard try cursor.u8(bytes) == version else { throw .malformed }
        let node = NodeID(raw: try cursor.u64(bytes))
        let epoch = Epoch(raw: try cursor.u64(bytes))
        let cluster = try cursor.u64(bytes)
        let lowest = try cursor.u16(bytes)
        let highest = try cursor.u16(bytes)
        guard lowest <= highest else { throw .malformed }
        let flags = try cursor.u8(bytes)
        let name = try cursor.field(bytes, limit: Limits.peerNameBytes)
        let zone = try cursor.field(bytes, limit: Limits.peerNameBytes)
        let region = try cursor.field(bytes, limit: Limits.peerNameBytes)
        let address = try cursor.field(bytes, limit: Limits.peerAddressBytes)
        let identity = PeerIdentity(
            node: node,
            epoch: epoch,
            name: name,
            zone: zone,
            region: region,
            clusterID: cluster,
            holdsAll: flags & 1 != 0,
            protocolRange: lowest...highest,
            address: address
        )
        guard identity.isSound else { throw .malformed }
        return identity
    }

    private static let version: UInt8 = 1

    private var isSound: Bool {
        let texts = [name, zone, region, address]
        return node.raw != 0 && !name.isEmpty && address.count <= Limits.peerAddressBytes
            && texts.dropLast().allSatisfy { $0.count <= Limits.peerNameBytes }
            && texts.allSatisfy { $0.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
    }
}

// Another node, as far as this one is linked to it.
//
// A link is to one life of a node: when the node starts again the link is another, and whatever was
// known of the life before (confirmations, windows) ends with it.

public import Suppression

/// How much a node keeps.
public enum Holding: UInt8, Sendable {
    /// A full copy of all marks; gets every change.
    case all
    /// Verdicts for a short while; asks holders.
    case cache
}

/// A node at the other end of a link.
public struct Peer: Equatable, Sendable {
    /// Node id and the life that is linked.
    public let origin: Origin
    /// The operator's word for it.
    public let name: String
    /// Where it stands.
    public let zone: String
    /// What it keeps.
    public let holds: Holding

    /// Describes a linked node.
    public init(origin: Origin, name: String, zone: String, holds: Holding) {
        self.origin = origin
        self.name = name
        self.zone = zone
        self.holds = holds
    }
}

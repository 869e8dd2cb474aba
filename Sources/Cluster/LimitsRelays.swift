// Bounds of relays: clusters in which not everybody is linked to everybody.

extension Limits {
    /// Peers up to which a group links everybody to everybody (DESIGN 7). A relay is in two groups,
    /// its zone and the relays, and `peersCount` is twice this.
    public static let meshPeersCount = 32
    /// Relays of a zone: one may die without cutting the zone off until the next is chosen.
    public static let zoneRelaysCount = 2
    /// Nanoseconds between two choices of links: a death or a join must not make a thousand nodes
    /// sort their tables at every rumor.
    public static let relinkNanos: UInt64 = 1_000_000_000
    /// Writes that came first elsewhere, less those that came first here, after which a link is
    /// taken out of the tree: one may be chance, three are a slower way (Leitão et al., SRDS 2007,
    /// prune at the first, and their trees swing where several nodes write).
    public static let pruneDuplicatesCount = 3
    /// Nanoseconds between two announcements over a link outside of the tree.
    public static let announceNanos: UInt64 = 100_000_000
    /// Nanoseconds between two looks at what was announced and is missing; what was missing at one
    /// and is at the next is asked for. The tree's way around the world takes less; asking costs
    /// one copy.
    public static let graftNanos: UInt64 = 100_000_000
    /// Nanoseconds for an answer before the next announcer is asked: a round trip around the world
    /// with one retransmission.
    public static let graftAnswerNanos: UInt64 = 400_000_000
    /// Intervals of what one link has announced and is missing here; past them announcements are
    /// not remembered, and comparing held sets finds what they named.
    public static let announcedIntervalsCount = 1_024
}

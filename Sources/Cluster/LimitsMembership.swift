// Bounds of membership: who is there, who answers, who says so.

extension Limits {
    /// Nodes that a node knows, those that left included: ten times what DESIGN 7 measures with
    /// relays in one region; at 300 bytes each the whole table is 300 KB.
    public static let membersCount = 1_024
    /// Bytes of a packet: what the sealing of a packet leaves of 1,200.
    public static let memberPacketBytes = 1_167
    /// Records in one packet: 42 bytes is the smallest, so 27 fit.
    public static let memberRecordsCount = 27
    /// Bytes of an address: `[` 45 characters of IPv6 `]` `:` five digits make 53.
    public static let memberAddressBytes = 64
    /// Packets of one telling of the table: 100 usual records, whole clusters of today; a larger
    /// table is told in turns, so that one difference costs 10 KB a second at most.
    public static let tablePacketsCount = 8
    /// Nanoseconds between two tellings because of a difference.
    public static let tableNanos: UInt64 = 1_000_000_000

    /// Nanoseconds between two probes (DESIGN 7).
    public static let probeNanos: UInt64 = 1_000_000_000
    /// Nanoseconds for an answer at the very least: three shots on a loop that ticks every 100 ms.
    public static let probeTimeoutLeastNanos: UInt64 = 300_000_000
    /// At most, so that relays have time in the same period.
    public static let probeTimeoutMostNanos: UInt64 = 800_000_000
    /// Pings of one probe: at 30 % loss each way one fails with 51 %, three with 13 %.
    public static let probeShotsCount = 3
    /// Nodes asked to probe in our place; one of them in another zone (DESIGN 7).
    public static let probeRelaysCount = 3
    /// Times that each of them is asked; with each the target is pinged once more from here. At
    /// 30 % loss each way a probe of a living node then fails 3 times in a thousand, and 26 times
    /// without these pings and the relay's second one.
    public static let relayAsksCount = 2
    /// Pings of a relay for one request: a lost one must not cost the request that came through.
    public static let relayShotsCount = 2
    /// Nanoseconds after which a relay says that it got no answer either: below what is left of a
    /// period after the shortest timeout, so that "no" still comes in time.
    public static let relayNanos: UInt64 = 500_000_000
    /// Probes in the place of others at once: 0.5 s of 100 nodes that ask one relay each.
    public static let relayedProbesCount = 64
    /// Times that the period and the timeout of probes grow by one, as this node doubts itself
    /// (Lifeguard, IV.A: S = 8).
    public static let localHealthMost = 8
    /// Nanoseconds for which a frame or packet proves that its sender lives: two periods.
    public static let lifeNanos: UInt64 = 2_000_000_000
    /// Longer between two ticks means that this node stood still: ten ticks.
    public static let memberPauseNanos: UInt64 = 1_000_000_000

    /// Periods of the shortest suspicion, times log10 of the members (DESIGN 7).
    public static let suspicionPeriodsCount: UInt64 = 4
    /// The longest suspicion is this many times the shortest (Lifeguard, IV.B: beta = 6).
    public static let suspicionSpread: UInt64 = 6
    /// Others that must agree until the shortest suspicion is enough: memberlist's 4 - 2.
    public static let suspicionConfirmationsCount = 2
    /// Suspicions of ours at once without proof: whoever misses more should doubt itself first.
    public static let openSuspicionsCount = 3

    /// Nanoseconds between two rounds of news; three nodes a round (`exchangePeersCount`).
    public static let newsNanos: UInt64 = 200_000_000
    /// Draws for the listeners of a round: where half of the members are gone, three are found with
    /// 32 draws but once in seven million rounds.
    public static let listenerDrawsCount = 32
    /// Times that a rumor is told, times log10 of the members rounded up (SWIM, 4.1: 3 log n).
    public static let rumorTellings = 4
    /// What an incarnation may grow by at once; more is damage, and must not spread.
    public static let incarnationJump: UInt64 = 1 << 32

    /// Revivals after which a member counts as unstable: one is a restart or a cut, a second within
    /// `flapHalfLifeNanos` is a habit.
    public static let flapsCount = 2
    /// Nanoseconds in which the count of revivals halves.
    public static let flapHalfLifeNanos: UInt64 = 60_000_000_000
    /// Nanoseconds without a revival or an accusation after which a member counts as stable again:
    /// more than the 20 s for which links rest in Rapid's flip-flop (ATC 2018, 7).
    public static let flapCalmNanos: UInt64 = 30_000_000_000
    /// Nanoseconds between two writes of the member book, each a commit of the state.
    public static let bookNanos: UInt64 = 1_000_000_000
}

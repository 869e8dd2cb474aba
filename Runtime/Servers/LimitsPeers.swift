// The bounds of links between nodes, and of the datagrams beside them.

extension Limits {
    /// The largest frame. A page of repair or pull is cut to it by whoever makes it; at 100 MB/s
    /// one frame keeps those behind it waiting for 10 ms.
    static let peerFrameBytes = 1 << 20

    /// Bytes that may wait for one peer before another frame is refused: one frame of the largest
    /// size, or 10,000 events of 100 bytes. Above it the core keeps a window of its own (DESIGN 7).
    static let peerQueueBytes = 1 << 20

    /// What control frames (pings, answers to pings, a farewell) may add to a full queue.
    static let peerControlBytes = 4_096

    /// Bytes of one link opened in one turn: at 0.5 to 1 GB/s (measured) half a millisecond. A
    /// larger frame is opened whole, and alone.
    static let peerBytesPerTurn = 262_144

    /// What a small frame counts for in that: opening one costs 1.3 us whatever its size, as much
    /// as 1 KiB (measured). So a turn opens 256 frames of one link at most.
    static let peerFrameCostBytes = 1_024

    /// A sealed hello: 34 bytes of numbers and four texts of at most 66 make 298; the rest is for
    /// what later versions add.
    static let peerHelloBytes = 512

    /// A node's name, zone or region, as the configuration bounds a name.
    static let peerNameBytes = 64

    /// `[` 45 characters of IPv6 `]` `:` five digits make 53.
    static let peerAddressBytes = 64

    /// The body of a `ready` or a farewell, all that a peer may say before it is linked: 4 bytes,
    /// and room for what later versions add.
    static let peerReadyBytes = 64

    /// Links, those dialed included. Nodes push to 32 peers (DESIGN 7); 128 leaves room for each
    /// of them twice while both dial, and for repair between any two of a larger cluster. If all of
    /// them are full both ways, that is 128 MiB unread and 256 MiB unsent.
    static let peerLinks = 128

    /// Accepted connections that have not proved the cluster key: half of the links, since
    /// after a cut all peers come back at once.
    static let peerStrangers = 64

    /// The same of one address other than loopback, so that one host cannot take all of them.
    static let peerStrangersPerAddress = 8

    /// From the connection to the link: two round trips, and 5 s for a peer whose disk stalls.
    static let peerHandshakeMilliseconds: UInt64 = 5_000

    /// Between two pings of one link: SWIM's probe period (DESIGN 7), so that a round-trip time is
    /// at most a probe old.
    static let peerPingMilliseconds: UInt64 = 1_000

    /// Nothing heard: five pings unanswered. TCP repeats a lost segment after 0.2, 0.6, 1.4 and
    /// 3 s, so four losses in a row do not end a link.
    static let peerSilenceMilliseconds: UInt64 = 5_000

    /// What TCP waits, over the round trip, before it repeats a lost segment, where the kernel lets
    /// us say: with 200 ms, its own, a write is known everywhere after seconds at 30 % loss. The
    /// kernel rounds to its ticks of 1 to 10 ms, and what it repeats in vain it notices and
    /// forgives (F-RTO).
    static let peerRepeatMicroseconds: Int32 = 10_000

    /// The time of a link to answer a ping when another life of its node asks for its place: ten
    /// times the longest round trip on Earth.
    static let peerChallengeMilliseconds: UInt64 = 2_000

    /// After a farewell: time for the peer to read it.
    static let peerLeaveMilliseconds: UInt64 = 1_000

    /// Between two looks at all deadlines and at who is to be dialed again.
    static let peerSweepMilliseconds: UInt64 = 100

    /// Longer between two looks means that this process stood still; such time is nobody's silence.
    static let peerPauseMilliseconds: UInt64 = 1_000

    /// Before the first new dial: a restarting node listens again within about this.
    static let peerRedialLeastMilliseconds: UInt64 = 100

    /// The longest wait between dials, so that a node that comes back is linked within 5 s; 32
    /// peers that dial it make 6 connections a second.
    static let peerRedialMostMilliseconds: UInt64 = 5_000

    /// Addresses that are dialed: those of all members, and as many seeds.
    static let peerTargets = 256

    /// Nodes of which the number of links is remembered. A forgotten one costs a wait for
    /// `peerSilenceMilliseconds` in a rare case; 24 bytes each.
    static let peerRecords = 1_024

    /// A UDP packet, sealed: below every path's smallest MTU of 1,280 (RFC 8200, 5), so no packet
    /// is cut.
    static let datagramBytes = 1_200

    /// Packets behind the newest that may still come: at 20,000 a second 50 ms of reordering. 1,024
    /// bits are 16 words.
    static let replayPackets: UInt64 = 1_024

    /// Words of the window.
    static let replayWords = Int(replayPackets / 64)
}

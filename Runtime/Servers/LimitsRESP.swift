// The bounds of the RESP listener beyond a single command's, which are Wire's (`RESPBounds`).

extension Limits {
    /// Pipelined commands of one connection served in one turn, and so in one batch at most: at 64
    /// parsing, digesting and prefetching together are twice as fast as one by one (measured).
    static let commandsPerTurn = 64

    /// Words after which a connection's turn ends early: 16 for each of 64 commands. One command of
    /// 10,002 words may still pass; it is served whole, and alone.
    static let wordsPerTurn = 1_024

    /// Words of all connections after which the server's turn ends and the loop polls again: 16,384
    /// checks at 0.2 us each keep another connection's check waiting for 3 ms.
    static let wordsPerServerTurn = 16_384

    /// The most that one turn of a connection adds to an output already at `writeQueueBytes`: one
    /// run of 11,026 words at 8 bytes, or 64 errors, or one ECHO of 4 KiB; rounded up.
    static let repliesBytes = 262_144

    /// From the connection to its AUTH. Clients send it first; 10 s forgive a slow network.
    static let authMilliseconds: UInt64 = 10_000

    /// From a command's first byte to its last, plus what `bodyBytesPerMillisecond` allows.
    static let commandMilliseconds: UInt64 = 5_000

    /// Silence after AUTH. Pools of Redis clients keep idle connections for long and expect no end
    /// (Redis has none by default); 15 minutes only ends those whose peer is gone without a word.
    static let respIdleMilliseconds: UInt64 = 900_000

    /// Bytes of unfinished commands of one server, beyond `unfinishedFreeBytes` each: 16 commands
    /// of the largest size, 4 MiB, and 160 of 1,000 addresses.
    static let unfinishedBytes = 64 << 20

    /// What a connection may hold of an unfinished command in any case: 4 KiB, a stranger's whole
    /// command, so that nobody can fill the server and have a single check refused because a packet
    /// cut it. 10,000 connections make 40 MB of it.
    static let unfinishedFreeBytes = 4_096

    /// Bytes of a client's name, as long as a host's (RFC 1035, 2.3.4).
    static let clientNameBytes = 255
}

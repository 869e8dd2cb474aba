// Every bound of the listeners, with its unit in its name and where the number comes from.

/// The listeners' bounds. What a route may differ in is asked of the service, not set here.
enum Limits {
    /// Method, target and version. Link tokens are up to 110 characters, but mailbox providers wrap
    /// URLs; 8 KiB is what RFC 9112 (3) asks every server to take at least (8,000 octets).
    static let requestLineBytes = 8_192

    /// All fields and their line ends; twice the request line, as in most proxies.
    static let headerBlockBytes = 16_384

    /// Fields of one request; browsers send 12 to 20, proxies add up to ten.
    static let headerFields = 64

    /// Hex digits of one chunk size: 8 reach 4 GiB, above any body we take.
    static let chunkSizeDigits = 8

    /// Chunk extensions of one request: nobody uses them; unbounded they were CVE-2024-22019.
    static let chunkExtensionBytes = 256

    /// Trailer fields of one request, read and dropped; a quarter of a header block.
    static let trailerBytes = 4_096

    /// The largest Content-Length that is a number to us: 2^50 - 1, a petabyte. An import is of any
    /// size, and sums of such numbers stay far below 2^63.
    static let contentLengthBytes = 1 << 50 - 1

    /// The largest body that is collected, whatever a route asks for: 1 GiB, so that offsets behind
    /// it fit an Int32.
    static let wholeBodyBytes = 1 << 30

    /// Bytes of a streamed body offered in one turn of its connection: one read buffer. At the 1 to
    /// 2 us that a row of 30 bytes costs, another connection's request waits for 3 ms of it at
    /// most.
    static let streamBytesPerTurn = 65_536

    /// Bytes of requests that wait behind the one being served, before reading stops: one read
    /// buffer, as what one read brought has to be kept somewhere.
    static let pipelineBytes = 65_536

    /// Requests of one connection served in one turn, before the others' turn (pipelining depth).
    static let requestsPerTurn = 16

    /// Answered bytes that may wait for a reader before its next request is served.
    static let writeQueueBytes = 65_536

    /// The largest answer, on top of the queue: a batch check of 10,000 addresses at 100 bytes each
    /// is 1 MB, so 16 MiB is never met by a reader that reads, and ends one that does not.
    static let answerBytes = 16 << 20

    /// From the first byte of a request to the end of its head.
    static let headMilliseconds: UInt64 = 5_000

    /// From the end of the head to the end of the body, plus the time that
    /// `bodyBytesPerMillisecond` allows for what has come.
    static let bodyMilliseconds: UInt64 = 10_000

    /// The slowest body: 16 bytes a millisecond (128 kbit/s); 8 MiB then has 9 minutes.
    static let bodyBytesPerMillisecond: UInt64 = 16

    /// Silence on a kept connection, and within a streamed body: a rate over the whole time would
    /// let a peer that sent 1 GB first be silent for 18 hours.
    static let idleMilliseconds: UInt64 = 30_000

    /// Requests of one connection before it is closed with an answer. nginx says 1,000 to free what
    /// it allocates a connection; we allocate nothing that grows, and a sending worker with 1,000
    /// checks a second would connect anew every second. A million is a quarter of an hour of that
    /// worker: often enough that clients spread over nodes again that came back.
    static let requestsPerConnection: UInt64 = 1_000_000

    /// No byte of a queued answer taken by its reader.
    static let stallMilliseconds: UInt64 = 10_000

    /// After a last answer: time for the peer to read it before the socket is gone, since a close
    /// with unread bytes resets the connection and takes the answer along (RFC 9112, 9.6).
    static let lingerMilliseconds: UInt64 = 2_000

    /// Bytes read and dropped meanwhile.
    static let lingerBytes = 262_144

    /// Between two looks at all deadlines; so much later than asked they may fire, never earlier.
    static let sweepMilliseconds: UInt64 = 500

    /// Connections of one server; at about 2 KiB each when idle this is 20 MB.
    static let connections = 10_000

    /// Connections of one peer, an IPv4 address or an IPv6 /56: 40 such peers fill a server, and
    /// a worker's pool or a mailbox provider's egress address has been seen with tens.
    static let connectionsPerPeer = 256

    /// Descriptors of the process that connections may take, in percent; the rest is for the
    /// store, the peers and the admins.
    static let connectionPercent = 90

    /// A peer's faults (malformed requests, invalid tokens): one a 200 ms, as an egress address of
    /// a mailbox provider may bring somebody's cut or outdated link every second.
    static let faultNanoseconds: UInt64 = 200_000_000

    /// Faults at once: a page of 100 links in an old key.
    static let faultsAtOnce: UInt64 = 100

    /// Peers whose faults are remembered, in two generations. One is forgotten once 4,096 others
    /// have erred after it; to make us forget it before its own 20 s of debt are over, 200 peers a
    /// second must err for the first time, and against those a count by peer is no defence. At
    /// about 32 bytes each in a half-full table this is 512 KiB a server.
    static let faultPeers = 8_192

    /// Buffers kept for reuse, and the largest kept: 64 x 64 KiB = 4 MiB a server at most.
    static let spareBuffers = 64
    /// See `spareBuffers`.
    static let spareBufferBytes = 65_536
}

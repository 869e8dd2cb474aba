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

    /// The largest Content-Length that is a number to us: 2^31 - 1, so offsets fit an Int32.
    static let contentLengthBytes = Int(Int32.max)

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

    /// Silence on a kept connection.
    static let idleMilliseconds: UInt64 = 30_000

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

    /// Buffers kept for reuse, and the largest kept: 64 x 64 KiB = 4 MiB a server at most.
    static let spareBuffers = 64
    /// See `spareBuffers`.
    static let spareBufferBytes = 65_536
}

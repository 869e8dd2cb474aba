// Whether a body comes fast enough, judged by the time in which we read it.
//
// A body has some slack and then has to keep a rate. When its service is busy the server stops
// reading, and that time is ours: it moves the start along. The rate alone would let a peer that
// sent much be silent for hours, so a silence is bounded too.

/// The times of one body, in the server's milliseconds; a plain value.
struct BodyClock {
    private var since: UInt64
    private var lastByte: UInt64
    private var stoppedAt: UInt64?

    /// Starts at the end of the head.
    init(now: UInt64) {
        since = now
        lastByte = now
    }

    /// Bytes came.
    mutating func came(now: UInt64) { lastByte = now }

    /// Reading has stopped; repeats change nothing.
    mutating func stop(now: UInt64) {
        if stoppedAt == nil { stoppedAt = now }
    }

    /// Reading goes on; repeats change nothing.
    mutating func goOn(now: UInt64) {
        guard let stopped = stoppedAt else { return }
        stoppedAt = nil
        since += now - stopped
        lastByte = now
    }

    /// True if the body is too slow.
    ///
    /// - Parameters:
    ///   - bytes: of the body, that have come.
    ///   - slack: milliseconds on top of what the slowest rate allows.
    ///   - silence: milliseconds without a byte.
    func isOver(now: UInt64, bytes: Int, slack: UInt64, silence: UInt64) -> Bool {
        if stoppedAt != nil { return false }
        let allowed = slack + UInt64(bytes) / Limits.bodyBytesPerMillisecond
        return now > since + allowed || now - lastByte > silence
    }
}

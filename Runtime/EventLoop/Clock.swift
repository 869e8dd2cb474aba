// Time, read at the edge and passed inwards as a number: nothing below the shell asks for it.
//
// Leases and deadlines use CLOCK_BOOTTIME: it never steps, and it counts while the machine sleeps,
// so a lease cannot look fresh after a suspend (DESIGN 6). Wall time is for people and audit only.

internal import CUV

/// The two clocks of a node.
public enum Clock {
    /// Nanoseconds since boot, sleep included; monotone; comparable on this machine only.
    public static func bootNanoseconds() -> UInt64 {
        var time = timespec()
        let code = unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        precondition(code == 0, "clock_gettime(CLOCK_BOOTTIME) failed: kernel older than 2.6.39")
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Milliseconds since 1970 UTC; may step in either direction.
    public static func wallMilliseconds() -> UInt64 {
        var time = timespec()
        let code = unsafe clock_gettime(CLOCK_REALTIME, &time)
        precondition(code == 0, "clock_gettime(CLOCK_REALTIME) failed")
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }
}

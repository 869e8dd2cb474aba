// A thread and what wakes it. The only two that exist are the log writer and the checkpointer.

internal import CLMDB
internal import Glibc

/// A running thread; ends when its body returns.
struct Worker: ~Copyable, Sendable {
    private let thread: pthread_t

    /// Starts a thread that runs `body` once. Signals stay with the threads that listen for them.
    init(_ body: @escaping @Sendable () -> Void) throws(StorageError) {
        final class Start: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        let start = unsafe Unmanaged.passRetained(Start(body))
        var everySignal = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&everySignal)  // cannot fail for a valid set
        unsafe pthread_sigmask(SIG_SETMASK, &everySignal, &before)
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread,
            nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
                return nil
            },
            start.toOpaque()
        )
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            unsafe start.release()
            throw .other(call: "pthread_create", code: code)
        }
        self.thread = thread
    }

    /// Waits for the end.
    consuming func join() {
        let code = pthread_join(thread, nil)
        precondition(code == 0, "a worker is joined once")
    }
}

/// Lets every other thread of this machine run first: for work that nobody waits for. Checks and
/// acknowledgments come before the checkpoint, and what waits for it is bounded.
func yieldToOthers() {
    // A thread's own nice value on Linux, against POSIX (setpriority(2)); without it only slower.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
}

/// Wakes one sleeping thread; signals that nobody awaits add up to one.
struct Bell: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Makes a silent bell. See eventfd(2).
    init() throws(StorageError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw systemError("eventfd", path: "eventfd") }
    }

    deinit { close(descriptor) }

    /// Ends the present wait, or the next.
    borrowing func ring() {
        let code = eventfd_write(descriptor, 1)  // fails only when 2^64 - 1 rings are waiting
        precondition(code == 0, "a bell can be rung")
    }

    /// Sleeps until rung, for ever when `millis` is negative; false when only the time was up.
    borrowing func wait(millis: Int32) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let ready = unsafe poll(&watched, 1, millis)
        guard ready > 0 else { return ready != 0 }  // EINTR: the caller looks at its queue again
        var count: eventfd_t = 0
        unsafe eventfd_read(descriptor, &count)  // empty it; EAGAIN would mean it is empty already
        return true
    }
}

/// Nanoseconds that only grow, for measuring and for lingering.
func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)  // cannot fail for this clock
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// Milliseconds since 1970.
func wallClockMillis() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)  // cannot fail for this clock
    return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
}

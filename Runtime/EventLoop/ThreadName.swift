// The name of a thread as the system shows it: `top -H`, `perf`, /proc/PID/task/TID/comm.

internal import Glibc

/// Names the calling thread.
///
/// Foundation's `Thread.name` does nothing until `Thread.start` has stored the id of the thread
/// that it made (swift-corelibs-foundation, Thread.swift). A thread that runs sooner than that
/// would keep its program's name for good: on a busy machine some do.
///
/// - Parameter name: at most 15 bytes (proc(5), comm).
public func nameThread(_ name: String) {
    precondition(name.utf8.count < 16, "a thread's name has at most 15 bytes")
    let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    // A thread without its name works all the same.
    guard file >= 0 else { return }
    var bytes = Array(name.utf8)
    _ = unsafe write(file, &bytes, bytes.count)
    close(file)
}

// Signals as events on a loop: libuv's handler writes one byte to a pipe, the rest runs here.

internal import CUV
internal import Glibc

/// The signals that a node listens to.
public enum Signal: Int32, Sendable {
    /// SIGTERM: end in good order.
    case terminate = 15
    /// SIGINT: the same, from a keyboard.
    case interrupt = 2
    /// SIGHUP: the terminal went away.
    case hangup = 1
    /// SIGUSR1.
    case user1 = 10
    /// SIGUSR2.
    case user2 = 12
}

/// Makes a write to a gone reader an error code instead of the process's end. Once, at start.
///
/// libuv leaves this to its embedder (libuv issue 1013).
public func ignoreBrokenPipe() {
    let before = signal(SIGPIPE, SIG_IGN)
    // The only error is an unknown signal number.
    let isError = unsafe unsafeBitCast(before, to: Int.self) == -1
    precondition(!isError, "signal(SIGPIPE) failed")
}

/// A set of signals delivered to one loop; alive until closed.
public final class Signals {
    private var handles: [SignalHandle] = []

    /// Starts listening.
    ///
    /// - Parameters:
    ///   - signals: each delivered to `body`, on the loop's thread.
    ///   - body: released when the set has closed.
    public init(
        on loop: Loop,
        _ signals: [Signal],
        _ body: @escaping (Signal) -> Void
    ) throws(LoopError) {
        for signal in signals {
            let handle = try SignalHandle(loop, signal, body)
            handles.append(handle)
        }
    }

    /// Gives the signals back to their default; no call comes after this one.
    public func close() {
        for handle in handles { handle.close() }
        handles.removeAll()
    }
}

@available(*, unavailable) extension Signals: Sendable {}

@safe
private final class SignalHandle: HandleOwner {
    private let cell: UnsafeMutablePointer<uv_signal_t>
    private var body: ((Signal) -> Void)?

    init(_ loop: Loop, _ signal: Signal, _ body: @escaping (Signal) -> Void) throws(LoopError) {
        let cell = unsafe allocate(uv_signal_t())
        let made = unsafe uv_signal_init(loop.raw, cell)
        if made < 0 { unsafe cell.deallocate() }
        try check("uv_signal_init", made)
        let started = unsafe uv_signal_start(
            cell,
            { handle, number in
                let owner = unsafe owner(handle?.pointee.data, as: SignalHandle.self)
                if let signal = Signal(rawValue: number) { owner.body?(signal) }
            },
            signal.rawValue
        )
        if started < 0 { unsafe cell.closeHandle() }
        try check("uv_signal_start", started)
        unsafe self.cell = cell
        self.body = body
        unsafe cell.retain(self)
    }

    func close() {
        unsafe cell.closeHandle()
    }

    func handleClosed() { body = nil }
}

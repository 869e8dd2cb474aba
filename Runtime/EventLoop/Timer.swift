// Timers, for the few things that happen by themselves: sweeps, ticks, retries.
//
// Never one a connection: servers sweep their deadlines (Servers), so a closure here is off the hot
// path. libuv's timers count from the loop's cached time, hence the update before arming.

internal import CUV

/// A timer on a loop; alive until closed.
@safe
public final class Timer: HandleOwner {
    private let cell: UnsafeMutablePointer<uv_timer_t>
    private var body: (() -> Void)?
    private var isClosing = false

    /// Starts a timer.
    ///
    /// - Parameters:
    ///   - after: milliseconds until the first call.
    ///   - every: milliseconds between later calls; 0 calls once.
    ///   - body: called on the loop's thread; released when the timer has closed.
    public init(
        on loop: Loop,
        after: UInt64,
        every: UInt64 = 0,
        _ body: @escaping () -> Void
    ) throws(LoopError) {
        let cell = unsafe allocate(uv_timer_t())
        unsafe self.cell = cell
        self.body = body
        unsafe uv_timer_init(loop.raw, cell)  // 0 always
        unsafe cell.retain(self)
        start(after: after, every: every)
    }

    /// Arms it anew, in milliseconds from now. A closed timer stays silent.
    public func start(after: UInt64, every: UInt64 = 0) {
        guard !isClosing else { return }
        unsafe uv_update_time(cell.pointee.loop)
        // Fails only for a closing handle or no callback.
        unsafe uv_timer_start(
            cell,
            { handle in
                unsafe owner(handle?.pointee.data, as: Timer.self).body?()
            },
            after,
            every
        )
    }

    /// Disarms it; `start` arms it again.
    public func stop() {
        guard !isClosing else { return }
        unsafe uv_timer_stop(cell)  // 0 always
    }

    /// Ends it; no call comes after this one.
    public func close() {
        guard !isClosing else { return }
        isClosing = true
        stopForGood()
        unsafe cell.closeHandle()
    }

    private func stopForGood() {
        unsafe uv_timer_stop(cell)  // 0 always
    }

    func handleClosed() { body = nil }
}

@available(*, unavailable) extension Timer: Sendable {}

// One thread, one libuv loop, one turn an iteration.
//
//     timers -> prepare: TURN -> poll (blocks) -> I/O callbacks -> check: TURN -> closes --+
//       ^                                                                                  |
//       +----------------------------------------------------------------------------------+
//
// I/O callbacks only parse and append events; the turn lets the machines step once over all of them
// with one `now`, and flushes each connection once (DESIGN 3). It runs after I/O, and again before
// blocking, because a timer or close callback may have appended events that must not wait for the
// next packet. `again()` cuts work short without losing it: the next poll does not block.
//
// A loop is confined to the thread that runs it. Its memory is libuv's until `uv_loop_close` says
// 0, so `close()` insists that nothing is left open instead of leaking what is.

internal import CUV

/// What happens once per iteration of a loop.
public protocol Turn: AnyObject {
    /// Steps the machines and flushes.
    ///
    /// Called twice an iteration, so it must be cheap when there is nothing to do.
    func turn(loop: Loop)
}

/// An event loop; everything on it belongs to one thread.
@safe
public final class Loop {
    /// Called after I/O callbacks and before blocking; nil does nothing.
    public var turn: (any Turn)?

    let raw: UnsafeMutablePointer<uv_loop_t>
    private let checking: UnsafeMutablePointer<uv_check_t>
    private let preparing: UnsafeMutablePointer<uv_prepare_t>
    private let idling: UnsafeMutablePointer<uv_idle_t>
    private let readBuffer: UnsafeMutableRawPointer
    private var isAgain = false
    private var isClosed = false

    /// Makes a loop that blocks until something is opened on it.
    ///
    /// Errors: `outOfFiles`, as a loop needs an epoll, an eventfd and a pipe.
    public init() throws(LoopError) {
        let raw = unsafe allocate(uv_loop_t())
        let code = unsafe uv_loop_init(raw)
        if code < 0 { unsafe raw.deallocate() }
        try check("uv_loop_init", code)
        unsafe self.raw = raw
        unsafe readBuffer = UnsafeMutableRawPointer.allocate(
            byteCount: Limits.readBufferBytes,
            alignment: 64
        )
        unsafe raw.pointee.data = readBuffer
        unsafe checking = allocate(uv_check_t())
        unsafe preparing = allocate(uv_prepare_t())
        unsafe idling = allocate(uv_idle_t())
        // These six return 0 always (uv-common.h, loop-watcher.c) but for a NULL callback.
        _ = unsafe uv_check_init(raw, checking)
        _ = unsafe uv_prepare_init(raw, preparing)
        _ = unsafe uv_idle_init(raw, idling)
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe checking.pointee.data = me
        unsafe preparing.pointee.data = me
        _ = unsafe uv_check_start(checking) { handle in
            unsafe owner(handle?.pointee.data, as: Loop.self).takeTurn()
        }
        _ = unsafe uv_prepare_start(preparing) { handle in
            unsafe owner(handle?.pointee.data, as: Loop.self).takeTurn()
        }
        // The turn alone keeps no loop running; the owner's handles do.
        unsafe uv_unref(checking.asHandle)
        unsafe uv_unref(preparing.asHandle)
        unsafe uv_unref(idling.asHandle)
    }

    /// Runs until `stop()`, or until no handle is open. May be called again.
    public func run() {
        // The result only says whether handles are left, which is the normal end after stop().
        _ = unsafe uv_run(raw, UV_RUN_DEFAULT)
    }

    /// Makes `run()` return at the end of this iteration. Loop thread only; others post a message.
    public func stop() {
        unsafe uv_stop(raw)
    }

    /// From `turn`: work is left, so the next poll must not block.
    public func again() {
        guard !isAgain else { return }
        isAgain = true
        _ = unsafe uv_idle_start(idling) { _ in }  // 0: the callback is not NULL
    }

    /// This iteration's cached monotonic time in milliseconds; comparable on this loop only.
    public var milliseconds: UInt64 { unsafe uv_now(raw) }

    /// Runs the last close callbacks and ends the loop. Everything on it must have been closed.
    public func close() {
        precondition(!isClosed, "loop closed twice")
        turn = nil
        isClosed = true
        // These two point at the loop without owning it; the close callback must not release it.
        unsafe checking.pointee.data = nil
        unsafe preparing.pointee.data = nil
        _ = unsafe uv_check_stop(checking)  // 0 always, as the next
        _ = unsafe uv_prepare_stop(preparing)
        unsafe checking.closeHandle()
        unsafe preparing.closeHandle()
        unsafe idling.closeHandle()
        unsafe uv_run(raw, UV_RUN_DEFAULT)
        let code = unsafe uv_loop_close(raw)
        precondition(code == 0, "a handle is still open on a closing loop: close() it first")
        unsafe raw.deallocate()
        unsafe readBuffer.deallocate()
    }

    private func takeTurn() {
        if isAgain {
            isAgain = false
            _ = unsafe uv_idle_stop(idling)  // 0 always
        }
        turn?.turn(loop: self)
    }

    deinit {
        precondition(isClosed, "a loop must be closed, or its descriptors leak")
    }
}

@available(*, unavailable) extension Loop: Sendable {}

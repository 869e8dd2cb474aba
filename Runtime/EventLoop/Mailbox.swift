// How other threads meet a loop: a bounded box, and a bell that rings once between two drains.
//
//     poster --lock--> [ m m m ]   swap   [ ] --> loop: reads its own array without the lock
//        \-- first since the drain: one write to an eventfd, else nothing
//
// The reader swaps its emptied array against the full one, so both keep their capacity and nothing
// is allocated once they have grown. A full box is an answer (`false`), not a surprise: the poster
// knows what to refuse. Posting to a closed box is the same answer, because the two threads that
// share one never agree on who ends first. Measured with a commit thread as the
// poster: about 50 us on top of a commit.
//
// The bell is an eventfd that the loop polls, not libuv's `uv_async_t`: the receiver of that spins,
// up to 997 pauses and then a `sched_yield`, until its sender is back from the very system call
// that woke it, and on a machine with few cores it has just taken the sender's. That was 7 % of a
// node loop's time at 64 connections (perf).
//
// `Wake` is `@unchecked Sendable`: any thread may write to an eventfd, and the lock orders that
// before its end.

internal import CUV
internal import Glibc
public import Synchronization

/// A bell that wakes one loop from any thread.
@safe
public final class Wake: HandleOwner, @unchecked Sendable {
    private let cell: UnsafeMutablePointer<uv_poll_t>
    private let bell: Int32
    private let isOpen = Mutex(true)

    /// Hangs the bell on a loop; on that loop's thread.
    public init(loop: Loop) throws(LoopError) {
        let bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        try check("eventfd", bell < 0 ? -errno : 0)
        let cell = unsafe allocate(uv_poll_t())
        let code = unsafe uv_poll_init(loop.raw, cell, bell)
        if code < 0 {
            unsafe cell.deallocate()
            Glibc.close(bell)
        }
        try check("uv_poll_init", code)
        unsafe self.cell = cell
        self.bell = bell
        unsafe cell.retain(self)
        // 0 always for a descriptor that is watched by nobody else (uv_poll_start, poll.c).
        _ = unsafe uv_poll_start(cell, Int32(UV_READABLE.rawValue)) { handle, _, _ in
            unsafe owner(handle?.pointee.data, as: Wake.self).silence()
        }
    }

    /// Wakes the loop; any thread; rings before its next turn melt into one.
    ///
    /// - Returns: false once closed, and then nothing was touched.
    @discardableResult
    public func send() -> Bool {
        isOpen.withLock { isOpen in
            guard isOpen else { return false }
            let code = eventfd_write(bell, 1)  // fails only when 2^64 - 1 rings are waiting
            precondition(code == 0, "a bell can be rung")
            return true
        }
    }

    /// Takes the bell down; on the loop's thread.
    public func close() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            unsafe cell.closeHandle()
        }
    }

    /// Waking was all; the turn follows the I/O callbacks.
    private func silence() {
        var rings: eventfd_t = 0
        unsafe eventfd_read(bell, &rings)  // EAGAIN would mean that it is silent already
    }

    /// No callback comes any more, and nobody rings: the number may be another file's now.
    func handleClosed() { Glibc.close(bell) }
}

/// A bounded box of messages for one loop, filled from any thread.
public final class Mailbox<Message: Sendable>: Sendable {
    @usableFromInline
    struct Content: Sendable {
        @usableFromInline var messages: [Message] = []
        @usableFromInline var isOpen = true
        /// The bell has rung since the last drain.
        @usableFromInline var hasRung = false

        @usableFromInline
        init() {}

        /// Whether whoever posted must ring, once a drain.
        @inlinable
        mutating func rings() -> Bool {
            defer { hasRung = true }
            return !hasRung
        }
    }

    @usableFromInline let content = Mutex(Content())
    @usableFromInline let wake: Wake

    /// Messages that may wait for one drain.
    public let bound: Int

    /// Makes a box for a loop; on that loop's thread.
    ///
    /// - Parameter bound: messages between two drains; above it `post` says no.
    public init(loop: Loop, bound: Int) throws(LoopError) {
        precondition(bound > 0, "a mailbox holds at least one message")
        self.bound = bound
        wake = try Wake(loop: loop)
    }

    /// Puts a message in; any thread.
    ///
    /// - Returns: false when the box is full or closed, and then the message is not delivered.
    @inlinable
    public func post(_ message: Message) -> Bool {
        var rings = false
        let isTaken = content.withLock { content in
            guard content.isOpen, content.messages.count < bound else { return false }
            content.messages.append(message)
            rings = content.rings()
            return true
        }
        if rings { wake.send() }
        return isTaken
    }

    /// Puts messages in, in order, under one lock and with one bell; any thread.
    ///
    /// A turn posts what it has to say at its end: posted one by one, the first of them would wake
    /// the reader, who takes a core to read that one alone.
    /// - Parameter wakes: false where the reader need not know before its next turn, whatever that
    ///   comes from; a box that is half full rings all the same.
    /// - Returns: how many were delivered: all, or the first ones when the box is full or closed.
    @inlinable
    public func post(contentsOf messages: [Message], wakes: Bool = true) -> Int {
        guard !messages.isEmpty else { return 0 }
        var rings = false
        let taken = content.withLock { content in
            guard content.isOpen else { return 0 }
            let taken = min(messages.count, bound - content.messages.count)
            content.messages.append(contentsOf: messages[..<taken])
            if wakes || content.messages.count * 2 >= bound { rings = content.rings() }
            return taken
        }
        if rings { wake.send() }
        return taken
    }

    /// Takes all messages out, in the order of posting; on the loop's thread, every turn.
    ///
    /// - Parameter messages: its old content is dropped and its memory becomes the box's.
    @inlinable
    public func drain(into messages: inout [Message]) {
        messages.removeAll(keepingCapacity: true)
        content.withLock { content in
            swap(&content.messages, &messages)
            content.hasRung = false
        }
    }

    /// Refuses further posts and frees the bell; on the loop's thread. What is inside can be
    /// drained.
    public func close() {
        content.withLock { content in content.isOpen = false }
        wake.close()
    }
}

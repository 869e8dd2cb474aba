// How other threads meet a loop: a bounded box, and a bell that rings only when the box was empty.
//
//     poster --lock--> [ m m m ]   swap   [ ] --> loop: reads its own array without the lock
//        \-- empty -> not empty: uv_async_send (one eventfd write), else nothing
//
// The reader swaps its emptied array against the full one, so both keep their capacity and nothing
// is allocated once they have grown. A full box is an answer (`false`), not a surprise: the poster
// knows what to refuse. Posting to a closed box is the same answer, because the two threads that
// share one never agree on who ends first. Measured with a commit thread as the
// poster: about 50 us on top of a commit.
//
// `Wake` is `@unchecked Sendable`: libuv names `uv_async_send` as its one call that is legal from
// any thread, and the lock orders it before `uv_close`.

internal import CUV
public import Synchronization

/// A bell that wakes one loop from any thread.
@safe
public final class Wake: HandleOwner, @unchecked Sendable {
    private let cell: UnsafeMutablePointer<uv_async_t>
    private let isOpen = Mutex(true)

    /// Hangs the bell on a loop; on that loop's thread.
    public init(loop: Loop) throws(LoopError) {
        let cell = unsafe allocate(uv_async_t())
        // The callback has no work: waking is enough, as the turn follows the I/O callbacks.
        let code = unsafe uv_async_init(loop.raw, cell) { _ in }
        if code < 0 { unsafe cell.deallocate() }
        try check("uv_async_init", code)
        unsafe self.cell = cell
        unsafe cell.retain(self)
    }

    /// Wakes the loop; any thread; rings before its next turn melt into one.
    ///
    /// - Returns: false once closed, and then nothing was touched.
    @discardableResult
    public func send() -> Bool {
        isOpen.withLock { isOpen in
            guard isOpen else { return false }
            _ = unsafe uv_async_send(cell)  // fails only for a handle that is no async
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

    func handleClosed() {}
}

/// A bounded box of messages for one loop, filled from any thread.
public final class Mailbox<Message: Sendable>: Sendable {
    @usableFromInline
    struct Content: Sendable {
        @usableFromInline var messages: [Message] = []
        @usableFromInline var isOpen = true

        @usableFromInline
        init() {}
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
        var wasEmpty = false
        let isTaken = content.withLock { content in
            guard content.isOpen, content.messages.count < bound else { return false }
            wasEmpty = content.messages.isEmpty
            content.messages.append(message)
            return true
        }
        if wasEmpty { wake.send() }
        return isTaken
    }

    /// Takes all messages out, in the order of posting; on the loop's thread, every turn.
    ///
    /// - Parameter messages: its old content is dropped and its memory becomes the box's.
    @inlinable
    public func drain(into messages: inout [Message]) {
        messages.removeAll(keepingCapacity: true)
        content.withLock { content in swap(&content.messages, &messages) }
    }

    /// Refuses further posts and frees the bell; on the loop's thread. What is inside can be
    /// drained.
    public func close() {
        content.withLock { content in content.isOpen = false }
        wake.close()
    }
}

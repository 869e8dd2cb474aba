// A TCP connection: bytes in through one pooled buffer, bytes out at once or from a bounded queue.
//
//     write: [uv_try_write] --rest--> [uv_write request owning a copy] --callback--> freed
//            most answers end here    counted against `writeCap`; above it: overflow, close
//
// A reader that stalls must not cost more memory than we said, so the cap closes the connection
// instead of growing (libuv queues without bound). Every ending, ours or the peer's, passes through
// `uv_close`, and the owner hears it once, from the close callback, as the last event.

internal import CUV
internal import Glibc

/// Why a stream ended.
public enum EndReason: Sendable, Equatable {
    /// `close()` was called on this side.
    case closedHere
    /// The peer ended its half, and the owner did not want to go on.
    case peerClosed
    /// More bytes waited for the peer than `writeCap` allows.
    case overflow
    /// libuv reported this negated errno: reset, unreachable, timed out.
    case failed(code: Int32)
}

/// Who hears of a stream's events, all on the loop's thread.
public protocol StreamOwner: AnyObject {
    /// Bytes came; the span is the loop's shared buffer and valid during the call only.
    func stream(_ stream: Stream, received bytes: Span<UInt8>)
    /// A stream made by `connect` is connected.
    func streamConnected(_ stream: Stream)
    /// The peer ended its sending half. Without an own answer the stream closes.
    func streamFinished(_ stream: Stream)
    /// All bytes that had to wait have left.
    func streamDrained(_ stream: Stream)
    /// The stream is gone: exactly once, and nothing after it.
    func streamEnded(_ stream: Stream, reason: EndReason)
}

extension StreamOwner {
    /// Nothing to do.
    public func streamConnected(_ stream: Stream) {}
    /// Closes, as most protocols have nothing to say to a peer that left.
    public func streamFinished(_ stream: Stream) { stream.close(.peerClosed) }
    /// Nothing to do.
    public func streamDrained(_ stream: Stream) {}
}

/// One TCP connection on a loop; alive until closed.
@safe
public final class Stream: HandleOwner {
    /// Who hears of the events; retained until the stream has ended.
    public var owner: (any StreamOwner)?
    /// Bytes that may wait for the peer; above it the stream ends with `.overflow`.
    public var writeCap = Limits.defaultWriteCapBytes
    /// True once the end is certain; its event comes later.
    public private(set) var isClosing = false
    /// The peer's `address:port` as ASCII; empty if it was gone before we asked.
    public private(set) lazy var peer: [UInt8] = readPeer()

    private let cell: UnsafeMutablePointer<uv_tcp_t>
    private var reason = EndReason.closedHere
    private var isReading = false

    /// Takes over a handle that is open or about to connect.
    init(_ loop: Loop, _ cell: UnsafeMutablePointer<uv_tcp_t>) {
        unsafe self.cell = cell
        unsafe cell.retain(self)
    }

    /// Dials `host:port`, literals only; `streamConnected` or `streamEnded` follows.
    public static func connect(
        on loop: Loop,
        host: String,
        port: Int,
        owner: any StreamOwner
    ) throws(LoopError) -> Stream {
        var address = try SocketAddress(host: host, port: port)
        let cell = unsafe allocate(uv_tcp_t())
        let made = unsafe uv_tcp_init(loop.raw, cell)
        if made < 0 { unsafe cell.deallocate() }
        try check("uv_tcp_init", made)
        let request = unsafe allocate(uv_connect_t())
        let code = unsafe address.withPointer { address in
            unsafe uv_tcp_connect(request, cell, address) { request, status in
                let stream = unsafe EventLoop.owner(
                    request?.pointee.handle.pointee.data,
                    as: Stream.self
                )
                unsafe request?.deallocate()
                stream.connected(status)
            }
        }
        if code < 0 { unsafe request.deallocate() }
        if code < 0 { unsafe cell.closeHandle() }
        try check("uv_tcp_connect", code, place: SocketAddress.text(host, port))
        _ = unsafe uv_tcp_nodelay(cell, 1)  // refusal changes nothing but latency
        let stream = unsafe Stream(loop, cell)
        stream.owner = owner
        return stream
    }

    /// Bytes that wait for the peer to read.
    public var queuedBytes: Int {
        isClosing ? 0 : unsafe uv_stream_get_write_queue_size(cell.asStream)
    }

    /// Lets bytes come. Repeats are harmless.
    public func startReading() {
        guard !isReading, !isClosing else { return }
        isReading = true
        let code = unsafe uv_read_start(
            cell.asStream,
            { handle, _, buffer in
                // The loop's one read buffer: the bytes are gone from it before the next read.
                unsafe buffer?.pointee.base = handle?.pointee.loop.pointee.data?
                    .assumingMemoryBound(to: CChar.self)
                unsafe buffer?.pointee.len = Limits.readBufferBytes
            },
            { handle, count, buffer in
                let stream = unsafe EventLoop.owner(handle?.pointee.data, as: Stream.self)
                unsafe stream.read(count, buffer?.pointee.base)
            }
        )
        if code < 0 { close(.failed(code: code)) }
    }

    /// Leaves further bytes with the kernel, which slows the peer. Repeats are harmless.
    public func stopReading() {
        guard isReading, !isClosing else { return }
        isReading = false
        unsafe uv_read_stop(cell.asStream)  // 0 always
    }

    /// Has the kernel send a lost segment again so soon after the expected round trip, which is
    /// 200 ms by default; doubled each time that it is lost again.
    ///
    /// Linux 6.15 and later can (TCP_RTO_MIN_US, tcp.h; Debian 12's headers lack its number).
    /// An older kernel refuses, which changes nothing but latency under loss.
    public func repeatLost(afterMicroseconds time: Int32) {
        var descriptor: Int32 = -1
        guard !isClosing, unsafe uv_fileno(cell.asHandle, &descriptor) == 0 else { return }
        var time = time
        let size = UInt32(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), 45, &time, size)
    }

    /// Sends bytes in order: now what the socket takes, the rest when it drains.
    public func write(_ bytes: Span<UInt8>) {
        guard !isClosing, !bytes.isEmpty else { return }
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            var buffer = unsafe uv_buf_t(
                base: UnsafeMutableRawPointer(mutating: base).assumingMemoryBound(to: CChar.self),
                len: bytes.count
            )
            let sent = unsafe uv_try_write(cell.asStream, &buffer, 1)
            if sent < 0, sent != UV_EAGAIN.rawValue { return close(.failed(code: sent)) }
            let rest = unsafe UnsafeBufferPointer(rebasing: bytes[max(0, Int(sent))...])
            if !rest.isEmpty { unsafe queue(rest) }
        }
    }

    /// Ends our sending half once everything queued has left; reading goes on.
    public func shutdown() {
        guard !isClosing else { return }
        let request = unsafe allocate(uv_shutdown_t())
        let code = unsafe uv_shutdown(request, cell.asStream) { request, status in
            let stream = unsafe EventLoop.owner(
                request?.pointee.handle.pointee.data,
                as: Stream.self
            )
            unsafe request?.deallocate()
            if status < 0 { stream.close(.failed(code: status)) }
        }
        guard code < 0 else { return }
        unsafe request.deallocate()
        close(.failed(code: code))
    }

    /// Ends the stream; what is queued is dropped. Repeats are harmless.
    public func close() { close(.closedHere) }

    func close(_ reason: EndReason) {
        guard !isClosing else { return }
        isClosing = true
        self.reason = reason
        unsafe cell.closeHandle()
    }

    func handleClosed() {
        let last = owner
        owner = nil
        last?.streamEnded(self, reason: reason)
    }

    private func connected(_ status: Int32) {
        guard !isClosing else { return }
        if status < 0 { return close(.failed(code: status)) }
        owner?.streamConnected(self)
    }

    private func read(_ count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        guard !isClosing, count != 0 else { return }  // 0 is EAGAIN, not the end
        if count == Int(UV_EOF.rawValue) {
            stopReading()
            owner?.streamFinished(self)
            return
        }
        guard count > 0, let base = unsafe base else {
            return close(.failed(code: Int32(truncatingIfNeeded: count)))
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: base, count: count)
        unsafe bytes.withMemoryRebound(to: UInt8.self) { bytes in
            owner?.stream(self, received: unsafe bytes.span)
        }
    }

    /// Copies the rest into a request of its own, or ends the stream when too much waits already.
    private func queue(_ rest: UnsafeBufferPointer<UInt8>) {
        guard queuedBytes + rest.count <= writeCap else { return close(.overflow) }
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: rest.count)
        _ = unsafe copy.initialize(fromContentsOf: rest)
        let request = unsafe allocate(uv_write_t())
        unsafe request.pointee.data = UnsafeMutableRawPointer(copy.baseAddress)
        var buffer = unsafe uv_buf_t(
            base: request.pointee.data.assumingMemoryBound(to: CChar.self),
            len: copy.count
        )
        let code = unsafe uv_write(request, cell.asStream, &buffer, 1) { request, status in
            let stream = unsafe EventLoop.owner(
                request?.pointee.handle.pointee.data,
                as: Stream.self
            )
            unsafe request?.pointee.data.deallocate()
            unsafe request?.deallocate()
            stream.wrote(status)
        }
        guard code < 0 else { return }
        unsafe copy.deallocate()
        unsafe request.deallocate()
        close(.failed(code: code))
    }

    private func wrote(_ status: Int32) {
        guard !isClosing else { return }  // ECANCELED: our own close
        if status < 0 { return close(.failed(code: status)) }
        if queuedBytes == 0 { owner?.streamDrained(self) }
    }

    private func readPeer() -> [UInt8] {
        guard !isClosing else { return [] }
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        let code = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe uv_tcp_getpeername(cell, $0.asAddress, &length)
        }
        return code == 0 ? SocketAddress.bytes(of: &storage) : []
    }
}

@available(*, unavailable) extension Stream: Sendable {}

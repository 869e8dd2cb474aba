// A UDP socket: packets out at once or not at all, packets in one by one through the loop's buffer.
//
// Nothing is queued. What the kernel does not take now is lost, as the network may lose it anyway;
// whoever sends packets repeats them by rules of its own. So there is no bound to keep here.

internal import CUV

/// Who hears of packets, on the loop's thread.
public protocol DatagramsOwner: AnyObject {
    /// A packet came; the span is the loop's shared buffer and valid during the call only.
    func datagrams(_ datagrams: Datagrams, received packet: Span<UInt8>)
}

/// Where to send packets.
public struct DatagramAddress: Sendable {
    fileprivate var socket: SocketAddress

    /// Reads a literal of either family, or `localhost`.
    ///
    /// Errors: `addressInvalid`.
    public init(host: String, port: Int) throws(LoopError) {
        socket = try SocketAddress(host: host, port: port)
    }

    /// Reads `host:port` or `[host]:port`.
    ///
    /// Errors: `addressInvalid`.
    public init(_ text: [UInt8]) throws(LoopError) {
        let whole = String(decoding: text, as: UTF8.self)
        guard let colon = text.lastIndex(of: 0x3A),
            let port = Int(String(decoding: text[(colon + 1)...], as: UTF8.self))
        else { throw .addressInvalid(whole) }
        var host = text[..<colon]
        if host.first == 0x5B, host.last == 0x5D { host = host.dropFirst().dropLast() }
        socket = try SocketAddress(host: String(decoding: host, as: UTF8.self), port: port)
    }
}

/// A bound UDP socket on a loop; alive until closed.
@safe
public final class Datagrams: HandleOwner {
    private let cell: UnsafeMutablePointer<uv_udp_t>
    private var owner: (any DatagramsOwner)?
    private var isClosing = false

    /// Binds, without sharing the port, and begins to read.
    ///
    /// - Parameters:
    ///   - host: an IPv4 or IPv6 literal, or `localhost`.
    ///   - port: 0 lets the kernel choose.
    ///   - owner: retained until the socket has closed.
    ///
    /// Errors: `addressInUse`, `addressInvalid`, `addressDenied`, `outOfFiles`.
    public init(
        on loop: Loop,
        host: String,
        port: Int,
        owner: any DatagramsOwner
    ) throws(LoopError) {
        var address = try SocketAddress(host: host, port: port)
        let place = SocketAddress.text(host, port)
        let cell = unsafe allocate(uv_udp_t())
        var code = unsafe uv_udp_init(loop.raw, cell)
        if code < 0 { unsafe cell.deallocate() }
        try check("uv_udp_init", code)
        code = unsafe address.withPointer { unsafe uv_udp_bind(cell, $0, 0) }
        if code < 0 { unsafe cell.closeHandle() }
        try check("uv_udp_bind", code, place: place)
        code = unsafe uv_udp_recv_start(
            cell,
            { handle, _, buffer in
                unsafe buffer?.pointee.base = handle?.pointee.loop.pointee.data?
                    .assumingMemoryBound(to: CChar.self)
                unsafe buffer?.pointee.len = Limits.readBufferBytes
            },
            { handle, count, buffer, _, flags in
                // 0 without a packet is EAGAIN; an error is of one packet (ICMP), not of the
                // socket.
                guard count > 0, flags & UV_UDP_PARTIAL.rawValue == 0 else { return }
                let socket = unsafe EventLoop.owner(handle?.pointee.data, as: Datagrams.self)
                unsafe socket.read(count, buffer?.pointee.base)
            }
        )
        if code < 0 { unsafe cell.closeHandle() }
        try check("uv_udp_recv_start", code, place: place)
        unsafe self.cell = cell
        self.owner = owner
        unsafe cell.retain(self)
    }

    /// The bound port; 0 if the system does not say.
    public var port: Int {
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        guard !isClosing else { return 0 }
        let code = unsafe withUnsafeMutablePointer(to: &storage) {
            unsafe uv_udp_getsockname(cell, $0.asAddress, &length)
        }
        return code == 0 ? SocketAddress.port(of: &storage) : 0
    }

    /// Gives a packet to the kernel.
    ///
    /// - Returns: false if it did not take it; nothing is queued.
    public func send(_ packet: Span<UInt8>, to address: DatagramAddress) -> Bool {
        guard !isClosing else { return false }
        var socket = address.socket
        let sent = unsafe packet.withUnsafeBufferPointer { packet in
            // libuv does not write through the pointer: struct iovec has no const.
            let base = unsafe UnsafeMutableRawPointer(mutating: packet.baseAddress)
            var buffer = unsafe uv_buf_t(
                base: base?.assumingMemoryBound(to: CChar.self),
                len: packet.count
            )
            return unsafe socket.withPointer { unsafe uv_udp_try_send(cell, &buffer, 1, $0) }
        }
        return sent == packet.count
    }

    /// Ends it and gives the port back; no call comes after this one.
    public func close() {
        guard !isClosing else { return }
        isClosing = true
        unsafe cell.closeHandle()
    }

    func handleClosed() { owner = nil }

    private func read(_ count: Int, _ base: UnsafeMutablePointer<CChar>?) {
        guard !isClosing, let base = unsafe base else { return }
        let bytes = unsafe UnsafeRawBufferPointer(start: base, count: count)
        unsafe bytes.withMemoryRebound(to: UInt8.self) { bytes in
            owner?.datagrams(self, received: unsafe bytes.span)
        }
    }
}

@available(*, unavailable) extension Datagrams: Sendable {}

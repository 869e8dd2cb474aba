// A TCP door. Its socket is made here and then given to libuv, for two reasons.
//
// libuv 1.44 has no flag for SO_REUSEPORT (1.49 brought it), with which K serving loops each listen
// on the same port and the kernel spreads connections over them; and `uv_tcp_bind` hides a used
// port until `uv_listen`. With our own socket every failure happens on a local, before any handle
// exists, and can name the address.

internal import CUV
internal import Glibc

/// Who gets the connections of a listener.
public protocol ListenerOwner: AnyObject {
    /// A peer connected; set the stream's owner and start reading, or close it.
    func listener(_ listener: Listener, accepted stream: Stream)
}

/// A listening TCP socket on a loop; alive until closed.
@safe
public final class Listener: HandleOwner {
    /// The bound port; the kernel's choice where 0 was asked for.
    public let port: Int

    private static let kind = Int32(
        SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    )
    private let loop: Loop
    private let cell: UnsafeMutablePointer<uv_tcp_t>
    private var owner: (any ListenerOwner)?
    private var isClosing = false

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - host: an IPv4 or IPv6 literal, or `localhost`.
    ///   - port: 0 lets the kernel choose.
    ///   - sharePort: SO_REUSEPORT; other loops of this process may bind the same port, and so may
    ///     another process of this user, which is why an exclusive port is bound first (DESIGN 3).
    ///   - owner: retained until the listener has closed.
    ///
    /// Errors: `addressInUse`, `addressInvalid`, `addressDenied`, `outOfFiles`.
    public init(
        on loop: Loop,
        host: String,
        port: Int,
        sharePort: Bool = false,
        owner: any ListenerOwner
    ) throws(LoopError) {
        var address = try SocketAddress(host: host, port: port)
        let place = SocketAddress.text(host, port)
        let descriptor = socket(
            address.family,
            Listener.kind,
            0
        )
        try check("socket", descriptor < 0 ? -errno : 0, place: place)
        let bound = Listener.bind(descriptor, &address, sharePort)
        if bound < 0 { discard(descriptor) }
        try check("bind", bound, place: place)

        let cell = unsafe allocate(uv_tcp_t())
        var code = unsafe uv_tcp_init(loop.raw, cell)
        if code < 0 { unsafe cell.deallocate() }
        if code < 0 { discard(descriptor) }
        try check("uv_tcp_init", code)
        code = unsafe uv_tcp_open(cell, descriptor)
        if code < 0 { discard(descriptor) }
        if code < 0 { unsafe cell.closeHandle() }
        try check("uv_tcp_open", code)
        code = unsafe uv_listen(cell.asStream, Limits.acceptBacklogConnections) { server, status in
            guard status >= 0 else { return }  // EMFILE: libuv drops the connection and goes on
            unsafe EventLoop.owner(server?.pointee.data, as: Listener.self).accept()
        }
        if code < 0 { unsafe cell.closeHandle() }
        try check("uv_listen", code, place: place)

        unsafe self.cell = cell
        self.loop = loop
        self.owner = owner
        self.port = Int(bound)
        unsafe cell.retain(self)
    }

    /// Stops accepting and gives the port back; streams that came from it live on.
    public func close() {
        guard !isClosing else { return }
        isClosing = true
        unsafe cell.closeHandle()
    }

    func handleClosed() { owner = nil }

    private func accept() {
        guard !isClosing, let owner else { return }
        let peer = unsafe allocate(uv_tcp_t())
        guard unsafe uv_tcp_init(loop.raw, peer) == 0 else {
            unsafe peer.deallocate()  // no socket was made yet, so nothing but memory to return
            return
        }
        guard unsafe uv_accept(cell.asStream, peer.asStream) == 0 else {
            unsafe peer.closeHandle()  // the peer left between the event and now
            return
        }
        // A response is written whole, so Nagle's delay could only cost; refusal changes nothing.
        _ = unsafe uv_tcp_nodelay(peer, 1)
        owner.listener(self, accepted: unsafe Stream(loop, peer))
    }

    /// Sets the options and binds.
    ///
    /// - Returns: the bound port, or a negated errno.
    private static func bind(
        _ descriptor: Int32,
        _ address: inout SocketAddress,
        _ sharePort: Bool
    ) -> Int32 {
        var on: Int32 = 1
        let size = UInt32(MemoryLayout<Int32>.size)
        guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size) == 0 else {
            return -errno
        }
        if sharePort {
            guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, size) == 0 else {
                return -errno
            }
        }
        let length = address.length
        // With SO_REUSEADDR a bound port that nobody listens on yet is not refused until listen.
        let code = unsafe address.withPointer { unsafe Glibc.bind(descriptor, $0, length) }
        guard code == 0, Glibc.listen(descriptor, Limits.acceptBacklogConnections) == 0 else {
            return -errno
        }
        var filled = length
        guard unsafe address.withPointer({ unsafe getsockname(descriptor, $0, &filled) }) == 0
        else { return -errno }
        return Int32(address.port)
    }
}

@available(*, unavailable) extension Listener: Sendable {}

/// Closes a descriptor that libuv never saw.
private func discard(_ descriptor: Int32) {
    _ = Glibc.close(descriptor)  // EINTR and EIO free it all the same on Linux (close(2))
}

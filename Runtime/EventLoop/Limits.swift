// Every bound of the event loop, with its unit in its name and where the number comes from.

/// The event loop's bounds.
enum Limits {
    /// One pooled buffer a loop: what one `read` may take from a socket. 64 KiB is libuv's own
    /// suggestion and the size of its inner read loop; one is enough, as bytes are handed on in
    /// place.
    static let readBufferBytes = 65_536

    /// Connections that the kernel may complete before we accept them. 1,024 is four times what one
    /// turn has been seen to accept; the kernel cuts it to net.core.somaxconn (4,096 by default).
    static let acceptBacklogConnections: Int32 = 1_024

    /// Bytes that may wait for a slow reader when the owner sets no cap of its own: two read
    /// buffers, so that an echo never overflows on what one read brought.
    static let defaultWriteCapBytes = 2 * readBufferBytes

    /// The longest text of an address: 45 of IPv6, a scope of 16, and a zero.
    static let addressTextBytes = 64
}

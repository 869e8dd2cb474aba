// The life of a libuv handle, and every cast between its C types: this file and no other.
//
// libuv writes into a handle until its close callback has run, whatever our objects do meanwhile.
// So a handle is a heap cell of its own; its `data` field holds one retained object; `uv_close` is
// the only way out; and the cell is freed, and the object released, in the close callback alone.
// (libuv docs, design.rst: "handles ... must not be freed before the close callback".)

internal import CUV

/// An object that a handle keeps alive until libuv is done with the handle.
protocol HandleOwner: AnyObject {
    /// libuv is done: the last callback of this handle.
    func handleClosed()
}

/// A heap cell for one handle or request.
func allocate<Raw>(_ zero: Raw) -> UnsafeMutablePointer<Raw> {
    let cell = UnsafeMutablePointer<Raw>.allocate(capacity: 1)
    unsafe cell.initialize(to: zero)
    return unsafe cell
}

extension UnsafeMutablePointer {
    /// The same cell as libuv's base handle, which every handle type starts with.
    var asHandle: UnsafeMutablePointer<uv_handle_t> {
        unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_handle_t.self)
    }

    /// The same cell as libuv's stream, which `uv_tcp_t` starts with.
    var asStream: UnsafeMutablePointer<uv_stream_t> {
        unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_stream_t.self)
    }

    /// The same cell as a TCP handle; right only for streams of this module, which all are.
    var asTCP: UnsafeMutablePointer<uv_tcp_t> {
        unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_tcp_t.self)
    }

    /// The same cell as a socket address of any family.
    var asAddress: UnsafeMutablePointer<sockaddr> {
        unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: sockaddr.self)
    }

    /// Ties `owner` to the handle: alive until the close callback.
    func retain(_ owner: any HandleOwner) {
        unsafe asHandle.pointee.data = Unmanaged.passRetained(owner as AnyObject).toOpaque()
    }

    /// Asks libuv to let go. Legal once, after a successful `uv_*_init`.
    func closeHandle() {
        unsafe uv_close(asHandle) { handle in
            guard let handle = unsafe handle else { return }
            let owner = unsafe handle.pointee.data
            unsafe UnsafeMutableRawPointer(handle).deallocate()
            guard let owner = unsafe owner else { return }
            let object = unsafe Unmanaged<AnyObject>.fromOpaque(owner).takeRetainedValue()
            (object as? any HandleOwner)?.handleClosed()
        }
    }
}

/// The object behind a handle's `data`, of the type that this module put there.
///
/// Not checked: each callback is only ever installed on handles of its own owner type.
@inline(__always)
func owner<Owner: AnyObject>(
    _ pointer: UnsafeMutableRawPointer?,
    as type: Owner.Type
) -> Owner {
    guard let pointer = unsafe pointer else { preconditionFailure("handle without an owner") }
    return unsafe Unmanaged<Owner>.fromOpaque(pointer).takeUnretainedValue()
}

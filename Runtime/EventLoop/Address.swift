// Numeric addresses: `host:port` text to a socket address and back, with no name look-ups.
//
// A node binds and dials addresses, never names: resolving blocks, and a name that resolves to two
// places is no place. The one exception is `localhost`, which people type.

internal import CUV

/// Whether a host is written in numbers, as all that is bound or dialed must be, or `localhost`.
public func isNumericHost(_ host: String) -> Bool {
    do {
        _ = try SocketAddress(host: host, port: 0)
        return true
    } catch { return false }
}

/// A socket address of either family.
struct SocketAddress {
    var storage = sockaddr_storage()
    let family: Int32
    let length: UInt32

    /// Reads a literal; `localhost` is 127.0.0.1.
    init(host: String, port: Int) throws(LoopError) {
        let place = SocketAddress.text(host, port)
        guard let port = UInt16(exactly: port) else { throw .addressInvalid(place) }
        var four = sockaddr_in()
        let literal = host == "localhost" ? "127.0.0.1" : host
        if unsafe uv_ip4_addr(literal, Int32(port), &four) == 0 {
            family = AF_INET
            length = UInt32(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeMutablePointer(to: &storage) { unsafe $0.copy(&four, length) }
            return
        }
        var six = sockaddr_in6()
        guard unsafe uv_ip6_addr(literal, Int32(port), &six) == 0 else {
            throw .addressInvalid(place)
        }
        family = AF_INET6
        length = UInt32(MemoryLayout<sockaddr_in6>.size)
        unsafe withUnsafeMutablePointer(to: &storage) { unsafe $0.copy(&six, length) }
    }

    /// `127.0.0.1:80` or `[::1]:80`.
    static func text(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Calls `body` with the address as C wants it.
    mutating func withPointer<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        unsafe withUnsafeMutablePointer(to: &storage) { unsafe body($0.asAddress) }
    }

    /// The port that `getsockname` filled in; both families keep it at the same place.
    var port: UInt16 {
        mutating get { UInt16(SocketAddress.port(of: &storage)) }
    }

    /// The port of an address of either family.
    static func port(of storage: inout sockaddr_storage) -> Int {
        unsafe withUnsafeMutablePointer(to: &storage) {
            let four = unsafe UnsafeMutableRawPointer($0)
                .assumingMemoryBound(to: sockaddr_in.self)
            return unsafe Int(UInt16(bigEndian: four.pointee.sin_port))
        }
    }

    /// The text of an address that libuv filled in; empty when it has no family that we know.
    static func bytes(of storage: inout sockaddr_storage) -> [UInt8] {
        let family = Int32(storage.ss_family)
        var name = [CChar](repeating: 0, count: Limits.addressTextBytes)
        let size = name.count
        let port: UInt16 = unsafe withUnsafeMutablePointer(to: &storage) { cell in
            let raw = UnsafeMutableRawPointer(cell)
            if family == AF_INET6 {
                let six = unsafe raw.assumingMemoryBound(to: sockaddr_in6.self)
                unsafe uv_ip6_name(six, &name, size)  // fails only for a short buffer
                return unsafe UInt16(bigEndian: six.pointee.sin6_port)
            }
            let four = unsafe raw.assumingMemoryBound(to: sockaddr_in.self)
            unsafe uv_ip4_name(four, &name, size)  // fails only for a short buffer
            return unsafe UInt16(bigEndian: four.pointee.sin_port)
        }
        let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let isSix = family == AF_INET6
        return (isSix ? [0x5B] : []) + host + (isSix ? [0x5D] : []) + [0x3A] + Array("\(port)".utf8)
    }
}

extension UnsafeMutablePointer where Pointee == sockaddr_storage {
    fileprivate func copy(_ from: UnsafeRawPointer, _ length: UInt32) {
        unsafe UnsafeMutableRawPointer(self).copyMemory(from: from, byteCount: Int(length))
    }
}

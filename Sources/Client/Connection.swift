// One TCP connection whose every wait ends by a deadline.
//
// The socket never blocks; poll() waits, for the time that the call has left. So a node that accepts
// and then says nothing costs a worker its deadline and no more. Only name resolution blocks beyond
// it (getaddrinfo has no deadline); workers name their node by number or from /etc/hosts.

import Glibc

/// A point on CLOCK_MONOTONIC.
struct Deadline {
    private let nanos: UInt64

    init(afterMillis millis: Int) {
        nanos = Deadline.now() + UInt64(max(0, millis)) * 1_000_000
    }

    /// What is left, rounded up; 0 when it has passed.
    var millisLeft: Int32 {
        let now = Deadline.now()
        guard now < nanos else { return 0 }
        return Int32(clamping: (nanos - now + 999_999) / 1_000_000)
    }

    /// This or the other, whichever is sooner.
    func earlier(afterMillis millis: Int) -> Deadline {
        let other = Deadline(afterMillis: millis)
        return other.nanos < nanos ? other : self
    }

    private static func now() -> UInt64 {
        var time = timespec()
        let code = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        precondition(code == 0, "CLOCK_MONOTONIC exists on every Linux")
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Why bytes stopped.
enum Broken: Error {
    /// The deadline passed.
    case late
    /// The other side closed or reset before it said anything.
    case lost
    /// The other side closed or reset within its answer.
    case closed
    /// What it said is no answer.
    case malformed(String)
    /// Anything else, with the call that failed.
    case failed(call: StaticString, code: Int32)

    var text: String {
        switch self {
        case .late: "no answer in time"
        case .lost: "the connection was closed without an answer"
        case .closed: "the connection was closed within the answer"
        case .malformed(let why): why
        case .failed(let call, let code): "\(call): \(errorText(code))"
        }
    }
}

/// The system's words for an error number.
func errorText(_ code: Int32) -> String {
    guard let words = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: words)
}

/// A connected socket; closed when it goes.
///
/// A class, not a `~Copyable` struct: Swift 6.3.1's move-only checker does not end on the loop in
/// `QuellClient.converse` when this is one.
final class Connection {
    private let socket: Int32

    /// Resolves and connects, trying each address of the name in turn.
    init(to endpoint: Endpoint, deadline: Deadline) throws(ClientError) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &found)
        guard code == 0 else {
            let words = unsafe gai_strerror(code).map { unsafe String(cString: $0) }
            throw .unreachable("\(endpoint.authority): \(words ?? "name not found")")
        }
        defer { unsafe freeaddrinfo(found) }
        var next = unsafe found
        var last = Broken.lost
        while let address = unsafe next {
            do {
                socket = unsafe try Connection.open(address.pointee, deadline)
                return
            } catch { last = error }
            unsafe next = address.pointee.ai_next
        }
        throw .unreachable("\(endpoint.authority): \(last.text)")
    }

    deinit { close(socket) }

    private static func open(
        _ address: addrinfo,
        _ deadline: Deadline
    ) throws(Broken) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = unsafe Glibc.socket(address.ai_family, kind, address.ai_protocol)
        guard socket >= 0 else { throw .failed(call: "socket", code: errno) }
        do throws(Broken) {
            if unsafe connect(socket, address.ai_addr, address.ai_addrlen) != 0 {
                guard errno == EINPROGRESS || errno == EINTR else {
                    throw .failed(call: "connect", code: errno)
                }
                _ = try wait(socket, for: POLLOUT, deadline)
            }
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0
            else { throw .failed(call: "connect", code: code == 0 ? errno : code) }
            // One small write a request: waiting to fill a segment would only add latency.
            var on: Int32 = 1
            let level = Int32(IPPROTO_TCP)
            guard unsafe setsockopt(socket, level, TCP_NODELAY, &on, size) == 0 else {
                throw .failed(call: "setsockopt", code: errno)
            }
        } catch {
            close(socket)
            throw error
        }
        return socket
    }

    /// Waits until one of the events can happen; says which did.
    private static func wait(
        _ socket: Int32,
        for events: Int32,
        _ deadline: Deadline
    ) throws(Broken) -> Int32 {
        var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
        while true {
            let left = deadline.millisLeft
            let count = unsafe poll(&entry, 1, left)
            if count > 0 { return Int32(entry.revents) }
            if count == 0 { throw .late }
            guard errno == EINTR else { throw .failed(call: "poll", code: errno) }
        }
    }
}

extension Connection {
    /// Whether an idle connection cannot carry another request: the node closed it, or said something
    /// that nobody asked for.
    func isStale() -> Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 0) != 0
    }

    /// Sends all, unless the node answers first, as it does when it refuses a large body.
    ///
    /// - Returns: false when not all was sent; read the answer and then drop the connection.
    func send(_ bytes: [UInt8], _ deadline: Deadline) throws(Broken) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let events = try Connection.wait(socket, for: POLLOUT | POLLIN, deadline)
            if events & POLLIN != 0 { return false }
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
                continue
            }
            switch errno {
            case EAGAIN, EINTR: continue
            case EPIPE, ECONNRESET: return false
            default: throw .failed(call: "send", code: errno)
            }
        }
        return true
    }

    /// Receives some bytes into the front of the buffer; 0 when the node has closed its side.
    ///
    /// - Parameter isSilent: nothing came yet, so that closing means `.lost`.
    func receive(
        into buffer: inout [UInt8],
        _ deadline: Deadline,
        isSilent: Bool
    ) throws(Broken) -> Int {
        while true {
            _ = try Connection.wait(socket, for: POLLIN, deadline)
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(socket, $0.baseAddress, $0.count, 0)
            }
            if count > 0 || count == 0 && !isSilent { return count }
            if count == 0 { throw .lost }
            switch errno {
            case EAGAIN, EINTR: continue
            case ECONNRESET: throw isSilent ? .lost : .closed
            default: throw .failed(call: "recv", code: errno)
            }
        }
    }
}

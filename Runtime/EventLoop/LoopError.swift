// What can go wrong below the loop, split by what the caller can do about it.
//
// A used port is the operator's to fix, a full descriptor table too, anything else is a defect or a
// dying machine. libuv returns negated errno values; the code is kept for the log.

internal import CUV

/// Why a call into the event loop failed.
public enum LoopError: Error, Equatable, CustomStringConvertible {
    /// Another process listens on this `host:port`.
    case addressInUse(String)
    /// This `host:port` is no address of this machine, or no address at all.
    case addressInvalid(String)
    /// The system refuses this `host:port` to this user.
    case addressDenied(String)
    /// The process or the machine has no descriptor left.
    case outOfFiles(call: StaticString)
    /// The named C function returned this negated errno.
    case other(call: StaticString, code: Int32)

    /// One line that names the cause and, where there is one, the cure.
    public var description: String {
        switch self {
        case .addressInUse(let place):
            "\(place) is in use by another process: stop it or choose another port"
        case .addressInvalid(let place):
            "\(place) is not an address of this machine: write one such as 127.0.0.1:8100"
        case .addressDenied(let place):
            "\(place) is refused by the system: ports below 1024 need a privilege"
        case .outOfFiles(let call):
            "\(call): no file descriptor left: raise the limit (ulimit -n)"
        case .other(let call, let code):
            "\(call): \(LoopError.text(of: code))"
        }
    }

    /// The negated errno; for causes that have a case of their own, the one that they stand for.
    public var code: Int32 {
        switch self {
        case .addressInUse: UV_EADDRINUSE.rawValue
        case .addressInvalid: UV_EADDRNOTAVAIL.rawValue
        case .addressDenied: UV_EACCES.rawValue
        case .outOfFiles: UV_EMFILE.rawValue
        case .other(_, let code): code
        }
    }

    /// The same failure told twice is equal.
    public static func == (a: LoopError, b: LoopError) -> Bool {
        a.description == b.description
    }

    /// libuv's own words for a code.
    static func text(of code: Int32) -> String {
        guard let words = unsafe uv_strerror(code) else { return "error \(code)" }
        return unsafe String(cString: words)
    }

    /// Sorts a code by what the caller can do.
    static func from(_ call: StaticString, _ code: Int32, place: String = "") -> LoopError {
        switch code {
        case UV_EADDRINUSE.rawValue where !place.isEmpty: .addressInUse(place)
        case UV_EADDRNOTAVAIL.rawValue where !place.isEmpty,
            UV_EINVAL.rawValue where !place.isEmpty:
            .addressInvalid(place)
        case UV_EACCES.rawValue where !place.isEmpty,
            UV_EPERM.rawValue where !place.isEmpty:
            .addressDenied(place)
        case UV_EMFILE.rawValue, UV_ENFILE.rawValue: .outOfFiles(call: call)
        default: .other(call: call, code: code)
        }
    }
}

/// Throws unless libuv said 0 or more.
@discardableResult
func check(
    _ call: StaticString,
    _ code: Int32,
    place: String = ""
) throws(LoopError) -> Int32 {
    guard code < 0 else { return code }
    throw LoopError.from(call, code, place: place)
}

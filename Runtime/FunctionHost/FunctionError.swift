// What can go wrong with a function: before it serves, and while it does.

/// Why a module does not become a version; each text says what is wrong with it.
public enum LoadError: Error, Equatable, CustomStringConvertible {
    /// The engine, or a child process, could not do its part.
    case engine(String)
    /// Longer than the function's limit.
    case oversized(bytes: Int, limit: Int)
    /// No core wasm module that we can read.
    case malformed(String)
    /// It imports what its capabilities do not give.
    case undeclaredImport(String)
    /// It lacks an export of ABI v1, or has it with another type or answer.
    case wrongABI(String)
    /// Readable, but against a rule of the host.
    case forbidden(String)
    /// The artifact around the module is not one.
    case artifact(String)
    /// Nobody whom this cluster trusts vouches for it.
    case untrusted(String)
    /// It fails one of its own smoke requests.
    case smoke(String)

    /// One line.
    public var description: String {
        switch self {
        case .engine(let why): why
        case .oversized(let bytes, let limit): "\(bytes) bytes of wasm, at most \(limit)"
        case .malformed(let why): "not a wasm module: \(why)"
        case .undeclaredImport(let name): "imports \(name), which no capability gives"
        case .wrongABI(let why): "not of ABI 1: \(why)"
        case .forbidden(let why): "not permitted: \(why)"
        case .artifact(let why): "not an artifact: \(why)"
        case .untrusted(let why): why
        case .smoke(let why): "smoke request \(why)"
        }
    }
}

/// Why one call has no answer; the caller falls back in the same request.
public enum CallFailure: UInt8, Error, CaseIterable, Sendable {
    /// Unreachable code, a division by zero and their like.
    case trap
    /// An address outside of the memory.
    case bounds
    /// The stack ran out.
    case stack
    /// The deadline passed.
    case deadline
    /// The guest said that it cannot, or its answer is none of ABI v1, or stages what it may not.
    case badResponse
    /// More calls of the host than it may make.
    case hostCalls
    /// No instance could be made: the pool is empty, or the request does not fit.
    case unavailable
    /// Not asked: it has failed too often of late.
    case breakerOpen

    /// The word in metrics and logs.
    public var word: String {
        switch self {
        case .trap: "trap"
        case .bounds: "bounds"
        case .stack: "stack"
        case .deadline: "deadline"
        case .badResponse: "bad_response"
        case .hostCalls: "host_calls"
        case .unavailable: "unavailable"
        case .breakerOpen: "breaker_open"
        }
    }
}

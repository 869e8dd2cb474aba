// What a function may do and how much: the part of its manifest that the host enforces.
//
// The functions that ship with Quell have theirs here as well as in Functions/*/function.yaml;
// a test compares the two.

public import FunctionKit

/// How much of one call the next one may see.
public enum Isolation: String, Sendable {
    /// A fresh instance from the pool for each call.
    case strict
    /// One instance; the host restores its memory after each call.
    case reset
    /// One instance as it was left; its arena is reset by the guest.
    case warm
}

/// What a function may import from the module `quell1`.
public enum Capability: String, CaseIterable, Sendable {
    /// `log(level, pointer, length)`: a line into the function's log.
    case log
}

/// The rules of one function.
public struct FunctionSpec: Equatable, Sendable {
    /// Its name, which is also the module's file name.
    public let name: String
    /// What it is asked.
    public let kind: AbiKind
    /// How its calls are kept apart.
    public let isolation: Isolation
    /// Bytes of its module.
    public let artifactBytes: Int
    /// Pages of its memory.
    public let memoryPages: Int
    /// Milliseconds of one call.
    public let deadlineMillis: Int
    /// Bytes of a request.
    public let requestBytes: Int
    /// Bytes of a response.
    public let responseBytes: Int
    /// Calls of the host in one call.
    public let hostCalls: Int
    /// Effects of one call.
    public let stagedEffects: Int
    /// Bytes that one call may log.
    public let logBytes: Int
    /// What it may import.
    public let capabilities: Set<Capability>

    /// Puts rules together; every one is bounded by the host's own limit as well.
    public init(
        name: String,
        kind: AbiKind,
        isolation: Isolation,
        artifactBytes: Int,
        memoryPages: Int = 1,
        deadlineMillis: Int,
        requestBytes: Int = FunctionKit.Limits.requestBytes,
        responseBytes: Int = FunctionKit.Limits.responseBytes,
        hostCalls: Int = 0,
        stagedEffects: Int = 0,
        logBytes: Int = 0,
        capabilities: Set<Capability> = []
    ) {
        self.name = name
        self.kind = kind
        self.isolation = isolation
        self.artifactBytes = min(artifactBytes, Limits.moduleBytes)
        self.memoryPages = min(memoryPages, Limits.memoryPagesCount)
        self.deadlineMillis = min(max(deadlineMillis, 1), Limits.deadlineMillis)
        self.requestBytes = min(requestBytes, FunctionKit.Limits.requestBytes)
        self.responseBytes = min(responseBytes, FunctionKit.Limits.responseBytes)
        self.hostCalls = hostCalls
        self.stagedEffects = min(stagedEffects, FunctionSpec.stagedEffectsMost(kind))
        self.logBytes = logBytes
        self.capabilities = capabilities
    }

    /// Effects of one call, by what it is asked: a check has nobody to act for.
    public static func stagedEffectsMost(_ kind: AbiKind) -> Int {
        switch kind {
        case .check: 0
        case .link: FunctionKit.Limits.stagedEffectsCount
        case .http: FunctionKit.Limits.addressEffectsCount
        }
    }

    /// The same rules under another isolation, for tests and measurements.
    func under(_ isolation: Isolation) -> FunctionSpec {
        FunctionSpec(
            name: name,
            kind: kind,
            isolation: isolation,
            artifactBytes: artifactBytes,
            memoryPages: memoryPages,
            deadlineMillis: deadlineMillis,
            requestBytes: requestBytes,
            responseBytes: responseBytes,
            hostCalls: hostCalls,
            stagedEffects: stagedEffects,
            logBytes: logBytes,
            capabilities: capabilities
        )
    }

    /// The page behind every link.
    public static let unsubscribe = FunctionSpec(
        name: "unsubscribe",
        kind: .link,
        isolation: .strict,
        artifactBytes: 81_920,
        deadlineMillis: 5,
        stagedEffects: 8
    )

    /// The page of what a link offers beyond its one click.
    public static let preferences = FunctionSpec(
        name: "preferences",
        kind: .link,
        isolation: .strict,
        artifactBytes: 81_920,
        memoryPages: 2,
        deadlineMillis: 5,
        stagedEffects: 8
    )

    /// The last word on messages that the node would allow.
    public static let check = FunctionSpec(
        name: "check",
        kind: .check,
        isolation: .reset,
        artifactBytes: 8_192,
        deadlineMillis: 2
    )
}

/// What one call may use: numbers alone, since every call takes them along.
struct CallLimits: Sendable {
    let memoryBytes: Int
    let requestBytes: Int
    let responseBytes: Int
    let hostCalls: Int
    let logBytes: Int
    let deadlineNanos: UInt64
    let deadlineTicks: UInt64

    init(_ spec: FunctionSpec) {
        memoryBytes = spec.memoryPages * 65_536
        requestBytes = spec.requestBytes
        responseBytes = spec.responseBytes
        hostCalls = spec.hostCalls
        logBytes = spec.logBytes
        deadlineNanos = UInt64(spec.deadlineMillis) * 1_000_000
        // One more: the tick that is under way is not a whole one.
        deadlineTicks = UInt64(spec.deadlineMillis) / Limits.tickMillis + 1
    }
}

extension FunctionSpec {
    /// The most that a manifest may ask for, by the key of function.yaml.
    public static func most(_ key: String) -> Int {
        switch key {
        case "artifact_bytes": Limits.moduleBytes
        case "memory_pages": Limits.memoryPagesCount
        case "deadline_ms": Limits.deadlineMillis
        case "request_bytes": FunctionKit.Limits.requestBytes
        case "response_bytes": FunctionKit.Limits.responseBytes
        case "staged_effects": FunctionKit.Limits.addressEffectsCount
        case "host_calls": Limits.hostCallsCount
        case "log_bytes": Limits.logBytes
        default: 0
        }
    }
}

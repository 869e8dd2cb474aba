// A function's manifest as it travels: what the host enforces, in one spelling.
//
//     name: greet            one line a member, in this order, each line ended by LF
//     version: 1.0.0
//     ...
//
// People write function.yaml; from it these lines are made, and only these lines are signed. A
// reader takes a manifest only when writing it again gives the same bytes, so that two manifests of
// one meaning cannot have two digests.

public import FunctionKit

/// What a function is for.
public enum FunctionKind: String, CaseIterable, Sendable {
    /// Answers requests to /f/NAME/.
    case http
    /// Has the last word on messages that would be allowed; it can only tighten.
    case check
    /// Shapes the page behind every link.
    case unsubscribe
    /// Shapes the page of what a link offers beyond its one click.
    case preferences

    /// How it is called.
    public var abi: AbiKind {
        switch self {
        case .http: .http
        case .check: .check
        case .unsubscribe, .preferences: .link
        }
    }

    /// The name that a function of this kind must have; nil for any but those.
    public var fixedName: String? { self == .http ? nil : rawValue }
}

/// What a request gets when the active version fails.
public enum FailurePolicy: String, CaseIterable, Sendable {
    /// Nothing else is tried: deny, or 503.
    case closed
    /// The version before, if there is one.
    case lastGood = "last-good"
    /// The version before, then what is compiled into the node.
    case builtIn = "built-in"
}

/// A method of HTTP that a function may take.
public enum FunctionMethod: String, CaseIterable, Sendable {
    /// Reads.
    case get = "GET"
    /// The same without the body.
    case head = "HEAD"
    /// Brings a body.
    case post = "POST"
}

/// The signed rules of a function.
public struct Manifest: Equatable, Sendable {
    /// What the host enforces in each call.
    public let spec: FunctionSpec
    /// What it is for.
    public let kind: FunctionKind
    /// What its author calls this version; only for people.
    public let version: String
    /// What happens when it fails.
    public let failure: FailurePolicy
    /// The methods that it takes; empty for anything but `http`.
    public let methods: [FunctionMethod]

    /// Puts rules together.
    public init(
        spec: FunctionSpec,
        kind: FunctionKind,
        version: String,
        failure: FailurePolicy,
        methods: [FunctionMethod]
    ) {
        self.spec = spec
        self.kind = kind
        self.version = version
        self.failure = failure
        self.methods = methods
    }

    /// Whether a name may be a function's: 1 to 32 of a-z 0-9 -, a letter first.
    public static func isName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= Limits.functionNameBytes,
            (0x61...0x7a).contains(first)
        else { return false }
        return bytes.allSatisfy {
            (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d
        }
    }

    /// The names of the members, in their order.
    private static let members = [
        "name", "version", "abi", "kind", "isolation", "artifact_bytes", "memory_pages",
        "deadline_ms", "request_bytes", "response_bytes", "host_calls", "staged_effects",
        "log_bytes", "capabilities", "methods", "failure",
    ]

    /// The bytes that are signed.
    public var canonical: [UInt8] {
        let values = [
            spec.name, version, "1", kind.rawValue, spec.isolation.rawValue,
            "\(spec.artifactBytes)", "\(spec.memoryPages)", "\(spec.deadlineMillis)",
            "\(spec.requestBytes)", "\(spec.responseBytes)", "\(spec.hostCalls)",
            "\(spec.stagedEffects)", "\(spec.logBytes)",
            spec.capabilities.map(\.rawValue).sorted().joined(separator: ","),
            methods.map(\.rawValue).joined(separator: ","), failure.rawValue,
        ]
        let lines = zip(Manifest.members, values).map { "\($0): \($1)\n" }
        return Array(lines.joined().utf8)
    }

    /// Reads what `canonical` wrote, and nothing else.
    public init(canonical bytes: [UInt8]) throws(LoadError) {
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        guard lines.count == Manifest.members.count + 1 else {
            throw .artifact("its manifest has \(lines.count - 1) members")
        }
        var values: [Substring] = []
        for (name, line) in zip(Manifest.members, lines) {
            guard line.hasPrefix(name + ": ") else {
                throw .artifact("`\(name)` is not where it belongs in its manifest")
            }
            values.append(line.dropFirst(name.utf8.count + 2))
        }
        func number(_ at: Int) throws(LoadError) -> Int {
            guard let number = Int(values[at]), number >= 0 else {
                throw .artifact("`\(Manifest.members[at])` of its manifest is no number")
            }
            return number
        }
        let capabilities = values[13].split(separator: ",").compactMap {
            Capability(rawValue: String($0))
        }
        let methods = values[14].split(separator: ",").map(String.init)
        guard let kind = FunctionKind(rawValue: String(values[3])),
            let isolation = Isolation(rawValue: String(values[4])),
            let failure = FailurePolicy(rawValue: String(values[15]))
        else { throw .artifact("its manifest has a kind, isolation or policy that is not known") }
        self.init(
            spec: FunctionSpec(
                name: String(values[0]),
                kind: kind.abi,
                isolation: isolation,
                artifactBytes: try number(5),
                memoryPages: try number(6),
                deadlineMillis: try number(7),
                requestBytes: try number(8),
                responseBytes: try number(9),
                hostCalls: try number(10),
                stagedEffects: try number(11),
                logBytes: try number(12),
                capabilities: Set(capabilities)
            ),
            kind: kind,
            version: String(values[1]),
            failure: failure,
            methods: FunctionMethod.allCases.filter { methods.contains($0.rawValue) }
        )
        guard canonical == bytes else { throw .artifact("its manifest is not in its one spelling") }
        try check()
    }

    /// What no manifest may say, whoever signed it.
    func check() throws(LoadError) {
        guard Manifest.isName(spec.name) else { throw .artifact("no name of a function") }
        let fixed = FunctionKind.allCases.compactMap(\.fixedName)
        guard kind.fixedName.map({ $0 == spec.name }) ?? !fixed.contains(spec.name) else {
            throw .artifact("a function of kind \(kind.rawValue) cannot be named \(spec.name)")
        }
        let isFailureRight =
            switch kind {
            case .check: failure == .closed
            case .unsubscribe, .preferences: failure == .builtIn
            case .http: failure != .builtIn
            }
        guard isFailureRight else {
            throw .artifact("failure policy \(failure.rawValue) for kind \(kind.rawValue)")
        }
        guard methods.isEmpty == (kind != .http) else {
            throw .artifact("methods belong to functions of kind http, and to each of them")
        }
        if kind == .http, spec.stagedEffects > 0, methods != [.post] {
            throw .artifact("a function of kind http that stages takes POST alone")
        }
        guard version.utf8.count <= Limits.versionBytes,
            version.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw .artifact("a version that is no short word") }
    }
}

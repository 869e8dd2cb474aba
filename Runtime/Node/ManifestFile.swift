// function.yaml as people write it: every mistake is named by file, line, key and what to write
// instead.
//
//     name version abi kind isolation        what it is
//     limits capabilities routes failure     what it may do, and what happens when it fails
//     smoke build                            what proves it, and what it is made of
//
// What travels is `Manifest` (Runtime/FunctionHost/Manifest.swift); the last two stay at home.

import Foundation
import FunctionHost
import FunctionKit
internal import Yams

/// A manifest with what only its folder needs.
struct ManifestFile {
    /// A request that proves the function, by files beside function.yaml.
    struct Proof {
        let request: String
        let expected: String?
        let line: Int
    }

    let manifest: Manifest
    let smoke: [Proof]
    /// Folder of the Swift sources.
    let sources: String
    /// Bytes of the guest's own stack.
    let stackBytes: Int

    /// Reads `path`.
    static func read(path: String) throws(ConfigError) -> ManifestFile {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigError("\(path): cannot be read; `quell fn new NAME` makes a folder with it")
        }
        return try parse(text, path: path)
    }

    /// Reads the text of a function.yaml.
    static func parse(_ text: String, path: String) throws(ConfigError) -> ManifestFile {
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            let words = error.description.split(separator: "\n").joined(separator: " ")
            throw ConfigError("\(path): not YAML: \(words)")
        } catch {
            throw ConfigError("\(path): not YAML")
        }
        guard let root else { throw ConfigError("\(path):1: is empty; write `name: NAME` first") }
        let top = try ManifestSection(root, "", path, allowed: topKeys)
        return try ManifestFile(top)
    }

    private static let topKeys = [
        "name", "version", "abi", "kind", "isolation", "limits", "routes", "capabilities",
        "failure", "smoke", "build",
    ]

    private init(_ top: ManifestSection) throws(ConfigError) {
        let name = try top.text("name")
        guard Manifest.isName(name) else {
            throw top.wrong("name", "is `\(name)`", "use 1 to 32 of a-z 0-9 -, a letter first")
        }
        _ = try top.number("abi", 1...1, otherwise: 1)
        let kind = try top.word("kind", FunctionKind.allCases, otherwise: nil)
        if let fixed = kind.fixedName, fixed != name {
            throw top.wrong("name", "is `\(name)`", "a function of kind \(fixed) is named \(fixed)")
        }
        if kind == .http, FunctionKind.allCases.contains(where: { $0.fixedName == name }) {
            throw top.wrong("name", "is `\(name)`", "that name belongs to kind \(name)")
        }
        let isolation = try top.word(
            "isolation",
            [Isolation.strict, .reset, .warm],
            otherwise: kind == .check ? .reset : .strict
        )
        let limits = try ManifestLimits(try top.section("limits", allowed: ManifestLimits.keys))
        let capabilities = try ManifestFile.capabilities(top, kind, limits)
        let failure = try ManifestFile.failure(top, kind)
        let methods = try ManifestFile.methods(top, kind, name)
        try ManifestFile.checkStaging(top, kind, limits, methods)
        manifest = Manifest(
            spec: limits.spec(name, kind, isolation, capabilities),
            kind: kind,
            version: try top.text("version"),
            failure: failure,
            methods: methods
        )
        smoke = try ManifestFile.proofs(top)
        let build = try top.section("build", allowed: ["sources"])
        sources = try build?.optionalText("sources") ?? "Sources"
        stackBytes = limits.stackBytes
    }

    private static func capabilities(
        _ top: ManifestSection,
        _ kind: FunctionKind,
        _ limits: ManifestLimits
    ) throws(ConfigError) -> Set<Capability> {
        let section = try top.section("capabilities", allowed: ["stage", "log"])
        let stages = try section?.list("stage", among: ["suppress"]) ?? []
        if !stages.isEmpty, kind == .check, let section {
            throw section.wrong("stage", "is set", "a check has nobody to act for; remove it")
        }
        if stages.isEmpty, limits.stagedEffects > 0 {
            throw top.wrong("limits", "allow effects", "add `capabilities: {stage: [suppress]}`")
        }
        let logs = try section?.word("log", ["true", "false"], otherwise: "false") == "true"
        return logs ? [.log] : []
    }

    /// How much a function may stage, and for an answer to which requests.
    private static func checkStaging(
        _ top: ManifestSection,
        _ kind: FunctionKind,
        _ limits: ManifestLimits,
        _ methods: [FunctionMethod]
    ) throws(ConfigError) {
        let most = FunctionSpec.stagedEffectsMost(kind.abi)
        guard limits.stagedEffects <= most else {
            throw top.wrong("limits", "allow \(limits.stagedEffects) effects", "write \(most)")
        }
        if kind == .http, limits.stagedEffects > 0, methods != [.post] {
            throw top.wrong("routes", "take more than POST", "write `methods: [POST]` to stage")
        }
    }

    private static func failure(
        _ top: ManifestSection,
        _ kind: FunctionKind
    ) throws(ConfigError) -> FailurePolicy {
        let allowed: [FailurePolicy] =
            switch kind {
            case .check: [.closed]
            case .unsubscribe, .preferences: [.builtIn]
            case .http: [.lastGood, .closed]
            }
        guard let section = try top.section("failure", allowed: ["policy"]) else {
            return allowed[0]
        }
        return try section.word("policy", allowed, otherwise: allowed[0])
    }

    private static func methods(
        _ top: ManifestSection,
        _ kind: FunctionKind,
        _ name: String
    ) throws(ConfigError) -> [FunctionMethod] {
        let routes = try top.sections("routes", allowed: ["path", "methods"])
        let paths: [FunctionKind: String] = [
            .http: "/f/\(name)/*", .unsubscribe: "/u/{token}",
            .preferences: "/u/{token}?preferences",
        ]
        let path = paths[kind]
        for route in routes {
            let written = try route.text("path")
            guard written == path else {
                let fix = path.map { "write `\($0)`" } ?? "kind \(kind.rawValue) has no routes"
                throw route.wrong("path", "is `\(written)`", fix)
            }
        }
        guard kind == .http else { return [] }
        if routes.count > 1 { throw routes[1].wrong("path", "is a second route", "keep one") }
        let all = FunctionMethod.allCases.map(\.rawValue)
        let written = try routes.first?.list("methods", among: all) ?? []
        let chosen = FunctionMethod.allCases.filter { written.contains($0.rawValue) }
        return chosen.isEmpty ? FunctionMethod.allCases : chosen
    }

    private static func proofs(_ top: ManifestSection) throws(ConfigError) -> [Proof] {
        let sections = try top.sections("smoke", allowed: ["request", "expect"])
        guard !sections.isEmpty, sections.count <= Artifact.smokeRequestsMost else {
            throw top.wrong(
                "smoke",
                "has \(sections.count) requests",
                "write 1 to \(Artifact.smokeRequestsMost) `- request: fixtures/FILE`"
            )
        }
        var proofs: [Proof] = []
        for section in sections {
            proofs.append(
                Proof(
                    request: try section.text("request"),
                    expected: try section.optionalText("expect"),
                    line: section.line
                )
            )
        }
        return proofs
    }
}

/// The section `limits`.
private struct ManifestLimits {
    static let keys = [
        "artifact_bytes", "memory_pages", "stack_bytes", "deadline_ms", "request_bytes",
        "response_bytes", "host_calls", "staged_effects", "log_bytes",
    ]
    private var values: [String: Int] = [:]

    init(_ section: ManifestSection?) throws(ConfigError) {
        for key in ManifestLimits.keys {
            let (least, most, usual) = ManifestLimits.bounds(key)
            values[key] =
                try section?.number(key, least...most, otherwise: usual) ?? usual
        }
    }

    private static func bounds(_ key: String) -> (least: Int, most: Int, usual: Int) {
        let most = FunctionSpec.most(key)
        return switch key {
        case "artifact_bytes": (64, most, 81_920)
        case "memory_pages": (1, most, 1)
        case "deadline_ms": (1, most, 5)
        case "request_bytes", "response_bytes": (64, most, most)
        // The stack lies below everything else in the first page.
        case "stack_bytes": (1_024, 32_768, 8_192)
        default: (0, most, 0)
        }
    }

    var stackBytes: Int { values["stack_bytes", default: 0] }
    var stagedEffects: Int { values["staged_effects", default: 0] }

    func spec(
        _ name: String,
        _ kind: FunctionKind,
        _ isolation: Isolation,
        _ capabilities: Set<Capability>
    ) -> FunctionSpec {
        func value(_ key: String) -> Int { values[key, default: 0] }
        return FunctionSpec(
            name: name,
            kind: kind.abi,
            isolation: isolation,
            artifactBytes: value("artifact_bytes"),
            memoryPages: value("memory_pages"),
            deadlineMillis: value("deadline_ms"),
            requestBytes: value("request_bytes"),
            responseBytes: value("response_bytes"),
            hostCalls: value("host_calls"),
            stagedEffects: value("staged_effects"),
            logBytes: value("log_bytes"),
            capabilities: capabilities
        )
    }
}

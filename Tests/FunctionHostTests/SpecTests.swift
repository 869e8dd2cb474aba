// The rules that the host has for the shipped functions are those of their manifests.

import Foundation
import Testing

@testable import FunctionHost

@Suite struct SpecTests {
    @Test(
        "each limit of Functions/*/function.yaml is the host's",
        arguments: [FunctionSpec.unsubscribe, .preferences, .check]
    )
    func manifests(spec: FunctionSpec) throws {
        let file = Rig.root.appending(path: "Functions/\(spec.name)/function.yaml")
        var values: [String: String] = [:]
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if words.count >= 2, words[0].hasSuffix(":") {
                values[String(words[0].dropLast())] = words[1]
            }
        }
        #expect(values["isolation"] == spec.isolation.rawValue)
        let limits = [
            "artifact_bytes": spec.artifactBytes, "memory_pages": spec.memoryPages,
            "deadline_ms": spec.deadlineMillis, "request_bytes": spec.requestBytes,
            "response_bytes": spec.responseBytes, "host_calls": spec.hostCalls,
            "staged_effects": spec.stagedEffects, "log_bytes": spec.logBytes,
        ]
        for (key, value) in limits { #expect(values[key] == "\(value)", "\(key)") }
    }
}

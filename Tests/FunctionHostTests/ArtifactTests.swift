// Artifacts: one spelling, one digest, and no byte of them believed.

import Foundation
import FunctionKit
import Testing

@testable import FunctionHost

@Suite struct ArtifactTests {
    private static let manifest = Manifest(
        spec: FunctionSpec(
            name: "greet",
            kind: .http,
            isolation: .strict,
            artifactBytes: 16_384,
            deadlineMillis: 5,
            hostCalls: 2,
            logBytes: 100,
            capabilities: [.log]
        ),
        kind: .http,
        version: "1.2.3-rc.1",
        failure: .lastGood,
        methods: [.get, .post]
    )

    private static func artifact(_ manifest: Manifest = manifest) -> Artifact {
        Artifact(
            manifest: manifest,
            wasm: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
            smoke: [SmokeRequest(name: "fixtures/a.http", request: [1, 2, 3], expected: [])]
        )
    }

    private func key(_ byte: UInt8) throws -> DeployerKey {
        try #require(DeployerKey(seed: [UInt8](repeating: byte, count: 32)))
    }

    private func problem(_ bytes: [UInt8]) -> LoadError? {
        do throws(LoadError) {
            _ = try Artifact(bytes: bytes)
            return nil
        } catch { return error }
    }

    @Test("what is written is read back, and twice the same")
    func roundTrip() throws {
        var artifact = Self.artifact()
        try artifact.sign(try key(1))
        let read = try Artifact(bytes: artifact.bytes)
        #expect(read.manifest == Self.manifest)
        #expect(read.wasm == artifact.wasm && read.smoke == artifact.smoke)
        #expect(read.digest == artifact.digest && read.bytes == artifact.bytes)
        #expect(read.digest == Self.artifact().digest, "a signature changes no digest")
    }

    @Test("a manifest is read in its one spelling alone")
    func spelling() throws {
        let text = String(decoding: Self.manifest.canonical, as: UTF8.self)
        for (old, new) in [
            ("name: greet", "name:  greet"), ("abi: 1", "abi: 2"),
            ("deadline_ms: 5", "deadline_ms: 05"),
            ("memory_pages: 1", "memory_pages: 99"), ("methods: GET,POST", "methods: POST,GET"),
            ("kind: http", "kind: check"), ("name: greet", "name: check"),
            ("name: greet", "name: ../x"), ("failure: last-good", "failure: built-in"),
            ("staged_effects: 0", "staged_effects: 1"), ("methods: GET,POST", "methods: "),
            ("capabilities: log", "capabilities: log,clock"), ("1.2.3-rc.1", "1 2"),
        ] {
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text, "\(old)")
            #expect(throws: LoadError.self, "\(new)") {
                try Manifest(canonical: Array(changed.utf8))
            }
        }
        #expect(throws: Never.self) { try Manifest(canonical: Array(text.utf8)) }
    }

    @Test("any cut and any changed bit is refused, or is another artifact without a signature")
    func damage() throws {
        var artifact = Self.artifact()
        try artifact.sign(try key(1))
        let bytes = artifact.bytes
        for count in 0..<bytes.count { #expect(problem(Array(bytes[..<count])) != nil) }
        #expect(problem(bytes + [0]) != nil)
        let trusted = try key(1).publicKey
        for at in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[at] ^= 1 << UInt8(bit)
                do throws(LoadError) {
                    let read = try Artifact(bytes: changed)
                    #expect(throws: LoadError.self) { try read.verify(trusting: [trusted]) }
                } catch { continue }
            }
        }
    }

    @Test("only a trusted signature over this very digest counts")
    func signatures() throws {
        var artifact = Self.artifact()
        let trusted = [try key(1).publicKey]
        #expect(throws: LoadError.untrusted("it is not signed")) {
            try artifact.verify(trusting: trusted)
        }
        try artifact.sign(try key(2))
        #expect(throws: LoadError.self) { try artifact.verify(trusting: trusted) }
        #expect(throws: LoadError.self) { try artifact.verify(trusting: []) }
        try artifact.sign(try key(1))
        #expect(throws: Never.self) { try artifact.verify(trusting: trusted) }
    }

    @Test("a deployer key is read from its file, and nothing else is")
    func keyFile() throws {
        let digits = String(repeating: "01", count: 32)
        let key = try #require(DeployerKey(hex: Array((digits + "\n").utf8)))
        #expect(key.publicKey == (try self.key(1)).publicKey)
        for text in ["", String(digits.dropLast()), digits + "0", digits.replacing("0", with: "g")]
        {
            #expect(DeployerKey(hex: Array(text.utf8)) == nil)
        }
    }
}

@Suite struct SmokeTests {
    /// An answer of `count` bytes of zeros, decided by `body`.
    private func version(
        _ answer: [UInt8],
        _ smoke: [SmokeRequest],
        _ spec: FunctionSpec
    ) throws -> FunctionVersion {
        let wasm = try Rig.module(Rig.answering(answer))
        try ModuleScan.check(wasm, spec)
        let engine = try Rig.engine()
        let module = try CompiledModule(code: try Compiler.compile(wasm, engine), engine)
        return try FunctionVersion(
            module,
            spec,
            digest: "test",
            smoke: smoke,
            methods: [.get],
            failure: .lastGood
        )
    }

    private let spec = FunctionSpec(
        name: "greet",
        kind: .http,
        isolation: .strict,
        artifactBytes: 81_920,
        memoryPages: 2,
        deadlineMillis: 5
    )

    private func answer(_ status: UInt16, _ body: String, effects: Bool = false) throws -> [UInt8] {
        var context = Context()
        if effects { context.suppress(.tenant, .unsubscribe) }
        let response = Response(
            status: status,
            contentType: Array("text/plain".utf8),
            body: Array(body.utf8)
        )
        return try #require(Abi.encode(response, context))
    }

    private func problem(_ given: [UInt8], expected: [UInt8]) throws -> String? {
        let request = Request(method: .get, nowMillis: 1, claims: nil, outcome: .direct)
        let smoke = SmokeRequest(
            name: "a",
            request: try Abi.encode(request),
            expected: expected
        )
        return try Guest(try version(given, [smoke], spec)).smokeOutcomes().first?.problem
    }

    @Test("an answer is compared by what it says, and the difference is told")
    func compared() throws {
        let good = try answer(200, "hello")
        #expect(try problem(good, expected: []) == nil)
        #expect(try problem(good, expected: good) == nil)
        #expect(
            try problem(good, expected: try answer(404, "hello")) == "status 200, expected 404"
        )
        #expect(
            try problem(good, expected: try answer(200, "bye"))
                == "body \"hello\", expected \"bye\""
        )
    }

    @Test("an answer that the host would not take fails, whatever is expected")
    func judged() throws {
        #expect(try problem(try answer(302, ""), expected: []) == "bad_response")
        #expect(try problem(try answer(200, "", effects: true), expected: []) == "bad_response")
        #expect(try problem([1, 2, 3], expected: []) == "bad_response")
    }
}

// Artifacts: what comes from another node, or from somebody who wants to deploy.
//
//     input as a file             read, it is written again the same, and nobody has signed it;
//                                 refused, the error says what is wrong
//     input as a module           the scan lets it pass or names the fault, and never reads past it
//     input as a program          pairs (place, change) applied to a signed artifact: no change of
//                                 it is trusted

import FunctionKit

@testable import FunctionHost

enum FuzzArtifact {
    private static let key = DeployerKey(seed: [UInt8](repeating: 7, count: 32))
    private static let spec = FunctionSpec(
        name: "greet",
        kind: .http,
        isolation: .reset,
        artifactBytes: 4_096,
        deadlineMillis: 5
    )
    private static let signed: [UInt8] = {
        var artifact = Artifact(
            manifest: Manifest(
                spec: spec,
                kind: .http,
                version: "1",
                failure: .lastGood,
                methods: [.get]
            ),
            wasm: [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
            smoke: [SmokeRequest(name: "a", request: [1, 2, 3], expected: [4])]
        )
        do {
            if let key { try artifact.sign(key) }
        } catch { return [] }
        return artifact.bytes
    }()

    static func finding(_ bytes: [UInt8]) -> String? {
        if let finding = file(bytes) ?? module(bytes) { return finding }
        let changed = change(signed, by: bytes)
        return changed == signed ? nil : trusted(changed)
    }

    private static func file(_ bytes: [UInt8]) -> String? {
        do throws(LoadError) {
            let artifact = try Artifact(bytes: bytes)
            if artifact.bytes != bytes { return "an artifact that was read is spelled differently" }
            if let finding = module(artifact.wasm, artifact.manifest.spec) { return finding }
            return trusted(bytes)
        } catch {
            return isNamed(error) ? nil : "the error names nothing: \(error.description)"
        }
    }

    private static func module(_ bytes: [UInt8], _ spec: FunctionSpec = spec) -> String? {
        do throws(LoadError) {
            try ModuleScan.check(bytes, spec)
            // What passes has at least a header and the four exports that it must have.
            return bytes.count < 40 ? "a module of \(bytes.count) bytes passes" : nil
        } catch {
            return isNamed(error) ? nil : "the error names nothing: \(error.description)"
        }
    }

    /// Nothing but the very artifact that was signed is trusted; signatures may come and go.
    private static func trusted(_ bytes: [UInt8]) -> String? {
        guard let key else { return "no key" }
        do throws(LoadError) {
            let artifact = try Artifact(bytes: bytes)
            try artifact.verify(trusting: [key.publicKey])
            let whole = try Artifact(bytes: signed)
            return artifact.digest == whole.digest ? nil : "a changed artifact is trusted"
        } catch {
            return isNamed(error) ? nil : "the error names nothing: \(error.description)"
        }
    }

    private static func isNamed(_ error: LoadError) -> Bool { error.description.utf8.count > 8 }

    /// Replaces, cuts or lengthens; the place is two bytes.
    private static func change(_ file: [UInt8], by bytes: [UInt8]) -> [UInt8] {
        var file = file
        var at = 0
        while at + 2 < bytes.count {
            let place = Int(bytes[at]) << 8 | Int(bytes[at + 1])
            if place < file.count {
                file[place] = bytes[at + 2]
            } else if place & 1 == 0 {
                file.append(bytes[at + 2])
            } else if !file.isEmpty {
                file.removeLast()
            }
            at += 3
        }
        return file
    }
}

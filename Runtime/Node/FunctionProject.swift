// A function's folder, as the command line works with it: read, packed, signed, tried.
//
//     function.yaml ─► project ─┬─► sources for the toolchain (Sources/quell/Toolchain.swift)
//     fixtures ─────────────────┤
//     wasm ─────────────────────┴─► artifact ─► tried as a node would, under its limits ─► signed

import Foundation
import FunctionHost
import FunctionKit

/// A file to be written into a new function's folder.
public struct StarterFile: Sendable {
    /// Path inside the folder.
    public let path: String
    /// What is in it.
    public let bytes: [UInt8]
}

/// What came of one fixture.
public struct FixtureReport: Sendable {
    /// The fixture's file name.
    public let name: String
    /// Why it failed; nil when it passed.
    public let problem: String?
    /// Microseconds of one call.
    public let micros: Double
    /// Bytes of the answer.
    public let responseBytes: Int
    /// Bytes of memory that the call took, stack and constants included; nil where the module does
    /// not tell.
    public let peakBytes: Int?
}

/// A signed artifact.
public struct PackedFunction: Sendable {
    /// The whole file.
    public let bytes: [UInt8]
    /// Its identity in hexadecimal digits.
    public let digest: String
}

/// A folder with a function.yaml that can be read.
public struct FunctionProject {
    /// The folder.
    public let folder: String
    private let file: ManifestFile

    /// The function's name.
    public var name: String { file.manifest.spec.name }
    /// What its author calls this version.
    public var version: String { file.manifest.version }
    /// Folder of its Swift sources.
    public var sources: String { folder + "/" + file.sources }
    /// Bytes of the guest's stack.
    public var stackBytes: Int { file.stackBytes }
    /// Pages of 64 KiB of its memory.
    public var memoryPages: Int { file.manifest.spec.memoryPages }
    /// Bytes that its module may have.
    public var artifactBytes: Int { file.manifest.spec.artifactBytes }

    /// Reads a folder's manifest; the error names file, line, key and the fix.
    public init(folder: String) throws(NodeFailure) {
        self.folder = folder
        do throws(ConfigError) {
            file = try ManifestFile.read(path: folder + "/function.yaml")
        } catch { throw .configuration(error.description) }
    }

    /// Puts module and fixtures together, unsigned.
    private func artifact(_ wasm: [UInt8]) throws(NodeFailure) -> Artifact {
        guard wasm.count <= artifactBytes else {
            throw .configuration(
                "\(folder)/function.yaml: limits.artifact_bytes: is \(artifactBytes) and the "
                    + "module has \(wasm.count) bytes; make it smaller or raise the limit"
            )
        }
        var smoke: [SmokeRequest] = []
        for proof in file.smoke { smoke.append(try request(proof)) }
        return Artifact(manifest: file.manifest, wasm: wasm, smoke: smoke)
    }

    private func request(_ proof: ManifestFile.Proof) throws(NodeFailure) -> SmokeRequest {
        let request = try read(proof.request, proof.line)
        let expected = try proof.expected.map { path throws(NodeFailure) in
            try read(path, proof.line)
        }
        let isText = proof.request.hasSuffix(".http")
        do throws(ConfigError) {
            return SmokeRequest(
                name: proof.request,
                request: isText ? try FixtureText.request(request, function: name) : request,
                expected: try expected.map { bytes throws(ConfigError) in
                    isText ? try FixtureText.answer(bytes) : bytes
                } ?? []
            )
        } catch {
            throw .configuration("\(folder)/\(proof.request): \(error.description)")
        }
    }

    private func read(_ path: String, _ line: Int) throws(NodeFailure) -> [UInt8] {
        guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(path)"),
            bytes.count <= FunctionKit.Limits.requestBytes
        else {
            throw .configuration(
                "\(folder)/function.yaml:\(line): smoke.request: \(path) cannot be read, or is "
                    + "over \(FunctionKit.Limits.requestBytes) bytes; name a file in fixtures/"
            )
        }
        return Array(bytes)
    }

    /// Makes the artifact and signs it.
    ///
    /// - Parameter deployerKey: the text of deployer.key; nil leaves it unsigned.
    public func packed(
        _ wasm: [UInt8],
        deployerKey: [UInt8]?
    ) throws(NodeFailure) -> PackedFunction {
        var artifact = try artifact(wasm)
        do throws(LoadError) {
            if let deployerKey {
                guard let key = DeployerKey(hex: deployerKey) else {
                    throw LoadError.untrusted("the deployer key is not 64 hexadecimal digits")
                }
                try artifact.sign(key)
            }
        } catch { throw .configuration(error.description) }
        return PackedFunction(bytes: artifact.bytes, digest: hexText(artifact.digest))
    }

    /// Asks every fixture of the module, in the host that nodes use and under the same limits.
    ///
    /// - Parameters:
    ///   - program: absolute path of this program, for its children.
    ///   - scratch: a folder for compiled code.
    public func tried(
        _ wasm: [UInt8],
        program: String,
        scratch: String
    ) throws(NodeFailure) -> [FixtureReport] {
        let artifact = try artifact(wasm)
        do throws(LoadError) {
            let workshop = try Workshop(
                FunctionSettings(
                    program: program,
                    engineOverride: ProcessInfo.processInfo.environment["QUELL_WASM_ENGINE"],
                    modules: nil,
                    cache: scratch,
                    // Nobody else reads this folder's code; the key only tells whole from cut.
                    cacheKey: [UInt8](repeating: 0, count: 32),
                    loops: 1
                )
            )
            guard let guest = try workshop.untried(artifact).guest() else {
                throw LoadError.engine("no memory for an instance")
            }
            return guest.measuredOutcomes(rounds: Limits.fixtureRoundsCount).map {
                FixtureReport(
                    name: $0.name,
                    problem: $0.problem,
                    micros: Double($0.nanoseconds) / 1_000,
                    responseBytes: $0.responseBytes,
                    peakBytes: $0.peakBytes
                )
            }
        } catch { throw .configuration("\(folder): \(error.description)") }
    }

    /// The public half of a deployer key, as hexadecimal digits; nil for what is none.
    public static func publicKey(of deployerKey: [UInt8]) -> String? {
        DeployerKey(hex: deployerKey).map { hexText($0.publicKey) }
    }
}

/// Lower-case digits of some bytes.
func hexText(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
        decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
        as: UTF8.self
    )
}

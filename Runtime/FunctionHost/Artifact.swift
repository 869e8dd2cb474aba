// The artifact `.qfn`: a manifest, a module, the requests that prove it, and who vouches for them.
//
//     "QFN1" | manifest u32 + bytes | wasm u32 + bytes | smoke count u8 |
//       smoke:  name u16 + bytes | request u32 + bytes | expected u32 + bytes (0: any good answer)
//     --- what the digest covers ends here
//     signature count u8 | public key 32 B | signature 64 B | ...
//
// Big-endian. The SHA-256 over the first part is the function version's identity; each signature is
// Ed25519 over "quell-function-1", a zero byte and that digest. Nothing of it is compressed and
// nothing is a time, so the same sources make the same digest anywhere.

import Crypto
import Foundation
import FunctionKit

/// A request that a version must answer before it serves.
public struct SmokeRequest: Equatable, Sendable {
    /// The fixture's name.
    public let name: String
    /// Encoded, of the function's kind.
    public let request: [UInt8]
    /// The encoded answer; empty where any good answer will do.
    public let expected: [UInt8]

    /// Names a request.
    public init(name: String, request: [UInt8], expected: [UInt8]) {
        self.name = name
        self.request = request
        self.expected = expected
    }
}

/// Somebody's word for an artifact.
public struct ArtifactSignature: Equatable, Sendable {
    /// Ed25519 public key, 32 bytes.
    public let signer: [UInt8]
    /// 64 bytes.
    public let signature: [UInt8]
}

/// The half of a deployer's key that stays secret.
public struct DeployerKey: Sendable {
    fileprivate let key: Curve25519.Signing.PrivateKey

    /// Takes an Ed25519 seed; nil unless it is 32 bytes.
    public init?(seed: [UInt8]) {
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        } catch { return nil }
    }

    /// Reads 64 hexadecimal digits, as `quell init` writes them into deployer.key.
    public init?(hex text: [UInt8]) {
        let digits = text.filter { $0 > 0x20 }.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64, !digits.contains(nil) else { return nil }
        let halves = digits.compactMap { $0 }
        self.init(
            seed: stride(from: 0, to: 64, by: 2).map { UInt8(halves[$0] << 4 | halves[$0 + 1]) }
        )
    }

    /// The public half, 32 bytes.
    public var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }
}

/// A function version, whole.
public struct Artifact: Sendable {
    /// Its rules.
    public let manifest: Manifest
    /// Its module.
    public let wasm: [UInt8]
    /// What it must answer.
    public let smoke: [SmokeRequest]
    /// Who vouches for it.
    public private(set) var signatures: [ArtifactSignature]

    /// Smoke requests that an artifact may have: every node, and every probe, asks all of them.
    public static let smokeRequestsMost = Limits.smokeRequestsCount

    private static let magic = Array("QFN1".utf8)

    /// Puts an artifact together, signed by nobody.
    public init(manifest: Manifest, wasm: [UInt8], smoke: [SmokeRequest]) {
        self.manifest = manifest
        self.wasm = wasm
        self.smoke = smoke
        signatures = []
    }

    /// What the digest covers.
    private var body: [UInt8] {
        var out = Artifact.magic
        out.append(block: manifest.canonical)
        out.append(block: wasm)
        out.append(UInt8(smoke.count))
        for one in smoke {
            out.append(field: Array(one.name.utf8))
            out.append(block: one.request)
            out.append(block: one.expected)
        }
        return out
    }

    /// SHA-256 of all but the signatures: the version's identity, 32 bytes.
    public var digest: [UInt8] { Array(SHA256.hash(data: body)) }

    private static func message(_ digest: [UInt8]) -> [UInt8] {
        Array("quell-function-1\0".utf8) + digest
    }

    /// Adds a signature.
    public mutating func sign(_ deployer: DeployerKey) throws(LoadError) {
        signatures.append(try deployer.signature(over: Artifact.message(digest)))
    }

    /// Throws unless one of these public keys has signed it.
    public func verify(trusting keys: [[UInt8]]) throws(LoadError) {
        guard !signatures.isEmpty else { throw .untrusted("it is not signed") }
        let message = Artifact.message(digest)
        for one in signatures where keys.contains(one.signer) && one.isValid(over: message) {
            return
        }
        throw .untrusted("it is signed by nobody whom this cluster trusts")
    }

    /// The whole file.
    public var bytes: [UInt8] {
        var out = body
        out.append(UInt8(signatures.count))
        for one in signatures { out += one.signer + one.signature }
        return out
    }

    /// Reads a file that fills all of `bytes`; believes no count and no length.
    public init(bytes: [UInt8]) throws(LoadError) {
        guard bytes.count <= Limits.artifactBytes else {
            throw .oversized(bytes: bytes.count, limit: Limits.artifactBytes)
        }
        guard bytes.starts(with: Artifact.magic) else { throw .artifact("no artifact of Quell") }
        let parts: Parts
        do throws(DecodeError) {
            parts = try Parts(bytes.span)
        } catch { throw .artifact("the file is cut or damaged") }
        self.init(
            manifest: try Manifest(canonical: parts.manifest),
            wasm: parts.wasm,
            smoke: parts.smoke
        )
        signatures = parts.signatures
        guard self.bytes == bytes else { throw .artifact("the file is not in its one spelling") }
    }

    /// The members as they lie in the file.
    private struct Parts {
        let manifest: [UInt8]
        let wasm: [UInt8]
        var smoke: [SmokeRequest] = []
        var signatures: [ArtifactSignature] = []

        init(_ bytes: Span<UInt8>) throws(DecodeError) {
            var cursor = ByteCursor(at: Artifact.magic.count)
            manifest = try cursor.block(bytes)
            wasm = try cursor.block(bytes)
            let count = Int(try cursor.u8(bytes))
            guard count <= Limits.smokeRequestsCount else { throw .malformed }
            for _ in 0..<count {
                let name = try cursor.field(bytes, limit: Limits.smokeNameBytes)
                smoke.append(
                    SmokeRequest(
                        name: String(decoding: name, as: UTF8.self),
                        request: try cursor.block(bytes),
                        expected: try cursor.block(bytes)
                    )
                )
            }
            for _ in 0..<(try cursor.u8(bytes)) {
                signatures.append(
                    ArtifactSignature(
                        signer: try cursor.take(32, of: bytes),
                        signature: try cursor.take(64, of: bytes)
                    )
                )
            }
            guard cursor.remaining(bytes) == 0 else { throw .malformed }
        }
    }
}

extension DeployerKey {
    fileprivate func signature(over message: [UInt8]) throws(LoadError) -> ArtifactSignature {
        do {
            return ArtifactSignature(
                signer: publicKey,
                signature: Array(try key.signature(for: message))
            )
        } catch { throw .untrusted("it cannot be signed: \(error)") }
    }
}

extension ArtifactSignature {
    fileprivate func isValid(over message: [UInt8]) -> Bool {
        do {
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: signer)
            return key.isValidSignature(signature, for: message)
        } catch { return false }
    }
}

extension [UInt8] {
    fileprivate mutating func append(block: [UInt8]) {
        append(bigEndian: UInt32(block.count))
        append(contentsOf: block)
    }
}

extension ByteCursor {
    fileprivate mutating func block(_ bytes: Span<UInt8>) throws(DecodeError) -> [UInt8] {
        let count = try u32(bytes)
        guard Int(count) <= Limits.artifactBytes else { throw .malformed }
        return try take(Int(count), of: bytes)
    }
}

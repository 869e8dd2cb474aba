// Compiled code on disk: the same module, engine, settings and processor need no second compiling.
//
//     functions/MODULE-ENGINE.code     machine code | HMAC-SHA-256 over name and code, 32 B
//
// Compiled code is code: wasmtime checks its version and flags, not who wrote it. So the file ends
// in a MAC under a key of this cluster, and what does not verify is compiled again. Written beside,
// fsynced, renamed.

import Crypto
import Foundation
import Glibc

/// The folder of compiled code.
struct CodeCache {
    let folder: String
    private let key: SymmetricKey
    private let engine: String

    /// - Parameters:
    ///   - folder: made 0700 where it is missing.
    ///   - key: 32 secret bytes of the cluster.
    ///   - profile: of the engine that runs the code.
    init(folder: String, key: [UInt8], profile: Profile) throws(LoadError) {
        self.folder = folder
        self.key = SymmetricKey(data: key)
        var hash = SHA256()
        hash.update(data: Data(EngineLibrary.digest.utf8))
        hash.update(data: Data(Engine.words(profile).utf8))
        // What the processor can do; another machine's disk may be put into this one.
        let processor = FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data()
        let text = String(decoding: processor, as: UTF8.self)
        let flags = text.split(separator: "\n").first { $0.hasPrefix("flags") }
        hash.update(data: Data((flags ?? "").utf8))
        engine = String(hexadecimal(hash.finalize()).prefix(16))
        try CodeCache.make(folder)
    }

    /// Makes the folder where it is missing.
    static func make(_ folder: String) throws(LoadError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch { throw .engine("\(folder): cannot be made") }
    }

    private func path(_ digest: String) -> String { "\(folder)/\(digest)-\(engine).code" }

    private func mac(_ digest: String, _ code: some DataProtocol) -> [UInt8] {
        var mac = HMAC<SHA256>(key: key)
        mac.update(data: Data("\(digest)-\(engine)".utf8))
        mac.update(data: code)
        return Array(mac.finalize())
    }

    /// The code of a module; nil where there is none that verifies.
    func code(of digest: String) -> [UInt8]? {
        guard let file = FileManager.default.contents(atPath: path(digest)),
            file.count > 32, file.count <= Limits.codeBytes
        else { return nil }
        let code = Array(file.dropLast(32))
        guard safeCompare(mac(digest, code), Array(file.suffix(32))) else { return nil }
        return code
    }

    /// Keeps code; a disk that refuses costs the next start a compiling, nothing else.
    func keep(_ code: [UInt8], of digest: String) -> Bool {
        let temporary = path(digest) + ".tmp"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try file.write(contentsOf: code + mac(digest, code))
            try file.synchronize()
        } catch {
            unsafe unlink(temporary)
            return false
        }
        return unsafe rename(temporary, path(digest)) == 0
    }

    private func safeCompare(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

// Where the engine's library is, and that it is the one that we know.
//
//     QUELL_WASM_ENGINE, else beside the executable (wasmtime/), else in the build folder above it
//     (.build/wasmtime, where Scripts/setup.sh puts it), else in ../lib/quell
//
// The library runs in our process with all that we hold, so its SHA-256 is compared before it is
// loaded, and what is loaded is the very file that was read, through its descriptor.

import CWasmtime
import Crypto
import Foundation

/// The library on disk.
public struct EngineLibrary: Sendable {
    /// The release whose declarations CWasmtime has.
    public static let version = "50.0.1"
    /// SHA-256 of `_libwasmtime.so` in the wheel for x86-64.
    static let digest = "3127ca42fe7cdd3f0a43a358e79177dcfedd46c1746329826403b9d854de6178"
    private static let inWheel = "wasmtime/linux-x86_64/_libwasmtime.so"

    /// Absolute path.
    public let path: String

    /// Finds the library; nil where there is none.
    ///
    /// - Parameters:
    ///   - executable: absolute path of the running program.
    ///   - override: QUELL_WASM_ENGINE, which is then the only place.
    public static func find(executable: String, override: String?) -> EngineLibrary? {
        if let override { return EngineLibrary(existing: override) }
        for place in places(beside: executable, folder: "wasmtime") {
            for name in [inWheel, "_libwasmtime.so", "libwasmtime.so"] {
                if let found = EngineLibrary(existing: place + "/" + name) { return found }
            }
        }
        return nil
    }

    /// Folders in which a program looks for what ships with it.
    public static func places(beside executable: String, folder: String) -> [String] {
        let own = URL(filePath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
        // .build/x86_64-unknown-linux-gnu/release/quell: the build folder is two above.
        let above = own.deletingLastPathComponent()
        return [
            own.appending(path: folder), above.appending(path: folder),
            above.deletingLastPathComponent().appending(path: folder),
            above.appending(path: "lib/quell").appending(path: folder),
        ].map { $0.path() }
    }

    private init?(existing path: String) {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        self.path = path
    }

    /// Loads the library into this process, once it is known to be ours.
    public func load() throws(LoadError) {
        let file: FileHandle
        let read: Data?
        do {
            file = try FileHandle(forReadingFrom: URL(filePath: path))
            read = try file.read(upToCount: Limits.libraryBytes)
        } catch { throw .engine("\(path): cannot be read") }
        let found = hexadecimal(SHA256.hash(data: read ?? Data()))
        guard found == Self.digest else {
            throw .engine(
                "\(path): not the library of wasmtime \(Self.version) that Quell was built for; "
                    + "its SHA-256 is \(found)"
            )
        }
        // Held until it is loaded: the descriptor names the file that was read.
        let problem = unsafe withExtendedLifetime(file) {
            unsafe quell_wasmtime_open("/proc/self/fd/\(file.fileDescriptor)")
        }
        if let problem = unsafe problem {
            throw .engine("\(path): \(unsafe String(cString: problem))")
        }
    }
}

/// Lower-case digits of some bytes.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
        decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
        as: UTF8.self
    )
}

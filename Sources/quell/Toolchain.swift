// From a folder of Swift to a core wasm module, with the toolchain's own Embedded Swift.
//
//     kit: Suppression, FunctionKit, shim.c ─► once ─► ~/.cache/quell/kit-*/
//     DIR/Sources/*.swift ─► swiftc ─► wasm-ld with the kit ─► DIR/.build/NAME.wasm
//
// The steps and flags are those of Scripts/wasm.sh. Same sources, same bytes, wherever the folder
// is: paths are mapped away, inputs are sorted, everything is stripped. The kit lies beside the
// binary (kit/, ../share/quell/kit) or is the source tree that the binary was built from.

import Foundation
import Glibc

/// Where the kit's sources are.
struct FunctionKitSources {
    let suppression: String
    let functionKit: String
    let shim: String

    /// QUELL_FUNCTION_KIT, else beside the binary, else the tree that it was built in.
    static func find() throws(Failure) -> FunctionKitSources {
        let files = FileManager.default
        if let named = ProcessInfo.processInfo.environment["QUELL_FUNCTION_KIT"] {
            guard let found = FunctionKitSources(kit: named) else {
                throw Failure(
                    .configuration,
                    "QUELL_FUNCTION_KIT: \(named) lacks Suppression/, FunctionKit/ or shim.c"
                )
            }
            return found
        }
        var folder = try URL(filePath: program()).deletingLastPathComponent()
        for place in ["kit", "../share/quell/kit"] {
            let path = folder.appending(path: place).standardizedFileURL.path()
            if let found = FunctionKitSources(kit: path) { return found }
        }
        // .build/x86_64-unknown-linux-gnu/release/quell: the tree is three folders up.
        for _ in 0..<5 {
            folder = folder.deletingLastPathComponent()
            let path = folder.path()
            let found = FunctionKitSources(
                suppression: path + "Sources/Suppression",
                functionKit: path + "Sources/FunctionKit",
                shim: path + "Functions/shim.c"
            )
            if files.fileExists(atPath: found.shim),
                files.fileExists(atPath: found.functionKit)
            {
                return found
            }
        }
        throw Failure(
            .configuration,
            "FunctionKit's sources are not beside \(try program()); "
                + "set QUELL_FUNCTION_KIT to a folder with Suppression/, FunctionKit/ and shim.c"
        )
    }

    private init(suppression: String, functionKit: String, shim: String) {
        self.suppression = suppression
        self.functionKit = functionKit
        self.shim = shim
    }

    private init?(kit: String) {
        self.init(
            suppression: kit + "/Suppression",
            functionKit: kit + "/FunctionKit",
            shim: kit + "/shim.c"
        )
        for path in [suppression, functionKit, shim]
        where !FileManager.default.fileExists(atPath: path) { return nil }
    }

    /// The running program, whatever it was called as.
    static func program() throws(Failure) -> String {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch { throw Failure(.internal, "/proc/self/exe cannot be read; mount /proc") }
    }
}

/// The toolchain, and what it builds.
struct Toolchain {
    private let bin: String
    private let kit: FunctionKitSources

    /// Finds swiftc in PATH and its neighbours beside it.
    init() throws(Failure) {
        kit = try FunctionKitSources.find()
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let found = path.split(separator: ":").map { "\($0)/swiftc" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        guard let found else {
            throw Failure(.configuration, "no swiftc in PATH; install Swift 6.3 from swift.org")
        }
        bin = URL(filePath: found).resolvingSymlinksInPath().deletingLastPathComponent().path()
        for tool in ["clang", "wasm-ld"]
        where !FileManager.default.isExecutableFile(atPath: bin + tool) {
            throw Failure(.configuration, "\(bin) has no \(tool); install the toolchain whole")
        }
    }

    /// Builds a function; the compiler's own words are the error.
    ///
    /// - Returns: the module.
    func build(
        folder: String,
        name: String,
        sources: String,
        stackBytes: Int,
        pages: Int
    ) throws(Failure) -> [UInt8] {
        let out = folder + "/.build"
        let kit = try builtKit(under: out)
        do {
            try FileManager.default.createDirectory(
                atPath: out,
                withIntermediateDirectories: true
            )
        } catch { throw Failure(.configuration, "\(out): cannot be made; check the folder") }
        let inputs = try swiftFiles(sources)
        let guest = "Guest_" + name.map { $0 == "-" ? "_" : "\($0)" }.joined()
        try compile(guest, inputs, kit: kit, into: out, from: folder)
        let wasm = "\(out)/\(name).wasm"
        try run(
            "wasm-ld",
            [
                "--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z",
                "stack-size=\(stackBytes)", "--initial-memory=\(pages * 65_536)",
                "--max-memory=\(pages * 65_536)", "--export-memory",
                "\(out)/\(guest).o", "\(kit)/FunctionKit.o", "\(kit)/Suppression.o",
                "\(kit)/shim.o", "-o", wasm,
            ]
        )
        return try Files.read(wasm, limitBytes: 16_777_216)
    }

    /// Builds the kit unless it was built before, from the same sources with the same toolchain.
    ///
    /// Made beside its place and renamed: of two builds at once one wins, and both are right.
    private func builtKit(under out: String) throws(Failure) -> String {
        let place = "\(Toolchain.cache(out))/kit-\(try stamp())"
        if FileManager.default.fileExists(atPath: place) { return place }
        let beside = "\(place).\(getpid())"
        do {
            try FileManager.default.createDirectory(
                atPath: beside,
                withIntermediateDirectories: true
            )
        } catch { throw Failure(.configuration, "\(beside): cannot be made; check the folder") }
        for (name, folder) in [("Suppression", kit.suppression), ("FunctionKit", kit.functionKit)] {
            try compile(name, try swiftFiles(folder), kit: beside, into: beside, from: folder)
        }
        try run(
            "clang",
            [
                "--target=wasm32-unknown-unknown", "-Os", "-fno-builtin", "-ffreestanding",
                "-Wall", "-Werror", "-c", kit.shim, "-o", beside + "/shim.o",
            ]
        )
        if unsafe rename(beside, place) == 0 { return place }
        guard FileManager.default.fileExists(atPath: place) else {
            throw Failure(.configuration, "\(place): cannot be made; check the folder")
        }
        return beside
    }

    /// XDG_CACHE_HOME, else ~/.cache, else the function's own folder.
    private static func cache(_ out: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["XDG_CACHE_HOME"], named.hasPrefix("/") {
            return named + "/quell"
        }
        if let home = environment["HOME"], FileManager.default.isWritableFile(atPath: home) {
            return home + "/.cache/quell"
        }
        return out
    }

    /// Names what the kit is built from: the toolchain, and every file by size and time.
    private func stamp() throws(Failure) -> String {
        var lines = [bin]
        let files = try swiftFiles(kit.suppression) + (try swiftFiles(kit.functionKit))
        for path in files + [kit.shim] {
            do {
                let facts = try FileManager.default.attributesOfItem(atPath: path)
                let time = (facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                lines.append("\(path) \(facts[.size] ?? 0) \(time)")
            } catch { throw Failure(.configuration, "\(path): cannot be read") }
        }
        // FNV-1a: a name for a folder, nothing that anybody must trust.
        let hash = lines.joined(separator: "\n").utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }

    private func compile(
        _ module: String,
        _ inputs: [String],
        kit: String,
        into objects: String,
        from folder: String
    ) throws(Failure) {
        try run(
            "swiftc",
            [
                "-target", "wasm32-unknown-none-wasm", "-enable-experimental-feature", "Embedded",
                "-enable-experimental-feature", "Extern", "-wmo", "-Osize", "-parse-as-library",
                "-swift-version", "6", "-strict-memory-safety", "-warnings-as-errors",
                "-enable-upcoming-feature", "ExistentialAny",
                "-enable-upcoming-feature", "MemberImportVisibility",
                "-enable-upcoming-feature", "InternalImportsByDefault",
                "-Xfrontend", "-disable-stack-protector",
                "-Xfrontend", "-disable-incremental-llvm-codegen",
                "-file-prefix-map", "\(folder)=.", "-I", kit, "-module-name", module,
                "-emit-module", "-emit-module-path", "\(objects)/\(module).swiftmodule", "-c",
            ] + inputs + ["-o", "\(objects)/\(module).o"]
        )
    }

    private func swiftFiles(_ folder: String) throws(Failure) -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch { throw Failure(.configuration, "\(folder): cannot be read; is it there?") }
        let files = names.filter { $0.hasSuffix(".swift") }.sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        guard !files.isEmpty else {
            throw Failure(.configuration, "\(folder): has no .swift file; write one")
        }
        return files.map { "\(folder)/\($0)" }
    }

    private func run(_ tool: String, _ arguments: [String]) throws(Failure) {
        let process = Process()
        process.executableURL = URL(filePath: bin + tool)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        let said: Data?
        do {
            try process.run()
            said = try pipe.fileHandleForReading.readToEnd()
        } catch { throw Failure(.internal, "\(bin)\(tool) cannot be run: \(error)") }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = String(decoding: said ?? Data(), as: UTF8.self)
            throw Failure(.configuration, "\(tool) says:\n\(text)")
        }
    }
}

// From a folder of Swift to a core wasm module, with the toolchain's own Embedded Swift.
//
//     kit: Suppression, FunctionKit, shim.c ─► once a folder ─► .build/kit-*/
//     DIR/Sources/*.swift ─► swiftc ─► wasm-ld with the kit ─► DIR/.build/NAME.wasm
//
// The steps and flags are those of Scripts/wasm.sh. Same sources, same bytes, wherever the folder
// is: paths are mapped away, inputs are sorted, everything is stripped. The kit lies beside the
// binary (kit/, ../share/quell/kit) or is the source tree that the binary was built from.

import Foundation

/// Where the kit's sources are.
struct FunctionKitSources {
    let suppression: String
    let functionKit: String
    let shim: String

    /// QUELL_FUNCTION_KIT, else beside the binary, else the tree that it was built in.
    static func find() throws(Failure) -> FunctionKitSources {
        let manager = FileManager.default
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
            if manager.fileExists(atPath: found.shim),
                manager.fileExists(atPath: found.functionKit)
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
        let objects = try buildKit(under: out)
        let inputs = try swiftFiles(sources)
        let guest = "Guest_" + name.map { $0 == "-" ? "_" : "\($0)" }.joined()
        try compile(guest, inputs, into: objects, from: folder)
        let wasm = "\(out)/\(name).wasm"
        try run(
            "wasm-ld",
            [
                "--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z",
                "stack-size=\(stackBytes)", "--initial-memory=\(pages * 65_536)",
                "--max-memory=\(pages * 65_536)", "--export-memory",
                "\(objects)/\(guest).o", "\(objects)/FunctionKit.o", "\(objects)/Suppression.o",
                "\(objects)/shim.o", "-o", wasm,
            ]
        )
        return try Files.read(wasm, limitBytes: 16_777_216)
    }

    /// Builds the kit unless this folder has it from the same sources and the same toolchain.
    private func buildKit(under out: String) throws(Failure) -> String {
        let objects = out + "/kit"
        let stamp = try stamp()
        let stampPath = objects + "/stamp"
        if FileManager.default.contents(atPath: stampPath) == stamp { return objects }
        do {
            try FileManager.default.createDirectory(
                atPath: objects,
                withIntermediateDirectories: true
            )
        } catch { throw Failure(.configuration, "\(objects): cannot be made; check the folder") }
        for (name, folder) in [("Suppression", kit.suppression), ("FunctionKit", kit.functionKit)] {
            try compile(name, try swiftFiles(folder), into: objects, from: folder)
        }
        try run(
            "clang",
            [
                "--target=wasm32-unknown-unknown", "-Os", "-fno-builtin", "-ffreestanding",
                "-Wall", "-Werror", "-c", kit.shim, "-o", objects + "/shim.o",
            ]
        )
        guard FileManager.default.createFile(atPath: stampPath, contents: stamp) else {
            throw Failure(.configuration, "\(stampPath): cannot be written; check the folder")
        }
        return objects
    }

    /// What the kit was built from: the toolchain and every file by size and time.
    private func stamp() throws(Failure) -> Data {
        var lines = [bin]
        let files = try swiftFiles(kit.suppression) + (try swiftFiles(kit.functionKit))
        for path in files + [kit.shim] {
            do {
                let facts = try FileManager.default.attributesOfItem(atPath: path)
                let time = (facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                lines.append("\(path) \(facts[.size] ?? 0) \(time)")
            } catch { throw Failure(.configuration, "\(path): cannot be read") }
        }
        return Data(lines.joined(separator: "\n").utf8)
    }

    private func compile(
        _ module: String,
        _ inputs: [String],
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
                "-file-prefix-map", "\(folder)=.", "-I", objects, "-module-name", module,
                "-emit-module", "-emit-module-path", "\(objects)/\(module).swiftmodule", "-c",
            ] + inputs + ["-o", "\(objects)/\(module).o"]
        )
    }

    private func swiftFiles(_ folder: String) throws(Failure) -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch { throw Failure(.configuration, "\(folder): cannot be read; is it there?") }
        let files = names.filter { $0.hasSuffix(".swift") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
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

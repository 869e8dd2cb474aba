// From a folder of modules to versions that serve: in children, with a cache, and with built-ins
// and a word about it whenever something is missing.

import Foundation
import Testing

@testable import FunctionHost

@Suite struct RuntimeTests {
    private let folder = NSTemporaryDirectory() + "quell-functions-\(UUID().uuidString)"

    private func settings(_ engine: String? = nil) -> FunctionSettings {
        FunctionSettings(
            program: Rig.program,
            engineOverride: engine,
            modules: Rig.root.path() + ".build/functions",
            cache: folder,
            cacheKey: [UInt8](repeating: 7, count: 32),
            loops: 1
        )
    }

    private func remove() throws { try FileManager.default.removeItem(atPath: folder) }

    @Test("without a library, or with another one, the built-ins serve and say why")
    func noEngine() throws {
        let none = FunctionRuntime.start([.check], settings("/nowhere/libwasmtime.so"))
        #expect(none.states.first?.version == nil && none.engine == nil)
        #expect(none.states.first?.problem?.contains("no wasm engine") == true)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let other = folder + "/other.so"
        try Data("not a library".utf8).write(to: URL(filePath: other))
        let wrong = FunctionRuntime.start([.check], settings(other))
        #expect(wrong.states.first?.problem?.contains("its SHA-256 is") == true)
        try remove()
    }

    @Test("a child compiles once; damaged code is compiled again, never run")
    func cache() throws {
        let child = Child(program: Rig.program, folder: folder)
        try CodeCache.make(folder)
        let library = try #require(EngineLibrary.find(executable: Rig.program, override: nil))
        for profile in Profile.allCases {
            try child.run(["probe", library.path, profile.rawValue, "24", "4096"])
        }
        let source = folder + "/a.wasm"
        let wasm = try Rig.shipped("check")
        try Data(wasm).write(to: URL(filePath: source))
        try child.run(["compile", library.path, "wide", source, folder + "/a.code"])
        let code = Array(try Data(contentsOf: URL(filePath: folder + "/a.code")))
        let key = [UInt8](repeating: 7, count: 32)
        let cache = try CodeCache(folder: folder, key: key, profile: .wide)
        #expect(cache.code(of: "d") == nil)
        #expect(cache.keep(code, of: "d"))
        #expect(cache.code(of: "d") == code && cache.code(of: "e") == nil)
        _ = try FunctionVersion(try CompiledModule(code: code, Rig.engine()), .check, digest: "d")
        let file = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasPrefix("d-") }
        )
        // Another name, another key, another profile, one bit: none of it verifies.
        try FileManager.default.copyItem(
            atPath: folder + "/" + file,
            toPath: folder + "/e" + file.dropFirst()
        )
        #expect(cache.code(of: "e") == nil)
        let stranger = [UInt8](repeating: 8, count: 32)
        #expect(try CodeCache(folder: folder, key: stranger, profile: .wide).code(of: "d") == nil)
        #expect(try CodeCache(folder: folder, key: key, profile: .narrow).code(of: "d") == nil)
        var bytes = Array(try Data(contentsOf: URL(filePath: folder + "/" + file)))
        bytes[1_000] ^= 1
        try Data(bytes).write(to: URL(filePath: folder + "/" + file))
        #expect(cache.code(of: "d") == nil)
        try remove()
    }

    @Test("a child that is told nonsense, or dies, is an error with its last words")
    func children() throws {
        try CodeCache.make(folder)
        let child = Child(program: Rig.program, folder: folder)
        let library = try #require(EngineLibrary.find(executable: Rig.program, override: nil))
        for words in [
            [], ["probe"], ["probe", library.path, "huge", "1", "4096"],
            ["sing", library.path, "wide", "1"],
            ["compile", library.path, "wide", folder + "/none.wasm", folder + "/none.code"],
            // More slots than there is address space: the engine's constructor aborts.
            ["probe", library.path, "wide", "1000000", "4096"],
            // What the node has taken leaves no room for the pool: 128 TiB are all there is.
            ["probe", library.path, "wide", "24", "140737488000000"],
        ] { #expect(throws: LoadError.self) { try child.run(words) } }
        try remove()
    }
}

// The functions of a node: which are served by wasm, and why the others are not.
//
//     library ─► SHA-256 ─► a child tries the profiles ─► engine
//     module ─► scan ─► code from the cache, else from a child ─► asked for its ABI ─► version
//
// Made once at the start, read by every loop. Whatever fails, the node serves its built-ins and
// says so: a node without functions is a node, a node without an engine that aborts is none.

import Crypto
import Foundation
import Glibc

/// A function as the node serves it.
public struct FunctionState: Sendable {
    /// Its name.
    public let name: String
    /// The version that serves; nil for the built-in.
    public let version: FunctionVersion?
    /// Why it is not what was asked for; nil when it is.
    public let problem: String?
}

/// Where things are, and how large the node is.
public struct FunctionSettings: Sendable {
    /// Absolute path of the running program, which is also the child's.
    public var program: String
    /// QUELL_WASM_ENGINE.
    public var engineOverride: String?
    /// Folder with `NAME.wasm`; nil: what ships beside the program.
    public var modules: String?
    /// Folder for compiled code.
    public var cache: String
    /// Its key: 32 secret bytes.
    public var cacheKey: [UInt8]
    /// Serving loops.
    public var loops: Int

    /// All of it.
    public init(
        program: String,
        engineOverride: String?,
        modules: String?,
        cache: String,
        cacheKey: [UInt8],
        loops: Int
    ) {
        self.program = program
        self.engineOverride = engineOverride
        self.modules = modules
        self.cache = cache
        self.cacheKey = cacheKey
        self.loops = loops
    }
}

/// Everything about functions that threads share.
public final class FunctionRuntime: Sendable {
    /// Every function, in the order of the specifications.
    public let states: [FunctionState]
    /// Engine and profile, or nil without one.
    public let engine: String?

    private init(_ states: [FunctionState], _ engine: String?) {
        self.states = states
        self.engine = engine
    }

    /// Built-ins alone; nothing is loaded.
    public static func builtIn(_ names: [String], because problem: String? = nil) -> FunctionRuntime
    {
        let states = names.map { FunctionState(name: $0, version: nil, problem: problem) }
        return FunctionRuntime(states, nil)
    }

    /// Loads the engine and every module; never throws, since a node serves without either.
    public static func start(_ specs: [FunctionSpec], _ settings: FunctionSettings)
        -> FunctionRuntime
    {
        do throws(LoadError) {
            guard
                let library = EngineLibrary.find(
                    executable: settings.program,
                    override: settings.engineOverride
                )
            else { throw .engine("no wasm engine; Scripts/setup.sh installs it") }
            let slots = 16 + settings.loops * Limits.slotsPerLoopCount
            let profile = try choose(library, settings, slots)
            try library.load()
            let engine = try Engine(profile: profile, slots: slots)
            let cache = try CodeCache(
                folder: settings.cache,
                key: settings.cacheKey,
                profile: profile
            )
            let loader = Loader(library: library, engine: engine, cache: cache, settings: settings)
            let states = specs.map(loader.state)
            let words = "wasmtime \(EngineLibrary.version), \(profile.rawValue)"
            return FunctionRuntime(states, words)
        } catch {
            return builtIn(specs.map(\.name), because: error.description)
        }
    }

    /// Address space that this process has taken, and some to grow: the maps of a large store alone
    /// are hundreds of gigabytes, and an engine that does not fit beside them ends the process.
    private static func taken() -> Int {
        let statm = FileManager.default.contents(atPath: "/proc/self/statm") ?? Data()
        let pages = String(decoding: statm, as: UTF8.self).split(separator: " ").first.flatMap {
            Int($0)
        }
        return (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE)) + Limits.spareAddressBytes
    }

    /// The first profile with which a child lives.
    private static func choose(
        _ library: EngineLibrary,
        _ settings: FunctionSettings,
        _ slots: Int
    ) throws(LoadError) -> Profile {
        try CodeCache.make(settings.cache)
        let child = Child(program: settings.program, folder: settings.cache)
        var why = LoadError.engine("no profile")
        for profile in Profile.allCases {
            do throws(LoadError) {
                try child.run(
                    ["probe", library.path, profile.rawValue, "\(slots)", "\(taken())"]
                )
                return profile
            } catch { why = error }
        }
        throw why
    }

    /// One guest for the calling thread; nil where the built-in serves.
    public func guest(_ name: String) -> Guest? {
        guard let version = states.first(where: { $0.name == name })?.version
        else { return nil }
        do throws(LoadError) {
            return try Guest(version)
        } catch {
            // It was linked once already, when it became a version; only memory can be short now.
            version.tally.failed(.unavailable)
            return nil
        }
    }
}

/// From a file to a version.
private struct Loader {
    let library: EngineLibrary
    let engine: Engine
    let cache: CodeCache
    let settings: FunctionSettings

    func state(_ spec: FunctionSpec) -> FunctionState {
        do throws(LoadError) {
            let version = try load(try file(spec), spec)
            return FunctionState(name: spec.name, version: version, problem: nil)
        } catch {
            return FunctionState(name: spec.name, version: nil, problem: error.description)
        }
    }

    private func file(_ spec: FunctionSpec) throws(LoadError) -> [UInt8] {
        let places =
            settings.modules.map { [$0] }
            ?? EngineLibrary.places(beside: settings.program, folder: "functions")
        for place in places {
            let path = place + "/\(spec.name).wasm"
            guard let file = FileHandle(forReadingAtPath: path) else { continue }
            do {
                return Array(try file.read(upToCount: Limits.moduleBytes + 1) ?? Data())
            } catch { throw .engine("\(path): cannot be read") }
        }
        throw .engine("no \(spec.name).wasm in \(places.joined(separator: ", "))")
    }

    private func load(_ wasm: [UInt8], _ spec: FunctionSpec) throws(LoadError) -> FunctionVersion {
        try ModuleScan.check(wasm, spec)
        let digest = hexadecimal(SHA256.hash(data: wasm))
        if let code = cache.code(of: digest) {
            do throws(LoadError) {
                let module = try CompiledModule(code: code, engine)
                return try FunctionVersion(module, spec, digest: digest)
            } catch {
                // Code that verifies and does not load is of another wasmtime: compile it again.
                if case .wrongABI = error { throw error }
            }
        }
        let code = try compile(wasm, digest)
        _ = cache.keep(code, of: digest)
        return try FunctionVersion(try CompiledModule(code: code, engine), spec, digest: digest)
    }

    private func compile(_ wasm: [UInt8], _ digest: String) throws(LoadError) -> [UInt8] {
        let source = "\(cache.folder)/\(digest).wasm.tmp"
        let target = "\(cache.folder)/\(digest).code.tmp"
        defer {
            unsafe unlink(source)
            unsafe unlink(target)
        }
        guard FileManager.default.createFile(atPath: source, contents: Data(wasm)) else {
            throw .engine("\(source): cannot be written")
        }
        let child = Child(program: settings.program, folder: cache.folder)
        try child.run(
            ["compile", library.path, engine.profile.rawValue, source, target]
        )
        guard let code = FileManager.default.contents(atPath: target) else {
            throw .engine("\(target): cannot be read")
        }
        return Array(code)
    }
}

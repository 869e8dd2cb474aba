// Where modules become versions: the engine, the cache of compiled code, and children that compile.
//
//     library ─► SHA-256 ─► a child tries the profiles ─► engine          once a process
//     module ─► scan ─► code from the cache, else from a child ─► asked for its ABI ─► version
//     artifact ─► the same, under its manifest ─► its smoke requests ─► version
//
// Takes milliseconds with a warm cache and a tenth of a second without, so it has no place on a
// loop: the start-up, a thread of its own and the command line call it.

import Crypto
import Foundation
import Glibc

/// The engine of this process, and how to make versions for it.
public final class Workshop: Sendable {
    private let library: EngineLibrary
    private let engine: Engine
    private let cache: CodeCache
    private let settings: FunctionSettings

    /// Finds, tries and loads the engine; once a process.
    public init(_ settings: FunctionSettings) throws(LoadError) {
        guard
            let library = EngineLibrary.find(
                executable: settings.program,
                override: settings.engineOverride
            )
        else { throw .engine("no wasm engine; Scripts/setup.sh installs it") }
        let slots = 16 + settings.loops * Limits.slotsPerLoopCount
        let profile = try Workshop.choose(library, settings, slots)
        try library.load()
        engine = try Engine(profile: profile, slots: slots)
        cache = try CodeCache(
            folder: settings.cache,
            key: settings.cacheKey,
            profile: profile
        )
        self.library = library
        self.settings = settings
    }

    /// Engine and profile, for people.
    public var words: String { "wasmtime \(EngineLibrary.version), \(engine.profile.rawValue)" }

    /// Makes a version of an artifact that somebody has verified: scanned, compiled, smoke-tested.
    public func version(of artifact: Artifact) throws(LoadError) -> FunctionVersion {
        let version = try untried(artifact)
        try Guest(version).provesItself()
        return version
    }

    /// The same, its smoke requests not asked yet.
    public func untried(_ artifact: Artifact) throws(LoadError) -> FunctionVersion {
        let manifest = artifact.manifest
        return try FunctionVersion(
            try module(artifact.wasm, manifest.spec),
            manifest.spec,
            digest: hexadecimal(artifact.digest),
            smoke: artifact.smoke,
            methods: manifest.methods,
            failure: manifest.failure
        )
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

    /// A function that the configuration put beside the program.
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
        let digest = hexadecimal(SHA256.hash(data: wasm))
        return try FunctionVersion(try module(wasm, spec), spec, digest: digest)
    }

    /// Scanned, and compiled here or in an earlier life.
    private func module(
        _ wasm: [UInt8],
        _ spec: FunctionSpec
    ) throws(LoadError) -> CompiledModule {
        try ModuleScan.check(wasm, spec)
        let digest = hexadecimal(SHA256.hash(data: wasm))
        if let module = kept(digest) { return module }
        let code = try compile(wasm, digest)
        _ = cache.keep(code, of: digest)
        return try CompiledModule(code: code, engine)
    }

    /// Code of an earlier life; nil also where it verifies and does not load, being of another
    /// wasmtime.
    private func kept(_ digest: String) -> CompiledModule? {
        guard let code = cache.code(of: digest) else { return nil }
        do throws(LoadError) {
            return try CompiledModule(code: code, engine)
        } catch { return nil }
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

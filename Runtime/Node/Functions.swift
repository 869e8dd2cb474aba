// Functions at the start of a node: what the configuration asks for, what an earlier life ran, and
// what came of it.

import Cluster
import Foundation
import FunctionHost
import Suppression
import Token

/// What a node begins with.
struct FunctionStart {
    /// What the configuration asks for; to go back to.
    let first: FunctionRuntime
    /// What serves.
    var runtime: FunctionRuntime
    let shelf: FunctionShelf
    let settings: FunctionSettings
    /// Artifacts on the disk.
    var contents: FunctionShelf.Contents
    /// Those of them that serve already.
    var versions: [ArtifactDigest: FunctionVersion] = [:]
}

enum Functions {
    /// The functions of every node, in the order in which `status` names them.
    static let specs = [FunctionSpec.unsubscribe, .preferences, .check]

    /// Whether nodes come with a function of this name.
    static func isBuiltIn(_ name: String) -> Bool { specs.contains { $0.name == name } }

    /// Starts what is configured and what served before; whatever fails, the built-ins serve and
    /// the log says why.
    static func start(_ parts: NodeParts) -> FunctionStart {
        let settings = settings(parts)
        let runtime =
            parts.config.runsWasm
            ? FunctionRuntime.start(specs, settings) : .builtIn(specs.map(\.name))
        if parts.config.runsWasm { report(runtime, parts.log) }
        let shelf = FunctionShelf(folder: settings.cache)
        var start = FunctionStart(
            first: runtime,
            runtime: runtime,
            shelf: shelf,
            settings: settings,
            contents: shelf.read()
        )
        start.resume(parts)
        return start
    }

    private static func settings(_ parts: NodeParts) -> FunctionSettings {
        var program = "/proc/self/exe"
        do {
            program = try FileManager.default.destinationOfSymbolicLink(atPath: program)
        } catch { parts.log.warning("/proc cannot be read; functions will not start", error) }
        return FunctionSettings(
            program: program,
            engineOverride: ProcessInfo.processInfo.environment["QUELL_WASM_ENGINE"],
            modules: parts.config.functionsFolder,
            cache: parts.config.dataDirectory + "/functions",
            cacheKey: parts.clusterKey.derivedKey("function-code-1"),
            loops: parts.config.loops
        )
    }

    private static func report(_ runtime: FunctionRuntime, _ log: NodeLog) {
        for state in runtime.states {
            if let version = state.version {
                log.notice(
                    "function runs as wasm",
                    [
                        "function": state.name, "function.digest": version.digest,
                        "engine": runtime.engine ?? "",
                    ]
                )
            } else {
                log.warning(
                    "function runs as built-in although wasm is configured",
                    ["function": state.name, "cause": state.problem ?? ""]
                )
            }
        }
    }
}

extension FunctionStart {
    /// Lets serve what served when the node ended: it asks nobody, and may be alone.
    fileprivate mutating func resume(_ parts: NodeParts) {
        for (name, running) in contents.running.sorted(by: { $0.key < $1.key }) {
            guard let digest = running.digest else {
                let state = runtime.state(name)
                if let state { set(state.name, state.version, running.generation) }
                continue
            }
            do throws(LoadError) {
                guard let file = contents.artifacts.first(where: { $0.notice.digest == digest })
                else { throw .artifact("its file is missing or damaged") }
                let artifact = try Artifact(bytes: file.bytes)
                // Whoever signed it was trusted when it was activated.
                try artifact.verify(trusting: parts.catalog.deployers.map(\.publicKey))
                let workshop: Workshop
                if let made = runtime.workshop {
                    workshop = made
                } else {
                    workshop = try Workshop(settings)
                }
                let version = try workshop.version(of: artifact)
                versions[digest] = version
                set(name, version, running.generation, workshop)
            } catch {
                parts.log.warning("a deployed function cannot serve yet", error)
                contents.running[name] = nil
                let state = FunctionState(
                    name: name,
                    version: nil,
                    lastGood: nil,
                    generation: running.generation,
                    isMissing: true,
                    problem: error.description
                )
                runtime = runtime.with(state, nil)
            }
        }
    }

    private mutating func set(
        _ name: String,
        _ version: FunctionVersion?,
        _ generation: UInt64,
        _ workshop: Workshop? = nil
    ) {
        let state = FunctionState(
            name: name,
            version: version,
            lastGood: nil,
            generation: generation
        )
        runtime = runtime.with(state, workshop)
    }
}

extension Node {
    /// Work that a node has done in a process of its own.
    ///
    /// - Parameter words: what to do; see `ChildWork`.
    /// - Returns: what is to be printed, if anything.
    public static func work(_ words: [String]) throws(NodeFailure) -> String? {
        Crash.endAtOnce()
        do throws(LoadError) {
            return try ChildWork.run(words)
        } catch { throw .broken(error.description) }
    }
}

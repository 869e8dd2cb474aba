// Functions at the start of a node: what the configuration asks for, and what came of it.

import Foundation
import FunctionHost
import Token

enum Functions {
    /// The functions of every node, in the order in which `status` names them.
    static let specs = [FunctionSpec.unsubscribe, .check]

    /// Starts what is configured; whatever fails, the built-ins serve and the log says why.
    static func start(_ parts: NodeParts) -> FunctionRuntime {
        guard parts.config.runsWasm else { return .builtIn(specs.map(\.name)) }
        let program: String
        do {
            program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            parts.log.warning("functions run as built-ins: /proc cannot be read", error)
            return .builtIn(specs.map(\.name), because: "/proc cannot be read")
        }
        let runtime = FunctionRuntime.start(
            specs,
            FunctionSettings(
                program: program,
                engineOverride: ProcessInfo.processInfo.environment["QUELL_WASM_ENGINE"],
                modules: parts.config.functionsFolder,
                cache: parts.config.dataDirectory + "/functions",
                cacheKey: parts.clusterKey.derivedKey("function-code-1"),
                loops: parts.config.loops
            )
        )
        for state in runtime.states {
            if let version = state.version {
                parts.log.notice(
                    "function runs as wasm",
                    [
                        "function": state.name, "function.digest": version.digest,
                        "engine": runtime.engine ?? "",
                    ]
                )
            } else {
                parts.log.warning(
                    "function runs as built-in although wasm is configured",
                    ["function": state.name, "cause": state.problem ?? ""]
                )
            }
        }
        return runtime
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

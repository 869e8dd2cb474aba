// The functions of a node: which are served by wasm, and why the others are not.
//
//     library ─► SHA-256 ─► a child tries the profiles ─► engine
//     module ─► scan ─► code from the cache, else from a child ─► asked for its ABI ─► version
//
// Made once at the start, read by every loop. Whatever fails, the node serves its built-ins and
// says so: a node without functions is a node, a node without an engine that aborts is none.

/// A version that is tried beside the one that serves.
public struct FunctionTrial: Sendable {
    /// Which.
    public let version: FunctionVersion
    /// Whether its answers are given; else they are compared and forgotten.
    public let isCanary: Bool
    /// Of 100 recipients.
    public let percent: Int

    /// Puts a trial together.
    public init(version: FunctionVersion, isCanary: Bool, percent: Int) {
        self.version = version
        self.isCanary = isCanary
        self.percent = percent
    }
}

/// A function as the node serves it.
public struct FunctionState: Sendable {
    /// Its name.
    public let name: String
    /// The version that serves; nil for the built-in.
    public let version: FunctionVersion?
    /// The version that served before, tried when this one fails; nil where there is none.
    public let lastGood: FunctionVersion?
    /// Counts the activations of this name over the cluster; 0 for what the node came with.
    public let generation: UInt64
    /// A version is active in the cluster and this node has none: what it would have to say
    /// counts as no.
    public let isMissing: Bool
    /// Why it is not what was asked for; nil when it is.
    public let problem: String?
    /// What is tried beside it.
    public var trial: FunctionTrial?
    /// Voters wrote this generation, because the one before was broken.
    public var isReverted = false

    /// What the node came with.
    public init(name: String, version: FunctionVersion?, problem: String?) {
        self.init(name: name, version: version, lastGood: nil, generation: 0, problem: problem)
    }

    /// What the cluster has activated.
    public init(
        name: String,
        version: FunctionVersion?,
        lastGood: FunctionVersion?,
        generation: UInt64,
        isMissing: Bool = false,
        problem: String? = nil
    ) {
        self.name = name
        self.version = version
        self.lastGood = lastGood
        self.generation = generation
        self.isMissing = isMissing
        self.problem = problem
    }
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

    /// Where versions are made; nil without an engine.
    public let workshop: Workshop?

    private init(_ states: [FunctionState], _ workshop: Workshop?) {
        self.states = states
        self.workshop = workshop
        engine = workshop?.words
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
            let workshop = try Workshop(settings)
            return FunctionRuntime(specs.map(workshop.state), workshop)
        } catch {
            return builtIn(specs.map(\.name), because: error.description)
        }
    }

    /// The same node with one function changed, or added at the end.
    public func with(_ state: FunctionState, _ workshop: Workshop?) -> FunctionRuntime {
        var states = states
        if let at = states.firstIndex(where: { $0.name == state.name }) {
            states[at] = state
        } else {
            states.append(state)
        }
        return FunctionRuntime(states, workshop ?? self.workshop)
    }

    /// The same node without a function that it did not come with.
    public func without(_ name: String) -> FunctionRuntime {
        FunctionRuntime(states.filter { $0.name != name }, workshop)
    }

    /// What is known of a function.
    public func state(_ name: String) -> FunctionState? { states.first { $0.name == name } }

    /// One guest for the calling thread; nil where the built-in serves.
    public func guest(_ name: String) -> Guest? { state(name)?.version?.guest() }
}

extension FunctionVersion {
    /// One guest for the calling thread; nil when there is no memory for it.
    public func guest() -> Guest? {
        do throws(LoadError) {
            return try Guest(self)
        } catch {
            // It was linked once already, when it became a version; only memory can be short now.
            tally.failed(.unavailable)
            return nil
        }
    }
}

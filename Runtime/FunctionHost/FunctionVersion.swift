// A version of a function: verified, compiled, tried once, ready to be instantiated by every loop.

import FunctionKit

/// Where a module's window is: constant for the module, asked once.
struct Window: Sendable {
    let request: Int
    let requestBytes: Int
    let response: Int
    let responseBytes: Int

    /// Reads the 32 bytes that `quell_io` points to, and believes none of them.
    init(_ memory: Span<UInt8>, at address: Int) throws(LoadError) {
        guard address >= 0, address <= memory.count - 32 else {
            throw .wrongABI("`quell_io` points out of the memory")
        }
        func word(_ index: Int) -> Int {
            (0..<4).reduce(0) { $0 | Int(memory[address + 4 * index + $1]) << (8 * $1) }
        }
        request = word(0)
        requestBytes = word(1)
        response = word(2)
        responseBytes = word(3)
        guard requestBytes >= Abi.requestHeaderBytes, responseBytes > 0,
            request + requestBytes <= memory.count, response + responseBytes <= memory.count
        else { throw .wrongABI("the window is not inside the memory") }
    }
}

/// One version.
public final class FunctionVersion: Sendable {
    /// Its rules.
    public let spec: FunctionSpec
    /// SHA-256 of the artifact, or of the module where there is none, in hexadecimal digits.
    public let digest: String
    /// What it must answer before it serves.
    public let smoke: [SmokeRequest]
    /// The methods that it takes at /f/NAME/.
    public let methods: [FunctionMethod]
    /// What happens when it fails.
    public let failure: FailurePolicy
    /// What it has done so far.
    public let tally = Tally()
    /// What it has said.
    public let log = LogRing()
    let module: CompiledModule
    let window: Window

    /// Makes a version of a module that `ModuleScan` let pass, by asking it for its ABI.
    convenience init(
        _ module: CompiledModule,
        _ spec: FunctionSpec,
        digest: String
    ) throws(LoadError) {
        try self.init(module, spec, digest: digest, smoke: [], methods: [], failure: .builtIn)
    }

    /// The same with what a manifest adds.
    init(
        _ module: CompiledModule,
        _ spec: FunctionSpec,
        digest: String,
        smoke: [SmokeRequest],
        methods: [FunctionMethod],
        failure: FailurePolicy
    ) throws(LoadError) {
        self.smoke = smoke
        self.methods = methods
        self.failure = failure
        self.module = module
        self.spec = spec
        self.digest = digest
        let linkage = try Linkage(module, spec, LogRing())
        let (abi, memory, address) = try FunctionVersion.ask(linkage, spec)
        guard abi == Abi.version else {
            throw .wrongABI("`quell_abi` answers \(abi), not \(Abi.version)")
        }
        window = try Window(memory.span, at: Int(address))
    }

    private static func ask(
        _ linkage: Linkage,
        _ spec: FunctionSpec
    ) throws(LoadError) -> (abi: Int32, memory: [UInt8], address: Int32) {
        do throws(CallFailure) {
            let limits = CallLimits(spec)
            let trial = try Instance(linkage, limits)
            let abi = try trial.number("quell_abi", limits)
            let address = try trial.number("quell_io", limits)
            return (abi, trial.image(), address)
        } catch {
            throw .wrongABI("it fails when it is asked for its ABI: \(error.word)")
        }
    }
}

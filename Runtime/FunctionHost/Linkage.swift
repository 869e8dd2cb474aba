// A module with the host's functions for one loop: linked once, instantiated many times.
//
// Imports get their context as a plain pointer that is fixed when the linker is made, so each loop
// has a linker of its own; nothing is looked up during a call. A pointer that leaves the guest's
// memory is a trap, an argument that makes no sense is -1, too much is -4 and, the second time, a
// trap.

import CWasmtime
import Glibc

/// What the host's functions know of the call that runs.
@safe final class HostContext {
    /// One value, written once a call: each field of a class is checked for exclusive access.
    @safe private struct Call {
        let base: UnsafeMutablePointer<UInt8>?
        let bytesCount: Int
        var callsLeft: Int
        var logBytesLeft: Int
        var isExceeded = false
        var isLate = false
        /// Processor time of this thread when the deadline passed first; nil before.
        var passedNanos: UInt64?
        let allowance: UInt64
        var extensions = 0
    }

    private var call = unsafe Call(
        base: nil,
        bytesCount: 0,
        callsLeft: 0,
        logBytesLeft: 0,
        allowance: 0
    )
    private let log: LogRing

    init(_ log: LogRing) { self.log = log }

    /// The guest went on after it had been told to stop.
    var isExceeded: Bool { call.isExceeded }
    /// The guest was ended because its time was over.
    var isLate: Bool { call.isLate }

    /// Before each call.
    func begin(_ base: UnsafeMutablePointer<UInt8>, _ count: Int, _ limits: CallLimits) {
        call = unsafe Call(
            base: base,
            bytesCount: count,
            callsLeft: limits.hostCalls,
            logBytesLeft: limits.logBytes,
            allowance: limits.deadlineNanos
        )
    }

    /// Asked when the deadline has passed on the wall clock: whether the guest may go on.
    ///
    /// A loop that the kernel kept waiting has used none of it, and must not deny mail for that. So
    /// the first time starts a count of processor time, and the guest ends once it has really run
    /// for its whole deadline after that, or has asked too often.
    func mayGoOn() -> Bool {
        var time = timespec()
        // Cannot fail for this clock.
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        let now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        call.extensions += 1
        let first = call.passedNanos ?? now
        call.passedNanos = first
        call.isLate =
            now - first >= call.allowance
            || call.extensions > Limits.deadlineExtensionsCount
        return !isLate
    }

    /// `log(level, pointer, length)`; the trap to raise, or nil and the result.
    fileprivate func log(_ level: Int32, _ pointer: UInt32, _ count: UInt32) -> (UInt8?, Int32) {
        call.callsLeft -= 1
        if call.callsLeft < -1 {
            call.isExceeded = true
            return (UInt8(QUELL_TRAP_UNREACHABLE), 0)
        }
        if call.callsLeft < 0 { return (nil, -4) }
        guard let base = unsafe call.base,
            UInt64(pointer) + UInt64(count) <= UInt64(call.bytesCount)
        else { return (UInt8(QUELL_TRAP_BOUNDS), 0) }
        guard (0...4).contains(level) else { return (nil, -1) }
        guard Int(count) <= call.logBytesLeft else { return (nil, -4) }
        call.logBytesLeft -= Int(count)
        unsafe log.append(
            level,
            UnsafeBufferPointer(start: base + Int(pointer), count: Int(count))
        )
        return (nil, 0)
    }
}

/// Linker and pre-instance of one version on one thread.
@safe final class Linkage {
    let module: CompiledModule
    let host: HostContext
    private let linker: OpaquePointer
    private let pre: OpaquePointer

    init(_ module: CompiledModule, _ spec: FunctionSpec, _ log: LogRing) throws(LoadError) {
        let host = HostContext(log)
        guard let linker = unsafe wasmtime_linker_new(module.engine.shared.pointer) else {
            throw .engine("no linker")
        }
        var pre: OpaquePointer?
        do throws(LoadError) {
            if spec.capabilities.contains(.log) { unsafe try Linkage.define(linker, host) }
            if let failed = unsafe wasmtime_linker_instantiate_pre(
                linker,
                module.shared.pointer,
                &pre
            ) {
                throw .undeclaredImport(unsafe message(taking: failed))
            }
        } catch {
            unsafe wasmtime_linker_delete(linker)
            throw error
        }
        guard let pre = unsafe pre else {
            unsafe wasmtime_linker_delete(linker)
            throw .engine("no pre-instance")
        }
        self.module = module
        self.host = host
        unsafe self.linker = unsafe linker
        unsafe self.pre = unsafe pre
    }

    deinit {
        unsafe wasmtime_instance_pre_delete(pre)
        unsafe wasmtime_linker_delete(linker)
    }

    /// A fresh instance in a store.
    func instantiate(_ context: OpaquePointer) throws(CallFailure) -> wasmtime_instance_t {
        var instance = wasmtime_instance_t()
        var trap: OpaquePointer?
        let failed = unsafe wasmtime_instance_pre_instantiate(pre, context, &instance, &trap)
        if let failed = unsafe failed {
            unsafe wasmtime_error_delete(failed)
            throw .unavailable
        }
        if let trap = unsafe trap {
            unsafe wasm_trap_delete(trap)
            throw .trap
        }
        return instance
    }

    /// Ends the calls of a store whose time is over.
    func watch(_ store: OpaquePointer) {
        let env = unsafe Unmanaged.passUnretained(host).toOpaque()
        unsafe wasmtime_store_epoch_deadline_callback(
            store,
            { _, env, ticks, _ in unsafe deadlinePassed(env, ticks) },
            env,
            nil
        )
    }

    private static func define(
        _ linker: OpaquePointer,
        _ host: HostContext
    ) throws(LoadError) {
        let type = unsafe logType()
        defer { unsafe wasm_functype_delete(type) }
        // The linker dies before the context: both belong to one Linkage.
        let env = unsafe Unmanaged.passUnretained(host).toOpaque()
        let failed = unsafe wasmtime_linker_define_func_unchecked(
            linker,
            "quell1",
            6,
            "log",
            3,
            type,
            { env, _, values, _ in unsafe logCalled(env, values) },
            env,
            nil
        )
        if let failed = unsafe failed { throw .engine(unsafe message(taking: failed)) }
    }

    /// (i32, i32, i32) -> i32
    private static func logType() -> OpaquePointer? {
        var parameters = unsafe wasm_valtype_vec_t()
        var results = unsafe wasm_valtype_vec_t()
        let kind = UInt8(QUELL_KIND_I32)
        unsafe wasm_valtype_vec_new(
            &parameters,
            3,
            (0..<3).map { _ in unsafe wasm_valtype_new(kind) }
        )
        unsafe wasm_valtype_vec_new(&results, 1, [wasm_valtype_new(kind)])
        return unsafe wasm_functype_new(&parameters, &results)
    }
}

/// From wasm into the host: three numbers in, one out.
private func logCalled(
    _ env: UnsafeMutableRawPointer?,
    _ values: UnsafeMutablePointer<wasmtime_val_raw_t>?
) -> OpaquePointer? {
    guard let env = unsafe env, let values = unsafe values else {
        return unsafe wasmtime_trap_new_code(UInt8(QUELL_TRAP_UNREACHABLE))
    }
    let host = unsafe Unmanaged<HostContext>.fromOpaque(env).takeUnretainedValue()
    let (trap, result) = unsafe host.log(
        values[0].i32,
        UInt32(bitPattern: values[1].i32),
        UInt32(bitPattern: values[2].i32)
    )
    if let trap { return unsafe wasmtime_trap_new_code(trap) }
    unsafe values[0].i64 = Int64(UInt32(bitPattern: result))
    return nil
}

/// The deadline of the call that runs has passed; an error ends it.
private func deadlinePassed(
    _ env: UnsafeMutableRawPointer?,
    _ ticks: UnsafeMutablePointer<UInt64>?
) -> OpaquePointer? {
    guard let env = unsafe env, let ticks = unsafe ticks else {
        return unsafe wasmtime_error_new("no context")
    }
    let host = unsafe Unmanaged<HostContext>.fromOpaque(env).takeUnretainedValue()
    guard host.mayGoOn() else { return unsafe wasmtime_error_new("the deadline has passed") }
    unsafe ticks.pointee = 1
    return nil
}

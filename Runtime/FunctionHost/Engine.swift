// The engine: one a process, made from a configuration that a child process has tried first.
//
// wasm_engine_new_with_config ends the process when it cannot reserve the pool or does not like the
// configuration, so nothing here runs in a node before `EngineProbe` has seen it work elsewhere.
// Whatever the guests of this version do not need is switched off: less to compile, less to attack.
//
// Engine and module may be used by every thread (wasmtime's documentation of wasm_engine_t and
// wasmtime_module_t); they travel between threads as numbers, in `Shared`. Stores, and all that
// lives in them, stay on one thread, in `Guest`.

import CWasmtime

/// How instances get their memory.
public enum Profile: String, CaseIterable, Sendable {
    /// A pool of slots of 4 GiB of address space each.
    case wide
    /// A pool of slots of 16 MiB; the code checks bounds.
    case narrow
    /// No pool; each instance maps its own.
    case onDemand = "on-demand"
}

/// A pointer that wasmtime lets any thread use, as a number.
@safe struct Shared: Sendable {
    private let bits: UInt

    init(_ pointer: OpaquePointer) { bits = UInt(bitPattern: pointer) }

    var pointer: OpaquePointer {
        guard let pointer = unsafe OpaquePointer(bitPattern: bits) else {
            preconditionFailure("a null pointer was shared")
        }
        return unsafe pointer
    }
}

/// A configured engine.
public final class Engine: Sendable {
    let shared: Shared
    let ticker: Ticker
    /// How instances get their memory.
    public let profile: Profile

    /// Makes the engine. The library is loaded, and a child has tried this profile.
    ///
    /// - Parameters:
    ///   - slots: instances at once.
    ///   - compiles: for a child that compiles and never instantiates: nothing is reserved.
    public init(profile: Profile, slots: Int, compiles: Bool = false) throws(LoadError) {
        guard let config = unsafe wasm_config_new() else { throw .engine("no configuration") }
        unsafe Engine.set(config, profile)
        if !compiles, profile != .onDemand { unsafe Engine.pool(config, slots) }
        guard let engine = unsafe wasm_engine_new_with_config(config) else {
            throw .engine("no engine")
        }
        shared = unsafe Shared(engine)
        self.profile = profile
        ticker = Ticker(shared)
    }

    deinit {
        ticker.stop()
        unsafe wasm_engine_delete(shared.pointer)
    }

    /// Names everything about the configuration that compiled code depends on.
    static func words(_ profile: Profile) -> String { "quell-engine-1 \(profile.rawValue)" }

    private static func set(_ config: OpaquePointer, _ profile: Profile) {
        unsafe wasmtime_config_epoch_interruption_set(config, true)
        unsafe wasmtime_config_max_wasm_stack_set(config, Limits.nativeStackBytes)
        // The same answer on every node, also for a NaN.
        unsafe wasmtime_config_cranelift_nan_canonicalization_set(config, true)
        unsafe wasmtime_config_parallel_compilation_set(config, false)
        let reservation =
            profile == .wide ? Limits.wideReservationBytes : Limits.narrowReservationBytes
        unsafe wasmtime_config_memory_reservation_set(config, reservation)
        unsafe wasmtime_config_memory_guard_size_set(config, Limits.guardBytes)
        let unused = unsafe [
            wasmtime_config_wasm_component_model_set, wasmtime_config_wasm_threads_set,
            wasmtime_config_shared_memory_set, wasmtime_config_wasm_tail_call_set,
            wasmtime_config_wasm_gc_set, wasmtime_config_wasm_function_references_set,
            wasmtime_config_wasm_exceptions_set, wasmtime_config_wasm_stack_switching_set,
            wasmtime_config_wasm_relaxed_simd_set, wasmtime_config_wasm_simd_set,
            wasmtime_config_wasm_multi_memory_set, wasmtime_config_wasm_memory64_set,
            wasmtime_config_wasm_wide_arithmetic_set, wasmtime_config_wasm_custom_page_sizes_set,
            wasmtime_config_gc_support_set, wasmtime_config_concurrency_support_set,
        ]
        unsafe unused.forEach { unsafe $0(config, false) }
    }

    private static func pool(_ config: OpaquePointer, _ slots: Int) {
        guard let pool = unsafe wasmtime_pooling_allocation_config_new() else { return }
        let count = UInt32(clamping: slots)
        unsafe wasmtime_pooling_allocation_config_total_core_instances_set(pool, count)
        unsafe wasmtime_pooling_allocation_config_total_memories_set(pool, count)
        unsafe wasmtime_pooling_allocation_config_total_tables_set(pool, count)
        unsafe wasmtime_pooling_allocation_config_max_memory_size_set(
            pool,
            Limits.memoryPagesCount * 65_536
        )
        unsafe wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(
            pool,
            Limits.residentBytes
        )
        unsafe wasmtime_pooling_allocation_config_table_elements_set(
            pool,
            Limits.tableElementsCount
        )
        unsafe wasmtime_pooling_allocation_config_table_keep_resident_set(
            pool,
            8 * Limits.tableElementsCount
        )
        unsafe wasmtime_pooling_allocation_strategy_set(config, pool)
        unsafe wasmtime_pooling_allocation_config_delete(pool)
    }
}

/// Takes an error that wasmtime handed out: its first line, and it is deleted.
func message(taking error: OpaquePointer) -> String {
    var bytes = unsafe wasm_byte_vec_t()
    unsafe wasmtime_error_message(error, &bytes)
    unsafe wasmtime_error_delete(error)
    defer { unsafe wasm_byte_vec_delete(&bytes) }
    guard let start = unsafe bytes.data else { return "no reason given" }
    let text = unsafe String(
        decoding: UnsafeBufferPointer(start: start, count: bytes.size),
        as: UTF8.self
    )
    return text.split(separator: "\n").prefix(3).joined(separator: "; ")
}

// One instance in a store of its own, and the one way into it.
//
// The store is what wasmtime frees, so an instance lives and dies with its store. Memory cannot
// move: its maximum is fixed and the address space of a slot is reserved, so its start is taken
// once.

import CWasmtime

/// An instance; on the thread that made it.
@safe struct Instance: ~Copyable {
    private let store: OpaquePointer
    private let context: OpaquePointer
    private let instance: wasmtime_instance_t
    private let entry: wasmtime_func_t
    private let base: UnsafeMutablePointer<UInt8>
    private let bytesCount: Int
    private let host: HostContext

    /// Instantiates; `.unavailable` when the pool is empty.
    init(_ linkage: Linkage, _ limits: CallLimits) throws(CallFailure) {
        guard let store = unsafe wasmtime_store_new(linkage.module.engine.shared.pointer, nil, nil)
        else { throw .unavailable }
        do throws(CallFailure) {
            guard let context = unsafe wasmtime_store_context(store) else { throw .unavailable }
            unsafe linkage.watch(store)
            unsafe wasmtime_store_limiter(
                store,
                Int64(limits.memoryBytes),
                Int64(Limits.tableElementsCount),
                1,
                1,
                1
            )
            var instance = unsafe try linkage.instantiate(context)
            var found = unsafe wasmtime_extern_t()
            guard
                unsafe wasmtime_instance_export_get(context, &instance, "memory", 6, &found),
                unsafe found.kind == UInt8(QUELL_EXTERN_MEMORY)
            else { throw .unavailable }
            var memory = unsafe found.of.memory
            guard let base = unsafe wasmtime_memory_data(context, &memory),
                unsafe wasmtime_instance_export_get(context, &instance, "quell_handle", 12, &found),
                unsafe found.kind == UInt8(QUELL_EXTERN_FUNC)
            else { throw .unavailable }
            bytesCount = unsafe wasmtime_memory_data_size(context, &memory)
            unsafe entry = unsafe found.of.func
            unsafe self.base = unsafe base
            self.instance = instance
            unsafe self.context = unsafe context
        } catch {
            unsafe wasmtime_store_delete(store)
            throw error
        }
        unsafe self.store = unsafe store
        host = linkage.host
    }

    deinit { unsafe wasmtime_store_delete(store) }

    /// A copy of the whole memory.
    func image() -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: base, count: bytesCount))
    }

    /// Puts back a copy; an instance of the same module, so of the same size.
    func restore(_ image: [UInt8]) {
        unsafe image.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress, bytes.count == bytesCount else { return }
            unsafe base.update(from: start, count: bytesCount)
        }
    }

    /// One request through the window.
    ///
    /// - Parameters:
    ///   - request: not longer than the window; checked by the caller.
    ///   - values: room for two, the caller's to keep.
    ///   - response: replaced by the answer.
    func call(
        _ kind: Int32,
        _ request: [UInt8],
        _ window: Window,
        _ limits: CallLimits,
        _ values: UnsafeMutablePointer<wasmtime_val_raw_t>,
        into response: inout [UInt8]
    ) throws(CallFailure) {
        unsafe request.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe (base + window.request).update(from: start, count: bytes.count)
        }
        unsafe values[0].i64 = Int64(kind)
        unsafe values[1].i64 = Int64(request.count)
        var entry = unsafe entry
        unsafe try enter(&entry, limits, values, 2)
        let count = unsafe Int(values[0].i32)
        guard count >= 0, count <= min(window.responseBytes, limits.responseBytes) else {
            throw .badResponse
        }
        // Answers of one kind mostly have one length: then the bytes are written over the old ones.
        if response.count != count {
            response.removeAll(keepingCapacity: true)
            response.append(contentsOf: repeatElement(0, count: count))
        }
        unsafe response.withUnsafeMutableBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe start.update(from: base + window.response, count: count)
        }
    }

    /// Calls an export without parameters; only while a version is made.
    func number(_ name: StaticString, _ limits: CallLimits) throws(CallFailure) -> Int32 {
        var instance = instance
        var found = unsafe wasmtime_extern_t()
        let isFound = name.withUTF8Buffer { text in
            unsafe text.withMemoryRebound(to: CChar.self) { text in
                unsafe wasmtime_instance_export_get(
                    context,
                    &instance,
                    text.baseAddress,
                    text.count,
                    &found
                )
            }
        }
        guard isFound, unsafe found.kind == UInt8(QUELL_EXTERN_FUNC) else { throw .unavailable }
        var function = unsafe found.of.func
        var value = wasmtime_val_raw_t()
        unsafe try enter(&function, limits, &value, 1)
        return unsafe value.i32
    }

    private func enter(
        _ function: inout wasmtime_func_t,
        _ limits: CallLimits,
        _ values: UnsafeMutablePointer<wasmtime_val_raw_t>,
        _ count: Int
    ) throws(CallFailure) {
        unsafe host.begin(base, bytesCount, limits)
        unsafe wasmtime_context_set_epoch_deadline(context, limits.deadlineTicks)
        var trap: OpaquePointer?
        let failed = unsafe wasmtime_func_call_unchecked(context, &function, values, count, &trap)
        if let failed = unsafe failed {
            unsafe wasmtime_error_delete(failed)
            throw host.isLate ? .deadline : .unavailable
        }
        if let trap = unsafe trap { throw unsafe failure(taking: trap) }
    }

    private func failure(taking trap: OpaquePointer) -> CallFailure {
        var code: UInt8 = 0
        let hasCode = unsafe wasmtime_trap_code(trap, &code)
        unsafe wasm_trap_delete(trap)
        guard hasCode, !host.isExceeded else { return host.isExceeded ? .hostCalls : .trap }
        return switch Int32(code) {
        case Int32(QUELL_TRAP_STACK): .stack
        case Int32(QUELL_TRAP_BOUNDS): .bounds
        case Int32(QUELL_TRAP_INTERRUPT): .deadline
        default: .trap
        }
    }
}

// wasm to machine code and back: in a child process, since compiling hostile input is outside of
// what wasmtime promises to bound, and in this process only for what such a child has written.

import CWasmtime

/// Text or wasm in, compiled code out.
public enum Compiler {
    /// Compiles a module to the bytes that `CompiledModule` takes.
    public static func compile(_ wasm: [UInt8], _ engine: Engine) throws(LoadError) -> [UInt8] {
        var module: OpaquePointer?
        let failed = unsafe wasm.withUnsafeBufferPointer { bytes in
            unsafe wasmtime_module_new(
                engine.shared.pointer,
                bytes.baseAddress,
                bytes.count,
                &module
            )
        }
        if let failed = unsafe failed { throw .malformed(unsafe message(taking: failed)) }
        guard let module = unsafe module else { throw .engine("no module") }
        defer { unsafe wasmtime_module_delete(module) }
        var code = unsafe wasm_byte_vec_t()
        if let failed = unsafe wasmtime_module_serialize(module, &code) {
            throw .engine(unsafe message(taking: failed))
        }
        return unsafe taken(&code)
    }

    /// The binary of a module in text form, for tests and for the engine's own.
    public static func assemble(_ text: String) throws(LoadError) -> [UInt8] {
        var wasm = unsafe wasm_byte_vec_t()
        var text = text
        let failed = text.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
                unsafe wasmtime_wat2wasm(bytes.baseAddress, bytes.count, &wasm)
            }
        }
        if let failed = unsafe failed { throw .malformed(unsafe message(taking: failed)) }
        return unsafe taken(&wasm)
    }

    private static func taken(_ bytes: inout wasm_byte_vec_t) -> [UInt8] {
        defer { unsafe wasm_byte_vec_delete(&bytes) }
        guard let start = unsafe bytes.data else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: start, count: bytes.size))
    }
}

/// A module as machine code; any thread may instantiate it.
public final class CompiledModule: Sendable {
    let engine: Engine
    let shared: Shared

    /// - Parameter code: what `Compiler.compile` made on this machine; never bytes from elsewhere.
    public init(code: [UInt8], _ engine: Engine) throws(LoadError) {
        var module: OpaquePointer?
        let failed = unsafe code.withUnsafeBufferPointer { bytes in
            unsafe wasmtime_module_deserialize(
                engine.shared.pointer,
                bytes.baseAddress,
                bytes.count,
                &module
            )
        }
        if let failed = unsafe failed { throw .engine(unsafe message(taking: failed)) }
        guard let module = unsafe module else { throw .engine("no module") }
        shared = unsafe Shared(module)
        self.engine = engine
    }

    deinit { unsafe wasmtime_module_delete(shared.pointer) }
}

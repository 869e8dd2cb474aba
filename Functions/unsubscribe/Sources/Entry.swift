// The function's door in wasm: request out of the window, response into it. Native builds skip this
// file.

#if arch(wasm32)
    import FunctionKit

    @_extern(c, "quell_window")
    private func window() -> UnsafeMutablePointer<UInt8>
    @_extern(c, "quell_window_out")
    private func windowOut() -> UnsafeMutablePointer<UInt8>
    @_extern(c, "quell_arena_reset")
    private func resetArena()

    /// The ABI that this guest speaks.
    @_expose(wasm, "quell_abi")
    @_cdecl("quell_abi")
    public func abi() -> Int32 { Abi.version }

    /// Answers the request of `length` bytes in the window; negative on error.
    @_expose(wasm, "quell_handle")
    @_cdecl("quell_handle")
    public func handle(_ kind: Int32, _ length: Int32) -> Int32 {
        resetArena()
        guard kind == Int32(AbiKind.link.rawValue), length >= 0,
            length <= Int32(Limits.requestBytes)
        else { return -1 }
        let bytes = unsafe Span(_unsafeStart: UnsafePointer(window()), count: Int(length))
        do {
            var context = Context()
            let response = Unsubscribe.handle(try Abi.decodeRequest(bytes), &context)
            guard let out = Abi.encode(response, context) else { return -4 }
            let target = unsafe windowOut()
            for i in 0..<out.count { unsafe target[i] = out[i] }
            return Int32(out.count)
        } catch {
            return -1
        }
    }
#endif

// The function's door in wasm: a batch out of the window, a byte an item into it. Native builds
// skip it.

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

    /// Decides the batch of `length` bytes in the window; negative on error.
    @_expose(wasm, "quell_handle")
    @_cdecl("quell_handle")
    public func handle(_ kind: Int32, _ length: Int32) -> Int32 {
        resetArena()
        guard kind == Int32(AbiKind.check.rawValue), length >= 0,
            length <= Int32(Limits.requestBytes)
        else { return -1 }
        let bytes = unsafe Span(_unsafeStart: UnsafePointer(window()), count: Int(length))
        do {
            let (count, now) = try Abi.decodeCheckCount(bytes)
            let target = unsafe windowOut()
            for i in 0..<count {
                let item = try Abi.decodeCheckItem(bytes, i)
                unsafe target[i] = Abi.byte(of: Check.decide(item, nowMillis: now))
            }
            return Int32(count)
        } catch {
            return -1
        }
    }
#endif

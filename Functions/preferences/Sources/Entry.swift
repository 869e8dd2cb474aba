// The function's door in wasm; native builds skip it.

#if arch(wasm32)
    import FunctionKit

    /// Answers the request of `length` bytes in the window; negative on error.
    @_expose(wasm, "quell_handle")
    @_cdecl("quell_handle")
    public func handle(_ kind: Int32, _ length: Int32) -> Int32 {
        Door.link(kind, length) { Preferences.handle($0, &$1) }
    }
#endif

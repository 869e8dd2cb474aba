// A guest's door in wasm: the request out of the window, the answer into it. Native builds skip it.
//
// A function's own Entry.swift exports `quell_handle` and names its handler; everything else that
// the ABI wants is here, once.

#if arch(wasm32)
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

    /// What stands between the window and a handler.
    public enum Door {
        /// Answers a request to /f/NAME/ of `length` bytes in the window.
        ///
        /// - Returns: bytes of the answer; -1 for what is no such request, -4 for an answer that
        ///   does not fit.
        public static func direct(
            _ kind: Int32,
            _ length: Int32,
            _ handler: (Request, inout Context) -> Response
        ) -> Int32 {
            guard begins(kind, length, as: .http) else { return -1 }
            do {
                let bytes = unsafe Span(_unsafeStart: UnsafePointer(window()), count: Int(length))
                return say(try AbiHead(bytes).direct(bytes), handler)
            } catch {
                return -1
            }
        }

        /// The same for a request to a link.
        public static func link(
            _ kind: Int32,
            _ length: Int32,
            _ handler: (Request, inout Context) -> Response
        ) -> Int32 {
            guard begins(kind, length, as: .link) else { return -1 }
            do {
                let bytes = unsafe Span(_unsafeStart: UnsafePointer(window()), count: Int(length))
                return say(try AbiHead(bytes).link(bytes), handler)
            } catch {
                return -1
            }
        }

        private static func say(
            _ request: Request,
            _ handler: (Request, inout Context) -> Response
        ) -> Int32 {
            var context = Context()
            let response = handler(request, &context)
            var out = unsafe MutableSpan(_unsafeStart: windowOut(), count: Limits.responseBytes)
            return Int32(Abi.encode(response, context, into: &out) ?? -4)
        }

        /// Decides the batch of `length` bytes in the window, a byte an item.
        ///
        /// - Returns: the number of items; -1 for what is no batch.
        public static func decide(
            _ kind: Int32,
            _ length: Int32,
            _ rule: (CheckItem, _ nowMillis: UInt64) -> Decision
        ) -> Int32 {
            guard begins(kind, length, as: .check) else { return -1 }
            let bytes = unsafe Span(_unsafeStart: UnsafePointer(window()), count: Int(length))
            do {
                let (count, now) = try Abi.decodeCheckCount(bytes)
                let target = unsafe windowOut()
                for i in 0..<count {
                    let item = try Abi.decodeCheckItem(bytes, i)
                    unsafe target[i] = Abi.byte(of: rule(item, now))
                }
                return Int32(count)
            } catch {
                return -1
            }
        }

        private static func begins(_ kind: Int32, _ length: Int32, as wanted: AbiKind) -> Bool {
            resetArena()
            return kind == Int32(wanted.rawValue) && length >= 0
                && length <= Int32(Limits.requestBytes)
        }
    }
#endif

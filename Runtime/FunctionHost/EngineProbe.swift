// The self-test of an engine, in a child process: everything that the host relies on, once.
//
// A library that passes its SHA-256 can still meet a kernel, a container or a processor on which it
// does not work; better that a child aborts than that a node does.

import FunctionKit

enum EngineProbe {
    /// Tries a profile; throws, or ends the process, when it does not work here.
    static func run(_ profile: Profile, slots: Int) throws(LoadError) {
        let engine = try Engine(profile: profile, slots: slots)
        let wasm = try Compiler.assemble(guest)
        try ModuleScan.check(wasm, spec)
        let module = try CompiledModule(code: try Compiler.compile(wasm, engine), engine)
        let version = try FunctionVersion(module, spec, digest: "probe")
        let guest = try Guest(version)
        // The first byte of the request says what the guest does; each twice: the first trap must
        // not spoil the second call, and a count in its memory must start again.
        for isolation in [Isolation.strict, .reset] {
            for _ in 0..<2 {
                try expect(guest, 0, isolation, answer: [1, 0xff])
                try expect(guest, 1, isolation, failure: .trap)
                try expect(guest, 2, isolation, failure: .bounds)
                try expect(guest, 3, isolation, failure: .deadline)
                try expect(guest, 4, isolation, failure: .stack)
            }
        }
        guard version.log.lines.count == 4 else { throw .engine("imports do not reach the host") }
    }

    private static func expect(
        _ guest: Guest,
        _ first: UInt8,
        _ isolation: Isolation,
        answer: [UInt8]? = nil,
        failure: CallFailure? = nil
    ) throws(LoadError) {
        var response: [UInt8] = []
        var found: CallFailure?
        do throws(CallFailure) {
            try guest.call([first], isolation, tenant: 1, into: &response)
        } catch { found = error }
        guard found == failure, failure != nil || response == answer else {
            throw .engine("self-test \(first) under \(isolation.rawValue) went wrong")
        }
    }

    private static let spec = FunctionSpec(
        name: "probe",
        kind: .check,
        isolation: .reset,
        artifactBytes: 4_096,
        deadlineMillis: 5,
        hostCalls: 1,
        logBytes: 16,
        capabilities: [.log]
    )

    /// Answers how often its memory was used, or misbehaves as it is asked to.
    ///
    /// The window is at 1,024 and 2,048, its descriptor at 16, the count at 64.
    private static let guest = """
        (module
          (import "quell1" "log" (func $log (param i32 i32 i32) (result i32)))
          (memory (export "memory") 1 1)
          (data (i32.const 16) "\\00\\04\\00\\00\\00\\04\\00\\00\\00\\08\\00\\00\\00\\04\\00\\00")
          (func (export "quell_abi") (result i32) (i32.const 65536))
          (func (export "quell_io") (result i32) (i32.const 16))
          (func $deep (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
          (func (export "quell_handle") (param i32 i32) (result i32)
            (local $first i32)
            (local.set $first (i32.load8_u (i32.const 1024)))
            (if (i32.eq (local.get $first) (i32.const 1)) (then unreachable))
            (if (i32.eq (local.get $first) (i32.const 2))
              (then (drop (i32.load (i32.const 65534)))))
            (if (i32.eq (local.get $first) (i32.const 3)) (then (loop (br 0))))
            (if (i32.eq (local.get $first) (i32.const 4))
              (then (drop (call $deep (i32.const 0)))))
            (drop (call $log (i32.const 1) (i32.const 1024) (i32.const 1)))
            (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
            (i32.store8 (i32.const 2048) (i32.load8_u (i32.const 64)))
            (i32.store8 (i32.const 2049) (i32.const 255))
            (i32.const 2)))
        """
}

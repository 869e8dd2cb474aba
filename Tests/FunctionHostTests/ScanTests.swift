// What the scan refuses before an engine sees it, and that no bytes make it do worse than refuse.

import FunctionKit
import Testing

@testable import FunctionHost

@Suite struct ScanTests {
    private let plain = FunctionSpec(
        name: "plain",
        kind: .link,
        isolation: .strict,
        artifactBytes: 81_920,
        deadlineMillis: 5
    )

    private func problem(_ wasm: [UInt8], _ spec: FunctionSpec) -> LoadError? {
        do throws(LoadError) {
            try ModuleScan.check(wasm, spec)
            return nil
        } catch { return error }
    }

    @Test("the shipped modules pass under their own rules")
    func shipped() throws {
        #expect(problem(try Rig.shipped("unsubscribe"), .unsubscribe) == nil)
        #expect(problem(try Rig.shipped("check"), .check) == nil)
        let small = FunctionSpec(
            name: "check",
            kind: .check,
            isolation: .reset,
            artifactBytes: 1_000,
            deadlineMillis: 2
        )
        let wasm = try Rig.shipped("check")
        #expect(problem(wasm, small) == .oversized(bytes: wasm.count, limit: 1_000))
    }

    @Test("an import needs a capability, the module quell1 and a name that we know")
    func imports() throws {
        let logging = FunctionSpec(
            name: "logging",
            kind: .link,
            isolation: .strict,
            artifactBytes: 81_920,
            deadlineMillis: 5,
            capabilities: [.log]
        )
        func module(_ module: String, _ name: String, _ type: String) throws -> [UInt8] {
            try Rig.module("(i32.const 0)", before: "(import \"\(module)\" \"\(name)\" \(type))")
        }
        let function = "(func (param i32 i32 i32) (result i32))"
        let log = try module("quell1", "log", function)
        #expect(problem(log, plain) == .undeclaredImport("quell1.log"))
        #expect(problem(log, logging) == nil)
        for (from, name, type) in [
            ("quell1", "fetch", function), ("env", "log", function),
            ("wasi_snapshot_preview1", "fd_write", function), ("quell1", "log", "(global i32)"),
        ] {
            let found = problem(try module(from, name, type), logging)
            #expect(found == .undeclaredImport("\(from).\(name)"))
        }
        // Known by name but of another type: the linker says so.
        let odd = try module("quell1", "log", "(func (param i64) (result i32))")
        #expect(throws: LoadError.self) { try Rig.version(odd, logging) }
    }

    @Test("exports have the types of ABI 1 and answer its version")
    func abi() throws {
        let good = try Rig.module("(i32.const 0)")
        #expect(problem(good, plain) == nil)
        for (from, to) in [
            ("quell_abi", "quell_abj"), ("quell_io", "quell_ia"), ("quell_handle", "quell_hamdle"),
            ("memory", "memorx"),
        ] {
            let renamed = good.replacing(Array(from.utf8), with: Array(to.utf8))
            guard case .wrongABI = problem(renamed, plain) else {
                Issue.record("\(from) is missed by nobody")
                continue
            }
        }
        let wide = try Compiler.assemble(
            """
            (module (memory (export "memory") 1 1)
              (func (export "quell_abi") (result i32) (i32.const 65536))
              (func (export "quell_io") (result i32) (i32.const 16))
              (func (export "quell_handle") (param i64 i32) (result i32) (i32.const 0)))
            """
        )
        #expect(problem(wide, plain) == .wrongABI("`quell_handle` has another type"))
        for abi in [0, 65_535, 131_072] {
            let wasm = try Rig.module("(i32.const 0)", abi: abi)
            #expect(throws: LoadError.self) { try Rig.version(wasm, plain) }
        }
    }

    @Test("a window that is not inside the memory is refused")
    func window() {
        func window(_ words: [UInt32], at address: Int = 0) throws(LoadError) -> Window {
            var memory = [UInt8](repeating: 0, count: 65_536)
            for (i, word) in words.enumerated() {
                for k in 0..<4 { memory[4 * i + k] = UInt8(truncatingIfNeeded: word >> (8 * k)) }
            }
            return try Window(memory.span, at: address)
        }
        #expect(throws: Never.self) { try window([1_024, 64, 2_048, 1]) }
        for words in [
            [1_024, 63, 2_048, 64], [65_535, 64, 0, 64], [0, .max, 0, 64], [.max, 64, 0, 64],
            [0, 64, .max, .max], [0, 64, 65_535, 2], [0, 64, 0, 0],
        ] as [[UInt32]] { #expect(throws: LoadError.self) { try window(words) } }
        for address in [-1, 65_505, 65_536, Int(Int32.max)] {
            #expect(throws: LoadError.self) { try window([1_024, 64, 2_048, 64], at: address) }
        }
    }

    @Test("under a shared instance nothing may change that restoring the memory does not restore")
    func shared() throws {
        let table = "(table 2 funcref) (elem $e func 0)"
        let twoGlobals = "(global (mut i32) (i32.const 0)) (global (mut i32) (i32.const 0))"
        for (body, before) in [
            ("(memory.grow (i32.const 0))", ""), ("(i32.const 0)", twoGlobals),
            ("(table.set 0 (i32.const 0) (ref.null func)) (i32.const 0)", table),
            ("(table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)) (i32.const 0)", table),
            ("(table.copy (i32.const 0) (i32.const 1) (i32.const 1)) (i32.const 0)", table),
            ("(table.grow 0 (ref.null func) (i32.const 1))", table),
            ("(elem.drop $e) (i32.const 0)", table),
            ("(data.drop $d) (i32.const 0)", "(data $d \"x\")"),
            ("(i32.const 0)", "(global (export \"g\") (mut i32) (i32.const 0))"),
        ] {
            let wasm = try Rig.module(body, before: before)
            #expect(problem(wasm, plain) == nil, "\(body) \(before)")
            let found = problem(wasm, .check)
            guard case .forbidden = found else {
                Issue.record("\(body) \(before): \(String(describing: found))")
                continue
            }
        }
        #expect(problem(try Rig.module("(i32.const 0)", memory: "0 1"), .check) != nil)
        let start = "(func $s) (start $s)"
        #expect(problem(try Rig.module("(i32.const 0)", before: start), plain) != nil)
    }

    @Test("a module with any one byte changed, or cut anywhere, is refused or still runs")
    func corrupted() throws {
        let wasm = try Rig.shipped("check")
        for count in 0..<wasm.count { _ = problem(Array(wasm[..<count]), .check) }
        var passed = 0
        for at in wasm.indices {
            var changed = wasm
            changed[at] ^= UInt8(1 << (at % 8))
            guard problem(changed, .check) == nil else { continue }
            passed += 1
            guard passed % 8 == 0 else { continue }
            let version: FunctionVersion
            do { version = try Rig.version(changed, .check) } catch { continue }
            let guest = try Guest(version)
            var response: [UInt8] = []
            let request = [UInt8](repeating: 1, count: 128)
            do throws(CallFailure) {
                try guest.call(request, .reset, tenant: 1, into: &response)
            } catch { continue }
        }
        #expect(passed > 100, "most changed bytes are inside of code, which the scan only walks")
    }
}

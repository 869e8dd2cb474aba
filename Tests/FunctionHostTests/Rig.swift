// The engine, once for all tests, and guests from a few lines of text.

import CheckFunction
import Foundation
import FunctionKit
import Testing
import UnsubscribeFunction

@testable import FunctionHost

enum Rig {
    /// Tests/FunctionHostTests/Rig.swift, three steps up.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    /// Beside the test runner lies the program that it was built with.
    static let program = root.path() + ".build/debug/quell"
    private static let made = Result { () throws(LoadError) in
        guard let library = EngineLibrary.find(executable: program, override: nil) else {
            throw .engine("no engine; run Scripts/setup.sh")
        }
        try library.load()
        return try Engine(profile: .wide, slots: 64)
    }

    /// One engine a process.
    static func engine() throws -> Engine { try made.get() }

    /// A module that `Scripts/wasm.sh` has built.
    static func shipped(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: root.appending(path: ".build/functions/\(name).wasm")))
    }

    /// A version, as the host makes one.
    static func version(_ wasm: [UInt8], _ spec: FunctionSpec) throws -> FunctionVersion {
        try ModuleScan.check(wasm, spec)
        let engine = try engine()
        let module = try CompiledModule(code: try Compiler.compile(wasm, engine), engine)
        return try FunctionVersion(module, spec, digest: "test")
    }

    /// A guest of a version of its own.
    static func guest(_ wasm: [UInt8], _ spec: FunctionSpec) throws -> Guest {
        try Guest(try version(wasm, spec))
    }

    /// A module whose `quell_handle` has this body: `$kind`, `$length` and `$n` are there.
    ///
    /// The request is at 1,024, the response at 32,768, the window's descriptor at 16.
    static func module(
        _ body: String,
        memory: String = "1 1",
        before: String = "",
        abi: Int = 65_536,
        asked: String = ""
    ) throws -> [UInt8] {
        _ = try engine()
        return try Compiler.assemble(
            """
            (module
              \(before)
              (memory (export "memory") \(memory))
              (data (i32.const 16) "\\00\\04\\00\\00\\00\\44\\00\\00")
              (data (i32.const 24) "\\00\\80\\00\\00\\00\\40\\00\\00")
              (func (export "quell_abi") (result i32) \(asked) (i32.const \(abi)))
              (func (export "quell_io") (result i32) (i32.const 16))
              (func $deep (param i32) (result i32)
                (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
              (func (export "quell_handle") (param $kind i32) (param $length i32) (result i32)
                (local $n i32)
                \(body)))
            """
        )
    }

    /// Writes bytes at the response's place and answers their count.
    static func answering(_ bytes: [UInt8]) -> String {
        bytes.enumerated().map {
            "(i32.store8 (i32.const \(32_768 + $0)) (i32.const \($1)))"
        }.joined(separator: "\n") + "\n(i32.const \(bytes.count))"
    }
}

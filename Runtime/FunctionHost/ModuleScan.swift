// Judges a module before any engine sees it: exports of ABI v1 with their exact types, imports that
// a capability gives, one bounded memory, nothing that outlives a call where calls share an
// instance.
//
// The types matter most: calls go through wasmtime_func_call_unchecked, which believes us. All else
// that makes a module valid is the compiler's to say, in its own process.

import FunctionKit

/// What a module says about itself.
struct ModuleScan {
    /// Parameters and results, as the bytes of the format.
    private struct FunctionType: Equatable {
        let parameters: [UInt8]
        let results: [UInt8]
    }

    private static let i32: UInt8 = 0x7f
    private let spec: FunctionSpec
    private var types: [FunctionType] = []
    /// Type of each function, imported ones first.
    private var functions: [Int] = []
    private var exports: [String: (kind: UInt8, index: Int)] = [:]
    private var importsCount = 0
    private var memories: [(least: Int, most: Int?)] = []
    private var mutableGlobals: Set<Int> = []
    private var code: [Range<Int>] = []

    /// Throws for a module that may not serve under these rules.
    static func check(_ bytes: [UInt8], _ spec: FunctionSpec) throws(LoadError) {
        guard bytes.count <= spec.artifactBytes else {
            throw .oversized(bytes: bytes.count, limit: spec.artifactBytes)
        }
        var scan = ModuleScan(spec: spec)
        try scan.read(bytes)
        try scan.checkExports()
        try scan.checkMemory()
        if spec.isolation != .strict { try scan.checkShared(bytes) }
    }

    private init(spec: FunctionSpec) { self.spec = spec }

    private mutating func read(_ bytes: [UInt8]) throws(LoadError) {
        guard bytes.starts(with: [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) else {
            throw .malformed("the first eight bytes are not those of core wasm 1")
        }
        var reader = ModuleReader(bytes, 8..<bytes.count)
        while !reader.isAtEnd {
            let id = try reader.byte()
            var section = ModuleReader(bytes, try reader.sized())
            switch id {
            case 1: try readTypes(&section)
            case 2: try readImports(&section)
            case 3: for _ in 0..<(try section.count()) { functions.append(try section.number()) }
            case 4: try readTables(&section)
            case 5: for _ in 0..<(try section.count()) { memories.append(try section.limits()) }
            case 6: try readGlobals(&section)
            case 7: try readExports(&section)
            case 8: throw .forbidden("a start function")
            case 10: for _ in 0..<(try section.count()) { code.append(try section.sized()) }
            case 0, 9, 11, 12: continue
            default: throw .malformed("section \(id)")
            }
        }
    }

    private mutating func readTypes(_ section: inout ModuleReader) throws(LoadError) {
        for _ in 0..<(try section.count()) {
            guard try section.byte() == 0x60 else { throw .malformed("a type of no function") }
            var values: [[UInt8]] = []
            for _ in 0..<2 {
                let range = try section.sized()
                guard range.count <= Limits.typeValuesCount else {
                    throw .forbidden("a function of \(range.count) values")
                }
                values.append(Array(section.bytes[range]))
            }
            types.append(FunctionType(parameters: values[0], results: values[1]))
        }
    }

    private mutating func readImports(_ section: inout ModuleReader) throws(LoadError) {
        for _ in 0..<(try section.count()) {
            let module = try section.name()
            let name = try section.name()
            let kind = try section.byte()
            guard module == "quell1", kind == 0, let capability = Capability(rawValue: name),
                spec.capabilities.contains(capability)
            else { throw .undeclaredImport("\(module).\(name)") }
            functions.append(try section.number())
            importsCount += 1
        }
    }

    private func readTables(_ section: inout ModuleReader) throws(LoadError) {
        for _ in 0..<(try section.count()) {
            guard try section.byte() == 0x70 else { throw .forbidden("a table of no functions") }
            let limits = try section.limits()
            guard max(limits.least, limits.most ?? 0) <= Limits.tableElementsCount else {
                throw .forbidden("a table of \(limits.least) elements")
            }
        }
    }

    private mutating func readGlobals(_ section: inout ModuleReader) throws(LoadError) {
        for index in 0..<(try section.count()) {
            _ = try section.byte()
            if try section.byte() == 1 { mutableGlobals.insert(index) }
            var instructions = InstructionScan(section)
            try instructions.passConstant()
            section = instructions.reader
        }
    }

    private mutating func readExports(_ section: inout ModuleReader) throws(LoadError) {
        for _ in 0..<(try section.count()) {
            let name = try section.name()
            exports[name] = (try section.byte(), try section.number())
        }
    }

    private func checkExports() throws(LoadError) {
        let wanted = [
            ("quell_abi", FunctionType(parameters: [], results: [Self.i32])),
            ("quell_io", FunctionType(parameters: [], results: [Self.i32])),
            ("quell_handle", FunctionType(parameters: [Self.i32, Self.i32], results: [Self.i32])),
        ]
        for (name, type) in wanted {
            guard let export = exports[name], export.kind == 0 else {
                throw .wrongABI("no function `\(name)` is exported")
            }
            guard export.index < functions.count, functions[export.index] < types.count,
                types[functions[export.index]] == type
            else { throw .wrongABI("`\(name)` has another type") }
        }
        guard let memory = exports["memory"], memory.kind == 2, memory.index == 0 else {
            throw .wrongABI("no memory `memory` is exported")
        }
    }

    private func checkMemory() throws(LoadError) {
        guard memories.count == 1, let memory = memories.first else {
            throw .forbidden("\(memories.count) memories, exactly one wanted")
        }
        guard memory.least == memory.most, memory.least <= spec.memoryPages else {
            throw .forbidden(
                "a memory of \(memory.least) to \(memory.most.map { "\($0)" } ?? "any number of") "
                    + "pages; it is fixed, and at most \(spec.memoryPages)"
            )
        }
    }

    /// Restoring the memory must restore everything.
    private func checkShared(_ bytes: [UInt8]) throws(LoadError) {
        guard mutableGlobals.count <= 1 else {
            throw .forbidden("\(mutableGlobals.count) mutable globals, at most the stack pointer")
        }
        for (name, export) in exports where export.kind == 3 {
            if mutableGlobals.contains(export.index) {
                throw .forbidden("the mutable global `\(name)` is exported")
            }
        }
        for body in code {
            var instructions = InstructionScan(ModuleReader(bytes, body))
            try instructions.checkBody()
        }
    }
}

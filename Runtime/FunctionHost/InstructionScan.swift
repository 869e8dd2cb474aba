// Walks the instructions of one function body, to find those that change an instance for good:
// growing the memory, writing tables, dropping segments. The only reason to read code at all.
//
// Numbers: WebAssembly Core Specification 2.0, 5.4. Vector, atomic and garbage-collected
// instructions are not known here and are refused, as the engine refuses them.

/// A position among instructions.
struct InstructionScan {
    private(set) var reader: ModuleReader

    init(_ reader: ModuleReader) { self.reader = reader }

    /// Passes over a constant expression, its `end` included.
    mutating func passConstant() throws(LoadError) {
        while true {
            let code = try reader.byte()
            if code == 0x0b { return }
            guard [0x23, 0x41, 0x42, 0x43, 0x44, 0xd0, 0xd2].contains(code) else {
                throw .malformed("instruction \(code) in a constant")
            }
            try pass(code)
        }
    }

    /// Judges a whole body: its locals, then its instructions.
    mutating func checkBody() throws(LoadError) {
        for _ in 0..<(try reader.count()) {
            _ = try reader.number()
            _ = try reader.byte()
        }
        while !reader.isAtEnd {
            let code = try reader.byte()
            if code == 0x26 { throw .forbidden("table.set, under a shared instance") }
            if code == 0x40 { throw .forbidden("memory.grow, under a shared instance") }
            try pass(code)
        }
    }

    /// Passes over what belongs to an instruction.
    private mutating func pass(_ code: UInt8) throws(LoadError) {
        switch code {
        case 0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0x45...0xc4, 0xd1: return
        case 0x02, 0x03, 0x04, 0x41, 0x42: try reader.skipSigned()
        case 0x0c, 0x0d, 0x10, 0x20...0x25, 0x3f, 0xd2: _ = try reader.number()
        case 0x11, 0x28...0x3e:
            _ = try reader.number()
            _ = try reader.number()
        case 0x0e:
            for _ in 0...(try reader.count()) { _ = try reader.number() }
        case 0x1c: _ = try reader.sized()
        case 0x43: try reader.skip(4)
        case 0x44: try reader.skip(8)
        case 0xd0: _ = try reader.byte()
        case 0xfc: try passPrefixed()
        default: throw .forbidden("instruction \(code)")
        }
    }

    private mutating func passPrefixed() throws(LoadError) {
        let code = try reader.number()
        switch code {
        case 0...7: return
        case 8, 10:
            _ = try reader.number()
            _ = try reader.number()
        case 11, 16: _ = try reader.number()
        case 9, 12, 13, 14, 15, 17:
            throw .forbidden("instruction 0xfc \(code) changes tables or segments")
        default: throw .forbidden("instruction 0xfc \(code)")
        }
    }
}

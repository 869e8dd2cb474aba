// A position in the bytes of a wasm module: numbers, names and counts, each of them checked.
//
// Format: WebAssembly Core Specification 2.0, section 5 (binary format).

/// Reads a module front to back.
struct ModuleReader {
    let bytes: [UInt8]
    private(set) var at: Int
    let end: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        at = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { at == end }

    mutating func byte() throws(LoadError) -> UInt8 {
        guard at < end else { throw .malformed("cut at byte \(at)") }
        defer { at += 1 }
        return bytes[at]
    }

    /// An unsigned number of at most 32 bits, LEB128.
    mutating func number() throws(LoadError) -> Int {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            let next = try byte()
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 {
                guard value <= UInt64(UInt32.max) else { break }
                return Int(value)
            }
        }
        throw .malformed("a number above 32 bits at byte \(at)")
    }

    /// Passes over a signed number of at most 64 bits.
    mutating func skipSigned() throws(LoadError) {
        for _ in 0..<10 {
            if try byte() & 0x80 == 0 { return }
        }
        throw .malformed("a number above 64 bits at byte \(at)")
    }

    mutating func skip(_ count: Int) throws(LoadError) {
        guard count <= end - at else { throw .malformed("cut at byte \(at)") }
        at += count
    }

    /// A count of entries.
    mutating func count() throws(LoadError) -> Int {
        let count = try number()
        guard count <= Limits.sectionEntriesCount, count <= end - at else {
            throw .malformed("\(count) entries at byte \(at)")
        }
        return count
    }

    /// The place of so many bytes, behind their length.
    mutating func sized() throws(LoadError) -> Range<Int> {
        let count = try number()
        let start = at
        try skip(count)
        return start..<at
    }

    mutating func name() throws(LoadError) -> String {
        String(decoding: bytes[try sized()], as: UTF8.self)
    }

    /// The lower and upper bound of a memory or a table.
    mutating func limits() throws(LoadError) -> (least: Int, most: Int?) {
        switch try byte() {
        case 0: return (try number(), nil)
        case 1: return (try number(), try number())
        case let flags: throw .forbidden("a shared or 64-bit memory or table (flags \(flags))")
        }
    }
}

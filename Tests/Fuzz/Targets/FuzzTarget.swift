// What a fuzzer looks for: properties that hold for all bytes, one target a reader of strangers.
//
// A target is a pure function from an input to a finding, so the same code runs under libFuzzer
// (Entry/, `make fuzz`) and, over the committed seeds and small changes of them, in `make test`.
// "Does not crash" is the least of it: cut anywhere, the same is found; what is read, written
// again, is read the same; a second reader, simple and slow, agrees.

import Wire

/// One reader and what must hold for every input to it.
struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Names the folder of its seeds, and the target in commands.
    let name: String
    /// What is wrong with our reading of these bytes; nil for nothing.
    let finding: @Sendable ([UInt8]) -> String?

    var description: String { name }

    static let all = [
        FuzzTarget(name: "resp", finding: FuzzRESP.finding),
        FuzzTarget(name: "http", finding: FuzzHTTP.finding),
        FuzzTarget(name: "token", finding: FuzzToken.finding),
        FuzzTarget(name: "form", finding: FuzzForm.finding),
        FuzzTarget(name: "csv", finding: { FuzzImport.finding($0, .csv) }),
        FuzzTarget(name: "ndjson", finding: { FuzzImport.finding($0, .ndjson) }),
        FuzzTarget(name: "qfn", finding: FuzzArtifact.finding),
        FuzzTarget(name: "address", finding: FuzzAddress.finding),
    ]
}

/// Numbers that depend on the input alone, so that a finding can be repeated.
struct Dice {
    private var state: UInt64

    /// Begins with a hash of the input (FNV-1a).
    init(_ bytes: [UInt8]) {
        state = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}

/// Ways to cut an input: byte by byte when it is short, and two at random.
func cuttings(of bytes: [UInt8]) -> [[Int]] {
    var dice = Dice(bytes)
    var all: [[Int]] = bytes.count <= 128 ? [Array(0..<bytes.count)] : []
    for count in [1, 4] {
        all.append((0..<count).map { _ in dice.below(bytes.count + 1) }.sorted())
    }
    return all
}

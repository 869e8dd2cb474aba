// Every committed seed, and a few hundred small changes of each target's seeds, in `make test`: so
// that a target which no longer holds, or no longer runs, is noticed without a fuzzer.

import Foundation
import Testing

@Suite struct SeedTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Seeds")

    private func seeds(of target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = Self.folder.appending(path: target.name)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
            .map { ($0, [UInt8](try Data(contentsOf: folder.appending(path: $0)))) }
    }

    @Test("every seed holds", arguments: FuzzTarget.all)
    func holds(target: FuzzTarget) throws {
        let seeds = try seeds(of: target)
        #expect(seeds.count >= 5, "seeds of \(target)")
        for seed in seeds {
            let finding = target.finding(seed.bytes)
            #expect(finding == nil, "\(target)/\(seed.name)")
        }
    }

    @Test("small changes of the seeds hold", arguments: FuzzTarget.all)
    func changes(target: FuzzTarget) throws {
        let seeds = try seeds(of: target).map(\.bytes).filter { !$0.contains(0x1A) }
        var dice = Dice(Array(target.name.utf8))
        for round in 0..<300 {
            var bytes = seeds[dice.below(seeds.count)]
            for _ in 0...dice.below(3) where !bytes.isEmpty {
                let place = dice.below(bytes.count)
                switch dice.below(4) {
                case 0: bytes[place] = UInt8(dice.below(256))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes[dice.below(bytes.count)], at: place)
                default: bytes += bytes[place...].prefix(16)
                }
            }
            let finding = target.finding(bytes)
            #expect(finding == nil, "\(target), round \(round): \(bytes)")
        }
    }
}

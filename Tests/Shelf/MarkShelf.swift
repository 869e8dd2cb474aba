// Marks as one node has them, in memory, found by the ids that a sketch holds: what Storage is to a
// repair machine, for tests of two machines and for their transcripts.

public import Cluster
public import Suppression

/// Marks, the sketch of them, and the way from an id back to its key.
public struct MarkShelf {
    /// All marks.
    public private(set) var marks: [MarkKey: Mark] = [:]
    /// Their sketch, always of all of them.
    public private(set) var sketch = Sketch()
    private var keys: [UInt64: MarkKey] = [:]

    /// Without marks.
    public init() {}

    private static func id(_ key: MarkKey, _ mark: Mark) -> UInt64 {
        var bytes: [UInt8] = []
        key.encode(into: &bytes)
        mark.encode(into: &bytes)
        let hash = SipHash(k0: 3, k1: 4)
        return MarkDigest.id(record: bytes.span, count: bytes.count, hash: hash)
    }

    /// Merges a mark with what is there.
    public mutating func merge(_ key: MarkKey, _ mark: Mark) {
        var merged = marks[key] ?? Mark()
        remove(key)
        merged.merge(mark)
        let id = MarkShelf.id(key, merged)
        marks[key] = merged
        keys[id] = key
        sketch.toggle([id])
    }

    /// Takes a mark away, as a damaged disk does.
    public mutating func remove(_ key: MarkKey) {
        guard let mark = marks.removeValue(forKey: key) else { return }
        let id = MarkShelf.id(key, mark)
        keys[id] = nil
        sketch.toggle([id])
    }

    /// The marks with these ids; `orChanged`, an id that leads to none stands for those that share
    /// its first 24 bits.
    public func found(_ ids: [UInt64], orChanged: Bool) -> [RepairFound] {
        ids.flatMap { id -> [RepairFound] in
            let near =
                keys[id].map { [$0] }
                ?? (orChanged ? keys.filter { $0.key >> 40 == id >> 40 }.map(\.value) : [])
            return near.compactMap { key in
                marks[key].map { RepairFound(id: id, row: RepairRow(key: key, mark: $0)) }
            }
        }
    }

    /// The ids of a partition, in order.
    public func ids(of partition: Int) -> [UInt64] {
        keys.keys.filter { Sketch.partition(of: $0) == partition }.sorted()
    }
}

// From ids back to marks: what repair reads when a difference was found.
//
//     id = the recipient's first 24 bits | 40 bits of hash
//     for each tenant: one seek to (tenant, 24 bits), then the few marks that share them
//
// Among 10 M marks a seek meets one neighbour or none; the hash tells the wanted one. Marks are
// read as the snapshot has them now: one that changed since the sketch was frozen has another id
// and is not found, and the next comparison will see it.

public import Suppression

extension Limits {
    /// Tenants among which an id is looked for; each costs a seek an id.
    static let sketchTenantsCount = 4_096
    /// Marks that one id may stand for when its own has changed: all scopes and reasons of a
    /// person, as a rule.
    static let sketchNeighboursCount = 16
}

/// A mark that an id led to.
public struct SketchedMark: Equatable, Sendable {
    /// The id.
    public let id: UInt64
    /// Its key.
    public let key: MarkKey
    /// The whole mark.
    public let mark: Mark
}

extension ReadTransaction {
    /// Tenants that have marks, in order.
    public func tenantsWithMarks() throws(StorageError) -> [UInt64] {
        var tenants: [UInt64] = []
        var next: UInt64? = 0
        while let from = next, tenants.count < Limits.sketchTenantsCount {
            var start: [UInt8] = []
            start.append(bigEndian: from)
            next = nil
            try walkMarks(from: start) { key, _ in
                guard key.count >= 8 else { return false }
                let tenant = (0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(key[$1]) }
                tenants.append(tenant)
                next = tenant < .max ? tenant + 1 : nil
                return false
            }
        }
        return tenants
    }

    /// The marks with these ids; those that are not there, or cannot be read, are left out.
    ///
    /// - Parameter orChanged: for an id that leads to none, the marks that share its leading bits:
    ///   one of them is what the wanted mark has become, and a stranger or two do no harm.
    public func marks(
        withIDs ids: [UInt64],
        under sketchKey: SketchKey,
        orChanged: Bool = false
    ) throws(StorageError) -> [SketchedMark] {
        var found: [SketchedMark] = []
        let tenants = try tenantsWithMarks()
        for id in ids.sorted() {
            var near: [SketchedMark] = []
            var isFound = false
            for tenant in tenants where !isFound {
                var start: [UInt8] = []
                start.append(bigEndian: tenant)
                for shift in [56, 48, 40] as [UInt64] {
                    start.append(UInt8(truncatingIfNeeded: id >> shift))
                }
                try walkMarks(from: start) { key, value in
                    guard key.hasPrefix(start) else { return false }
                    isFound = sketchKey.id(key, value) == id
                    guard isFound || orChanged && near.count < Limits.sketchNeighboursCount
                    else { return true }
                    do {
                        let name = try MarkKey(decoding: key)
                        let mark = try Mark(unsealing: value, under: key)
                        if isFound { near = [] }
                        near.append(SketchedMark(id: id, key: name, mark: mark))
                    } catch { isFound = false }  // damaged: nobody is given it
                    return !isFound
                }
            }
            found.append(contentsOf: near)
        }
        return found
    }

    /// The ids of all marks whose recipients begin with these 12 bits.
    public func ids(
        ofPartition partition: Int,
        under sketchKey: SketchKey
    ) throws(StorageError) -> [UInt64] {
        var ids: [UInt64] = []
        for tenant in try tenantsWithMarks() {
            var start: [UInt8] = []
            start.append(bigEndian: tenant)
            let prefix = start
            start.append(bigEndian: UInt16(partition) << 4)
            try walkMarks(from: start) { key, value in
                guard key.hasPrefix(prefix), key.count >= 10,
                    Int(key[8]) << 4 | Int(key[9]) >> 4 == partition
                else { return false }
                if let id = sketchKey.id(key, value) { ids.append(id) }
                return true
            }
        }
        return ids
    }
}

extension SketchKey {
    /// The id of a stored mark; nil for what no version writes.
    fileprivate func id(_ key: Span<UInt8>, _ value: Span<UInt8>) -> UInt64? {
        guard key.count == MarkKey.encodedBytes, value.count >= 8 else { return nil }
        return MarkDigest.id(key: key, value: value, valueCount: value.count - 8, hash: hash)
    }
}

extension Span<UInt8> {
    fileprivate func hasPrefix(_ prefix: [UInt8]) -> Bool {
        guard count >= prefix.count else { return false }
        for at in prefix.indices where self[at] != prefix[at] { return false }
        return true
    }
}

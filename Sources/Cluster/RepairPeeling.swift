// The peeling side of a conversation: which cells to ask for next, and what came out of them.
//
//     global cells    first chunk, then up to 1.5 x the estimate, then steps of a twentieth
//     partitions      when there are too many differences: 64 at a time, each the same first chunk,
//                     those that do not decode as many again, up to their 64 cells
//     lists           when even those do not decode: all ids of the partition, from both sides

import Suppression

/// What the peeling side knows.
struct RepairPeeling: Sendable {
    /// What to do next.
    struct Step {
        /// Ids that only one side has.
        var decoded: [UInt64] = []
        var asks: [(RepairScope, first: Int, count: Int)] = []
        /// Partitions of which all ids are needed.
        var lists: [UInt16] = []
    }

    private struct Lists {
        var ours: [UInt64]?
        var theirs: [UInt64] = []
        var isWhole = false
    }

    private var global = SketchDecoder()
    private var partitions: [UInt16: SketchDecoder] = [:]
    private var lists: [UInt16: Lists] = [:]
    private var decodedCount = 0
    private var isFirst = true
    private var samples = DifferenceEstimate()
    /// Answers that are still to come: cells, and lists.
    private(set) var awaitedCount = 1
    /// `want`s whose last mark has not come.
    var wantsCount = 0
    /// Ids that are not ours, not asked for yet.
    var missing: [UInt64] = []
    private var givenKeys: [UInt64] = []
    private var gotKeys: [UInt64] = []
    private var floorBytes: UInt64 = 0

    /// The peer's samples of the global sketch.
    mutating func observe(_ checks: [UInt16], _ ours: Sketch) {
        for (cell, check) in zip(SketchSamples.cells, checks) {
            let mine = ours.cells(cell..<cell + 1).checks[0]
            samples.observe(cell: cell, isEmpty: mine == check)
        }
    }

    // MARK: cells

    /// Takes cells of the peer.
    mutating func take(
        _ theirs: SketchCells,
        of scope: RepairScope,
        first: Int,
        _ ours: Sketch,
        distance: Int
    ) -> Step {
        awaitedCount = max(0, awaitedCount - 1)
        switch scope {
        case .global:
            guard first == global.count else { return Step() }
            global.add(ours: ours.cells(first..<first + theirs.count), theirs: theirs)
            if global.isDecoded { return settle(global.ids) }
            return goOn(distance)
        case .partitions(let some): return take(theirs, of: some, first: first, ours)
        }
    }

    /// The next global cells, or partitions.
    private mutating func goOn(_ distance: Int) -> Step {
        let judged = global.count >= 1_024 ? global.estimatedCount : samples.count
        let guess = max(distance, max(judged, isFirst ? 1 : global.estimatedCount / 4))
        isFirst = false
        let size = Suppression.Limits.sketchCellsCount
        if guess > Limits.repairGlobalDifferencesCount || global.count == size {
            return partition(guess)
        }
        let aim = guess * Limits.repairFirstChunkPercent / 100
        let next =
            aim > global.count
            ? aim : global.count + max(Limits.repairSmallestChunkCount, global.count / 20)
        var step = Step()
        ask(.global, first: global.count, count: min(size, next) - global.count, &step)
        return step
    }

    private mutating func ask(
        _ scope: RepairScope,
        first: Int,
        count: Int,
        _ step: inout Step
    ) {
        awaitedCount += 1
        step.asks.append((scope, first, count))
    }

    private mutating func partition(_ guess: Int) -> Step {
        let all = Suppression.Limits.sketchPartitionsCount
        let size = Suppression.Limits.sketchPartitionCellsCount
        let each = (guess + all - 1) / all
        // What a partition has varies around its share; half as many again decodes most of them.
        let chunk = min(size, each * Limits.repairFirstChunkPercent / 100 + 4)
        var step = Step()
        for start in stride(from: 0, to: all, by: Limits.repairPartitionsCount) {
            let some = (start..<start + Limits.repairPartitionsCount).map { UInt16($0) }
            ask(.partitions(some), first: 0, count: chunk, &step)
        }
        return step
    }

    private mutating func take(
        _ theirs: SketchCells,
        of some: [UInt16],
        first: Int,
        _ ours: Sketch
    ) -> Step {
        let size = Suppression.Limits.sketchPartitionCellsCount
        let count = theirs.count / some.count
        var step = Step()
        var undecoded: [UInt16] = []
        for (n, partition) in some.enumerated() {
            var decoder = partitions[partition] ?? SketchDecoder(partition: Int(partition))
            guard decoder.count == first else { continue }
            decoder.add(
                ours: ours.cells(first..<first + count, of: Int(partition)),
                theirs: theirs.part(n * count..<(n + 1) * count)
            )
            if decoder.isDecoded {
                partitions[partition] = nil
                step.decoded.append(contentsOf: settle(decoder.ids).decoded)
            } else if decoder.count == size {
                partitions[partition] = nil
                lists[partition] = Lists()
                awaitedCount += 1
                step.lists.append(partition)
            } else {
                partitions[partition] = decoder
                undecoded.append(partition)
            }
        }
        if !undecoded.isEmpty {
            let from = first + count
            // Few are left, so half a dozen cells too many cost less than another round trip.
            let next = min(size, 2 * from)
            ask(.partitions(undecoded), first: from, count: next - from, &step)
        }
        return step
    }

    private mutating func settle(_ ids: [UInt64]) -> Step {
        let room = Limits.repairDifferencesCount - decodedCount
        let taken = ids.prefix(max(0, room))
        decodedCount += taken.count
        return Step(decoded: Array(taken))
    }

    // MARK: lists

    mutating func listed(theirs ids: [UInt64], _ partition: UInt16, isLast: Bool) -> Step {
        guard lists[partition] != nil else { return Step() }
        lists[partition]?.theirs.append(contentsOf: ids)
        lists[partition]?.isWhole = isLast
        return compareLists(partition)
    }

    mutating func listed(ours ids: [UInt64], _ partition: UInt16) -> Step {
        guard lists[partition] != nil else { return Step() }
        lists[partition]?.ours = ids
        return compareLists(partition)
    }

    private mutating func compareLists(_ partition: UInt16) -> Step {
        guard let both = lists[partition], both.isWhole, let ours = both.ours else { return Step() }
        lists[partition] = nil
        awaitedCount = max(0, awaitedCount - 1)
        return settle(Array(Set(ours).symmetricDifference(both.theirs)))
    }

    // MARK: marks

    /// Marks that only this side has.
    mutating func given(_ rows: [RepairRow]) {
        for row in rows {
            givenKeys.append(row.key.digest)
            floorBytes += UInt64(row.encodedBytes)
        }
    }

    /// Marks that only the other side has.
    mutating func got(_ rows: [RepairRow], isLast: Bool) {
        for row in rows {
            gotKeys.append(row.key.digest)
            floorBytes += UInt64(row.encodedBytes)
        }
        if isLast { wantsCount = max(0, wantsCount - 1) }
    }

    mutating func takeMissing() -> [UInt64] {
        defer { missing = [] }
        return missing
    }

    /// Differences found, and those that are settled.
    var progress: (found: Int, settled: Int) {
        (decodedCount, min(decodedCount, givenKeys.count + gotKeys.count))
    }

    /// What was settled: a key of which both sides had a mark of their own counts once.
    var counts: RepairCounts {
        var counts = RepairCounts()
        counts.given = UInt64(givenKeys.count)
        counts.got = UInt64(gotKeys.count)
        counts.floorBytes = floorBytes
        counts.differences = UInt64(Set(givenKeys).union(gotKeys).count)
        return counts
    }
}

extension MarkKey {
    /// Tells keys apart within one conversation.
    fileprivate var digest: UInt64 {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return SipHash.checksum.hash(bytes.span)
    }
}

extension SketchCells {
    fileprivate func part(_ range: Range<Int>) -> SketchCells {
        var part = SketchCells()
        for cell in range { part.append(sum: sums[cell], check: checks[cell]) }
        return part
    }
}

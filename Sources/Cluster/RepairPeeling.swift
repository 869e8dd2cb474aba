// The peeling side of a conversation: which cells to ask for next, and what came out of them.
//
//     global cells    first chunk, then up to 1.5 x the estimate, then steps of a twentieth
//     partitions      when there are too many differences for those: cells of all partitions, 64 a
//                     message, peeled together with all global cells; then more of those that are
//                     not empty, up to their 64
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

    private var decoder = SketchDecoder()
    private var lists: [UInt16: Lists] = [:]
    private var decodedCount = 0
    private var isFirst = true
    private var samples = DifferenceEstimate()
    /// All cells that were asked for are here, and not yet peeled to the end.
    private(set) var isPeeling = false
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
        _ ours: Sketch
    ) {
        awaitedCount = max(0, awaitedCount - 1)
        switch scope {
        case .global:
            guard first == decoder.count else { break }
            decoder.add(ours: ours.cells(first..<first + theirs.count), theirs: theirs)
        case .partitions(let some):
            let each = theirs.count / some.count
            guard some.allSatisfy({ decoder.count(of: Int($0)) == first }) else { break }
            // Unasked: those of the other partitions follow, and the global cells are the last.
            if isFirst { awaitedCount = RepairPeeling.messagesCount }
            decoder.add(
                ours: ours.cells(scope, first..<first + each),
                theirs: theirs,
                of: some,
                each: each
            )
        }
        isFirst = false
        isPeeling = awaitedCount == 0
    }

    /// Messages that bring cells of all partitions.
    private static var messagesCount: Int {
        Suppression.Limits.sketchPartitionsCount / Limits.repairPartitionsCount
    }

    /// All partitions, as many as one message takes at a time.
    static var portions: [[UInt16]] {
        (0..<messagesCount).map { n in
            let first = n * Limits.repairPartitionsCount
            return (first..<first + Limits.repairPartitionsCount).map { UInt16($0) }
        }
    }

    /// Cells of each partition that decode a difference together with all global cells.
    static func partitionChunk(for guess: Int) -> Int {
        let all = Suppression.Limits.sketchPartitionsCount
        let aim =
            guess * Limits.repairJointChunkPercent / 100 - Suppression.Limits.sketchCellsCount
        return min(
            Suppression.Limits.sketchPartitionCellsCount,
            max(1, (aim + all - 1) / all)
        )
    }

    /// Global cells that decode a difference almost always.
    static func globalChunk(for guess: Int) -> Int {
        guess * Limits.repairFirstChunkPercent / 100
            + Limits.repairFirstChunkSpread * Int(Double(guess).squareRoot())
    }

    /// A turn's share of the peeling; nil when there is more to peel, and nothing to say yet.
    mutating func goOn(distance: Int) -> Step? {
        guard isPeeling, decoder.peel(touches: Limits.repairTouchesPerTurnCount) else { return nil }
        isPeeling = false
        guard !decoder.isDecoded else { return settle(decoder.ids) }
        return decoder.isPartitioned ? nextPartitions() : nextGlobal(distance)
    }

    /// The next global cells, or partitions.
    private mutating func nextGlobal(_ distance: Int) -> Step {
        let isShort = decoder.count <= Limits.repairSmallestChunkCount
        let judged = decoder.count >= 1_024 ? decoder.estimatedCount : samples.count
        let guess = max(distance, max(judged, isShort ? 1 : decoder.estimatedCount / 4))
        let size = Suppression.Limits.sketchCellsCount
        var step = Step()
        guard guess <= Limits.repairGlobalDifferencesCount, decoder.count < size else {
            let chunk = RepairPeeling.partitionChunk(for: guess)
            for some in RepairPeeling.portions {
                ask(.partitions(some), first: 0, count: chunk, &step)
            }
            if decoder.count < size {
                ask(.global, first: decoder.count, count: size - decoder.count, &step)
            }
            return step
        }
        let aim = RepairPeeling.globalChunk(for: guess)
        let next =
            aim > decoder.count
            ? aim : decoder.count + max(Limits.repairSmallestChunkCount, decoder.count / 20)
        ask(.global, first: decoder.count, count: min(size, next) - decoder.count, &step)
        return step
    }

    /// More cells of those partitions that are not empty yet, or all ids of those without more.
    private mutating func nextPartitions() -> Step {
        let size = Suppression.Limits.sketchPartitionCellsCount
        let left = decoder.undecoded
        var step = Step()
        var byCount: [Int: [UInt16]] = [:]
        for partition in left {
            byCount[decoder.count(of: Int(partition)), default: []].append(partition)
        }
        for (from, partitions) in byCount.sorted(by: { $0.key < $1.key }) where from < size {
            let next = min(size, from + from / 2 + 4)
            for start in stride(from: 0, to: partitions.count, by: Limits.repairPartitionsCount) {
                let some = Array(partitions[start...].prefix(Limits.repairPartitionsCount))
                ask(.partitions(some), first: from, count: next - from, &step)
            }
        }
        guard step.asks.isEmpty else { return step }
        let unclear = Set(left)
        let clear = decoder.ids.filter { !unclear.contains(UInt16(Sketch.partition(of: $0))) }
        step.decoded = settle(clear).decoded
        for partition in left {
            lists[partition] = Lists()
            awaitedCount += 1
            step.lists.append(partition)
        }
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
        return settle(Set(ours).symmetricDifference(both.theirs).sorted())
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

// One conversation, from either end.
//
//     freezing ──► opening ──► comparing ──► ended
//
// Who has fewer marks gives cells, the other side peels: most often the one that has more knows
// then what to push, and needs no ids on the wire. What goes out in bulk waits in an outbox until
// the window has room and its marks are looked up; what comes in is answered with `took` when it is
// committed, so a slow disk slows the sender and fills no memory.

import Suppression

/// What waits to be sent, made only when there is room.
enum RepairItem: Equatable, Sendable {
    case cells(RepairScope, first: Int, count: Int)
    /// Marks for these ids; `isAnswer` when the peer asked for them.
    case rows([UInt64], isAnswer: Bool, isLast: Bool)
    case ids(partition: UInt16)
    case want([UInt64])
}

/// A conversation with one peer.
struct RepairSession: Sendable {
    enum Phase: Equatable { case freezing, opening, comparing, ended }

    let id: RepairID
    let isInitiator: Bool
    let isDry: Bool
    var phase = Phase.freezing
    var heardNanos: UInt64
    var ours: Sketch?
    var mine = RepairState(digest: MarkDigest(), marksCount: 0, isDamaged: false, isDry: false)
    var theirs: RepairState?
    var peeling: RepairPeeling?
    var counts: RepairCounts?
    var failure: RepairFailure?
    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    private let bugs: SeededBugs
    private var outbox: [RepairItem] = []
    private var outboxStart = 0
    private var inFlight = 0
    private(set) var reading: RepairItem?
    private var storing = 0
    private var hasPushed = false
    /// How many answers led to the present one, and to those that are asked for, in their order.
    private var depth: UInt16 = 0
    private var askedDepths: [UInt16] = []
    private var deepest: UInt16 = 0

    init(_ id: RepairID, isInitiator: Bool, isDry: Bool, now: UInt64, bugs: SeededBugs) {
        self.id = id
        self.bugs = bugs
        self.isInitiator = isInitiator
        self.isDry = isDry
        heardNanos = now
    }

    /// Whether both sketches are those of equal sets.
    var isEqual: Bool { theirs.map { $0.digest == mine.digest } ?? false }

    /// Whether nothing of ours is under way any more.
    private var isQuiet: Bool {
        outboxStart == outbox.count && inFlight == 0 && reading == nil && storing == 0
    }

    // MARK: out

    mutating func send(_ message: RepairMessage, _ effects: inout [RepairEffect]) {
        bytesSent += UInt64(message.encodedBytes)
        if message.isBulk { inFlight += 1 }
        if message.isQuestion {
            askedDepths.append(depth + 1)
            deepest = max(deepest, depth + 1)
        }
        effects.append(.send(id, message))
    }

    mutating func queue(_ item: RepairItem) { outbox.append(item) }

    /// Sends what there is room for.
    mutating func pump(_ budget: inout Int, _ effects: inout [RepairEffect]) {
        while phase == .comparing, inFlight < Limits.repairWindowCount, budget > 0, reading == nil,
            outboxStart < outbox.count
        {
            let item = outbox[outboxStart]
            outboxStart += 1
            if outboxStart > 1_024 {
                outbox.removeFirst(outboxStart)
                outboxStart = 0
            }
            budget -= 1
            switch item {
            case .cells(let scope, let first, let count):
                guard let cells = ours?.cells(scope, first..<first + count) else { continue }
                send(.cells(scope, first: UInt16(first), cells), &effects)
            case .rows(let ids, let isAnswer, _):
                reading = item
                // What the peer wants may have been merged with what it pushed just before.
                effects.append(.lookUp(id, ids, orChanged: isAnswer))
            case .ids(let partition):
                reading = item
                effects.append(.list(id, partition: Int(partition)))
            case .want(let ids): send(.want(ids), &effects)
            }
        }
        finishIfSettled(&effects)
    }

    // MARK: in

    mutating func opened(with theirs: RepairState, _ effects: inout [RepairEffect]) {
        self.theirs = theirs
        guard theirs.digest != mine.digest else {
            phase = .ended
            return
        }
        phase = .comparing
        // The side with fewer marks gives cells; at a tie the one that was asked.
        let isGiving =
            mine.marksCount == theirs.marksCount
            ? !isInitiator : mine.marksCount < theirs.marksCount
        if !isGiving { peeling = RepairPeeling() }
    }

    /// By how much the numbers of marks differ: exact when one side has all that the other has.
    private var distance: Int {
        guard let theirs else { return 0 }
        let (less, more) = (
            min(mine.marksCount, theirs.marksCount), max(mine.marksCount, theirs.marksCount)
        )
        return Int(clamping: more - less)
    }

    /// The side that gives begins, without being asked.
    mutating func giveFirst(estimate: Int) {
        // The estimate is out by half now and then; the distance is exact if one side has it all.
        let guess = estimate > 2 * distance ? estimate : distance
        var count = chunk(for: guess)
        if guess > Limits.repairGlobalDifferencesCount {
            let each = RepairPeeling.partitionChunk(for: guess)
            for some in RepairPeeling.portions {
                queue(.cells(.partitions(some), first: 0, count: each))
            }
            count = Suppression.Limits.sketchCellsCount
        }
        queue(.cells(.global, first: 0, count: count))
    }

    private func chunk(for guess: Int) -> Int {
        min(
            Suppression.Limits.sketchCellsCount,
            max(Limits.repairSmallestChunkCount, RepairPeeling.globalChunk(for: guess))
        )
    }

    /// Counts a message. The peer answers questions in their order.
    mutating func heard(_ message: RepairMessage, now: UInt64) {
        heardNanos = now
        bytesReceived += UInt64(message.encodedBytes)
        if message == .took { inFlight = max(0, inFlight - 1) }
        if message.isLastAnswer, !askedDepths.isEmpty { depth = askedDepths.removeFirst() }
    }

    /// Takes a message of the comparison.
    mutating func take(_ message: RepairMessage, _ effects: inout [RepairEffect]) {
        switch message {
        case .cells(let scope, let first, let cells):
            send(.took, &effects)
            guard peeling != nil, let ours else { return end(.confused, &effects) }
            peeling?.take(cells, of: scope, first: Int(first), ours)
            peel(&effects)
        case .more(let scope, let first, let count):
            guard peeling == nil else { return end(.confused, &effects) }
            queue(.cells(scope, first: Int(first), count: Int(count)))
        case .want(let ids):
            send(.took, &effects)
            queueRows(ids, isAnswer: true)
        case .marks(let rows, let isLast): take(rows, isLast: isLast, &effects)
        case .list(let partition): queue(.ids(partition: partition))
        case .ids(let partition, let ids, let isLast):
            send(.took, &effects)
            guard let step = peeling?.listed(theirs: ids, partition, isLast: isLast) else { return }
            carryOut(step, &effects)
        case .done(let counts):
            guard peeling == nil else { return end(.confused, &effects) }
            self.counts = counts
            phase = .ended
        case .refused(let cause):
            failure =
                switch cause {
                case .notReady: .notReady
                case .busy: .busy
                case .confused: .confused
                }
            phase = .ended
        case .open, .opened: end(.confused, &effects)
        case .took: break
        }
    }

    mutating func end(_ cause: RepairRefusal, _ effects: inout [RepairEffect]) {
        failure = .confused
        phase = .ended
        send(.refused(cause), &effects)
    }

    private mutating func take(
        _ rows: [RepairRow],
        isLast: Bool,
        _ effects: inout [RepairEffect]
    ) {
        if peeling != nil { peeling?.got(rows, isLast: isLast) }
        // Whose marks are in doubt may add a reason not to write to somebody, and lift none.
        let isDoubted = theirs?.isDamaged ?? true
        let trusted = isDoubted ? rows.compactMap(\.suppressing) : rows
        guard !isDry, !trusted.isEmpty else { return send(.took, &effects) }
        storing += 1
        effects.append(.merge(id, trusted))
    }

    /// What was merged is committed.
    mutating func stored(now: UInt64, _ effects: inout [RepairEffect]) {
        guard storing > 0 else { return }
        heardNanos = now
        storing -= 1
        send(.took, &effects)
    }

    // MARK: reads

    private mutating func queueRows(_ ids: [UInt64], isAnswer: Bool) {
        var rest = ids[...]
        while !rest.isEmpty {
            let part = rest.prefix(Limits.repairLookUpsCount)
            rest = rest.dropFirst(part.count)
            queue(.rows(Array(part), isAnswer: isAnswer, isLast: rest.isEmpty))
        }
    }

    /// The look-up under way has ended.
    mutating func found(_ found: [RepairFound], now: UInt64, _ effects: inout [RepairEffect]) {
        guard case .rows(let ids, let isAnswer, let isLast)? = reading else { return }
        reading = nil
        heardNanos = now
        let rows = found.map(\.row)
        if isAnswer { return give(rows, isLast: isLast, &effects) }
        let here = Set(found.map(\.id))
        peeling?.given(rows)
        peeling?.missing.append(contentsOf: ids.filter { !here.contains($0) })
        if !isDry, !rows.isEmpty {
            hasPushed = true
            give(rows, isLast: false, &effects)
        }
    }

    private mutating func give(
        _ rows: [RepairRow],
        isLast: Bool,
        _ effects: inout [RepairEffect]
    ) {
        var part: [RepairRow] = []
        var bytes = 0
        for row in rows {
            part.append(row)
            bytes += row.encodedBytes
            guard bytes >= Limits.repairMarksBytes else { continue }
            send(.marks(part, isLast: false), &effects)
            part = []
            bytes = 0
        }
        if isLast || !part.isEmpty { send(.marks(part, isLast: isLast), &effects) }
    }

    /// The ids of a partition were read.
    mutating func listed(_ ids: [UInt64], now: UInt64, _ effects: inout [RepairEffect]) {
        guard case .ids(let partition)? = reading else { return }
        reading = nil
        heardNanos = now
        if peeling != nil {
            guard let step = peeling?.listed(ours: ids, partition) else { return }
            return carryOut(step, &effects)
        }
        var rest = ids[...]
        repeat {
            let part = rest.prefix(Limits.repairIDsCount)
            rest = rest.dropFirst(part.count)
            send(.ids(partition: partition, Array(part), isLast: rest.isEmpty), &effects)
        } while !rest.isEmpty
    }

    // MARK: peeling

    /// A turn's share of it.
    mutating func peel(_ effects: inout [RepairEffect]) {
        guard phase == .comparing, peeling?.isPeeling == true else { return }
        let distance = distance
        if let step = peeling?.goOn(distance: distance) { return carryOut(step, &effects) }
        effects.append(.again)
    }

    private mutating func carryOut(_ step: RepairPeeling.Step, _ effects: inout [RepairEffect]) {
        var decoded = step.decoded
        if bugs.has(.repairSkipsLastPartition) {
            let last = Suppression.Limits.sketchPartitionsCount - 1
            decoded.removeAll { Sketch.partition(of: $0) == last }
        }
        queueRows(decoded, isAnswer: false)
        for (scope, first, count) in step.asks {
            send(.more(scope, first: UInt16(first), count: UInt16(count)), &effects)
        }
        for partition in step.lists {
            send(.list(partition: partition), &effects)
            queue(.ids(partition: partition))
        }
    }

    /// The peeling side asks for what it lacks, once it knows all of it, and says when all is done.
    private mutating func finishIfSettled(_ effects: inout [RepairEffect]) {
        guard phase == .comparing, var peeling, isQuiet, peeling.awaitedCount == 0,
            !peeling.isPeeling
        else { return }
        if !peeling.missing.isEmpty {
            let ids = peeling.takeMissing()
            self.peeling = peeling
            var rest = ids[...]
            while !rest.isEmpty {
                let part = rest.prefix(Limits.repairIDsCount)
                rest = rest.dropFirst(part.count)
                self.peeling?.wantsCount += 1
                queue(.want(Array(part)))
            }
            var budget = Limits.repairWindowCount
            return pump(&budget, &effects)
        }
        guard peeling.wantsCount == 0 else { return }
        var counts = peeling.counts
        // Opening; each answer that had to be waited for; and the push that is taken, or, when the
        // peer opened, what it got for the cells that it gave.
        counts.roundTrips = 1 + deepest + (hasPushed || !isInitiator ? 1 : 0)
        self.counts = counts
        send(.done(counts), &effects)
        phase = .ended
    }
}

extension Sketch {
    /// The same cells of each sketch of a scope, one after another.
    func cells(_ scope: RepairScope, _ range: Range<Int>) -> SketchCells {
        switch scope {
        case .global: return cells(range)
        case .partitions(let partitions):
            var all = SketchCells()
            for partition in partitions {
                let part = cells(range, of: Int(partition))
                for cell in 0..<part.count {
                    all.append(sum: part.sums[cell], check: part.checks[cell])
                }
            }
            return all
        }
    }
}

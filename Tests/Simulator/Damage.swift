// Marks that vanish from a stopped node's state, and how its next start finds out.
//
//     written    the sketch of the marks as they are, kept up with every commit, and the digest of
//                those that were written; a scan that gives another digest means damage (DESIGN 7)
//
// People who are two of four apart lie in the first and in the last partition.

import Suppression

@testable import Cluster

private let sketchKey = SipHash(k0: 5, k1: 6)

/// What a disk knows of its marks without reading them.
struct Written {
    private(set) var sketch = Sketch()
    /// Cell 0 of what was written, whatever vanished since.
    var digest = MarkDigest()

    /// By a scan.
    init(_ marks: [MarkKey: Mark]) {
        sketch.toggle(marks.map { Written.id($0.key, $0.value) })
        digest = sketch.digest
    }

    /// Leads from a sketch back to a mark.
    static func id(_ key: MarkKey, _ mark: Mark) -> UInt64 {
        var bytes: [UInt8] = []
        key.encode(into: &bytes)
        mark.encode(into: &bytes)
        return MarkDigest.id(record: bytes.span, count: bytes.count, hash: sketchKey)
    }

    /// Marks came, changed or went; ids of before and after.
    mutating func toggle(_ ids: [UInt64], isWritten: Bool) {
        let before = sketch.digest
        sketch.toggle(ids)
        guard isWritten else { return }
        let after = sketch.digest
        digest = MarkDigest(
            sum: digest.sum ^ before.sum ^ after.sum,
            check: digest.check ^ before.check ^ after.check
        )
    }
}

extension Disk {
    /// Whether its marks are not those that were written.
    var isDamaged: Bool { written.map { $0.sketch.digest != $0.digest } ?? false }

    /// Merges one record, and keeps the sketch up.
    mutating func keepUp(_ change: Change) {
        guard written != nil else { return truth.merge(change) }
        let keys = Set((0..<change.markCount).map { change.markKey($0) })
        var ids = ids(of: keys)
        truth.merge(change)
        ids += self.ids(of: keys)
        written?.toggle(ids, isWritten: true)
    }

    private func ids(of keys: Set<MarkKey>) -> [UInt64] {
        keys.compactMap { key in truth.marks[key].map { Written.id(key, $0) } }
    }

    /// Marks vanish, behind the back of everything that knows of them.
    mutating func lose(_ keys: [MarkKey]) {
        let ids = ids(of: Set(keys))
        written?.toggle(ids, isWritten: false)
        for key in keys {
            state.marks[key] = nil
            truth.marks[key] = nil
        }
    }

    /// A start reads every mark.
    mutating func scan() -> Bool {
        guard let before = written else { return true }
        let scanned = Written(truth.marks)
        return scanned.sketch == before.sketch
    }

    /// What the marks are now is what was written.
    mutating func forgetDamage() {
        if let digest = written?.sketch.digest { written?.digest = digest }
    }

    /// Marks that ids lead to, in an order that does not hang on a hash table.
    func found(_ ids: [UInt64], orChanged: Bool) -> [RepairFound] {
        var byID: [UInt64: MarkKey] = [:]
        for (key, mark) in truth.marks { byID[Written.id(key, mark)] = key }
        return ids.flatMap { id -> [RepairFound] in
            var keys = byID[id].map { [$0] } ?? []
            if keys.isEmpty, orChanged {
                keys = byID.filter { $0.key >> 40 == id >> 40 }.map(\.value).sorted()
            }
            return keys.compactMap { key in
                truth.marks[key].map { RepairFound(id: id, row: RepairRow(key: key, mark: $0)) }
            }
        }
    }

    /// All ids of a partition.
    func ids(ofPartition partition: Int) -> [UInt64] {
        truth.marks.map { Written.id($0.key, $0.value) }
            .filter { Sketch.partition(of: $0) == partition }.sorted()
    }
}

extension World {
    /// Whether what a write did was on a damaged disk alone: it is on none now. It was no more than
    /// `local`, and ended with its mark, though the disk says for ever that it holds it.
    func isLost(_ dot: Dot) -> Bool {
        outcome.faults[.damage] != nil && !shells.contains { ledger.shows(dot, $0.disk) }
    }

    /// Whether a disk has a consent that others lack: nobody takes it from who is in doubt, so
    /// that node stays damaged for good.
    private func isBeyondMending(_ shell: Shell) -> Bool {
        shell.disk.truth.marks.contains { key, mark in
            mark.covered.contains { dot in
                shells.contains { !($0.disk.truth.marks[key]?.covers(dot) ?? false) }
            }
        }
    }

    /// The operator's last resort for who stays damaged while all works. The disk is wiped, and
    /// joins.
    func replaceUnmended() {
        for shell in shells where shell.core?.isDamaged == true && mayLose(shell) {
            guard isBeyondMending(shell) else {
                return ledger.fail("repair: \(shell.name) stays damaged, and could be mended")
            }
            var chance = Dice(seed: seed, .damage, 2 * Self.firstNumber + shell.index)
            crash(shell)
            ledger.replaced(shell.index)
            shell.saidGeneration = 0
            shell.disk = Disk(node: NodeID(raw: chance.bits() | 1 << 63), repairs: true)
            shell.backup = shell.disk
            shell.livesCount = 0
            outcome.faults[.wipe, default: 0] += 1
            ledger.survives(on: shells.map(\.disk))
            looksAtMajorities = true
            timeline.at(now + 50 * millisecond, .start(shell.index, life: shell.life))
        }
    }

    /// Whether some of these writes can still be had.
    func canBeHad(_ set: HeldSet) -> Bool {
        var at: Dot?
        while let dot = set.first(after: at) {
            if !isLost(dot) { return true }
            at = dot
        }
        return false
    }

    /// Whether some of these writes are on no disk any more: whoever holds them has forgotten,
    /// though it is trusted, and no second disk may be lost beside it.
    func holdsLost(_ set: HeldSet) -> Bool {
        lost(of: set).contains { ledger.isMinted($0) }
    }

    /// Those of some writes that are on no disk any more.
    func lost(of set: HeldSet) -> Set<Dot> {
        guard outcome.faults[.damage] != nil else { return [] }
        var found: Set<Dot> = []
        var at: Dot?
        while let dot = set.first(after: at) {
            if isLost(dot) { found.insert(dot) }
            at = dot
        }
        return found
    }

    /// Damages are numbered apart from the other faults, and dealt apart from them.
    private static let firstNumber = 100_000

    /// Some marks of a node vanish while it is stopped, and the next such misfortune is scheduled.
    func damageSomething() {
        guard !isHealing, swarm.damageMillis > 0 else { return }
        let number = Self.firstNumber + nextDamage
        nextDamage += 1
        dice = Dice(seed: seed, .damage, number)
        let delay = dice.within(1...(2 * swarm.damageMillis)) * millisecond
        timeline.at(now + delay, .misfortune)
        let isLarge = dice.thousandths(300)
        let pause = dice.one(of: [50, 300]) as UInt64
        guard let shell = someNode(), trim.hasFault(number, .damage), shell.isUp,
            !isSomebodyUnaware, !shell.disk.isRestored, !shell.isEmptied,
            !shells.contains(where: { $0.disk.isDamaged }), mayLose(shell)
        else { return }
        outcome.faults[.damage, default: 0] += 1
        outcome.faultNumbers.append(number)
        trace.add(UInt64(shell.index))
        crash(shell)
        shell.disk.checkpoint()
        let keys = shell.disk.state.marks.keys.sorted()
        let lost = keys.filter { _ in dice.thousandths(isLarge ? 700 : 100) }
        shell.disk.lose(lost.isEmpty ? Array(keys.suffix(1)) : lost)
        ledger.replaced(shell.index)
        ledger.survives(on: shells.map(\.disk))
        looksAtMajorities = true
        timeline.at(now + pause * millisecond, .start(shell.index, life: shell.life))
    }
}

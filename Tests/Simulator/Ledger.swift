// The truth beside the simulation, and the sentences that must hold after every event.
//
//     S1  an opt-out that was acknowledged `quorum` was committed by a majority of the slots of the
//         generation that acknowledged it, by their nodes while they were in that generation; it is
//         never lost from all disks, and nothing covers it but a consent that named it
//     S2  no allow for a check that was asked later than S after the opt-out became durable
//     one value a generation, whoever proposed what
//     held means held: whatever a node says to hold lies on its disk, and what it adds up to too
//     one answer a ticket; one request id, one dot
//     own writes  once a node's answer has left, none of its loops allows a check asked later
//     local  what was acknowledged `local` stays on the disk that took it, and is durable in the
//         end unless every disk that held it was replaced

import Cluster
public import Suppression

/// What is known of one opt-out.
struct OptOut {
    let dot: Dot
    let key: MarkKey
    /// The slots whose nodes held it while they were in a generation.
    var slots: [UInt64: SlotMask] = [:]
    var durableNanos: UInt64?
    var isAcknowledged = false
    /// Nodes that said yes, and when the first such answer left; `local` ends with the disk.
    var told: [(node: Int, nanos: UInt64, durability: Durability)] = []
    /// The node that acknowledged it `local`, while its disk is the one that took it.
    var localAt: Int?
    var isLocal = false
}

/// Everything that a client of the cluster could ever complain about.
struct Ledger {
    /// The generations that somebody adopted.
    private var sets: [UInt64: VoterSet]
    private(set) var violation: String?
    var optOuts: [OptOut] = []
    /// One a person; a list has several.
    var places: [Dot: [Int]] = [:]
    private var byKey: [MarkKey: [Int]] = [:]
    /// What every write did, by its dot.
    private var writes: [Dot: Change.Body] = [:]
    /// What consents have named so far.
    private var named: [MarkKey: [Origin: UInt64]] = [:]
    private var openTickets: Set<Ticket> = []
    private var answeredTickets: Set<Ticket> = []
    private var stamps: [String: DotRange] = [:]
    private var excused: Set<String> = []
    /// Lives before the disk of their node was put back from a copy.
    private var forgotten: Set<Origin> = []
    var lastTold: [Int: MarkKey] = [:]
    /// Bytes of everything that was ever minted.
    private(set) var contentBytes = 0

    /// Watches over a cluster with these voters.
    init(voters: VoterSet) { sets = [voters.generation: voters] }

    /// The first complaint stays.
    mutating func fail(_ why: String) { violation = violation ?? why }

    // MARK: writes

    /// A node minted a write.
    mutating func minted(_ change: Change) {
        if writes[change.dot] != nil { fail("minted: \(change.dot) twice") }
        writes[change.dot] = change.body
        contentBytes += change.approximateBytes
        if case .consent = change.body { return }
        for n in 0..<change.markCount {
            let key = change.markKey(n)
            places[change.dot, default: []].append(optOuts.count)
            byKey[key, default: []].append(optOuts.count)
            optOuts.append(OptOut(dot: change.dot, key: key))
        }
    }

    /// Whether a write is known.
    func isMinted(_ dot: Dot) -> Bool { writes[dot] != nil }

    /// A caller asks to cover these dots.
    mutating func consents(_ key: MarkKey, _ covers: [Dot]) {
        for dot in covers {
            let before = named[key]?[dot.origin] ?? 0
            named[key, default: [:]][dot.origin] = max(before, dot.sequence)
        }
    }

    /// A record goes to a log, a page or a loop: nothing in it covers what no consent named.
    mutating func passes(_ change: Change) {
        for n in 0..<change.markCount {
            let key = change.markKey(n)
            for dot in change.mark(n).covered where dot.sequence > named[key]?[dot.origin] ?? 0 {
                fail("S1: \(dot) of \(key) is covered, and no consent named it")
            }
        }
    }

    func isNamed(_ optOut: OptOut) -> Bool {
        optOut.dot.sequence <= named[optOut.key]?[optOut.dot.origin] ?? 0
    }

    // MARK: what is held

    /// A life of a node, in a generation, holds these writes, committed, and knows it.
    ///
    /// - Parameter lost: writes whose only mark vanished from the disk that held it: that disk says
    ///   for ever that it holds them, others believe it, and none of them becomes durable by that.
    mutating func holds(
        _ set: HeldSet,
        except lost: Set<Dot>,
        _ node: Origin,
        in voters: VoterSet,
        now: UInt64
    ) {
        guard let slot = voters.slot(of: node) else { return }
        var at: Dot?
        while let dot = set.first(after: at) {
            at = dot
            if lost.contains(dot) { continue }
            for place in places[dot] ?? [] {
                var slots = optOuts[place].slots[voters.generation] ?? SlotMask()
                slots.insert(slot)
                optOuts[place].slots[voters.generation] = slots
                if optOuts[place].durableNanos == nil, voters.isQuorum(slots) {
                    optOuts[place].durableNanos = now
                }
            }
        }
    }

    /// A node says to hold these writes: they are on its disk.
    mutating func claims(_ set: HeldSet, _ disk: Disk, _ word: String) {
        if !disk.truth.held.isSuperset(of: set) {
            let lack = set.subtracting(disk.truth.held)
            fail("\(word) for what is not committed: \(lack.words)")
        }
    }

    /// Of the writes that a disk has just come to hold, those whose doing is not there.
    func unshown(_ set: HeldSet, on disk: Disk) -> [(dot: Dot, why: String)] {
        var found: [(Dot, String)] = []
        var at: Dot?
        while let dot = set.first(after: at) {
            at = dot
            if shows(dot, disk) { continue }
            let why =
                switch writes[dot] {
                case .suppress: "held: \(dot) without its mark"
                case .consent: "held: a consent, and \(dot) not covered"
                case .register: "held: a register that is not there"
                case .list: "held: \(dot) without the marks of its list"
                case .merged, .holds, .own, .opaque, nil: "held: \(dot), and nobody minted it"
                }
            found.append((dot, why))
        }
        return found
    }

    /// Whether a disk shows what a write did.
    func shows(_ dot: Dot, _ disk: Disk) -> Bool {
        switch writes[dot] {
        case .suppress(let key, _): return disk.truth.marks[key]?.hasSeen(dot) ?? false
        case .consent(let key, let covers, _):
            return covers.allSatisfy { disk.truth.marks[key]?.covers($0) ?? false }
        case .register(let register):
            guard let stored = disk.truth.registers[register.name] else { return false }
            return !register.wins(over: stored) || stored == register
        case .list(let list):
            return (0..<list.count).allSatisfy {
                disk.truth.marks[list.key($0)]?.hasSeen(dot) ?? false
            }
        case .merged, .holds, .own, .opaque, nil: return false
        }
    }

    // MARK: answers

    /// A caller begins to wait.
    mutating func asked(_ ticket: Ticket) { openTickets.insert(ticket) }

    /// The gate says yes.
    mutating func acknowledged(
        _ ticket: Ticket,
        _ durability: Durability,
        _ dots: DotRange,
        in voters: VoterSet,
        stamp: String?
    ) {
        answered(ticket)
        if let stamp {
            // A node that was wiped may pull what it once minted under the same id: harmless. So
            // may one that crashed before its own log had it: what its life before had pushed comes
            // back.
            if let before = stamps[stamp], before != dots,
                before.origin.epoch.counter <= dots.origin.epoch.counter,
                before.origin.node == dots.origin.node, !isCovered(before), !isCovered(dots),
                !excused.contains(stamp), !forgotten.contains(before.origin),
                !forgotten.contains(dots.origin)
            {
                fail("one request id, two dots: \(stamp), \(before.dot(0)) and \(dots.dot(0))")
            }
            stamps[stamp] = dots
        }
        for n in 0..<dots.count {
            for place in places[dots.dot(n)] ?? [] where durability == .quorum {
                optOuts[place].isAcknowledged = true
                let slots = optOuts[place].slots[voters.generation] ?? SlotMask()
                if !voters.isQuorum(slots) {
                    let all = voters.slots.count
                    fail("S1: \(dots.dot(n)) acknowledged, on \(slots.count) of \(all) slots")
                }
            }
        }
    }

    private func isCovered(_ dots: DotRange) -> Bool {
        (0..<dots.count).contains { n in
            (places[dots.dot(n)] ?? []).contains { isNamed(optOuts[$0]) }
        }
    }

    /// The own log refused the write; if it spread all the same, a repeat may find either.
    mutating func excuse(_ stamp: String) { excused.insert(stamp) }

    /// The node's disk was put back from a copy: it mints anew what the copy lacks, and pulls what
    /// its lives before had minted.
    mutating func forgetStamps(of node: NodeID) {
        for dot in writes.keys where dot.origin.node == node { forgotten.insert(dot.origin) }
    }

    /// A ticket got its one answer.
    mutating func answered(_ ticket: Ticket) {
        openTickets.remove(ticket)
        if !answeredTickets.insert(ticket).inserted { fail("two answers: ticket \(ticket.raw)") }
    }

    /// Whoever waited at a node that is gone gets no answer.
    mutating func abandoned(_ tickets: [Ticket]) { openTickets.subtract(tickets) }

    /// Writes that were ever minted.
    var writesCount: Int { writes.count }

    /// Callers without an answer.
    var openCount: Int { openTickets.count }

    // MARK: checks

    /// A node answered allow.
    mutating func allowed(
        _ key: MarkKey,
        askedNanos: UInt64,
        boundNanos: UInt64,
        at node: Int
    ) {
        let name = "n\(node + 1)"
        for place in byKey[key] ?? [] where !isNamed(optOuts[place]) {
            let optOut = optOuts[place]
            if let told = optOut.told.first(where: { $0.node == node }), askedNanos > told.nanos {
                fail("own writes: \(name) allows what it said yes to: \(optOut.dot)")
            }
            guard let durable = optOut.durableNanos else { continue }
            // The node's clock may run one hundredth slow.
            if askedNanos > durable + boundNanos + boundNanos / 50 {
                let late = (askedNanos - durable) / millisecond
                fail("S2: \(name) allows \(late) ms after \(optOut.dot) became durable")
            }
        }
    }

    /// No acknowledged opt-out is gone from all disks.
    mutating func survives(on disks: [Disk]) {
        for optOut in optOuts where optOut.isAcknowledged {
            let isThere = disks.contains {
                $0.truth.marks[optOut.key]?.hasSeen(optOut.dot) ?? false
            }
            if !isThere { fail("S1: \(optOut.dot) was acknowledged and is on no disk") }
        }
        for optOut in optOuts {
            guard let node = optOut.localAt else { continue }
            if !(disks[node].truth.marks[optOut.key]?.hasSeen(optOut.dot) ?? false) {
                fail("local: \(optOut.dot) was acknowledged by n\(node + 1) and is not on its disk")
            }
        }
    }
}

extension Ledger {
    /// A node goes into a generation of the voters; nobody ever gives it another value.
    mutating func adopted(_ set: VoterSet) {
        if let before = sets[set.generation], before != set {
            fail("voters: generation \(set.generation) has two values")
        }
        sets[set.generation] = set
    }

    /// The value of a generation that somebody went into.
    func voters(_ generation: UInt64) -> VoterSet? { sets[generation] }

    /// An opt-out that is durable, that no consent has lifted, and that too many slots lack.
    ///
    /// - Parameter held: what the node of each slot holds; nil where it may not speak.
    func durableOptOut(outside held: [HeldSet?], _ isTooMany: (SlotMask) -> Bool) -> Dot? {
        for optOut in optOuts where optOut.durableNanos != nil && !isNamed(optOut) {
            var lacking = SlotMask()
            for slot in held.indices where held[slot]?.contains(optOut.dot) == false {
                lacking.insert(slot)
            }
            if isTooMany(lacking) { return optOut.dot }
        }
        return nil
    }
}

extension Dot: CustomStringConvertible {
    /// `n2.4:17`: the seventeenth write of the second node's fourth life.
    public var description: String {
        let node = origin.node.raw
        let name = node < 200 ? "n\(node - 99)" : "replaced \(node % 1_000)"
        return "\(name).\(origin.epoch.raw >> 32):\(sequence)"
    }
}

extension MarkKey: CustomStringConvertible {
    /// Only people differ here.
    public var description: String { "person \(person.recipient.low)" }
}

extension HeldSet {
    /// Some of the writes, for a failure.
    var words: String {
        entries.prefix(4).map { entry in
            let dots = entry.intervals.prefix(4).map { interval in
                "\(Dot(origin: entry.origin, sequence: interval.first))-\(interval.last)"
            }
            return dots.joined(separator: " ")
        }.joined(separator: ", ")
    }
}

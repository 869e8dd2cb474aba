// How long to wait, and whom to doubt: the three rules of Lifeguard, as plain values.
//
//     LocalHealth   a node that misses answers doubts itself first, and asks more slowly  (IV.A)
//     Suspicion     the first accusation waits long; each one that agrees shortens it     (IV.B)
//     Flaps         who came back too often is not believed to be dead so quickly again
//
// Source: Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
// Detection" (arXiv 1707.00788). The third rule (IV.C), telling the suspect first, is Membership's.
// Logarithms are whole numbers, so that all machines wait equally long.

internal import Suppression

/// How well this node hears: 0 is well.
struct LocalHealth: Equatable, Sendable {
    private(set) var score = 0

    /// A sign that we hear badly, or (below 0) that we hear.
    mutating func add(_ signs: Int) {
        score = min(max(score + signs, 0), Limits.localHealthMost)
    }

    /// Periods and timeouts are this many times as long.
    var factor: UInt64 { UInt64(score) + 1 }
}

/// A suspicion that runs: who shares it, and until when it may be taken back.
struct Suspicion: Equatable, Sendable {
    /// Nanoseconds at which it began here.
    var since: UInt64
    /// Different accusers, the first one first.
    private(set) var accusers: [NodeID]
    /// Confirmations after which the shortest time is enough.
    let confirmationsWanted: Int
    /// This node got no answer itself.
    var isOurs: Bool
    /// The system refused a connection: no process is there, whoever else agrees.
    var isCertain = false
    private let members: Int

    /// Begins one.
    ///
    /// - Parameter members: those that are alive or suspect, this node included.
    init(by accuser: NodeID, members: Int, isOurs: Bool, now: UInt64) {
        since = now
        accusers = [accuser]
        self.members = members
        self.isOurs = isOurs
        // Neither the suspect nor the accuser confirms. Where too few others are left, waiting for
        // them would be waiting for ever (memberlist, state.go, suspectNode).
        let others = members - 2
        let wanted = Limits.suspicionConfirmationsCount
        confirmationsWanted = others >= wanted ? wanted : 0
    }

    /// One more voice.
    ///
    /// - Returns: true if it was not heard before and still counts.
    mutating func confirm(by accuser: NodeID) -> Bool {
        guard accusers.count <= confirmationsWanted, !accusers.contains(accuser)
        else { return false }
        accusers.append(accuser)
        return true
    }

    /// Nanoseconds since `since` after which it is no longer a suspicion: never below the least,
    /// and falling with each confirmation (Lifeguard, IV.B).
    ///
    /// - Parameter isDamped: the suspect is known to come and go; confirmations shorten nothing.
    func timeoutNanos(isDamped: Bool) -> UInt64 {
        let least = Suspicion.leastNanos(members: members)
        if isCertain { return least }
        let most = least * Limits.suspicionSpread
        if isDamped { return most }
        guard confirmationsWanted > 0 else { return least }
        let heard = UInt64(accusers.count - 1)
        let share = binaryLogarithm(heard + 1)
        let whole = binaryLogarithm(UInt64(confirmationsWanted) + 1)
        return most - (most - least) * min(share, whole) / whole
    }

    /// 4 max(1, log10 N) periods (DESIGN 7).
    static func leastNanos(members: Int) -> UInt64 {
        let periods = Limits.suspicionPeriodsCount * Limits.probeNanos
        // log10 n = log2 n / 3.3219
        let logarithm = binaryLogarithm(UInt64(max(members, 1))) * 10_000 / 33_219
        return periods * max(1_024, logarithm) / 1_024
    }
}

/// How often a member came back from the dead lately.
struct Flaps: Equatable, Sendable {
    private var count = 0
    private var countedAt: UInt64 = 0
    private var calmAt: UInt64 = 0

    /// It came back.
    mutating func revived(now: UInt64) {
        let passed = now > countedAt ? now - countedAt : 0
        count >>= Int(min(passed / Limits.flapHalfLifeNanos, 8))
        count += 1
        countedAt = now
        if count >= Limits.flapsCount { calmAt = now + Limits.flapCalmNanos }
    }

    /// It was accused, or took that back: no calm yet.
    mutating func troubled(now: UInt64) {
        if isUnstable(now: now) { calmAt = now + Limits.flapCalmNanos }
    }

    /// It came back too often to be believed dead or well for now.
    func isUnstable(now: UInt64) -> Bool { now < calmAt }
}

/// log2 in 1,024ths, by squaring the mantissa once a bit; 0 for 0 and 1.
func binaryLogarithm(_ number: UInt64) -> UInt64 {
    precondition(number < 1 << 32, "the square must fit into 64 bits")
    guard number > 1 else { return 0 }
    let whole = 63 - number.leadingZeroBitCount
    var mantissa = number << UInt64(31 - whole)
    var result = UInt64(whole)
    for _ in 0..<10 {
        mantissa = (mantissa * mantissa) >> 31
        result <<= 1
        if mantissa >= 1 << 32 {
            mantissa >>= 1
            result |= 1
        }
    }
    return result
}

/// Times that a rumor is told among so many members: 4 ceil(log10(N + 1)).
func rumorTellings(members: Int) -> Int {
    var (digits, power) = (0, 1)
    while power < members + 1 {
        power *= 10
        digits += 1
    }
    return Limits.rumorTellings * max(digits, 1)
}

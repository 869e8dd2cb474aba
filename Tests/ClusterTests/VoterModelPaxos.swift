// Two operators change the voters at once (DESIGN 6): single-decree Paxos chooses the next
// generation (Lamport, "Paxos made simple", 2001).
//
//     acceptors   the three members of the generation before
//     proposers   A with ballots 1 and 3, B with ballots 2 and 4, each for its own set
//     prepare(b)  ──► promise(b, the highest ballot accepted so far)     of any majority
//     accept(b, the value of the highest ballot among them, else the own)
//     chosen      a majority accepted one ballot;  broken: two values chosen
//
// Messages are lost, late or repeated: a message once sent may arrive at any time, more than once,
// or never. `prepare` asks for nothing, so all four count as sent from the start.
//
// One acceptor's disk may be put back from an old copy, the emptiest of all: what it promised and
// accepted is forgotten, what it said is still under way. Under the rule it takes no part until a
// newer generation binds it; otherwise it answers again, and one promise is worth nothing.

/// The switches.
struct PaxosRule {
    /// A restored acceptor answers as if nothing had happened.
    var restoredAnswers = false
    /// A proposer sticks to its own value, whatever was accepted.
    var ignoresAccepted = false
    /// An acceptor takes ballots below its promise.
    var breaksPromises = false
}

/// An acceptor takes 18 bits, from the lowest on: promised (3), accepted (3), history (4, one a
/// ballot that it ever accepted), promises under way (8: ballot 1 in 1 bit, 2 and 3 in 2, 4 in 3; 0
/// for none, else 1 + the accepted ballot that it names). Then, from bit 54: what was asked for
/// under each ballot (2 bits: 0 nothing, 1 A's value, 2 B's) and whether acceptor 1 was restored.
///
/// A promise is forgotten once its ballot's value went out: nobody looks at it again.
struct PaxosModel: SmallModel {
    let rule: PaxosRule
    let start: UInt64 = 0

    private static let restored: UInt64 = 1 << 62
    private static let promiseBits: [(at: UInt64, mask: UInt64)] = [
        (10, 1), (11, 3), (13, 3), (15, 7),
    ]

    private func part(_ acceptor: Int, _ s: UInt64) -> UInt64 {
        s >> UInt64(18 * acceptor) & 0x3ffff
    }

    private func asked(_ ballot: Int, _ s: UInt64) -> UInt64 { s >> UInt64(52 + 2 * ballot) & 3 }

    private func promise(_ ballot: Int, _ part: UInt64) -> UInt64 {
        part >> Self.promiseBits[ballot - 1].at & Self.promiseBits[ballot - 1].mask
    }

    func steps(from s: UInt64, into steps: inout [ModelStep]) {
        for acceptor in 0..<3 {
            let isSilent = acceptor == 0 && s & Self.restored != 0 && !rule.restoredAnswers
            if !isSilent { answer(acceptor, s, into: &steps) }
        }
        for ballot in 1...4 where asked(ballot, s) == 0 { propose(ballot, s, into: &steps) }
        if s & Self.restored == 0 {
            steps.append(ModelStep(to: s & ~0x3f | Self.restored, code: 900))
        }
    }

    private func answer(_ acceptor: Int, _ s: UInt64, into steps: inout [ModelStep]) {
        let shift = UInt64(18 * acceptor)
        let part = part(acceptor, s)
        let promised = Int(part & 7)
        for ballot in 1...4 {
            let code = 10 * acceptor + ballot
            if ballot > promised {
                var next = part & ~7 | UInt64(ballot)
                if asked(ballot, s) == 0 {
                    let bits = Self.promiseBits[ballot - 1]
                    next = next & ~(bits.mask << bits.at) | (1 + (part >> 3 & 7)) << bits.at
                }
                steps.append(ModelStep(to: s & ~(0x3ffff << shift) | next << shift, code: code))
            }
            let isBelow = ballot < promised && !rule.breaksPromises
            if asked(ballot, s) != 0, !isBelow {
                let highest = UInt64(max(promised, ballot))
                let next = part & ~0x3f | highest | UInt64(ballot) << 3 | 1 << UInt64(5 + ballot)
                if next != part {
                    let to = s & ~(0x3ffff << shift) | next << shift
                    steps.append(ModelStep(to: to, code: 100 + code))
                }
            }
        }
    }

    private func propose(_ ballot: Int, _ s: UInt64, into steps: inout [ModelStep]) {
        let own: UInt64 = ballot % 2 == 1 ? 1 : 2
        for left in 0..<3 {
            // Every majority: the two acceptors beside the one that is left out.
            let promises = (0..<3).filter { $0 != left }.map { promise(ballot, part($0, s)) }
            guard promises.allSatisfy({ $0 > 0 }) else { continue }
            let accepted = Int((promises.max() ?? 1) - 1)
            let value = accepted == 0 || rule.ignoresAccepted ? own : asked(accepted, s)
            var to = s | value << UInt64(52 + 2 * ballot)
            let bits = Self.promiseBits[ballot - 1]
            for acceptor in 0..<3 { to &= ~(bits.mask << (bits.at + UInt64(18 * acceptor))) }
            steps.append(ModelStep(to: to, code: 200 + 10 * ballot + Int(value)))
        }
    }

    func isBroken(_ s: UInt64) -> Bool { chosen(s) == 3 }

    /// Something is chosen.
    func isDone(_ s: UInt64) -> Bool { chosen(s) != 0 }

    func verdict(_ s: UInt64) -> String { "=> A's and B's values are both chosen" }

    private func chosen(_ s: UInt64) -> UInt64 {
        var chosen: UInt64 = 0
        for ballot in 1...4 {
            let count = (0..<3).count { part($0, s) >> UInt64(5 + ballot) & 1 == 1 }
            if count >= 2 { chosen |= asked(ballot, s) }
        }
        return chosen
    }

    /// Acceptors 2 and 3 play the same part.
    func canonical(_ s: UInt64) -> UInt64 {
        let second = part(1, s)
        let third = part(2, s)
        guard second > third else { return s }
        let difference = second ^ third
        return s ^ (difference << 18 | difference << 36)
    }

    func words(_ code: Int) -> String {
        let value = code % 10 == 1 ? "A" : "B"
        return switch code {
        case 900: "acceptor 1 is put back from an EMPTY COPY"
        case 200...: "the proposer of ballot \((code - 200) / 10) asks for \(value)'s value"
        case 100...: "acceptor \((code - 100) / 10 + 1) accepts ballot \(code % 10)"
        default: "acceptor \(code / 10 + 1) promises ballot \(code % 10)"
        }
    }
}

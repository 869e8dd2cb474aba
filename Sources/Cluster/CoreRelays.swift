// The Core where not everybody is linked to everybody: writes are passed on (Relays.swift).
//
//     own write      ──► the tree's links, and every linked voter: any majority may answer
//     somebody's     ──► the tree's links but the one it came over, and its origin
//     came already   ──► three of them prune the link
//
// Only what came for the first time is passed on, when it is handed to the own log: a node whose
// log is full takes nothing and passes nothing on. Nothing here is a promise; whatever the tree
// loses is found by comparing held sets, as ever, and a receipt still means a commit in the
// sender's log.

public import Suppression

/// What nodes tell each other about the links between them.
public enum RelayMessage: Equatable, Sendable {
    /// These writes came to the sender.
    case announce(HeldSet)
    /// The link between us is slow: announce over it.
    case prune
    /// Send writes over it at once again. What is missing is pulled beside it.
    case graft
}

extension Core {
    /// The shell links by the overlay, or to everybody again.
    mutating func overlaid(_ isOverlaid: Bool) {
        guard isOverlaid != (relays != nil) else { return }
        relays = isOverlaid ? Relays() : nil
        for node in spread.holders { relays?.linked(node) }
    }

    /// Whom own writes are pushed to; nil is everybody.
    mutating func targets(of dots: DotRange) -> Set<NodeID>? {
        var set = HeldSet()
        set.insert(dots.interval, of: dots.origin)
        guard let eager = relays?.came(set, from: nil) else { return nil }
        return Set(eager).union(voters.slots.map(\.node))
    }

    /// Writes came over a link: those that are new go on.
    mutating func passOn(
        _ firsts: [Change],
        repeated: [Change],
        from sender: NodeID,
        now: Instant,
        into effects: inout [Effect]
    ) {
        guard relays != nil else { return }
        if !firsts.isEmpty {
            var set = HeldSet()
            for change in firsts { set.insert(change.dot) }
            let bytes = firsts.reduce(0) { $0 + $1.approximateBytes }
            let origins = Set(firsts.map(\.dot.origin.node))
            for node in relays?.came(set, from: sender) ?? [] where origins != [node] {
                for message in firsts.messages(bytes: bytes) {
                    effects.append(.send(to: node, message))
                }
            }
        }
        // A voter is sent its own copy by every origin, which says nothing about the link.
        let late = repeated.count { $0.dot.origin.node != sender }
        var said: [RelayEffect] = []
        relays?.repeated(late, from: sender, into: &said)
        carryOut(said, now: now, into: &effects)
    }

    mutating func received(_ message: RelayMessage, from node: NodeID) {
        switch message {
        case .announce(let set): relays?.announced(set, by: node, arrived: arrived)
        case .prune: relays?.pruned(by: node)
        case .graft: relays?.grafted(by: node)
        }
    }

    mutating func tickRelays(now: Instant, into effects: inout [Effect]) {
        guard relays != nil else { return }
        var said: [RelayEffect] = []
        relays?.ticked(now: now.bootNanos, arrived: arrived, into: &said)
        carryOut(said, now: now, into: &effects)
    }

    private mutating func carryOut(
        _ said: [RelayEffect],
        now: Instant,
        into effects: inout [Effect]
    ) {
        for effect in said {
            switch effect {
            case .announce(let node, let set):
                effects.append(.send(to: node, .relay(.announce(set))))
            case .prune(let node): effects.append(.send(to: node, .relay(.prune)))
            case .graft(let node, let set):
                effects.append(.send(to: node, .relay(.graft)))
                // One pull at a time: what waits is asked for again, of the next announcer.
                guard pulling.mayAsk(node, now: now.bootNanos) else { continue }
                pull(set, from: node, now: now, into: &effects)
            }
        }
    }

    /// Writes that came over links for the first time, and copies that came later.
    public var copies: (firsts: UInt64, repeated: UInt64) { (firstsCount, repeatedCount) }
}

extension RelayMessage {
    static let kinds: ClosedRange<UInt8> = 60...62

    func encode(into out: inout [UInt8]) {
        switch self {
        case .announce(let set):
            out.append(60)
            set.encode(into: &out)
        case .prune: out.append(61)
        case .graft: out.append(62)
        }
    }

    init(kind: UInt8, _ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        switch kind {
        case 60:
            let set = try HeldSet(bytes, at: &cursor)
            guard !set.isEmpty, set.intervalCount <= Limits.heldMessageIntervalsCount
            else { throw .malformed }
            self = .announce(set)
        case 61: self = .prune
        case 62: self = .graft
        default: throw .malformed
        }
    }
}

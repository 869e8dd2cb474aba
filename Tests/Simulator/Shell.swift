// One simulated node: a Core, the shell that carries out its effects, and two serving loops.
//
// It does what Runtime/Node does, without sockets and threads: effects in their order, one batch of
// the log in flight, marks and leases to every loop through its mailbox, an overlay that drops an
// entry only when the disk's own watermark has passed it.

import Suppression

@testable import Cluster

/// What the node loop posts to its serving loop.
enum Post {
    case show(UInt64, Change)
    case vouch(Lease)
    case acknowledge(Ticket, Durability, DotRange)
    case refuse(Ticket, Refusal)

    /// Whose answer it is; nil for what all loops must know.
    var ticket: Ticket? {
        switch self {
        case .show, .vouch: nil
        case .acknowledge(let ticket, _, _), .refuse(let ticket, _): ticket
        }
    }
}

/// One end of a link.
struct Link: Equatable {
    /// Counted by the world; both ends of a link agree on it.
    let number: Int
    /// Who is at the other end.
    let node: NodeID
}

/// A change that a serving loop knows of and its snapshot may not show.
private struct Shown {
    let sequence: UInt64
    let key: MarkKey
    let mark: Mark
}

/// What one serving loop knows.
struct ServingLoop {
    var posts: [Post] = []
    var isTurnDue = false
    var stalledUntil: UInt64 = 0
    private var overlay: [Shown] = []
    fileprivate var lease = Lease.void

    init(stalledUntil: UInt64 = 0) { self.stalledUntil = stalledUntil }

    /// One turn: the mailbox, in order.
    mutating func drain(_ answer: (Post) -> Void) {
        for post in posts {
            switch post {
            case .show(let sequence, let change):
                // Shown early, it may overtake a lower number; it then goes with the higher.
                let last = max(sequence, overlay.last?.sequence ?? 0)
                for n in 0..<change.markCount {
                    let shown = Shown(sequence: last, key: change.markKey(n), mark: change.mark(n))
                    overlay.append(shown)
                }
            case .vouch(let lease): self.lease = lease
            case .acknowledge, .refuse: answer(post)
            }
        }
        posts.removeAll(keepingCapacity: true)
    }

    /// The mark as a check of this loop sees it: a fresh snapshot and what it does not have.
    fileprivate mutating func mark(_ key: MarkKey, on disk: Disk) -> Mark {
        overlay.removeAll { $0.sequence <= disk.watermark }
        var mark = disk.state.marks[key] ?? Mark()
        for entry in overlay where entry.key == key { mark.merge(entry.mark) }
        return mark
    }
}

/// One node in one world. A class, because many events reach into it.
final class Shell {
    let index: Int
    let name: String
    let zone: String
    var disk: Disk
    var backup: Disk
    var core: Core?
    var origin: Origin
    /// Counts starts and ends: what was scheduled for another life is void.
    var life = 0
    var pausedUntil: UInt64 = 0
    var deferred: [Action] = []
    var loops = [ServingLoop(), ServingLoop()]
    /// Chance for what happens on this node, and for what it sends.
    var dice: Dice
    var wire: Dice
    /// How fast its boot clock runs, in parts per million of real time.
    let clockPPM: Int64
    var wallMillis: Int64 = 0
    var isDiskFull = false
    var failsNextCommit = false
    var slowUntil: UInt64 = 0
    /// Effects until a crash; nil for none.
    var crashesAfter: Int?
    var queue: [(sequence: UInt64, change: Change)] = []
    var inFlight: [(sequence: UInt64, change: Change)] = []
    var lastStoredNanos: UInt64 = 0
    var counted = HeldSet()
    /// The generation for which that was counted.
    var countedGeneration: UInt64 = 0
    /// The latest generation under which this node has said anything.
    var saidGeneration: UInt64 = 0
    /// The disk was put back from a copy, and does not know.
    var isOld = false
    /// The most lives that any disk of this node has counted, and one more once a disk was put
    /// back: a life that counts fewer is doubted again when it starts, however honest.
    var livesCount: UInt32 = 0
    /// The disk was wiped and has the id of the one before: only a seeded bug does that.
    var isEmptied = false
    var wasDoubted = false
    var wasSeatPending = false
    var knownSeat: UInt64?
    var stampsByTicket: [Ticket: String] = [:]
    var openTickets: [Ticket] = []
    /// Bytes sent since everything works again.
    var healingBytes = 0
    /// Repair and joining of this life, where this world has them.
    var desk: Desk?
    /// Chance for what repair does.
    var repairWire: Dice
    /// The link to each node and the id that it has there; nil while there is none.
    var links: [Link?]

    init(index: Int, node: NodeID, nodesCount: Int, seed: UInt64, repairs: Bool) {
        self.index = index
        var dice = Dice(seed: seed, .node, index)
        clockPPM = Int64(dice.below(20_001)) - 10_000
        self.dice = dice
        wire = Dice(seed: seed, .wire, index)
        repairWire = Dice(seed: seed, .repair, index)
        name = "n\(index + 1)"
        zone = "z\(index + 1)"
        disk = Disk(node: node, repairs: repairs)
        backup = disk
        origin = Origin(node: node, epoch: Epoch(raw: 0))
        links = Array(repeating: nil, count: nodesCount)
    }

    /// Whether the process runs (it may be stopped all the same).
    var isUp: Bool { core != nil }

    /// The node's own clocks.
    func instant(_ now: UInt64) -> Instant {
        let drift = Int64(now / 1_000_000) * clockPPM
        let boot = UInt64(Int64(now) + drift) + UInt64(index) * 7_000_000_000
        let wall = 1_700_000_000_000 + Int64(now / millisecond) + wallMillis
        return Instant(bootNanos: boot, wallMillis: UInt64(wall))
    }

    /// The process is gone, and its memory with it.
    func die() {
        core = nil
        desk = nil
        life += 1
        queue = []
        inFlight = []
        // A machine that cannot run one loop does not run its next life either.
        loops = loops.map { ServingLoop(stalledUntil: $0.stalledUntil) }
        crashesAfter = nil
        deferred = []
        stampsByTicket = [:]
        openTickets = []
        links = Array(repeating: nil, count: links.count)
    }

    /// The loop that has a caller's connection.
    func loop(of ticket: Ticket) -> Int { Int(ticket.raw % UInt64(loops.count)) }

    /// The mark as a loop shows it to a caller.
    func mark(_ key: MarkKey, loop: Int = 0) -> Mark { loops[loop].mark(key, on: disk) }

    /// The answer of a check, `now` read after its last byte.
    func decide(_ key: MarkKey, loop: Int, now: Instant, boundNanos: UInt64) -> Decision {
        if mark(key, loop: loop).isSuppressed(atSeconds: now.wallMillis / 1_000) { return .deny }
        let lease = loops[loop].lease
        return lease.permitsAllow(now: now.bootNanos, boundNanos: boundNanos) ? .allow : .unknown
    }
}

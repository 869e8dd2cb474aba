// What is going to happen: a heap of actions, by time and then by the order of their scheduling.

import Cluster
import Suppression

/// One thing that happens in a world.
enum Action {
    /// The timer of a node's loop.
    case tick(Int, life: Int)
    /// The log writer's commit returns.
    case commit(Int, life: Int)
    /// The node loop learns what its store did.
    case stored(Int, life: Int, Event)
    /// The checkpointer runs.
    case checkpoint(Int, life: Int)
    /// A page is read for a peer.
    case page(Int, life: Int, PageRequest)
    /// A serving loop takes a turn.
    case turn(Int, life: Int, loop: Int)
    /// A check waits in a socket of one of a node's loops since then.
    case check(Int, life: Int, loop: Int, MarkKey, askedNanos: UInt64)
    /// A frame arrives.
    case deliver(to: Int, from: Int, link: Int, Message)
    /// A node learns of a link.
    case linked(Int, to: Int, link: Int, Peer)
    /// A node learns that a link is gone.
    case unlinked(Int, to: Int, link: Int)
    /// Two nodes try to connect.
    case connect(Int, Int)
    /// A cut of one direction ends.
    case mend(from: Int, to: Int)
    /// A stopped node goes on.
    case resume(Int)
    /// A node starts.
    case start(Int, life: Int)
    /// A full disk has room again.
    case makeRoom(Int)
    /// A client writes.
    case write
    /// A client checks.
    case ask
    /// Something breaks.
    case fault
    /// An operator asks for other voters.
    case command
    /// A node under siege is wiped.
    case strike(Int)
    /// The operator binds a lost slot anew, at a node.
    case tend(Int)
    /// Marks vanish.
    case misfortune
    /// A node copies its sketch.
    case freeze(Int, life: Int)
    /// A node's repair goes on.
    case repair(Int, life: Int, RepairEvent)

    /// The node that must be running for this, and the life that it was meant for.
    var subject: (node: Int, life: Int?)? {
        switch self {
        case .tick(let node, let life), .commit(let node, let life), .stored(let node, let life, _),
            .checkpoint(let node, let life), .page(let node, let life, _),
            .turn(let node, let life, _), .check(let node, let life, _, _, _),
            .freeze(let node, let life), .repair(let node, let life, _):
            (node, life)
        case .deliver(let node, _, _, _), .linked(let node, _, _, _), .unlinked(let node, _, _):
            (node, nil)
        case .connect, .mend, .resume, .start, .makeRoom, .write, .ask, .fault,
            .command, .strike, .tend, .misfortune:
            nil
        }
    }

    /// A number for the trace.
    var code: UInt64 {
        switch self {
        case .tick: 1
        case .commit: 2
        case .stored: 3
        case .checkpoint: 4
        case .page: 5
        case .turn: 6
        case .check: 7
        case .deliver: 8
        case .linked: 9
        case .unlinked: 10
        case .connect: 11
        case .mend: 12
        case .resume: 13
        case .start: 14
        case .makeRoom: 15
        case .write: 16
        case .ask: 17
        case .fault: 18
        case .command: 19
        case .strike: 20
        case .tend: 21
        case .misfortune: 22
        case .freeze: 23
        case .repair: 24
        }
    }
}

/// A binary heap of actions.
struct Timeline {
    private struct Entry {
        let nanos: UInt64
        let order: UInt64
        let place: Int
    }

    private var heap: [Entry] = []
    /// The actions apart from the heap, so that sorting moves three numbers.
    private var actions: [Action] = []
    private var free: [Int] = []
    private var order: UInt64 = 0

    /// Schedules an action.
    mutating func at(_ nanos: UInt64, _ action: Action) {
        order += 1
        let place = free.popLast() ?? actions.count
        if place == actions.count { actions.append(action) } else { actions[place] = action }
        heap.append(Entry(nanos: nanos, order: order, place: place))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the next action.
    mutating func next() -> (nanos: UInt64, action: Action)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        free.append(first.place)
        return (first.nanos, actions[first.place])
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        heap[a].nanos == heap[b].nanos
            ? heap[a].order < heap[b].order : heap[a].nanos < heap[b].nanos
    }
}

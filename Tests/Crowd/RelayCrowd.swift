// Relays in a crowd: writes that spread over the overlay's links, in simulated time.
//
// Links are streams: what is sent over one arrives in order, and a lost segment holds up what was
// sent after it. A node that dies says nothing; its neighbours keep the link until membership finds
// the death, and then choose links anew (`relink`).

import Suppression

@testable import Cluster

/// What nodes say to each other here.
private enum Said {
    case push(Int)
    case announce(HeldSet)
    case prune
    case graft(HeldSet)
}

/// A crowd of `Relays`.
struct RelayCrowd {
    private enum Thing {
        case tick(Int)
        case write
        case said(from: Int, to: Int, Said)
    }

    private struct Node {
        var relays = Relays()
        var arrived = HeldSet()
        var peers: [Int] = []
    }

    private let origins: [Origin]
    private var nodes: [Node]
    private var timeline = Timeline<Thing>()
    /// When the stream from one node to another is free again.
    private var busyUntil: [UInt64]
    private var chance: Chance
    private var said: [RelayEffect] = []
    private(set) var now: UInt64 = 0
    private var writeEvery: UInt64 = 0
    private var writesLeft = 0
    /// Of each write: who wrote it and when, how many know it, when the last one did.
    private var writes: [(dot: Dot, at: UInt64, known: Int, lastNanos: UInt64)] = []
    private var numbers: [Dot: Int] = [:]
    /// Writes before this one were made before what is measured now.
    private var countedFrom = 0
    var wires: Wires
    private(set) var pushes = 0
    private(set) var announcements = 0
    private(set) var grafts = 0

    init(_ count: Int, seed: UInt64) {
        chance = Chance(seed: seed)
        wires = Wires(count, seed: chance.next())
        origins = (0..<count).map {
            Origin(node: NodeID(raw: UInt64($0) + 1), epoch: Epoch(raw: 1))
        }
        nodes = Array(repeating: Node(), count: count)
        busyUntil = Array(repeating: 0, count: count * count)
        relink()
        for index in 0..<count {
            timeline.plan(.tick(index), at: chance.next() % (100 * millisecond))
        }
    }

    private func place(_ index: Int) -> Place {
        Place(node: origins[index].node, zone: "z\(index % Wires.zonesCount + 1)")
    }

    /// Everybody knows who lives, and links accordingly.
    mutating func relink() {
        let living = nodes.indices.filter { !wires.isDown[$0] }
        let places = living.map(place)
        for index in living {
            let wanted = Overlay.peers(of: place(index), among: places).map { Int($0.raw) - 1 }
            for gone in nodes[index].peers where !wanted.contains(gone) {
                nodes[index].relays.unlinked(origins[gone].node)
            }
            for peer in wanted where !nodes[index].peers.contains(peer) {
                nodes[index].relays.linked(origins[peer].node)
            }
            nodes[index].peers = wanted
        }
    }

    var mostLinks: Int { nodes.indices.reduce(0) { max($0, nodes[$1].peers.count) } }

    /// A relay of some zone, as the overlay chooses.
    var someRelay: Int? {
        let places = nodes.indices.filter { !wires.isDown[$0] }.map(place)
        return Overlay.relays(of: places.sorted(by: Overlay.isBefore)).first.map {
            Int($0.node.raw) - 1
        }
    }

    /// Writes at random nodes for some seconds; those counted anew from here on.
    mutating func write(_ perSecond: UInt64, seconds: UInt64) {
        countedFrom = writes.count
        pushes = 0
        announcements = 0
        grafts = 0
        writeEvery = second / perSecond
        writesLeft = Int(perSecond * seconds)
        timeline.plan(.write, at: now + 1)
        pass(seconds: seconds)
    }

    mutating func pass(seconds: UInt64) {
        let end = now + seconds * second
        while let due = timeline.due, due < end, let thing = timeline.next() {
            now = due
            switch thing {
            case .tick(let node):
                timeline.plan(thing, at: now + 100 * millisecond)
                guard !wires.isDown[node] else { continue }
                nodes[node].relays.ticked(now: now, arrived: nodes[node].arrived, into: &said)
                carry(of: node)
            case .write: mint()
            case .said(let from, let to, let what):
                guard !wires.isDown[to] else { continue }
                hear(what, from: from, at: to)
                carry(of: to)
            }
        }
        now = end
    }

    private mutating func mint() {
        guard writesLeft > 0 else { return }
        writesLeft -= 1
        timeline.plan(.write, at: now + writeEvery)
        var node = chance.below(nodes.count)
        while wires.isDown[node] { node = chance.below(nodes.count) }
        let sequence = nodes[node].arrived.highest(of: origins[node]) + 1
        let dot = Dot(origin: origins[node], sequence: sequence)
        numbers[dot] = writes.count
        writes.append((dot, now, 0, now))
        take(writes.count - 1, from: nil, at: node)
    }

    private mutating func take(_ number: Int, from sender: Int?, at node: Int) {
        let dot = writes[number].dot
        guard !nodes[node].arrived.contains(dot) else {
            guard let sender else { return }
            nodes[node].relays.repeated(1, from: origins[sender].node, into: &said)
            return
        }
        nodes[node].arrived.insert(dot)
        writes[number].known += 1
        writes[number].lastNanos = now
        var set = HeldSet()
        set.insert(dot)
        for target in nodes[node].relays.came(set, from: sender.map { origins[$0].node }) {
            send(.push(number), from: node, to: Int(target.raw) - 1)
        }
    }

    private mutating func hear(_ what: Said, from: Int, at node: Int) {
        let sender = origins[from].node
        switch what {
        case .push(let number): take(number, from: from, at: node)
        case .announce(let set):
            let arrived = nodes[node].arrived
            nodes[node].relays.announced(set, by: sender, arrived: arrived)
        case .prune: nodes[node].relays.pruned(by: sender)
        case .graft(let set):
            nodes[node].relays.grafted(by: sender)
            let here = set.intersection(nodes[node].arrived)
            var dot = here.first(after: nil)
            while let next = dot {
                if let number = numbers[next] { send(.push(number), from: node, to: from) }
                dot = here.first(after: next)
            }
        }
    }

    private mutating func carry(of node: Int) {
        for effect in said {
            switch effect {
            case .announce(let to, let set):
                send(.announce(set), from: node, to: Int(to.raw) - 1)
            case .prune(let to): send(.prune, from: node, to: Int(to.raw) - 1)
            case .graft(let to, let set): send(.graft(set), from: node, to: Int(to.raw) - 1)
            }
        }
        said.removeAll(keepingCapacity: true)
    }

    private mutating func send(_ what: Said, from: Int, to: Int) {
        switch what {
        case .push: pushes += 1
        case .announce: announcements += 1
        case .graft: grafts += 1
        case .prune: break
        }
        guard let delay = wires.stream(from: from, to: to, isOpen: true, now: now) else { return }
        let lane = from * nodes.count + to
        busyUntil[lane] = max(busyUntil[lane], now + delay)
        timeline.plan(.said(from: from, to: to, what), at: busyUntil[lane])
    }

    // MARK: what came out

    /// Copies that were sent of a write, a node that should have one: 1 is the least.
    var copies: Double {
        let others = wires.isDown.count { !$0 } - 1
        return Double(pushes) / Double((writes.count - countedFrom) * others)
    }

    /// Nanoseconds until the last node had a write, of each write that all have.
    var lasts: [UInt64] {
        let living = wires.isDown.count { !$0 }
        return writes[countedFrom...].filter { $0.known >= living }.map { $0.lastNanos - $0.at }
    }

    /// Writes that some living node lacks.
    var unfinished: Int { writes.count - countedFrom - lasts.count }
}

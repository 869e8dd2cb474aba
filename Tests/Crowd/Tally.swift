// What is counted while a crowd runs: who was doubted, who was right, what it cost.
//
// A false death is an episode: from the first node that calls a living one dead to the last one
// that takes it back. What observers change in their tables is counted beside it (views).

@testable import Cluster

/// Counts of a crowd.
struct Tally {
    private let count: Int
    /// Of each node, how it is in the tables of the others.
    private var beliefs: [MemberState]
    private var doubters: [Int]
    private var buriers: [Int]
    private var killedAt: [UInt64?]
    private(set) var suspected: [Int]
    private(set) var buried: [Int]
    private(set) var views: [Int]
    private(set) var bytes = 0
    private(set) var packets = 0
    /// Of each killed node: nanoseconds until each other node knew it.
    private(set) var known: [Int: [UInt64]] = [:]
    private(set) var heardDeaths: [Int: Int] = [:]

    init(_ count: Int) {
        self.count = count
        beliefs = Array(repeating: .alive, count: count * count)
        doubters = Array(repeating: 0, count: count)
        buriers = doubters
        suspected = doubters
        buried = doubters
        views = doubters
        killedAt = Array(repeating: nil, count: count)
    }

    mutating func sent(_ bytes: Int) {
        self.bytes += bytes
        packets += 1
    }

    mutating func killed(_ node: Int, now: UInt64) {
        killedAt[node] = now
        known[node] = []
        heardDeaths[node] = 0
    }

    mutating func heard(_ node: Int) { heardDeaths[node]? += 1 }

    mutating func turned(
        _ node: Int,
        to state: MemberState,
        by observer: Int,
        now: UInt64,
        isDown: Bool
    ) {
        guard node != observer else { return }
        let before = beliefs[observer * count + node]
        beliefs[observer * count + node] = state
        if let killed = killedAt[node], state == .unreachable {
            known[node]?.append(now - killed)
        }
        if before == .suspect { doubters[node] -= 1 }
        if before == .unreachable { buriers[node] -= 1 }
        if state == .suspect {
            if doubters[node] == 0, !isDown { suspected[node] += 1 }
            doubters[node] += 1
        }
        if state == .unreachable {
            if buriers[node] == 0, !isDown { buried[node] += 1 }
            buriers[node] += 1
        }
        if !isDown, before == .unreachable || state == .unreachable { views[node] += 1 }
    }

    /// Nodes that are called dead by somebody now, among those given.
    func buriedNow(_ nodes: [Int]) -> Int { nodes.count { buriers[$0] > 0 } }

    /// Counts from here on; what the tables say stays.
    mutating func reset() {
        suspected = Array(repeating: 0, count: count)
        buried = suspected
        views = suspected
        bytes = 0
        packets = 0
    }
}

extension [UInt64] {
    /// The value below which so many of a hundred lie; nil of nothing.
    func percentile(_ percent: Int) -> UInt64? {
        guard !isEmpty else { return nil }
        let ordered = sorted()
        return ordered[Swift.min(ordered.count - 1, (ordered.count * percent) / 100)]
    }
}

// Spreading: the origin pushes each of its writes to every peer that keeps all.
//
// What is pushed and not receipted is a peer's window. When it is full the origin stops pushing to
// that peer and goes on once half of it is free; what was left out the peer finds by comparing held
// sets, and pulls. So a slow peer costs bounded memory, and nothing is dropped silently (DESIGN 7).

import Suppression

/// The linked peers and what is under way to each.
struct Dissemination: Sendable {
    fileprivate struct Pushed {
        let interval: SequenceInterval
        var left: Int
        let bytes: Int
    }

    fileprivate struct Link {
        let peer: Peer
        /// Never used again: what was begun for a link ends with it.
        let number: UInt64
        var pushed: [Pushed] = []
        var count = 0
        var bytes = 0
        var isBehind = false
        var isReading = false
        /// When it last said anything; 0 since the link came up.
        var heardNanos: UInt64 = 0
    }

    private var links: [Link] = []
    private var linkedCount: UInt64 = 0

    /// The linked nodes.
    var peers: [Peer] { links.map(\.peer) }

    /// Nodes that keep all, in the order of their ids.
    var holders: [NodeID] {
        links.filter { $0.peer.holds == .all }.map(\.peer.origin.node)
    }

    /// Whether no node is linked.
    var isEmpty: Bool { links.isEmpty }

    /// Whether no node can be reached: a stopped one keeps its link for a while and says nothing,
    /// where a living one says something every 200 ms.
    func isAlone(now: UInt64) -> Bool {
        links.allSatisfy { now >= $0.heardNanos + Limits.silenceNanos }
    }

    /// A node said something.
    mutating func heard(_ node: NodeID, now: UInt64) {
        guard let at = links.firstIndex(where: { $0.peer.origin.node == node }) else { return }
        links[at].heardNanos = now
    }

    /// The fullest window, in changes.
    var windowCount: Int { links.reduce(0) { max($0, $1.count) } }

    /// Whether a push to some peer was left to its pulls.
    var hasOverflowed: Bool { links.contains { $0.isBehind } }

    /// The linked life of a node.
    func peer(_ node: NodeID) -> Peer? { links.first { $0.peer.origin.node == node }?.peer }

    /// Whether this very life is linked.
    func isLinked(_ origin: Origin) -> Bool { links.contains { $0.peer.origin == origin } }

    /// A link came up; it replaces one to the same node.
    mutating func linked(_ peer: Peer) {
        unlinked(peer.origin.node)
        guard links.count < Limits.peersCount else { return }
        let at = links.firstIndex { $0.peer.origin > peer.origin } ?? links.count
        linkedCount += 1
        links.insert(Link(peer: peer, number: linkedCount), at: at)
    }

    /// A link went down, and with it what was under way.
    mutating func unlinked(_ node: NodeID) { links.removeAll { $0.peer.origin.node == node } }

    /// Pushes a write to everyone whose window has room, or to these of them.
    mutating func push(
        _ changes: [Change],
        only targets: Set<NodeID>? = nil,
        bounds: Bounds,
        into effects: inout [Effect]
    ) {
        guard !links.isEmpty, let first = changes.first, let last = changes.last else { return }
        let bytes = changes.reduce(0) { $0 + $1.approximateBytes }
        let interval = SequenceInterval(first: first.dot.sequence, last: last.dot.sequence)
        let messages = changes.messages(bytes: bytes)
        for at in links.indices where links[at].peer.holds == .all && !links[at].isBehind {
            guard targets?.contains(links[at].peer.origin.node) ?? true else { continue }
            guard links[at].count + changes.count <= bounds.pushWindowCount,
                links[at].bytes + bytes <= bounds.pushWindowBytes
            else {
                links[at].isBehind = true
                continue
            }
            links[at].pushed.append(Pushed(interval: interval, left: changes.count, bytes: bytes))
            links[at].count += changes.count
            links[at].bytes += bytes
            for message in messages {
                effects.append(.send(to: links[at].peer.origin.node, message))
            }
        }
    }

    /// A peer holds these writes of this node.
    mutating func receipted(_ intervals: [SequenceInterval], by node: NodeID, bounds: Bounds) {
        guard let at = links.firstIndex(where: { $0.peer.origin.node == node }) else { return }
        guard !links[at].pushed.isEmpty || links[at].isBehind else { return }
        for interval in intervals { links[at].receipted(interval) }
        links[at].resume(bounds)
    }

    /// A peer holds all that this node holds.
    mutating func settled(_ node: NodeID) {
        guard let at = links.firstIndex(where: { $0.peer.origin.node == node }) else { return }
        links[at].empty()
    }

    /// Takes the one place for reading a page for a peer.
    ///
    /// - Returns: the number of its link; nil while the place is taken.
    mutating func beginsReading(for node: NodeID) -> UInt64? {
        guard let at = links.firstIndex(where: { $0.peer.origin.node == node }),
            !links[at].isReading, links.filter(\.isReading).count < Limits.pageReadsCount
        else { return nil }
        links[at].isReading = true
        return links[at].number
    }

    /// The page was read; false when nobody waits for it any more. A new life counts its pulls from
    /// one again: a page that was read for the life before would pass for the answer to its first.
    mutating func endsReading(for node: NodeID, link: UInt64) -> Bool {
        guard let at = links.firstIndex(where: { $0.peer.origin.node == node }),
            links[at].number == link, links[at].isReading
        else { return false }
        links[at].isReading = false
        return true
    }
}

extension Dissemination.Link {
    /// Nothing is on its way any more.
    fileprivate mutating func empty() {
        pushed = []
        count = 0
        bytes = 0
        isBehind = false
    }

    fileprivate mutating func receipted(_ interval: SequenceInterval) {
        var kept = 0
        for i in pushed.indices {
            let first = max(pushed[i].interval.first, interval.first)
            let last = min(pushed[i].interval.last, interval.last)
            if first <= last { pushed[i].left -= Int(clamping: last - first) + 1 }
            if pushed[i].left > 0 {
                pushed.swapAt(kept, i)
                kept += 1
            } else {
                count -= Int(pushed[i].interval.last - pushed[i].interval.first) + 1
                bytes -= pushed[i].bytes
            }
        }
        pushed.removeSubrange(kept...)
    }

    fileprivate mutating func resume(_ bounds: Bounds) {
        if count <= bounds.pushWindowCount / 2, bytes <= bounds.pushWindowBytes / 2 {
            isBehind = false
        }
    }
}

extension [Change] {
    /// These changes as messages that each fit into a frame.
    ///
    /// - Parameter bytes: of all of them, near enough.
    func messages(bytes: Int) -> [Message] {
        if count <= Limits.changesPerMessageCount, bytes <= Limits.changesMessageBytes {
            return [.changes(self)]
        }
        var messages: [Message] = []
        var part: [Change] = []
        var size = 0
        for change in self {
            part.append(change)
            size += change.approximateBytes
            if part.count == Limits.changesPerMessageCount || size >= Limits.changesMessageBytes {
                messages.append(.changes(part))
                part.removeAll(keepingCapacity: true)
                size = 0
            }
        }
        if !part.isEmpty { messages.append(.changes(part)) }
        return messages
    }
}

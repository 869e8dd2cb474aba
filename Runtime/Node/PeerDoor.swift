// The door to the other nodes: frames in, events for the Core; messages of the Core, frames out.
//
//     link up ──► .linked(peer)      frame ──► decode ──► .received(from, message)
//     .send(to, message) ──► joined with its neighbours of the turn ──► encode ──► one write a link
//
// Nothing is decided here. A message for a node that is not linked any more is dropped, and so is
// one for a peer that does not read: the Core says everything again that matters, by held sets and
// pulls (DESIGN 7).

import Cluster
import EventLoop
import Glibc
import Servers
import Storage
import Suppression

/// A linked node, as status and members show it.
struct LinkedPeer {
    let name: String
    let zone: String
    let node: NodeID
    let epoch: Epoch
    let isEmpty: Bool
    /// The newest format that it reads and speaks.
    let format: UInt16
    let roundTripNanos: UInt64?
}

/// Another node of the cluster, linked or not.
struct KnownPeer {
    let name: String
    let node: NodeID
    let state: MemberState
    let isLinked: Bool
    let roundTripNanos: UInt64?
    /// Writes committed here that the peer is not known to hold.
    let behind: Int
    /// Writes of the peer that some linked node holds and this one has not committed.
    let lacking: Int
    /// A voter, or linked: 64 and a few at most, which bounds the metrics by peer.
    let isClose: Bool
}

/// All links of this node; the node loop's own.
final class PeerDoor: PeerService {
    private struct Linked {
        let id: PeerLinkID
        let identity: PeerIdentity
        /// The protocol that both ends speak.
        let version: UInt16
        /// Writes said last in this turn, to leave in one frame with those that are said next.
        var changes: [Change] = []
        var changesBytes = 0
        /// Receipts said last in this turn; only one of the two kinds waits at a time.
        var receipts: [DotRange] = []
        var generation: UInt64 = 0

        /// Adds to what waits; false when that must go first.
        mutating func keep(_ more: [Change]) -> Bool {
            let bytes = more.reduce(0) { $0 + $1.approximateBytes }
            guard receipts.isEmpty,
                changes.count + more.count <= Cluster.Limits.changesPerMessageCount,
                changesBytes + bytes <= Cluster.Limits.changesMessageBytes
            else { return false }
            changes.append(contentsOf: more)
            changesBytes += bytes
            return true
        }

        /// As the other one; receipts of two generations are two messages.
        mutating func keep(_ more: [DotRange], _ generation: UInt64) -> Bool {
            guard changes.isEmpty, receipts.isEmpty || generation == self.generation,
                receipts.count + more.count <= Cluster.Limits.rangesPerMessageCount
            else { return false }
            self.generation = generation
            for range in more { receipts.append(joined: range) }
            return true
        }

        /// Starts anew, with as much as the Core puts into one message.
        mutating func begin(_ more: [Change]) {
            changes = more
            changesBytes = more.reduce(0) { $0 + $1.approximateBytes }
        }

        mutating func begin(_ more: [DotRange], _ generation: UInt64) {
            receipts = more
            self.generation = generation
        }
    }

    private let log: NodeLog
    private let release: Release
    /// Addresses whose node speaks other versions of the protocol than this one.
    private(set) var refused: [String: ClosedRange<UInt16>] = [:]
    private let step: (Event) -> Void
    /// Who is there; nil before the node runs.
    let members: MemberDoor?
    private var server: PeerServer?
    private var links: [NodeID: Linked] = [:]
    private var nodes: [PeerLinkID: NodeID] = [:]
    private var buffer: [UInt8] = []
    /// Messages that found no link or no room.
    private(set) var dropped = 0
    /// Frames that no version of ours sends.
    private(set) var malformed = 0
    /// Bytes of the pages that came.
    private(set) var pageBytes: UInt64 = 0
    /// Two lives or places of one node answer; both must refuse writes (DESIGN 14).
    private(set) var isCloned = false

    /// - Parameter step: hands an event to the Core and carries out what follows.
    init(
        log: NodeLog,
        release: Release,
        members: MemberDoor? = nil,
        step: @escaping (Event) -> Void
    ) {
        self.log = log
        self.release = release
        self.members = members
        self.step = step
    }

    /// Opens the peer port and dials.
    func open(
        on loop: Loop,
        _ identity: PeerIdentity,
        _ key: [UInt8],
        _ config: Config
    ) throws(LoopError) {
        var options = PeerOptions()
        options.seed = identity.epoch.raw
        let server = try PeerServer(
            loop: loop,
            identity: identity,
            keys: PeerKeys(current: PeerSecret(bytes: key)),
            service: self,
            options: options
        )
        self.server = server
        do throws(LoopError) {
            members?.open(server)
            try server.listen(host: config.listenHost, port: config.peerPort)
            for peer in config.join { try server.dial(host: peer.host, port: peer.port) }
        } catch {
            server.close()
            self.server = nil
            members?.close()
            throw error
        }
    }

    /// Says in later hellos which cluster this is.
    func belongs(to clusterID: UInt64) {
        guard let server, server.identity.clusterID != clusterID else { return }
        server.identity.clusterID = clusterID
    }

    /// Who is linked now.
    var peers: [LinkedPeer] {
        guard let server else { return [] }
        return server.links.map { link in
            LinkedPeer(
                name: String(decoding: link.peer.name, as: UTF8.self),
                zone: String(decoding: link.peer.zone, as: UTF8.self),
                node: link.peer.node,
                epoch: link.peer.epoch,
                isEmpty: link.peer.clusterID == 0,
                format: link.peer.protocolRange.upperBound,
                roundTripNanos: link.roundTripNanos
            )
        }
    }

    /// Reads what has come; first thing of a turn.
    func serveReady() {
        server?.serveReady()
        members?.serveReady()
        for (node, hash) in members?.takeHashes() ?? [] {
            step(.received(from: node, .heldHash(hash)))
        }
    }

    /// Writes what was said; before the own log's batch is posted, so that the disks work at once.
    func flush() {
        for node in links.keys { sendPending(to: node) }
        server?.flush()
    }

    func drain() { server?.drain() }

    func close() {
        server?.close()
        server = nil
        members?.close()
        links = [:]
        nodes = [:]
    }

    // MARK: out

    /// Says something to a node, after everything said to it before.
    ///
    /// What waits grows in place: joined as whole messages, forty writes a turn were copied forty
    /// times each, a fifth of the node loop's time at 64 connections (perf).
    func send(_ message: Message, to node: NodeID) {
        let isKept: Bool?
        switch message {
        case .changes(let changes): isKept = links[node]?.keep(changes)
        case .receipts(let generation, let ranges):
            isKept = links[node]?.keep(ranges, generation)
        default: isKept = links[node] == nil ? nil : false
        }
        guard let isKept else {
            dropped += 1
            return
        }
        if isKept { return }
        sendPending(to: node)
        switch message {
        case .changes(let changes): links[node]?.begin(changes)
        case .receipts(let generation, let ranges): links[node]?.begin(ranges, generation)
        default: if let linked = links[node] { write(message, to: linked) }
        }
    }

    private func sendPending(to node: NodeID) {
        guard let linked = links[node] else { return }
        if !linked.changes.isEmpty {
            links[node]?.changes = []
            links[node]?.changesBytes = 0
            write(.changes(linked.changes), to: linked)
        } else if !linked.receipts.isEmpty {
            links[node]?.receipts = []
            write(.receipts(generation: linked.generation, linked.receipts), to: linked)
        }
    }

    private func write(_ message: Message, to linked: Linked) {
        guard let server, message.firstVersion <= linked.version else { return }
        guard server.hasRoom(linked.id) else {
            dropped += 1
            return
        }
        buffer.removeAll(keepingCapacity: true)
        message.encode(into: &buffer, version: linked.version)
        if !server.send(linked.id, buffer.span) { dropped += 1 }
    }

    // MARK: in

    func linked(_ link: PeerLinkID, _ peer: PeerIdentity) {
        let name = String(decoding: peer.name, as: UTF8.self)
        let zone = String(decoding: peer.zone, as: UTF8.self)
        let version = min(release.speaks.upperBound, peer.protocolRange.upperBound)
        links[peer.node] = Linked(id: link, identity: peer, version: version)
        refused[String(decoding: peer.address, as: UTF8.self)] = nil
        nodes[link] = peer.node
        log.notice("linked", ["peer.name": name, "peer.id": hexText(peer.node.raw)])
        let holds: Holding = peer.holdsAll ? .all : .cache
        members?.linked(peer, version: version)
        step(.linked(Peer(origin: peer.origin, name: name, zone: zone, holds: holds)))
    }

    func received(_ link: PeerLinkID, _ frame: Span<UInt8>) {
        guard let node = nodes[link] else { return }
        members?.heard(from: node)
        do {
            let version = links[node]?.version ?? release.format
            let message = try Message(decoding: frame, version: version)
            if case .page = message { pageBytes += UInt64(frame.count) }
            step(.received(from: node, message))
        } catch {
            malformed += 1
            log.warning("a peer said what no version says; the link ends", error)
            server?.end(link)
        }
    }

    func unlinked(_ link: PeerLinkID, _ why: PeerEnd) {
        guard let node = nodes.removeValue(forKey: link) else { return }
        guard links[node]?.id == link else { return }
        links[node] = nil
        members?.unlinked(node)
        log.notice("unlinked", ["peer.id": hexText(node.raw), "cause": "\(why)"])
        step(.unlinked(node))
    }

    func drained(_ link: PeerLinkID) {}

    func datagram(from node: NodeID, _ bytes: Span<UInt8>) { members?.took(bytes, from: node) }

    func cloned(node: NodeID, addresses: [[UInt8]]) {
        isCloned = true
        let places = addresses.map { String(decoding: $0, as: UTF8.self) }
        log.warning(
            "two nodes answer under one id: a data directory was copied; stop one of them",
            ["peer.id": hexText(node.raw), "addresses": places.joined(separator: " ")]
        )
    }

    func failed(address: [UInt8], _ why: PeerEnd) {
        if case .failed(-ECONNREFUSED) = why { members?.refused(address: address) }
        if case .otherProtocol(let theirs) = why { return refuse(address, theirs) }
        // Dials of nodes that are down come back every second; they are no news.
        switch why {
        case .wrongKey, .otherCluster, .garbage, .forged, .malformed, .cloned: break
        default: return
        }
        log.notice(
            "no link",
            ["address": String(decoding: address, as: UTF8.self), "cause": "\(why)"]
        )
    }

    /// Told once for each address, and shown for as long as it does not link.
    private func refuse(_ address: [UInt8], _ theirs: ClosedRange<UInt16>) {
        let place = String(decoding: address, as: UTF8.self)
        guard refused[place] != theirs, refused.count < Cluster.Limits.peersCount else { return }
        refused[place] = theirs
        log.warning(
            "a node speaks none of our versions of the protocol; no link until one is upgraded",
            [
                "address": place, "peer.speaks": theirs.words,
                "node.speaks": release.speaks.words,
            ]
        )
    }
}

extension ClosedRange<UInt16> {
    /// Versions, for people.
    var words: String {
        lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound) to \(upperBound)"
    }
}

extension [DotRange] {
    /// Adds a range, to the one before it where it follows that.
    fileprivate mutating func append(joined range: DotRange) {
        if let end = last, end.origin == range.origin,
            end.interval.last + 1 == range.interval.first
        {
            let interval = SequenceInterval(first: end.interval.first, last: range.interval.last)
            self[count - 1] = DotRange(origin: range.origin, interval: interval)
        } else {
            append(range)
        }
    }
}

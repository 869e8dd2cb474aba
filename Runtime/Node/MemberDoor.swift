// The door of membership: ticks, links and packets in; packets, dials and the member book out.
//
//     100 ms ──────► ticked                    send   ──► one sealed packet, dropped without a link
//     link, frame ─► linked, heard, unlinked   dial   ──► the peer server keeps the address linked
//     packet ──────► decode ──► received       keep   ──► the store's checkpointer
//     refused dial ► refused                   turned ──► the log
//                                              holds  ──► the Core, in the same turn
//
// Packets travel beside links and are sealed with a link's keys, so a node that is not linked is
// asked through relays that are. Nothing is decided here; see Cluster's Membership.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression

/// A row of `GET /v1/members`.
struct MemberRow {
    let record: MemberRecord
    let state: MemberState
    let role: String
    let roundTripNanos: UInt64?
}

/// Drives the machine; the node loop's own.
final class MemberDoor {
    private var machine: Membership
    private let log: NodeLog
    private let keep: ([UInt8]) -> Void
    private let joined: Set<String>
    private var server: PeerServer?
    private var effects: [MemberEffect] = []
    private var packets: [(sender: NodeID, packet: MemberPacket)] = []
    /// What members have committed, by hash, for the Core.
    private var hashes: [(node: NodeID, hash: UInt64)] = []
    /// The version of the protocol on each link; packets beside it say nothing newer.
    private var versions: [NodeID: UInt16] = [:]
    /// Packets that no version of ours sends, or that came faster than they were read.
    private(set) var refusedPackets = 0

    /// - Parameters:
    ///   - book: what the life before kept; whatever cannot be read is left out.
    ///   - joined: the addresses of the configuration, dialed whoever lives there.
    ///   - keep: writes the book to disk, some time.
    init(
        own: MemberFacts,
        book: [UInt8]?,
        joined: [PeerAddress],
        seed: UInt64,
        log: NodeLog,
        keep: @escaping ([UInt8]) -> Void
    ) {
        precondition(Cluster.Limits.memberPacketBytes <= PeerServer.datagramBytes)
        self.log = log
        self.keep = keep
        self.joined = Set(joined.map { "\($0.host):\($0.port)" })
        var known: MemberBook?
        if let book {
            do { known = try MemberBook(decoding: book.span) } catch {
                log.warning("the member book cannot be read; peers come from --join", error)
            }
        }
        machine = Membership(own: own, book: known, seed: seed)
    }

    /// From now on packets leave and addresses are dialed.
    func open(_ server: PeerServer) { self.server = server }

    func close() { server = nil }

    /// Whether links are chosen by the overlay, as there are too many members to link all.
    var isOverlaid: Bool { machine.isOverlaid }

    /// Who is a voter now: linked whatever else is.
    func adopt(voters: Set<NodeID>) { machine.adopt(voters: voters) }

    // MARK: in

    /// - Parameter held: the hash of what is committed here.
    func tick(held: UInt64) {
        machine.adopt(held: held)
        machine.ticked(now: Clock.bootNanoseconds(), into: &effects)
        carryOut()
    }

    func linked(_ peer: PeerIdentity, version: UInt16) {
        versions[peer.node] = version
        let facts = MemberFacts(
            origin: peer.origin,
            name: String(decoding: peer.name, as: UTF8.self),
            zone: String(decoding: peer.zone, as: UTF8.self),
            region: String(decoding: peer.region, as: UTF8.self),
            address: String(decoding: peer.address, as: UTF8.self),
            holds: peer.holdsAll ? .all : .cache
        )
        machine.linked(facts, now: Clock.bootNanoseconds(), into: &effects)
        carryOut()
    }

    /// Rules a member out, for ever.
    func evict(_ node: NodeID) {
        guard machine.evict(node, now: Clock.bootNanoseconds(), into: &effects) else { return }
        carryOut()
    }

    /// Tells the others that this node goes.
    func leave() {
        machine.leave(into: &effects)
        carryOut()
    }

    func unlinked(_ node: NodeID) {
        versions[node] = nil
        machine.unlinked(node)
    }

    func heard(from node: NodeID) { machine.heard(from: node, now: Clock.bootNanoseconds()) }

    func refused(address: [UInt8]) {
        let text = String(decoding: address, as: UTF8.self)
        machine.refused(address: text, now: Clock.bootNanoseconds(), into: &effects)
        carryOut()
    }

    /// Comes from the poll, so what follows from it waits for the turn.
    func took(_ bytes: Span<UInt8>, from node: NodeID) {
        guard packets.count < Limits.memberPacketsCount else {
            refusedPackets += 1
            return
        }
        do {
            packets.append((node, try MemberPacket(decoding: bytes)))
        } catch {
            refusedPackets += 1
            log.warning("a packet says what no version says; it is dropped", error)
        }
    }

    /// Steps the machine over the packets that came; part of the turn.
    func serveReady() {
        guard !packets.isEmpty else { return }
        let now = Clock.bootNanoseconds()
        for (sender, packet) in packets {
            machine.received(packet, from: sender, now: now, into: &effects)
        }
        packets.removeAll(keepingCapacity: true)
        carryOut()
    }

    /// The hashes that came, once.
    func takeHashes() -> [(node: NodeID, hash: UInt64)] {
        defer { hashes = [] }
        return hashes
    }

    // MARK: out

    private func carryOut() {
        var batch: [MemberEffect] = []
        swap(&batch, &effects)
        for effect in batch { execute(effect) }
        batch.removeAll(keepingCapacity: true)
        if effects.isEmpty { swap(&batch, &effects) }
    }

    private func execute(_ effect: MemberEffect) {
        switch effect {
        case .send(let node, let packet):
            var bytes: [UInt8] = []
            packet.encode(into: &bytes, version: versions[node] ?? 1)
            send(bytes, to: node)
        case .dial(let address): dial(address)
        case .forget(let address):
            guard !joined.contains(address), let place = PeerAddress(address) else { return }
            server?.forget(host: place.host, port: place.port)
        case .keep(let book):
            var bytes: [UInt8] = []
            book.encode(into: &bytes)
            keep(bytes)
        case .turned(let node, let before, let after): report(node, before, after)
        case .holds(let node, let hash): hashes.append((node, hash))
        }
    }

    /// Without a link the packet is dropped: probes are repeated, tables compared again.
    private func send(_ bytes: [UInt8], to node: NodeID) {
        guard let server else { return }
        server.sendDatagram(to: node, bytes.span)
    }

    private func dial(_ address: String) {
        guard let server, let place = PeerAddress(address) else { return }
        do {
            if try !server.dial(host: place.host, port: place.port) {
                log.warning("too many addresses to dial", ["peer.address": address])
            }
        } catch {
            log.warning("a member's address cannot be dialed; set its --advertise", error)
        }
    }

    private func report(_ node: NodeID, _ before: MemberState, _ after: MemberState) {
        let named = machine.members.first { $0.node == node }
        let fields = [
            "peer.name": named?.facts.name ?? machine.own.facts.name,
            "peer.id": hexText(node.raw), "peer.state": after.name,
            "peer.before": before.name,
        ]
        switch after {
        case .suspect: log.notice("a member does not answer", fields)
        case .unreachable: log.warning("a member is unreachable", fields)
        case .alive: log.notice("a member answers again", fields)
        case .left: log.notice("a member has left", fields)
        case .evicted: log.warning("a member was evicted", fields)
        }
    }

    // MARK: what is known

    /// This node and all others, by name.
    ///
    /// - Parameter ownRole: this node alone knows whether it has caught up with its seat.
    func rows(_ voters: VoterSet, ownRole: String, links: [LinkedPeer]) -> [MemberRow] {
        let now = Clock.bootNanoseconds()
        return ([machine.own] + machine.members).map { record in
            let link = links.first { $0.node == record.node }
            return MemberRow(
                record: record,
                state: machine.state(of: record.node, now: now) ?? record.state,
                role: record.node == machine.own.node ? ownRole : voters.role(of: record.facts),
                roundTripNanos: link.map { $0.roundTripNanos }
                    ?? machine.roundTripNanos(of: record.node)
            )
        }.sorted { ($0.record.facts.name, $0.record.node) < ($1.record.facts.name, $1.record.node) }
    }

    /// Once a tick.
    func count(into metrics: MemberMetrics) {
        let now = Clock.bootNanoseconds()
        let members = machine.members
        let states = members.map { machine.state(of: $0.node, now: now) }
        let counts = machine.counts
        metrics.probes.set(Int(counts.probes))
        metrics.failedProbes.set(Int(counts.failedProbes))
        metrics.suspicions.set(Int(counts.suspicions))
        metrics.refutations.set(Int(counts.refutations))
        metrics.deaths.set(Int(counts.deaths))
        metrics.refused.set(refusedPackets + Int(counts.refusedRecords))
        metrics.suspects.set(states.count { $0 == .suspect })
        metrics.unreachable.set(states.count { $0 == .unreachable })
        metrics.unstable.set(members.count { machine.isUnstable($0.node, now: now) })
        metrics.doubt.set(machine.localHealth)
    }
}

extension NodeLoop {
    /// The door, before it is open.
    func memberDoor() -> MemberDoor {
        let own = MemberFacts(
            origin: Origin(node: identity.nodeID, epoch: identity.epoch),
            name: config.name,
            zone: config.zone,
            region: config.region,
            address: String(decoding: ownIdentity.address, as: UTF8.self),
            holds: .all
        )
        return MemberDoor(
            own: own,
            book: identity.members,
            joined: config.join,
            seed: identity.epoch.raw,
            log: log
        ) { [store] in store.keep(members: $0) }
    }

    /// Every node that this one knows, itself included.
    var memberRows: [MemberRow] {
        peers.members?.rows(core.votersInForce, ownRole: role, links: peers.peers) ?? []
    }

    /// A slot that was bound to another id under the same name: the disk of the id before is gone,
    /// and nobody need wait for it.
    func evictReplaced(_ before: VoterSet, by next: VoterSet) {
        for slot in before.slots where next.slot(of: slot.node) == nil {
            if next.slots.contains(where: { $0.name == slot.name }) {
                peers.members?.evict(slot.node)
            }
        }
    }

    /// Once a tick.
    func tickPeers() {
        peers.members?.adopt(voters: Set(core.votersInForce.slots.map(\.node)))
        peers.members?.tick(held: core.held.fingerprint())
        step(.overlaid(peers.members?.isOverlaid ?? false))
        peers.members?.count(into: metrics.members)
        let linked = peers.peers
        let voters = core.votersInForce.slots.filter { $0.node != identity.nodeID }
        metrics.peersLinked.set(linked.count)
        metrics.peersMissing.set(
            voters.count { slot in !linked.contains { $0.node == slot.node } }
        )
        metrics.peersDropped.set(peers.dropped)
        metrics.peerFirsts.set(Int(core.copies.firsts))
        metrics.peerRepeats.set(Int(core.copies.repeated))
        metrics.peersMalformed.set(peers.malformed)
        metrics.cloned.set(peers.isCloned ? 1 : 0)
    }
}

extension VoterSet {
    /// What a node is to the cluster, as far as the voters tell (DESIGN 6).
    func role(of facts: MemberFacts) -> String {
        if slot(of: facts.node) != nil { return "voter" }
        return slots.contains { $0.name == facts.name } ? "learner" : "edge"
    }
}

extension PeerAddress {
    /// Splits `host:port`, brackets of IPv6 taken off; nil if it is none.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...])
        else { return nil }
        let host = text[..<colon].drop { $0 == "[" }
        self.init(host: String(host.last == "]" ? host.dropLast() : host), port: port)
    }
}

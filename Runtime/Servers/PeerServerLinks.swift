// Who has a link at a peer server, and what becomes of strangers, packets and ends.
//
// A link is told to the service once it stands and once when it has gone. The object lives on until
// its socket has ended, so that a farewell can still leave; its id names nothing any more.

public import EventLoop
internal import Suppression

extension PeerServer: ListenerOwner {
    /// Gives an accepted stream a place, or closes it.
    public func listener(_ listener: Listener, accepted stream: Stream) {
        let key = PeerKey(stream.peer.span)
        let isLocal = key?.isLoopback ?? false
        let fromThere = key.map { strangersOf[$0, default: 0] } ?? 0
        guard !isEnding, byID.count < options.links, strangers < options.strangers,
            isLocal || fromThere < Limits.peerStrangersPerAddress
        else {
            counters.turnedAway += 1
            return stream.close()
        }
        counters.accepted += 1
        counters.open += 1
        strangers += 1
        if let key { strangersOf[key] = fromThere + 1 }
        let link = PeerLink(self, nextID(), stream, origin: key)
        byID[link.id] = link
    }
}

extension PeerServer: DatagramsOwner {
    /// Opens a packet, if there is a link that it can be of.
    public func datagrams(_ datagrams: Datagrams, received packet: Span<UInt8>) {
        guard let claim = DatagramFrame.claim(packet), let id = pairs.link(with: claim.node),
            let link = byID[id]
        else {
            counters.refusedDatagrams += 1
            return
        }
        switch link.openDatagram(packet, number: claim.number) {
        case .bytes(let bytes):
            counters.receivedDatagrams += 1
            service.datagram(from: claim.node, bytes.span)
        case .replayed: counters.replayedDatagrams += 1
        case .forged: counters.refusedDatagrams += 1
        }
    }
}

/// What links ask of their server.
extension PeerServer {
    /// The time that lies this far ahead, seen from the last sweep, rounded up by one period.
    func after(_ milliseconds: UInt64) -> UInt64 { now + milliseconds + options.sweepMilliseconds }

    /// What may wait for a peer at all: a queue just below full, one frame, and control frames.
    var hardQueueBytes: Int {
        options.queueBytes + PeerFrameHead.bytes + Limits.peerFrameBytes + PeerCipher.tagBytes
            + Limits.peerControlBytes
    }

    /// The link stands.
    func begun(_ link: PeerLink, _ peer: PeerIdentity) {
        counters.linked += 1
        admit(link)
        if let index = targets.firstIndex(where: { $0.link == link.id }) {
            targets[index].peer = peer.origin
        }
        service.linked(link.id, peer)
    }

    /// Another connection takes the place of this one.
    func replace(_ id: PeerLinkID) {
        guard let link = byID[id] else { return }
        link.fail(.replaced)
        bury(link)
    }

    /// Asks a link whether it is alive, as another life of its peer wants its place.
    func challenge(_ id: PeerLinkID, by other: PeerIdentity) { byID[id]?.challenge(by: other) }

    func reportClone(of one: PeerIdentity, _ other: PeerIdentity) {
        counters.clones += 1
        service.cloned(node: one.node, addresses: [one.address, other.address])
    }

    /// Tells the service of an end, once, and frees the pair and the dialed address.
    func bury(_ link: PeerLink) {
        guard !link.isBuried, let fate = link.fate else { return }
        link.isBuried = true
        counters.end(fate)
        if let node = link.peer?.node { pairs.ended(node, link.id) }
        if let index = targets.firstIndex(where: { $0.link == link.id }) {
            let lived = link.linkedAt.map { now - min(now, $0) } ?? 0
            targets[index].ended(now: now, lived: lived, random: jitter.next())
            targets[index].isOurs = fate == .ourselves
            if fate == .duplicate || fate == .farewell(.duplicate) {
                targets[index].peer = link.peer?.origin
            }
        }
        if link.hasStreamEnded { byID[link.id] = nil }
        if link.linkedAt != nil {
            service.unlinked(link.id, fate)
        } else if fate != .duplicate, fate != .farewell(.duplicate) {
            // Whose hello opened says where it is reached; its socket's port helps no operator.
            let named = link.peer.flatMap { $0.address.isEmpty ? nil : $0.address }
            service.failed(address: link.dialed ?? named ?? link.stream.peer, fate)
        }
    }

    /// The socket is gone.
    func streamEnded(_ link: PeerLink) {
        counters.open -= 1
        if link.linkedAt == nil { admit(link) }
        if link.isBuried { byID[link.id] = nil }
    }

    private func admit(_ link: PeerLink) {
        guard link.dialed == nil else { return }
        strangers -= 1
        guard let key = link.origin, let count = strangersOf[key] else { return }
        strangersOf[key] = count > 1 ? count - 1 : nil
    }
}

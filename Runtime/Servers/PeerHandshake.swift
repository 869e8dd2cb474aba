// What a link says and hears: the handshake, the choice of one link a pair, pings, farewells.
//
//     dialer      hello ----------------> acceptor: key, cluster, protocol
//                 cluster, protocol, pair <------------- hello
//                 ready ----------------> pair: linked, or a farewell
//                 linked <------------------------------- ready
//
// Whatever is believed of a peer is believed only of bytes that answer a random of ours: of the
// acceptor its hello, of the dialer its first frame. Until then a hello may be a recorded one, and
// ends nothing, reports nothing and takes no place.

internal import EventLoop
internal import Suppression

/// The ciphers of a connection, once both randoms are known.
struct PeerSeals {
    var sealer: FrameSealer?
    var opener: FrameOpener?
    var datagramSealer: DatagramSealer?
    var datagramOpener: DatagramOpener?
    /// Where the peer's packets go; nil if it says no address.
    var datagramAddress: DatagramAddress?
}

extension PeerLink {
    /// Takes one hello or frame.
    ///
    /// - Returns: the bytes that it took; nil if more has to come.
    func step(_ bytes: Span<UInt8>, _ at: Int) throws(PeerEnd) -> Int? {
        if phase == .greeting {
            let hello = try PeerHello.read(
                bytes.extracting(at...),
                keys: secret.map { PeerKeys(current: $0) } ?? server.keys,
                answering: secret == nil ? nil : random
            )
            guard let hello else { return nil }
            greet(hello)
            return hello.count
        }
        guard let head = try PeerFrameHead(bytes, at: at) else { return nil }
        // A stranger has nothing to say but `ready` or a farewell.
        if phase == .waiting, head.length > Limits.peerReadyBytes { throw .tooLong }
        guard bytes.count - at >= head.frameBytes else { return nil }
        guard let body = try seals.opener?.open(head, bytes, at: at) else { throw .malformed }
        try take(PeerFrameKind(rawValue: head.kind), body.span)
        return head.frameBytes
    }

    private func greet(_ hello: PeerHello) {
        peer = hello.identity
        let isDialer = dialed != nil
        let schedule = PeerSchedule(
            secret: hello.secret,
            dialer: isDialer ? random : hello.random,
            acceptor: isDialer ? hello.random : random
        )
        let ours = isDialer ? PeerDirection.fromDialer : .fromAcceptor
        let own = server.identity.origin
        let its = hello.identity.origin
        seals.sealer = FrameSealer(schedule.cipher(.frames, ours, sender: own))
        seals.opener = FrameOpener(schedule.cipher(.frames, ours.reversed, sender: its))
        seals.datagramSealer = DatagramSealer(
            schedule.cipher(.datagrams, ours, sender: own),
            node: own.node
        )
        seals.datagramOpener = DatagramOpener(
            schedule.cipher(.datagrams, ours.reversed, sender: its),
            node: its.node
        )
        phase = .waiting
        if isDialer { return propose(to: hello.identity) }
        output.append(
            contentsOf: PeerHello.sealed(
                server.identity,
                under: hello.secret,
                random: random,
                answering: hello.random
            )
        )
        markDirty()
        // Both sides see the cause in the other's hello, so ours has to arrive. Of a copy of
        // ourselves nothing is believed before its first frame: a hello can be a recorded one.
        let refusal = server.identity.refusal(of: hello.identity)
        if let refusal, refusal != .cloned { leave(refusal, nil) }
    }

    /// The dialer knows its peer, freshly: the acceptor's hello answers our random.
    private func propose(to peer: PeerIdentity) {
        if let refusal = server.identity.refusal(of: peer) {
            guard refusal == .cloned else { return fail(refusal) }
            server.reportClone(of: server.identity, peer)
            return leave(.cloned, .cloned)
        }
        switch server.pairs.verdict(on: peer, number: nil) {
        case .free, .replace: break
        case .duplicate: return leave(.duplicate, .duplicate)
        case .otherLife(let link): return yield(to: link, peer)
        }
        let number =
            server.pairs.decides(over: peer.node)
            ? server.pairs.choose(peer, id) : server.pairs.number(with: peer.origin)
        sayReady(number)
    }

    private func take(_ kind: PeerFrameKind?, _ body: Span<UInt8>) throws(PeerEnd) {
        switch kind {
        case .ready where phase == .waiting:
            ready(UInt32(truncatingIfNeeded: try PeerLink.number(body, bytes: 4)))
        case .farewell:
            guard body.count >= 1 else { throw .malformed }
            takeFarewell(PeerFarewell(rawValue: body[0]) ?? .unknown)
        case .frame where phase == .linked:
            server.counters.receivedFrames += 1
            server.service.received(id, body)
        case .ping where phase == .linked:
            _ = try PeerLink.number(body, bytes: 8)
            say(.pong, body)
        case .pong where phase == .linked:
            pong(try PeerLink.number(body, bytes: 8))
        case nil where phase == .linked:
            server.counters.unknownFrames += 1
        default:
            throw .malformed
        }
    }

    /// The peer has shown the key, and what it knows of the links of this pair.
    private func ready(_ number: UInt32) {
        guard let peer else { return fail(.malformed) }
        if server.identity.refusal(of: peer) != nil {
            server.reportClone(of: server.identity, peer)
            return leave(.cloned, .cloned)
        }
        let decides = server.pairs.decides(over: peer.node)
        let isProposed = dialed != nil && decides
        if !isProposed {
            switch server.pairs.verdict(on: peer, number: number) {
            case .free: break
            case .replace(let old): server.replace(old)
            case .duplicate: return leave(.duplicate, .duplicate)
            case .otherLife(let link): return yield(to: link, peer)
            }
            if decides {
                sayReady(server.pairs.choose(peer, id))
            } else {
                server.pairs.follow(peer, id, number: number)
                if dialed == nil { sayReady(number) }
            }
        }
        phase = .linked
        linkedAt = server.now
        nextPing = server.now
        do {
            seals.datagramAddress = try DatagramAddress(peer.address)
        } catch {
            seals.datagramAddress = nil  // a peer without an address that is one gets no packets
        }
        server.begun(self, peer)
    }

    /// The link with another life of this peer stands until it has failed to answer.
    private func yield(to link: PeerLinkID, _ peer: PeerIdentity) {
        server.challenge(link, by: peer)
        leave(.cloned, .cloned)
    }

    private func takeFarewell(_ farewell: PeerFarewell) {
        // It opened, so the peer is no recording.
        if let peer, phase == .waiting, server.identity.refusal(of: peer) == .cloned {
            server.reportClone(of: server.identity, peer)
        }
        fail(.farewell(farewell))
    }

    private func pong(_ stamp: UInt64) {
        let now = Clock.bootNanoseconds()
        guard stamp <= now else { return }
        let sample = now - stamp
        roundTripNanos = roundTripNanos.map { $0 - $0 / 8 + sample / 8 } ?? sample
        guard let challenge, challenge.stamp == stamp, let peer else { return }
        self.challenge = nil
        server.reportClone(of: peer, challenge.by)
    }

    @discardableResult
    func ping() -> UInt64 {
        let stamp = Clock.bootNanoseconds()
        var body: [UInt8] = []
        body.append(bigEndian: stamp)
        say(.ping, body.span)
        return stamp
    }

    private func sayReady(_ number: UInt32) {
        var body: [UInt8] = []
        body.append(bigEndian: number)
        say(.ready, body.span)
    }

    private static func number(_ body: Span<UInt8>, bytes: Int) throws(PeerEnd) -> UInt64 {
        guard body.count == bytes else { throw .malformed }
        var number: UInt64 = 0
        for at in 0..<bytes { number = number << 8 | UInt64(body[at]) }
        return number
    }
}

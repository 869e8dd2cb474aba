// How a peer server dials: one attempt a target at a time, none while the target is linked.

internal import EventLoop
internal import Suppression

extension PeerServer {
    /// Dials a target, unless it is linked another way.
    func begin(_ index: Int) {
        let target = targets[index]
        guard !target.isOurs, !isSatisfied(target), byID.count < options.links else { return }
        let dial = PeerDial(
            self,
            target.address,
            deadline: after(options.handshakeMilliseconds)
        )
        counters.dialed += 1
        targets[index].dial = dial
        do {
            dial.stream = try Stream.connect(
                on: loop,
                host: target.host,
                port: target.port,
                owner: dial
            )
        } catch {
            targets[index].ended(now: now, lived: 0, random: jitter.next())
            note(failure: target.address, .failed(code: error.code))
        }
    }

    /// The life that answered here last is linked, or somebody linked says to be at this address.
    private func isSatisfied(_ target: PeerTarget) -> Bool {
        if let peer = target.peer, pairs.isLinked(peer) { return true }
        return byID.values.contains { $0.isLinked && $0.peer?.address == target.address }
    }

    func connected(_ dial: PeerDial, _ stream: Stream) {
        guard let index = targets.firstIndex(where: { $0.dial === dial }) else {
            return stream.close()
        }
        counters.open += 1
        let link = PeerLink(
            self,
            nextID(),
            stream,
            dialed: dial.address,
            secret: keys.dialing(attempt: targets[index].failures)
        )
        dial.stream = nil
        targets[index].dial = nil
        targets[index].link = link.id
        byID[link.id] = link
    }

    func failed(_ dial: PeerDial, _ why: PeerEnd) {
        guard let index = targets.firstIndex(where: { $0.dial === dial }) else { return }
        targets[index].ended(now: now, lived: 0, random: jitter.next())
        note(failure: dial.address, why == .closedHere ? .handshakeTime : why)
    }

    func nextID() -> PeerLinkID {
        lastID += 1
        return PeerLinkID(raw: lastID)
    }
}

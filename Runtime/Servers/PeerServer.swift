// The links of a node: one per peer, kept alive, dialed again, and packets beside them.
//
//     dial --> target --> PeerDial --connected--> PeerLink --linked--> service
//                ^                                   |
//                +------- wait, doubled, jittered <--+ ended
//     listen --> stranger --------------------> PeerLink --linked--> service
//
// The server owns no turn, as the other servers: its node calls `serveReady`, steps its core,
// sends, and calls `flush`. One sweep compares all deadlines with one number. The peer port is
// never shared with another process, so a second node on it fails at the start and can be told
// whose it is.

public import EventLoop
public import Suppression

/// Links between nodes on one loop; identities, sealing and back-pressure, no meaning.
public final class PeerServer {
    /// What has been counted since the start.
    public internal(set) var counters = PeerCounters()
    /// What our next hellos say; links that stand keep what theirs said.
    public var identity: PeerIdentity {
        didSet {
            precondition(identity.origin == oldValue.origin, "a server is one life of a node")
        }
    }
    /// What the next hellos may be sealed under; links that stand keep their keys.
    public var keys: PeerKeys

    let loop: Loop
    let service: any PeerService
    let options: PeerOptions
    var pairs: PeerPairs
    /// Milliseconds of the last sweep.
    private(set) var now = Clock.bootNanoseconds() / 1_000_000

    var targets: [PeerTarget] = []
    var byID: [PeerLinkID: PeerLink] = [:]
    var lastID: UInt64 = 0
    var strangers = 0
    var strangersOf: [PeerKey: Int] = [:]
    var jitter: Jitter
    private(set) var isEnding = false

    private var timer: Timer?
    private var listener: Listener?
    private var datagrams: Datagrams?
    private var ready: [PeerLink] = []
    private var dirtied: [PeerLink] = []
    /// Dials that failed since the last turn, one a target at most.
    private var failures: [(address: [UInt8], why: PeerEnd)] = []

    /// Makes a server that neither listens nor dials yet.
    ///
    /// The loop keeps the server until `close`.
    /// - Parameter service: retained as long as the server is.
    public init(
        loop: Loop,
        identity: PeerIdentity,
        keys: PeerKeys,
        service: any PeerService,
        options: PeerOptions = PeerOptions()
    ) throws(LoopError) {
        self.loop = loop
        self.identity = identity
        self.keys = keys
        self.service = service
        self.options = options
        pairs = PeerPairs(own: identity.node)
        jitter = Jitter(seed: options.seed ^ identity.node.raw)
        guard options.sweepMilliseconds > 0 else { return }
        timer = try Timer(
            on: loop,
            after: options.sweepMilliseconds,
            every: options.sweepMilliseconds
        ) { [self] in sweep(now: Clock.bootNanoseconds() / 1_000_000) }
    }

    /// Opens the peer port, TCP and UDP, shared with nobody. Once.
    ///
    /// Errors: `addressInUse` for either, with the address that it is about.
    /// - Parameters:
    ///   - host: an IPv4 or IPv6 literal, or `localhost`.
    ///   - port: 0 lets the kernel choose one that TCP has free; UDP may then refuse it.
    public func listen(host: String, port: Int) throws(LoopError) {
        precondition(listener == nil, "a node has one peer port")
        let listener = try Listener(on: loop, host: host, port: port, owner: self)
        do {
            datagrams = try Datagrams(on: loop, host: host, port: listener.port, owner: self)
        } catch {
            listener.close()
            throw error
        }
        self.listener = listener
    }

    /// The bound port; 0 before `listen`.
    public var port: Int { listener?.port ?? 0 }

    /// Keeps an address linked: dials it now, and again whenever its link has ended.
    ///
    /// Repeats are harmless. An address that turns out to be ours is not dialed again.
    /// - Parameter host: a literal; names are not looked up.
    /// - Returns: false if 256 addresses are dialed already.
    ///
    /// Errors: `addressInvalid`.
    @discardableResult
    public func dial(host: String, port: Int) throws(LoopError) -> Bool {
        _ = try DatagramAddress(host: host, port: port)
        let address = PeerTarget.address(host, port)
        guard !isEnding, !targets.contains(where: { $0.address == address }) else { return true }
        guard targets.count < Limits.peerTargets else { return false }
        targets.append(PeerTarget(host: host, port: port))
        begin(targets.count - 1)
        return true
    }

    /// Dials an address no more; a link that stands stays. See `end`.
    public func forget(host: String, port: Int) {
        let address = PeerTarget.address(host, port)
        guard let index = targets.firstIndex(where: { $0.address == address }) else { return }
        targets.remove(at: index).dial?.stream?.close()
    }

    /// Ends a link with a farewell; `unlinked` follows. A dialed address is dialed again.
    public func end(_ link: PeerLinkID) { byID[link]?.leave(.closedHere, .leaving) }

    /// True if a frame may be sent. Ask before each: a frame without room ends the link.
    public func hasRoom(_ link: PeerLinkID) -> Bool {
        guard let link = byID[link], link.isLinked else { return false }
        return link.queuedBytes < options.queueBytes
    }

    /// Sends a frame after those before it, with this turn's `flush`.
    ///
    /// - Parameter frame: at most `frameBytes`; a larger one is refused and nothing else happens.
    /// - Returns: false if the link is gone, or is ended because it had no room (`.overflow`).
    @discardableResult
    public func send(_ link: PeerLinkID, _ frame: Span<UInt8>) -> Bool {
        guard frame.count <= PeerServer.frameBytes else { return false }
        return byID[link]?.send(frame) ?? false
    }

    /// Bytes that a frame may have: 1 MiB.
    public static let frameBytes = Limits.peerFrameBytes

    /// Bytes that a packet may carry: 1,167, so that it is at most 1,200 sealed.
    public static let datagramBytes = DatagramFrame.bodyBytes

    /// Sends a packet now, once, to the address in the linked peer's hello.
    ///
    /// - Parameter bytes: at most `datagramBytes`.
    /// - Returns: false if there is no link, or the kernel did not take it; nothing is queued.
    @discardableResult
    public func sendDatagram(to node: NodeID, _ bytes: Span<UInt8>) -> Bool {
        guard let datagrams, let id = pairs.link(with: node),
            let sealed = byID[id]?.sealDatagram(bytes),
            datagrams.send(sealed.packet.span, to: sealed.to)
        else {
            counters.unsentDatagrams += 1
            return false
        }
        counters.sentDatagrams += 1
        return true
    }

    /// Opens what has come and tells the service; part of the turn.
    public func serveReady() {
        tellFailures()
        guard !ready.isEmpty else { return }
        var serving: [PeerLink] = []
        swap(&ready, &serving)
        for link in serving { link.serve() }
        serving.removeAll(keepingCapacity: true)
        if ready.isEmpty { swap(&ready, &serving) } else { loop.again() }
    }

    /// Writes once to every link that has something to say; the end of the turn.
    public func flush() {
        if !dirtied.isEmpty {
            var batch: [PeerLink] = []
            swap(&dirtied, &batch)
            for link in batch { link.flush() }
            batch.removeAll(keepingCapacity: true)
            if dirtied.isEmpty { swap(&dirtied, &batch) }
        }
        // Ends, and room again, that came up since `serveReady` in this turn.
        if !ready.isEmpty { loop.again() }
    }

    /// Nothing is left for the next turn: the loop may sleep until somebody speaks.
    var isAtRest: Bool { ready.isEmpty && dirtied.isEmpty }

    /// The links that stand, in no order.
    public var links: [PeerLinkState] {
        byID.values.compactMap { link in
            guard link.isLinked, let peer = link.peer, let since = link.linkedAt,
                let version = identity.agreed(with: peer)
            else { return nil }
            return PeerLinkState(
                id: link.id,
                peer: peer,
                protocolVersion: version,
                roundTripNanos: link.roundTripNanos,
                queuedBytes: link.queuedBytes,
                ageMilliseconds: now - min(now, since),
                isDialed: link.dialed != nil
            )
        }
    }

    /// Neither accepts nor dials any more, and says farewell on every link.
    public func drain() {
        isEnding = true
        closeDoors()
        for link in byID.values {
            if link.isLinked { link.leave(.closedHere, .leaving) } else { link.fail(.closedHere) }
        }
    }

    /// True once `drain` has nothing left to wait for.
    public var isDrained: Bool { isEnding && counters.open == 0 }

    /// Ends everything now; the service hears no more. The close callbacks run with the loop.
    public func close() {
        isEnding = true
        closeDoors()
        timer?.close()
        timer = nil
        datagrams?.close()
        datagrams = nil
        for link in byID.values {
            link.isBuried = true
            link.fail(.closedHere)
        }
        ready.removeAll()
        dirtied.removeAll()
        failures.removeAll()
    }

    /// Ends what is over time, pings, and dials what is due. The server's own timer calls it.
    ///
    /// - Parameter milliseconds: CLOCK_BOOTTIME; an argument, so that tests pass time by numbers.
    public func sweep(now milliseconds: UInt64) {
        let passed = milliseconds > now ? milliseconds - now : 0
        now = milliseconds
        for link in byID.values {
            if passed > Limits.peerPauseMilliseconds { link.forgive(passed) }
            link.sweep()
        }
        for index in targets.indices {
            if let dial = targets[index].dial {
                if now > dial.deadline { dial.stream?.close() }
            } else if targets[index].link == nil, now >= targets[index].due {
                begin(index)
            }
        }
    }

    /// A link has something to read, or has ended.
    func list(_ link: PeerLink) { ready.append(link) }

    /// A link has something to write.
    func dirty(_ link: PeerLink) { dirtied.append(link) }

    /// A dial came to nothing; the service hears of it in the next turn.
    func note(failure address: [UInt8], _ why: PeerEnd) {
        counters.end(why)
        guard failures.count < Limits.peerTargets else { return }
        failures.append((address, why))
        loop.again()
    }

    private func tellFailures() {
        guard !failures.isEmpty else { return }
        var told: [(address: [UInt8], why: PeerEnd)] = []
        swap(&told, &failures)
        for failure in told { service.failed(address: failure.address, failure.why) }
    }

    private func closeDoors() {
        listener?.close()
        listener = nil
        for target in targets { target.dial?.stream?.close() }
        targets.removeAll()
    }
}

@available(*, unavailable) extension PeerServer: Sendable {}

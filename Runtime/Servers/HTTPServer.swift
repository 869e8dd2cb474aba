// An HTTP/1.1 server on one loop: connections in slots, a list of the ready, one sweep for all
// times.
//
// The server owns no turn. Its node calls `serveReady` and `flush` from the loop's turn, in between
// whatever machines have to step, so that a request parsed in this iteration is answered in it and
// every connection is written to once. Deadlines are compared by one sweep twice a second instead
// of a timer a connection: time is a number that the sweep sets, never read while parsing.

public import EventLoop
public import Wire

/// An HTTP server on one loop; framing only, policy is its service's.
public final class HTTPServer {
    /// What has been counted since the start.
    public internal(set) var counters = HTTPCounters()

    let service: any HTTPService
    let options: HTTPOptions
    let roster: Roster<HTTPConnection>

    private var ready: [HTTPConnection] = []
    private var serving: [HTTPConnection] = []
    private var budget = PeerBudget()

    /// Makes a server that listens nowhere yet.
    ///
    /// The loop keeps the server until `close`.
    /// - Parameter service: retained as long as the server is.
    public init(
        loop: Loop,
        service: any HTTPService,
        options: HTTPOptions = HTTPOptions()
    ) throws(LoopError) {
        self.service = service
        self.options = options
        let bounds = RosterBounds(
            connections: options.connections,
            perPeer: options.connectionsPerPeer,
            fromLoopback: options.connectionsFromLoopback
        )
        roster = Roster(loop, bounds)
        try roster.startTimer(every: options.sweepMilliseconds) { [self] in
            sweep(now: Clock.bootNanoseconds() / 1_000_000)
        }
    }

    /// Opens a door; may be called for several.
    ///
    /// - Parameter sharePort: other loops listen on the same port (see `Listener`).
    public func listen(host: String, port: Int, sharePort: Bool = false) throws(LoopError) {
        try roster.listen(host: host, port: port, sharePort: sharePort, owner: self)
    }

    /// The bound ports, in the order of `listen`.
    public var ports: [Int] { roster.ports }

    /// Serves every connection that has a whole request, or a piece of a body; part of the turn.
    public func serveReady() {
        guard !ready.isEmpty else { return }
        swap(&ready, &serving)
        for connection in serving { connection.serveReady() }
        serving.removeAll(keepingCapacity: true)
    }

    /// Writes to every connection that has answers; the end of the turn.
    public func flush() {
        roster.flush()
        if !ready.isEmpty { roster.loop.again() }
    }

    /// `serveReady` and `flush`, for a node that has nothing to do in between.
    public func turn() {
        serveReady()
        flush()
    }

    /// Answers a request that was promised `.later`; before `flush` in a turn.
    ///
    /// - Returns: false if the connection is gone; then `body` was not called.
    @discardableResult
    public func complete(_ exchange: Exchange, _ body: (inout HTTPAnswer) -> Void) -> Bool {
        guard let connection = waiting(exchange) else { return false }
        connection.complete(body)
        return true
    }

    /// Begins a streamed answer to a request that was promised `.later`, once its body has ended.
    ///
    /// `body` writes status and fields and ends with `HTTPAnswer.openStream`. Then `send` and, in
    /// the end, `finish`; or the service hears `abandoned`.
    /// - Returns: false if the connection is gone; then `body` was not called.
    @discardableResult
    public func begin(_ exchange: Exchange, _ body: (inout HTTPAnswer) -> Void) -> Bool {
        guard let connection = waiting(exchange) else { return false }
        connection.begin(body)
        return true
    }

    /// Sends a piece of a streamed answer, as a chunk; before `flush` in a turn.
    ///
    /// - Returns: false if the connection is gone, or if the writer should wait for `drained`; the
    ///   bytes are taken anyway.
    @discardableResult
    public func send(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Bool {
        waiting(exchange)?.send(bytes) ?? false
    }

    /// Ends the connection of a streamed answer that cannot be finished: without its last chunk no
    /// reader of HTTP/1.1 takes it for whole. The service hears `abandoned`.
    public func abort(_ exchange: Exchange) { waiting(exchange)?.abort() }

    /// Ends a streamed answer.
    public func finish(_ exchange: Exchange) { waiting(exchange)?.finish() }

    /// Has the rest of a body offered to a service that took less than it was offered.
    public func resume(_ exchange: Exchange) {
        waiting(exchange)?.resumeBody()
        if !ready.isEmpty { roster.loop.again() }
    }

    /// The peer's `address:port` as ASCII; nil if the connection is gone.
    public func peer(_ exchange: Exchange) -> [UInt8]? {
        roster.member(of: exchange)?.stream.peer
    }

    /// Whom the connection is counted against; nil if it is gone.
    public func peer(of exchange: Exchange) -> PeerKey? {
        roster.member(of: exchange)?.place.peer
    }

    /// Counts a fault that only the service can see, such as an invalid token, against the peer of
    /// an exchange, beside its malformed requests.
    ///
    /// - Returns: false if the peer is over its budget: answer as shortly as can be.
    public func spend(_ exchange: Exchange) -> Bool {
        spend(peer(of: exchange))
    }

    /// True after `drain`.
    public var isDraining: Bool { roster.isDraining }

    /// Stops accepting, ends idle connections, and lets each other one end with its next answer.
    public func drain() { roster.drain() }

    /// True once `drain` has nothing left to wait for.
    public var isDrained: Bool { isDraining && roster.open == 0 }

    /// Ends everything now. The close callbacks run with the loop.
    public func close() {
        roster.close()
        ready.removeAll()
    }

    /// Ends connections that are over time. The server's own timer calls it twice a second.
    ///
    /// - Parameter milliseconds: CLOCK_BOOTTIME; an argument, so that tests pass time by numbers.
    public func sweep(now milliseconds: UInt64) { roster.sweep(now: milliseconds) }

    private func waiting(_ exchange: Exchange) -> HTTPConnection? {
        guard let connection = roster.member(of: exchange), connection.awaits(exchange) else {
            return nil
        }
        return connection
    }
}

@available(*, unavailable) extension HTTPServer: Sendable {}

extension HTTPServer: ListenerOwner {
    /// Gives an accepted stream a place, or closes it.
    public func listener(_ listener: Listener, accepted stream: Stream) {
        switch roster.admit(stream) {
        case .full: counters.turnedAway += 1
        case .peerFull: counters.turnedAwayPeers += 1
        case .seated(let place):
            counters.accepted += 1
            counters.open += 1
            roster.seat(HTTPConnection(self, place, stream))
        }
    }
}

/// What connections ask of their server.
extension HTTPServer {
    /// Milliseconds of the last sweep.
    var now: UInt64 { roster.now }

    /// The time that lies this far ahead, seen from the last sweep, rounded up by one period.
    func after(_ milliseconds: UInt64) -> UInt64 { now + milliseconds + options.sweepMilliseconds }

    func list(_ connection: HTTPConnection) { ready.append(connection) }

    func forget(_ connection: HTTPConnection) {
        counters.open -= 1
        roster.forget(connection.place)
    }

    /// Counts a fault; true for who is not counted. A sweep's time is fine enough for 20 seconds.
    func spend(_ peer: PeerKey?) -> Bool {
        guard let peer, options.countsLoopbackFaults || !peer.isLoopback else { return true }
        return budget.spend(peer, now: now * 1_000_000)
    }
}

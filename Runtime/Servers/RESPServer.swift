// A RESP server on one loop, shaped as the HTTP server: slots, a list of the ready, one sweep.
//
// It owns no turn either: its node calls `serveReady` and `flush`. A turn is bounded twice, per
// connection by commands and over all connections by words, and what is over waits at the head of
// the list for the next turn; so a client that pipelines 10,000 addresses a command delays another
// client's single check by milliseconds, whatever their number.

public import EventLoop
public import Wire

/// A RESP2 and RESP3 server on one loop: framing and sessions; policy is its service's.
public final class RESPServer {
    /// What has been counted since the start.
    public internal(set) var counters = RESPCounters()

    let service: any RESPService
    let options: RESPOptions
    let roster: Roster<RESPConnection>

    private var ready: [RESPConnection] = []
    private var batch = RESPBatch()
    private var unfinishedBytes = 0

    /// Makes a server that listens nowhere yet.
    ///
    /// The loop keeps the server until `close`.
    /// - Parameter service: retained as long as the server is.
    public init(
        loop: Loop,
        service: any RESPService,
        options: RESPOptions = RESPOptions()
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

    /// Parses and serves what has come; part of the turn.
    public func serveReady() {
        guard !ready.isEmpty else { return }
        var serving: [RESPConnection] = []
        swap(&ready, &serving)
        var scratch = RESPBatch()
        swap(&batch, &scratch)
        var words = 0
        var served = 0
        while served < serving.count, words < Limits.wordsPerServerTurn {
            serving[served].serveReady(&scratch)
            words += scratch.words.count
            served += 1
        }
        swap(&batch, &scratch)
        serving.removeFirst(served)
        // Those who had no turn now are first in the next; their place is not lost to the busy.
        if serving.isEmpty { swap(&ready, &serving) }
        serving.append(contentsOf: ready)
        swap(&ready, &serving)
        if !ready.isEmpty { roster.loop.again() }
    }

    /// Writes to every connection that has replies; the end of the turn.
    public func flush() { roster.flush() }

    /// `serveReady` and `flush`, for a node that has nothing to do in between.
    public func turn() {
        serveReady()
        flush()
    }

    /// Gives all replies of a run that was promised `.later`; before `flush` in a turn.
    ///
    /// - Returns: false if the connection is gone; then `body` was not called.
    @discardableResult
    public func complete(_ exchange: Exchange, _ body: (inout RESPReplies) -> Void) -> Bool {
        guard let connection = roster.member(of: exchange), connection.awaits(exchange) else {
            return false
        }
        connection.complete(body)
        return true
    }

    /// The peer's `address:port` as ASCII; nil if the connection is gone.
    public func peer(_ exchange: Exchange) -> [UInt8]? {
        roster.member(of: exchange)?.stream.peer
    }

    /// True after `drain`.
    public var isDraining: Bool { roster.isDraining }

    /// Stops accepting, ends idle connections, and lets each other one end with its next replies.
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
}

@available(*, unavailable) extension RESPServer: Sendable {}

extension RESPServer: ListenerOwner {
    /// Gives an accepted stream a place, or closes it.
    public func listener(_ listener: Listener, accepted stream: Stream) {
        switch roster.admit(stream) {
        case .full: counters.turnedAway += 1
        case .peerFull: counters.turnedAwayPeers += 1
        case .seated(let place):
            counters.accepted += 1
            counters.open += 1
            let session = RESPSession(id: UInt64(counters.accepted))
            roster.seat(RESPConnection(self, place, session: session, stream))
        }
    }
}

/// What connections ask of their server.
extension RESPServer {
    /// Milliseconds of the last sweep.
    var now: UInt64 { roster.now }

    /// The time that lies this far ahead, seen from the last sweep, rounded up by one period.
    func after(_ milliseconds: UInt64) -> UInt64 { now + milliseconds + options.sweepMilliseconds }

    func list(_ connection: RESPConnection) { ready.append(connection) }

    func forget(_ connection: RESPConnection) {
        counters.open -= 1
        roster.forget(connection.place)
    }

    /// Counts what one connection keeps of an unfinished command.
    ///
    /// - Parameter kept: what it kept before; what it keeps now, if that is possible.
    /// - Returns: false if all connections together would keep too much.
    func keeps(_ bytes: Int, insteadOf kept: inout Int) -> Bool {
        let rest = unfinishedBytes - kept
        guard bytes <= kept || rest + bytes <= options.unfinishedBytes else { return false }
        unfinishedBytes = rest + bytes
        kept = bytes
        return true
    }
}

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
    /// True after `drain`.
    public private(set) var isDraining = false

    let service: any HTTPService
    let options: HTTPOptions
    /// Milliseconds of the last sweep.
    private(set) var now: UInt64

    private let loop: Loop
    private var timer: Timer?
    private var listeners: [Listener] = []
    private var slots: [HTTPConnection?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [UInt32] = []
    private var ready: [HTTPConnection] = []
    private var serving: [HTTPConnection] = []
    private var dirtied: [HTTPConnection] = []
    private var spare: [[UInt8]] = []

    /// Makes a server that listens nowhere yet.
    ///
    /// The loop keeps the server until `close`.
    /// - Parameter service: retained as long as the server is.
    public init(
        loop: Loop,
        service: any HTTPService,
        options: HTTPOptions = HTTPOptions()
    ) throws(LoopError) {
        self.loop = loop
        self.service = service
        self.options = options
        now = Clock.bootNanoseconds() / 1_000_000
        guard options.sweepMilliseconds > 0 else { return }
        let period = options.sweepMilliseconds
        timer = try Timer(on: loop, after: period, every: period) { [self] in
            sweep(now: Clock.bootNanoseconds() / 1_000_000)
        }
    }

    /// Opens a door; may be called for several.
    ///
    /// - Parameter sharePort: other loops listen on the same port (see `Listener`).
    public func listen(host: String, port: Int, sharePort: Bool = false) throws(LoopError) {
        let listener = try Listener(
            on: loop,
            host: host,
            port: port,
            sharePort: sharePort,
            owner: self
        )
        listeners.append(listener)
    }

    /// The bound ports, in the order of `listen`.
    public var ports: [Int] { listeners.map(\.port) }

    /// Serves every connection that has a whole request; part of the turn.
    public func serveReady() {
        guard !ready.isEmpty else { return }
        swap(&ready, &serving)
        for connection in serving { connection.serveReady() }
        serving.removeAll(keepingCapacity: true)
        if !ready.isEmpty { loop.again() }
    }

    /// Writes to every connection that has answers; the end of the turn.
    public func flush() {
        guard !dirtied.isEmpty else { return }
        var batch: [HTTPConnection] = []
        swap(&dirtied, &batch)
        for connection in batch { connection.flush() }
        batch.removeAll(keepingCapacity: true)
        if dirtied.isEmpty { swap(&dirtied, &batch) }
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
        guard let connection = connection(exchange), connection.awaits(exchange) else {
            return false
        }
        connection.complete(body)
        return true
    }

    /// The peer's `address:port` as ASCII; nil if the connection is gone.
    public func peer(_ exchange: Exchange) -> [UInt8]? {
        guard let connection = connection(exchange), connection.isNamed(by: exchange) else {
            return nil
        }
        return connection.stream.peer
    }

    /// Stops accepting, ends idle connections, and lets each other one end with its next answer.
    public func drain() {
        isDraining = true
        closeListeners()
        for connection in slots { connection?.drain() }
    }

    /// True once `drain` has nothing left to wait for.
    public var isDrained: Bool { isDraining && counters.open == 0 }

    /// Ends everything now. The close callbacks run with the loop.
    public func close() {
        isDraining = true
        closeListeners()
        timer?.close()
        timer = nil
        for connection in slots { connection?.stream.close() }
        ready.removeAll()
        dirtied.removeAll()
        spare.removeAll()
    }

    /// Ends connections that are over time. The server's own timer calls it twice a second.
    ///
    /// - Parameter milliseconds: CLOCK_BOOTTIME; an argument, so that tests pass time by numbers.
    public func sweep(now milliseconds: UInt64) {
        now = milliseconds
        for connection in slots { connection?.sweep() }
    }

    private func closeListeners() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
    }

    private func connection(_ exchange: Exchange) -> HTTPConnection? {
        exchange.slot < slots.count ? slots[Int(exchange.slot)] : nil
    }
}

@available(*, unavailable) extension HTTPServer: Sendable {}

extension HTTPServer: ListenerOwner {
    /// Gives an accepted stream a slot, or closes it.
    public func listener(_ listener: Listener, accepted stream: Stream) {
        guard counters.open < options.connections, !isDraining else {
            counters.turnedAway += 1
            return stream.close()
        }
        counters.accepted += 1
        counters.open += 1
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if slot == slots.count {
            slots.append(nil)
            generations.append(0)
        }
        generations[Int(slot)] &+= 1
        let connection = HTTPConnection(
            self,
            slot: slot,
            generation: generations[Int(slot)],
            stream
        )
        slots[Int(slot)] = connection
        stream.owner = connection
        stream.startReading()
    }
}

/// What connections ask of their server.
extension HTTPServer {
    /// The time that lies this far ahead, seen from the last sweep, rounded up by one period.
    func after(_ milliseconds: UInt64) -> UInt64 { now + milliseconds + options.sweepMilliseconds }

    func list(_ connection: HTTPConnection) { ready.append(connection) }

    func dirty(_ connection: HTTPConnection) { dirtied.append(connection) }

    func forget(_ slot: UInt32) {
        counters.open -= 1
        slots[Int(slot)] = nil
        freeSlots.append(slot)
    }

    func takeBuffer() -> [UInt8] { spare.popLast() ?? [] }

    func giveBuffer(_ buffer: consuming [UInt8]) {
        guard spare.count < Limits.spareBuffers, buffer.capacity <= Limits.spareBufferBytes,
            !isDraining
        else { return }
        spare.append(buffer)
    }
}

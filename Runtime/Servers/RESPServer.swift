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
    /// True after `drain`.
    public private(set) var isDraining = false

    let service: any RESPService
    let options: RESPOptions
    /// Milliseconds of the last sweep.
    private(set) var now: UInt64

    private let loop: Loop
    private var timer: Timer?
    private var listeners: [Listener] = []
    private var slots: [RESPConnection?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [UInt32] = []
    private var ready: [RESPConnection] = []
    private var dirtied: [RESPConnection] = []
    private var spare: [[UInt8]] = []
    private var batch = RESPBatch()

    /// Makes a server that listens nowhere yet.
    ///
    /// The loop keeps the server until `close`.
    /// - Parameter service: retained as long as the server is.
    public init(
        loop: Loop, service: any RESPService, options: RESPOptions = RESPOptions()
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
            on: loop, host: host, port: port, sharePort: sharePort, owner: self)
        listeners.append(listener)
    }

    /// The bound ports, in the order of `listen`.
    public var ports: [Int] { listeners.map(\.port) }

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
        if !ready.isEmpty { loop.again() }
    }

    /// Writes to every connection that has replies; the end of the turn.
    public func flush() {
        guard !dirtied.isEmpty else { return }
        var batch: [RESPConnection] = []
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

    /// Gives all replies of a run that was promised `.later`; before `flush` in a turn.
    ///
    /// - Returns: false if the connection is gone; then `body` was not called.
    @discardableResult
    public func complete(_ exchange: Exchange, _ body: (inout RESPReplies) -> Void) -> Bool {
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

    /// Stops accepting, ends idle connections, and lets each other one end with its next replies.
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

    private func connection(_ exchange: Exchange) -> RESPConnection? {
        exchange.slot < slots.count ? slots[Int(exchange.slot)] : nil
    }
}

@available(*, unavailable) extension RESPServer: Sendable {}

extension RESPServer: ListenerOwner {
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
        let connection = RESPConnection(
            self, slot: slot, generation: generations[Int(slot)],
            session: RESPSession(id: UInt64(counters.accepted)), stream)
        slots[Int(slot)] = connection
        stream.owner = connection
        stream.startReading()
    }
}

/// What connections ask of their server.
extension RESPServer {
    /// The time that lies this far ahead, seen from the last sweep, rounded up by one period.
    func after(_ milliseconds: UInt64) -> UInt64 { now + milliseconds + options.sweepMilliseconds }

    func list(_ connection: RESPConnection) { ready.append(connection) }

    func dirty(_ connection: RESPConnection) { dirtied.append(connection) }

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

// Where framing ends and policy begins: what a server asks of whoever knows the routes.
//
// The service sees a request as offsets into the connection's own bytes and appends its answer to
// the connection's own buffer; an answer that has to wait for a commit or a peer is promised with
// `.later` and given with an `Exchange`, which is a number, not a reference: it may travel to other
// threads and come back after its connection is gone, harmlessly.

public import Wire

/// Names one request of one connection of one server; a plain value.
public struct Exchange: Hashable, Sendable {
    let slot: UInt32
    /// Tells the slot's tenants apart; it never repeats within 2^32 connections of one slot.
    let generation: UInt32
    let request: UInt64
}

/// How a route takes its body.
public enum BodyPlan: Sendable {
    /// Collected, then served; more than `limit` bytes is answered 413. 1 GiB is the most.
    case whole(limit: Int)
    /// Handed over piece by piece, without bound. A request without a body is served all the same.
    case streamed
}

/// What a service did with a request.
public enum Disposition: Sendable {
    /// The answer is complete.
    case answered
    /// The answer comes with `HTTPServer.complete`; nothing was written yet.
    case later
}

/// Answers requests; all calls on the server's loop.
public protocol HTTPService: AnyObject {
    /// How this route takes its body, asked once the head is whole and a body follows.
    ///
    /// - Parameter bytes: where `head`'s offsets point; valid during the call only.
    func plan(head: borrowing RequestHead, bytes: Span<UInt8>) -> BodyPlan

    /// Answers a whole request, or promises to.
    ///
    /// - Parameters:
    ///   - bytes: where `head`'s offsets point; valid during the call only, also for `.later`.
    ///   - exchange: what `HTTPServer.complete` wants for `.later`.
    ///   - answer: to be completed for `.answered`, to be left empty for `.later`.
    func serve(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition

    /// Begins a request whose body is streamed; called in the turn, with the head only.
    ///
    /// - Returns: `.later`, and the body follows through `receive`; or `.answered`, a refusal: the
    ///   connection answers, drops the body and closes.
    func begin(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition

    /// Takes the next bytes of a body, without chunk framing; at most 64 KiB a connection a turn.
    ///
    /// The answer may be completed from here, early: the connection sends it, drops the rest of the
    /// body and closes.
    /// - Parameter bytes: valid during the call only.
    /// - Returns: bytes taken, from the first on. With fewer than all nothing more is offered until
    ///   `HTTPServer.resume`; while reading has stopped for that, the peer's end goes unnoticed.
    func receive(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Int

    /// The whole body was taken; called once, in the turn. The answer is owed from now on.
    func bodyEnded(_ exchange: Exchange)

    /// An exchange will never be answered: its connection ended or its framing broke.
    ///
    /// For every exchange that was begun streamed or whose answer is being streamed, at most once,
    /// and never after its answer was finished; at any time, also between turns.
    func abandoned(_ exchange: Exchange)

    /// A streamed answer may go on: less than 64 KiB of it wait now. In the turn, after a `send`
    /// that said false.
    func drained(_ exchange: Exchange)
}

/// For services that stream nothing.
extension HTTPService {
    /// A programmer error: the plan of a route says `.streamed`.
    public func begin(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        preconditionFailure("a service that plans streamed bodies begins them")
    }

    /// A programmer error, as `begin`.
    public func receive(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Int {
        preconditionFailure("a service that plans streamed bodies receives them")
    }

    /// A programmer error, as `begin`.
    public func bodyEnded(_ exchange: Exchange) {
        preconditionFailure("a service that plans streamed bodies hears of their end")
    }

    /// A programmer error: a service that streams lets go what nobody waits for.
    public func abandoned(_ exchange: Exchange) {
        preconditionFailure("a service that streams hears of ends")
    }

    /// Nothing to do.
    public func drained(_ exchange: Exchange) {}
}

/// What a server may be told to do differently. The defaults are the module's limits.
public struct HTTPOptions: Sendable {
    /// Connections at once; more are closed as they come.
    public var connections = Limits.connections
    /// Connections at once of one IPv4 address or IPv6 /56; more are closed as they come. A server
    /// counts by itself, so K loops allow K times as many.
    public var connectionsPerPeer = Limits.connectionsPerPeer
    /// The same for loopback, where proxies and load generators sit: no bound but `connections`.
    public var connectionsFromLoopback = Int.max
    /// Requests of one connection, which then closes with an answer.
    public var requestsPerConnection = Limits.requestsPerConnection
    /// Faults of peers on loopback are counted too; a proxy there would be one peer.
    public var countsLoopbackFaults = false
    /// Milliseconds between two looks at all deadlines; 0 leaves them to calls of `sweep`.
    public var sweepMilliseconds = Limits.sweepMilliseconds
    /// Milliseconds from a request's first byte to the end of its head.
    public var headMilliseconds = Limits.headMilliseconds
    /// Milliseconds from there to the end of its body, on top of the slowest rate.
    public var bodyMilliseconds = Limits.bodyMilliseconds
    /// Milliseconds of silence on a kept connection.
    public var idleMilliseconds = Limits.idleMilliseconds

    /// The defaults.
    public init() {}
}

/// What a server has counted since its start; a plain value to read at any time on its loop.
public struct HTTPCounters: Sendable {
    /// Connections taken.
    public var accepted = 0
    /// Connections closed at once because `HTTPOptions.connections` were open.
    public var turnedAway = 0
    /// Connections closed at once because their peer had its share.
    public var turnedAwayPeers = 0
    /// Connections closed without an answer because their peer was over its budget of faults.
    public var overBudget = 0
    /// Connections open now.
    public var open = 0
    /// Requests given to the service.
    public var requests = 0
    /// Bytes read from peers.
    public var receivedBytes = 0
    /// Bytes given to the kernel or queued for it.
    public var sentBytes = 0
    /// Connections that ended because their reader stalled.
    public var stalled = 0
    private var refusals = [Int](repeating: 0, count: HTTPRefusal.allCases.count)

    init() {}

    /// Requests refused for this cause.
    public func refused(_ cause: HTTPRefusal) -> Int { refusals[Int(cause.rawValue)] }

    /// Requests refused for any cause.
    public var refusedInAll: Int { refusals.reduce(0, +) }

    mutating func refuse(_ cause: HTTPRefusal) { refusals[Int(cause.rawValue)] += 1 }
}

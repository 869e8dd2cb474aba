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

/// What a service did with a request.
public enum Disposition: Sendable {
    /// The answer is complete.
    case answered
    /// The answer comes with `HTTPServer.complete`; nothing was written yet.
    case later
}

/// Answers requests; all calls on the server's loop.
public protocol HTTPService: AnyObject {
    /// The most bytes of body that this route takes, asked once the head is whole.
    ///
    /// - Parameter bytes: where `head`'s offsets point; valid during the call only.
    func bodyLimit(head: borrowing RequestHead, bytes: Span<UInt8>) -> Int

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
}

/// What a server may be told to do differently. The defaults are the module's limits.
public struct HTTPOptions: Sendable {
    /// Connections at once; more are closed as they come.
    public var connections = Limits.connections
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
    /// Connections open now.
    public var open = 0
    /// Whole requests given to the service.
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

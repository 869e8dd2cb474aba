// What a RESP server asks of whoever knows the keys and the sets.
//
// Pipelined commands come in runs, not one by one: 64 checks can be digested and their cache lines
// prefetched before the first is probed, which is twice as fast (measured). A run is of one
// connection and of one kind, reads or writes, so a promise for later stands for all of it; the
// server cuts it wherever it answers a command itself.

public import Wire

/// One command that the service answers; its number of words is already one that its name takes.
public struct RESPCommand: Sendable {
    /// One of those with `isServed`.
    public let name: RESPName
    /// Places in `RESPBatch.words` of what stands behind the name.
    public let words: Range<Int>
}

/// A run of 1 to 64 commands, all reads or all writes.
public struct RESPBatch: ~Copyable {
    /// The commands, in the order in which replies are owed.
    public internal(set) var commands: [RESPCommand] = []
    /// Places in the connection's bytes; index with a command's `words`.
    public internal(set) var words: [RESPWord] = []

    /// True for SADD and SREM.
    public var isWrite: Bool { !commands.isEmpty && commands[0].name.isWrite }
}

/// What is known of a connection; the service may change `principal`.
public struct RESPSession: Sendable {
    /// Given by `CLIENT ID`; never repeats in a server.
    public let id: UInt64
    /// 2 or 3, by HELLO.
    public internal(set) var version = 2
    /// Whom `authenticate` recognised. Set it to nil when that key is no longer good.
    public var principal: UInt64?
    /// By `CLIENT SETNAME`; empty without.
    public internal(set) var name: [UInt8] = []

    init(id: UInt64) { self.id = id }
}

/// Answers checks and writes; all calls on the server's loop.
public protocol RESPService: AnyObject {
    /// Tells whose key this is.
    ///
    /// - Parameters:
    ///   - user: the tenant's name; empty if only a key came.
    /// - Returns: a number that means something to the service, such as a slot and its generation;
    ///   nil for `-WRONGPASS`.
    func authenticate(user: Span<UInt8>, key: Span<UInt8>) -> UInt64?

    /// Answers a run, or promises to. The session has a principal.
    ///
    /// - Parameters:
    ///   - bytes: where the batch's words point; valid during the call only, also for `.later`.
    ///   - exchange: what `RESPServer.complete` wants for `.later`.
    ///   - replies: one a command, in order; to be left as they are for `.later`.
    func serve(
        batch: borrowing RESPBatch,
        bytes: Span<UInt8>,
        exchange: Exchange,
        session: inout RESPSession,
        into replies: inout RESPReplies
    ) -> Disposition
}

/// What a server may be told to do differently. The defaults are the module's limits.
public struct RESPOptions: Sendable {
    /// Connections at once; more are closed as they come.
    public var connections = Limits.connections
    /// Connections at once of one IPv4 address or IPv6 /56; more are closed as they come. A server
    /// counts by itself, so K loops allow K times as many.
    public var connectionsPerPeer = Limits.connectionsPerPeer
    /// The same for loopback, where proxies and load generators sit: no bound but `connections`.
    public var connectionsFromLoopback = Int.max
    /// Bytes of unfinished commands that all connections may keep together, beyond 4 KiB each; who
    /// would exceed it gets an error and is closed.
    public var unfinishedBytes = Limits.unfinishedBytes
    /// Milliseconds between two looks at all deadlines; 0 leaves them to calls of `sweep`.
    public var sweepMilliseconds = Limits.sweepMilliseconds
    /// Milliseconds from the connection to its AUTH.
    public var authMilliseconds = Limits.authMilliseconds
    /// Milliseconds from a command's first byte to its last, on top of the slowest rate.
    public var commandMilliseconds = Limits.commandMilliseconds
    /// Milliseconds of silence after AUTH.
    public var idleMilliseconds = Limits.respIdleMilliseconds
    /// What HELLO and INFO say.
    public var version = "0"

    /// The defaults.
    public init() {}
}

/// What a server has counted since its start; a plain value to read at any time on its loop.
public struct RESPCounters: Sendable {
    /// Connections taken.
    public var accepted = 0
    /// Connections closed at once because `RESPOptions.connections` were open.
    public var turnedAway = 0
    /// Connections closed at once because their peer had its share.
    public var turnedAwayPeers = 0
    /// Connections open now.
    public var open = 0
    /// Whole commands, of any kind.
    public var commands = 0
    /// Runs given to the service.
    public var batches = 0
    /// AUTH with a key that nobody has.
    public var wrongKeys = 0
    /// Bytes read from peers.
    public var receivedBytes = 0
    /// Bytes given to the kernel or queued for it.
    public var sentBytes = 0
    /// Connections that ended because their reader stalled.
    public var stalled = 0
    private var refusals = [Int](repeating: 0, count: RESPRefusal.allCases.count)

    init() {}

    /// Connections refused for this cause.
    public func refused(_ cause: RESPRefusal) -> Int { refusals[Int(cause.rawValue)] }

    /// Connections refused for any cause.
    public var refusedInAll: Int { refusals.reduce(0, +) }

    mutating func refuse(_ cause: RESPRefusal) { refusals[Int(cause.rawValue)] += 1 }
}

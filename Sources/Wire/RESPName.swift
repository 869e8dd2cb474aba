// The commands that Quell answers, with how many words each takes: their one home.
//
// Arity is counted as Redis counts it, name included; a command that is not here is unknown.

/// A command's name.
public enum RESPName: UInt8, CaseIterable, Sendable {
    /// `GET allow:stream:topic:address`
    case get
    /// `MGET key ...`
    case mget
    /// `EXISTS key ...`
    case exists
    /// `SISMEMBER stream:topic address`
    case sismember
    /// `SMISMEMBER stream:topic address ...`
    case smismember
    /// `SADD stream:topic address ...`
    case sadd
    /// `SREM stream:topic address ...`, which nobody may
    case srem
    /// `AUTH [tenant] key`
    case auth
    /// `HELLO [version [AUTH tenant key] [SETNAME name]]`
    case hello
    /// `PING [text]`
    case ping
    /// `ECHO text`
    case echo
    /// `CLIENT SETNAME|SETINFO|ID|GETNAME`
    case client
    /// `COMMAND [COUNT|DOCS ...]`
    case command
    /// `INFO [section ...]`
    case about
    /// `SELECT 0`
    case select
    /// `QUIT`
    case quit
    /// `RESET`
    case reset
    /// `POST` or `Host:`, which only HTTP says
    case crossProtocol
    /// Any other word
    case unknown

    /// The name that a word says, in either case.
    public init(_ word: RESPWord, in bytes: Span<UInt8>) {
        switch word.count {
        case 3: self = Self.among([.get], word, bytes)
        case 4:
            self = Self.among(
                [.mget, .sadd, .srem, .ping, .echo, .auth, .about, .quit, .crossProtocol],
                word, bytes)
        case 5:
            self = word.reads("host:", in: bytes)
                ? .crossProtocol : Self.among([.hello, .reset], word, bytes)
        case 6: self = Self.among([.exists, .client, .select], word, bytes)
        case 7: self = Self.among([.command], word, bytes)
        case 9: self = Self.among([.sismember], word, bytes)
        case 10: self = Self.among([.smismember], word, bytes)
        default: self = .unknown
        }
    }

    @inline(__always)
    private static func among<let count: Int>(
        _ names: InlineArray<count, RESPName>, _ word: RESPWord, _ bytes: Span<UInt8>
    ) -> RESPName {
        for index in names.indices where word.reads(names[index].text, in: bytes) {
            return names[index]
        }
        return .unknown
    }

    /// Asked of the service, not of the server.
    public var isServed: Bool { rawValue <= RESPName.srem.rawValue }

    /// Would change a set.
    public var isWrite: Bool { self == .sadd || self == .srem }

    /// Allowed before AUTH.
    public var isForStrangers: Bool {
        switch self {
        case .auth, .hello, .quit, .reset: true
        default: false
        }
    }

    /// True if the command may have this many words, its name included.
    public func takes(words count: Int) -> Bool {
        switch self {
        case .get, .echo, .select: count == 2
        case .sismember: count == 3
        case .mget, .exists, .client: count >= 2
        case .smismember, .sadd, .srem: count >= 3
        case .auth: count == 2 || count == 3
        case .ping: count <= 2
        case .reset: count == 1
        case .hello, .command, .about, .quit, .crossProtocol, .unknown: true
        }
    }

    /// The name in lower case, as errors quote it.
    public var text: StaticString {
        switch self {
        case .get: "get"
        case .mget: "mget"
        case .exists: "exists"
        case .sismember: "sismember"
        case .smismember: "smismember"
        case .sadd: "sadd"
        case .srem: "srem"
        case .auth: "auth"
        case .hello: "hello"
        case .ping: "ping"
        case .echo: "echo"
        case .client: "client"
        case .command: "command"
        case .about: "info"
        case .select: "select"
        case .quit: "quit"
        case .reset: "reset"
        case .crossProtocol: "post"
        case .unknown: "unknown"
        }
    }
}

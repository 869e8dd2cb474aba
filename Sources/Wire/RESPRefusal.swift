// Every way in which RESP framing fails, in the words that Redis uses where it has any.
//
// The connection ends after each: a length that is in doubt makes every later byte ambiguous.

/// Why a connection was refused by RESP framing.
public enum RESPRefusal: UInt8, CaseIterable, Sendable {
    /// `*` without a plain number from 1 up.
    case arrayLength
    /// More words than the bounds allow.
    case elements
    /// An element of a command that is no bulk string.
    case notBulk
    /// `$` without a plain number from 0 up.
    case bulkLength
    /// A word over the bounds.
    case bulkSize
    /// A bulk string that does not end where its length says.
    case bulkEnd
    /// A whole command over the bounds.
    case commandSize
    /// A line that is no command: its first byte is neither `*` nor a letter.
    case notCommand
    /// An inline command over its bound.
    case inlineSize
    /// A control byte or a quote in an inline command.
    case inlineByte
    /// Over a bound before AUTH.
    case stranger
    /// An HTTP request: a browser that was sent here by a hostile page. No reply, it would be read.
    case crossProtocol
    /// The command did not come in time.
    case commandTime
    /// No AUTH in time.
    case authTime
    /// All connections together hold too much of commands that are not whole.
    case unfinished

    /// What to reply; nil where the connection ends without a word.
    public var reply: StaticString? {
        switch self {
        case .arrayLength: "ERR Protocol error: invalid multibulk length"
        case .elements: "ERR Protocol error: invalid multibulk length, at most 10002"
        case .notBulk: "ERR Protocol error: expected '$'"
        case .bulkLength: "ERR Protocol error: invalid bulk length"
        case .bulkSize: "ERR Protocol error: invalid bulk length, at most 4096"
        case .bulkEnd: "ERR Protocol error: a bulk string ends with CR LF after its length"
        case .commandSize: "ERR Protocol error: too big mbulk count string, at most 4 MiB"
        case .notCommand: "ERR Protocol error: expected '*' or a command"
        case .inlineSize: "ERR Protocol error: too big inline request"
        case .inlineByte: "ERR Protocol error: send quotes and control bytes as bulk strings"
        case .stranger: "ERR Protocol error: unauthenticated multibulk length"
        case .commandTime: "ERR Protocol error: the command took too long to come"
        case .unfinished: "ERR too many large commands are arriving at once; send smaller ones"
        case .crossProtocol, .authTime: nil
        }
    }
}

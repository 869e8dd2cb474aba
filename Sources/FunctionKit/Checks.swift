// What a check function is asked: messages that the node itself would allow, many at a time.

public import Suppression

/// One message that would be allowed.
public struct CheckItem: Equatable, Sendable {
    /// Stream and topic of the message.
    public let scope: Scope
    /// To whom.
    public let recipient: Recipient
    /// What the stream carries.
    public let streamClass: StreamClass

    /// Asks about one message.
    public init(scope: Scope, recipient: Recipient, streamClass: StreamClass) {
        self.scope = scope
        self.recipient = recipient
        self.streamClass = streamClass
    }
}

/// What leaves the node: a function may turn allow into deny and nothing else (DESIGN 9).
///
/// Whatever a function answers about a message that the node denies or cannot know is ignored.
public func tightened(_ host: Decision, by function: Decision) -> Decision {
    guard host == .allow else { return host }
    return function == .allow ? .allow : .deny
}

// Who and where: the fixed-size names that every other part speaks.
//
// A recipient is never an address here, only the first 16 bytes of an HMAC under the tenant's
// pepper (DESIGN 2), so nothing below this line can leak one. Names of tenants, streams and topics
// are hashed into ids once (DESIGN 8), which is why two sides of a partition that create the same
// topic agree.

/// A legal sender: the unit of hard isolation (own pepper, keys, quotas).
public struct TenantID: Hashable, Comparable, Sendable {
    /// The leading 64 bits of SHA-256 of the tenant's name; never 0.
    public let raw: UInt64

    /// Wraps an id that a register or a decoder vouches for.
    public init(raw: UInt64) { self.raw = raw }

    /// Orders by number, as the keys on disk do.
    public static func < (a: TenantID, b: TenantID) -> Bool { a.raw < b.raw }
}

/// A class of mail of a tenant; 0 stands for `*`, every stream.
public struct StreamID: Hashable, Comparable, Sendable {
    /// The leading 32 bits of SHA-256 of tenant and name; 0 is `*`.
    public let raw: UInt32

    /// Wraps an id that a register or a decoder vouches for.
    public init(raw: UInt32) { self.raw = raw }

    /// Every stream of the tenant.
    public static let any = StreamID(raw: 0)

    /// Orders by number, as the keys on disk do.
    public static func < (a: StreamID, b: StreamID) -> Bool { a.raw < b.raw }
}

/// A list inside a stream; 0 stands for `*`, every topic.
public struct TopicID: Hashable, Comparable, Sendable {
    /// The leading 32 bits of SHA-256 of tenant, stream and name; 0 is `*`.
    public let raw: UInt32

    /// Wraps an id that a register or a decoder vouches for.
    public init(raw: UInt32) { self.raw = raw }

    /// Every topic of the stream.
    public static let any = TopicID(raw: 0)

    /// Orders by number, as the keys on disk do.
    public static func < (a: TopicID, b: TopicID) -> Bool { a.raw < b.raw }
}

/// The width of a suppression: one topic, one stream, or the whole tenant.
public struct Scope: Hashable, Comparable, Sendable {
    /// The stream, or `.any` for the whole tenant.
    public let stream: StreamID
    /// The topic, or `.any` for the whole stream.
    public let topic: TopicID

    /// A topic is only named inside a stream, so stream `*` always means topic `*`.
    public init(stream: StreamID, topic: TopicID) {
        self.stream = stream
        self.topic = stream == .any ? .any : topic
    }

    /// The whole tenant.
    public static let tenant = Scope(stream: .any, topic: .any)

    /// 0 for one topic, 1 for a stream, 2 for the tenant.
    public var width: Int { stream == .any ? 2 : topic == .any ? 1 : 0 }

    /// Orders as the keys on disk do, so the widest scope comes first.
    public static func < (a: Scope, b: Scope) -> Bool {
        (a.stream, a.topic) < (b.stream, b.topic)
    }
}

/// The 16-byte keyed digest that stands for one person at one tenant.
///
/// HMAC-SHA-256(tenant pepper, "c1" | canonical address), first 16 bytes: accidental collision
/// among 10^9 people has odds near 1.5e-21.
public struct Recipient: Hashable, Comparable, Sendable {
    /// Bytes 0 to 7, big-endian.
    public let high: UInt64
    /// Bytes 8 to 15, big-endian.
    public let low: UInt64

    /// Takes the two big-endian halves of the digest.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Orders as the bytes do.
    public static func < (a: Recipient, b: Recipient) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }
}

/// A person at a tenant: the prefix that all marks of one recipient share, so one seek reads them
/// all.
public struct Person: Hashable, Comparable, Sendable {
    /// The legal sender.
    public let tenant: TenantID
    /// The keyed digest under that sender's pepper.
    public let recipient: Recipient

    /// Pairs a tenant with a digest made under its pepper.
    public init(tenant: TenantID, recipient: Recipient) {
        self.tenant = tenant
        self.recipient = recipient
    }

    /// Orders as the keys on disk do.
    public static func < (a: Person, b: Person) -> Bool {
        (a.tenant, a.recipient) < (b.tenant, b.recipient)
    }
}

/// A node: random 64 bits, made once per data directory.
public struct NodeID: Hashable, Comparable, Sendable {
    /// The random bits; 0 names no node.
    public let raw: UInt64

    /// Wraps bits read from a data directory or a frame.
    public init(raw: UInt64) { self.raw = raw }

    /// Orders by number.
    public static func < (a: NodeID, b: NodeID) -> Bool { a.raw < b.raw }
}

/// One life of a node: persisted counter (high 32 bits) | fresh random (low 32 bits).
///
/// The random half is there because a restored backup repeats the counter (DESIGN 5, Identity).
public struct Epoch: Hashable, Comparable, Sendable {
    /// Counter and random half together.
    public let raw: UInt64

    /// Wraps a stored or received epoch.
    public init(raw: UInt64) { self.raw = raw }

    /// Builds an epoch from its two halves.
    public init(counter: UInt32, random: UInt32) {
        raw = UInt64(counter) << 32 | UInt64(random)
    }

    /// How many times the directory was started when this life began.
    public var counter: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) }

    /// Orders by counter first.
    public static func < (a: Epoch, b: Epoch) -> Bool { a.raw < b.raw }
}

/// A node in one of its lives: where sequence numbers are counted.
public struct Origin: Hashable, Comparable, Sendable {
    /// The node that minted.
    public let node: NodeID
    /// Its life at that time.
    public let epoch: Epoch

    /// Pairs a node with one of its lives.
    public init(node: NodeID, epoch: Epoch) {
        self.node = node
        self.epoch = epoch
    }

    /// Orders by node, then life.
    public static func < (a: Origin, b: Origin) -> Bool {
        (a.node, a.epoch) < (b.node, b.epoch)
    }
}

/// The identity of one write: (origin node, epoch, seq). Never minted twice.
public struct Dot: Hashable, Comparable, Sendable {
    /// Node and life that minted it.
    public let origin: Origin
    /// 1, 2, 3, ... within the origin; spent when minted, durable or not.
    public let sequence: UInt64

    /// Names one write.
    public init(origin: Origin, sequence: UInt64) {
        self.origin = origin
        self.sequence = sequence
    }

    /// Names no write: node 0 is nobody, and numbers begin at 1.
    public static let none = Dot(
        origin: Origin(node: NodeID(raw: 0), epoch: Epoch(raw: 0)),
        sequence: 0
    )

    /// Orders by origin, then sequence.
    public static func < (a: Dot, b: Dot) -> Bool {
        (a.origin, a.sequence) < (b.origin, b.sequence)
    }
}

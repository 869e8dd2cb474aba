// What nodes tell each other about each other, and its bytes in a sealed packet.
//
//     version u8 | kind u8 | number u32 | subject u64 | hash u64 | held u64 | count u8 | records
//
//     kind      number, subject                       who says it
//     1 ping    of the probe, who should answer       whoever probes, or a relay
//     2 ack     as in the ping, who answers           who was pinged; a relay passes it on
//     3 request as in the ping, whom to ping          whoever probes, to a relay
//     4 nack    as in the request, who is silent      a relay
//     5 news    0, 0                                  anybody
//
// Version 2 is a ping or an ack with `held`, a hash of what the sender has committed (DESIGN 7);
// all else is version 1 and has no such field, and who speaks version 1 is sent nothing else.
//
//     record: node u64 | epoch u64 | incarnation u64 | state u8 | holds u8 | accuser u64, 0 nobody
//             | name | zone | region | address        each a u16 length and that many bytes
//
// A member of the cluster has sealed it, and each field is checked all the same before it is
// believed: one flipped bit in one node must not become everybody's truth. The member book on disk
// is `version u8 = 1 | incarnation u64 | count u16 | records`.

public import Suppression

/// One packet.
public struct MemberPacket: Equatable, Sendable {
    /// What it is for; every kind carries records as well.
    public enum Kind: UInt8, Sendable {
        /// Do you answer?
        case ping = 1
        /// Yes; or, from a relay: it does.
        case ack
        /// Ping this one in my place.
        case request
        /// It did not answer me either.
        case nack
        /// Records alone.
        case news

        /// Whether it may say what the sender holds.
        var isOfProbe: Bool { self == .ping || self == .ack }
    }

    /// Before the records, without `held`.
    static let headBytes = 23
    /// The same with it.
    static let headMostBytes = headBytes + 8
    /// The first version of the protocol that has `held`.
    public static let heldVersion: UInt16 = 2

    /// What it is for.
    public let kind: Kind
    /// Names the probe; 0 in news.
    public let number: UInt32
    /// Whom the probe is about; none (0) in news.
    public let subject: NodeID
    /// Over the sender's table: equal tables have equal hashes.
    public let hash: UInt64
    /// Over the set of writes that the sender has committed; nil where that is not said.
    public let held: UInt64?
    /// What the sender tells, most urgent first.
    public let records: [MemberRecord]

    /// A packet.
    public init(
        _ kind: Kind,
        number: UInt32 = 0,
        subject: NodeID = NodeID(raw: 0),
        hash: UInt64,
        held: UInt64? = nil,
        records: [MemberRecord]
    ) {
        self.kind = kind
        self.number = number
        self.subject = subject
        self.hash = hash
        self.held = kind.isOfProbe ? held : nil
        self.records = records
    }

    /// Appends the whole packet.
    ///
    /// - Parameter version: of the protocol, as the receiver speaks it.
    public func encode(into out: inout [UInt8], version: UInt16 = heldVersion) {
        let said = version < MemberPacket.heldVersion ? nil : held
        out.append(said == nil ? 1 : 2)
        out.append(kind.rawValue)
        out.append(bigEndian: number)
        out.append(bigEndian: subject.raw)
        out.append(bigEndian: hash)
        if let said { out.append(bigEndian: said) }
        out.append(UInt8(records.count))
        for record in records { record.encode(into: &out) }
    }

    /// Reads one packet that fills all of `bytes`.
    public init(decoding bytes: Span<UInt8>) throws(DecodeError) {
        guard bytes.count <= Limits.memberPacketBytes else { throw .malformed }
        var cursor = ByteCursor()
        let version = try cursor.u8(bytes)
        guard version == 1 || version == 2, let kind = Kind(rawValue: try cursor.u8(bytes)),
            version == 1 || kind.isOfProbe
        else { throw .malformed }
        self.kind = kind
        number = try cursor.u32(bytes)
        subject = NodeID(raw: try cursor.u64(bytes))
        hash = try cursor.u64(bytes)
        held = version == 1 ? nil : try cursor.u64(bytes)
        let count = Int(try cursor.u8(bytes))
        guard count <= Limits.memberRecordsCount else { throw .malformed }
        guard (kind == .news) == (number == 0), (kind == .news) == (subject.raw == 0)
        else { throw .malformed }
        var records: [MemberRecord] = []
        for _ in 0..<count { records.append(try MemberRecord(bytes, at: &cursor)) }
        guard cursor.offset == bytes.count else { throw .malformed }
        self.records = records
    }
}

/// What a node remembers of the cluster from one life to the next.
public struct MemberBook: Equatable, Sendable {
    /// Its own incarnation; the next life begins above it.
    public let incarnation: UInt64
    /// The others.
    public let records: [MemberRecord]

    /// A book.
    public init(incarnation: UInt64, records: [MemberRecord]) {
        self.incarnation = incarnation
        self.records = records
    }

    /// Appends the whole book.
    public func encode(into out: inout [UInt8]) {
        out.append(1)
        out.append(bigEndian: incarnation)
        out.append(bigEndian: UInt16(records.count))
        for record in records { record.encode(into: &out) }
    }

    /// Reads one book that fills all of `bytes`.
    public init(decoding bytes: Span<UInt8>) throws(DecodeError) {
        var cursor = ByteCursor()
        guard try cursor.u8(bytes) == 1 else { throw .malformed }
        incarnation = try cursor.u64(bytes)
        let count = Int(try cursor.u16(bytes))
        guard incarnation < MemberRecord.incarnationEnd, count <= Limits.membersCount
        else { throw .malformed }
        var records: [MemberRecord] = []
        for _ in 0..<count { records.append(try MemberRecord(bytes, at: &cursor)) }
        guard cursor.offset == bytes.count else { throw .malformed }
        self.records = records
    }
}

extension MemberRecord {
    /// Beyond every incarnation: a jump a second for a century.
    static let incarnationEnd: UInt64 = 1 << 63

    /// Bytes that it takes in a packet.
    var encodedCount: Int {
        34 + texts.reduce(0) { $0 + 2 + $1.utf8.count }
    }

    private var texts: [String] { [facts.name, facts.zone, facts.region, facts.address] }

    func encode(into out: inout [UInt8]) {
        out.append(bigEndian: node.raw)
        out.append(bigEndian: facts.origin.epoch.raw)
        out.append(bigEndian: incarnation)
        out.append(state.rawValue)
        out.append(facts.holds.rawValue)
        out.append(bigEndian: accuser?.raw ?? 0)
        for text in texts { out.append(field: Array(text.utf8)) }
    }

    init(_ bytes: Span<UInt8>, at cursor: inout ByteCursor) throws(DecodeError) {
        let node = NodeID(raw: try cursor.u64(bytes))
        let epoch = Epoch(raw: try cursor.u64(bytes))
        let incarnation = try cursor.u64(bytes)
        let state = MemberState(rawValue: try cursor.u8(bytes))
        let holds = Holding(rawValue: try cursor.u8(bytes))
        let accuser = NodeID(raw: try cursor.u64(bytes))
        let name = try cursor.word(bytes)
        let zone = try cursor.word(bytes)
        let region = try cursor.word(bytes)
        let address = try cursor.field(bytes, limit: Limits.memberAddressBytes)
        guard node.raw != 0, epoch.raw != 0, let state, let holds, !name.isEmpty,
            incarnation > 0, incarnation < MemberRecord.incarnationEnd,
            state.isAccusation == (accuser.raw != 0), accuser != node,
            MemberRecord.isAddress(address)
        else { throw .malformed }
        let facts = MemberFacts(
            origin: Origin(node: node, epoch: epoch),
            name: name,
            zone: zone,
            region: region,
            address: String(decoding: address, as: UTF8.self),
            holds: holds
        )
        self.init(
            facts,
            incarnation: incarnation,
            state: state,
            accuser: state.isAccusation ? accuser : nil
        )
    }

    /// `host:port`, a port that can be dialed, and no byte that a host cannot have.
    static func isAddress(_ bytes: [UInt8]) -> Bool {
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        let digits = bytes[(colon + 1)...]
        guard (1...5).contains(digits.count), digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { return false }
        let port = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return (1...65_535).contains(port) && bytes[..<colon].allSatisfy(isHostByte)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: Array(".:-[]%".utf8).contains(byte)
        }
    }
}

extension ByteCursor {
    /// A name, as links check it: printable ASCII without blanks; may be empty.
    fileprivate mutating func word(_ bytes: Span<UInt8>) throws(DecodeError) -> String {
        let word = try field(bytes, limit: Limits.nameBytes)
        guard word.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .malformed }
        return String(decoding: word, as: UTF8.self)
    }
}

// What registers say: tenants, streams, topics, keys, and the secrets that a cluster keeps for
// itself.
//
//     register name                        value, in fields of 16-bit length
//     tenant/T                             name | sealed pepper
//     stream/T/S                           name | class u8
//     topic/T/S/P                          name
//     key/T/NAME                           hash 32 B | scopes u16
//     token-key/T/K                        created u64 seconds | sealed master
//     admin/PUBLICKEY                      hash 32 B of the bearer text
//     cluster/secret                       sealed secret
//     voters                               as in Voters.swift
//     format                               u16: written on every disk from now on (upgrade)
//     deployer/PUBLICKEY                   name
//     function/NAME                        digest 0 or 32 B | previous digest 0 or 32 B
//
// T, S, P, K are ids in hex. Secrets lie here only sealed (DESIGN 8). `final` on a register means
// deleted or revoked, for ever; the value stays, because old links and old marks still point at it.

public import Suppression

/// What an API key may do.
public struct KeyScopes: OptionSet, Equatable, Sendable {
    /// One bit a scope, as on disk.
    public let rawValue: UInt16

    /// Wraps stored bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Ask.
    public static let check = KeyScopes(rawValue: 1)
    /// Write suppressions, and read what stands against an address.
    public static let suppress = KeyScopes(rawValue: 2)
    /// Lift, with evidence.
    public static let consent = KeyScopes(rawValue: 4)
    /// Bulk writes.
    public static let bulkImport = KeyScopes(rawValue: 8)
    /// Bulk reads.
    public static let export = KeyScopes(rawValue: 16)
    /// Mint links.
    public static let link = KeyScopes(rawValue: 32)

    /// Every scope with its word.
    public static let words: [(scope: KeyScopes, word: String)] = [
        (.check, "check"), (.suppress, "suppress"), (.consent, "consent"),
        (.bulkImport, "import"), (.export, "export"), (.link, "link"),
    ]

    /// All of them.
    public static let all = KeyScopes(rawValue: 63)

    /// Reads words; nil when one is unknown or none is given.
    public init?(words: [String]) {
        var scopes: KeyScopes = []
        for word in words {
            guard let known = KeyScopes.words.first(where: { $0.word == word }) else { return nil }
            scopes.formUnion(known.scope)
        }
        guard !scopes.isEmpty else { return nil }
        self = scopes
    }

    /// The words, in a fixed order.
    public var words: [String] { KeyScopes.words.filter { contains($0.scope) }.map(\.word) }
}

/// A register with its meaning.
public enum Setting: Equatable, Sendable {
    /// A legal sender; the pepper is sealed under the cluster secret.
    case tenant(TenantID, name: String, sealedPepper: [UInt8])
    /// A class of mail.
    case stream(TenantID, StreamID, name: String, streamClass: StreamClass)
    /// A list inside a stream.
    case topic(TenantID, StreamID, TopicID, name: String)
    /// An API key by the hash of its text.
    case key(TenantID, name: String, hash: [UInt8], scopes: KeyScopes)
    /// A master from which link-token keys are derived, sealed under the cluster secret.
    case tokenKey(TenantID, id: UInt32, createdSeconds: UInt64, sealedMaster: [UInt8])
    /// An admin, by public key and by the hash of the bearer text.
    case admin(publicKey: [UInt8], hash: [UInt8])
    /// The cluster secret, sealed under the cluster key.
    case clusterSecret(sealed: [UInt8])
    /// The voters in force.
    case voters(VoterSet)
    /// The format of disks that every member reads.
    case format(UInt16)
    /// Somebody whose signature makes an artifact worth running, by public key.
    case deployer(publicKey: [UInt8], name: String)
    /// The version of a function that serves.
    case function(Activation)

    /// The register that names the voters.
    static let votersName = Array("voters".utf8)

    /// The name of the register that holds it.
    public var registerName: [UInt8] {
        let text =
            switch self {
            case .tenant(let tenant, _, _): "tenant/" + hex(tenant.raw)
            case .stream(let tenant, let stream, _, _):
                "stream/" + hex(tenant.raw) + "/" + hex(stream.raw)
            case .topic(let tenant, let stream, let topic, _):
                "topic/" + hex(tenant.raw) + "/" + hex(stream.raw) + "/" + hex(topic.raw)
            case .key(let tenant, let name, _, _): "key/" + hex(tenant.raw) + "/" + name
            case .tokenKey(let tenant, let id, _, _): "token-key/" + hex(tenant.raw) + "/" + hex(id)
            case .admin(let publicKey, _): "admin/" + publicKey.map { hex($0) }.joined()
            case .clusterSecret: "cluster/secret"
            case .voters: String(decoding: Setting.votersName, as: UTF8.self)
            case .format: "format"
            case .deployer(let publicKey, _):
                "deployer/" + publicKey.map { hex($0) }.joined()
            case .function(let activation): "function/" + activation.name
            }
        return Array(text.utf8)
    }

    /// The bytes of the register's value.
    public var value: [UInt8] {
        var out: [UInt8] = []
        switch self {
        case .tenant(let tenant, let name, let pepper):
            out.append(bigEndian: tenant.raw)
            out.append(field: Array(name.utf8))
            out.append(field: pepper)
        case .stream(let tenant, let stream, let name, let streamClass):
            out.append(bigEndian: tenant.raw)
            out.append(bigEndian: stream.raw)
            out.append(field: Array(name.utf8))
            out.append(streamClass.rawValue)
        case .topic(let tenant, let stream, let topic, let name):
            out.append(bigEndian: tenant.raw)
            out.append(bigEndian: stream.raw)
            out.append(bigEndian: topic.raw)
            out.append(field: Array(name.utf8))
        case .key(let tenant, let name, let hash, let scopes):
            out.append(bigEndian: tenant.raw)
            out.append(field: Array(name.utf8))
            out.append(field: hash)
            out.append(bigEndian: scopes.rawValue)
        case .tokenKey(let tenant, let id, let createdSeconds, let master):
            out.append(bigEndian: tenant.raw)
            out.append(bigEndian: id)
            out.append(bigEndian: createdSeconds)
            out.append(field: master)
        case .admin(let publicKey, let hash):
            out.append(field: publicKey)
            out.append(field: hash)
        case .clusterSecret(let sealed): out.append(field: sealed)
        case .voters(let voters): voters.encode(into: &out)
        case .format(let format): out.append(bigEndian: format)
        case .deployer(let publicKey, let name):
            out.append(field: publicKey)
            out.append(field: Array(name.utf8))
        case .function(let activation):
            out.append(field: Array(activation.name.utf8))
            out.append(field: activation.digest?.bytes ?? [])
            out.append(field: activation.previous?.bytes ?? [])
            activation.encodeTrial(into: &out)
        }
        return out
    }

    /// Reads a register; nil for a kind that this version does not know, which it keeps all the
    /// same.
    public init?(_ register: Register) throws(DecodeError) {
        let kind = register.name.prefix { $0 != UInt8(ascii: "/") }
        var cursor = ByteCursor()
        let bytes = register.value.span
        switch String(decoding: kind, as: UTF8.self) {
        case "tenant":
            let tenant = TenantID(raw: try cursor.u64(bytes))
            self = .tenant(
                tenant,
                name: try cursor.name(bytes),
                sealedPepper: try cursor.secret(bytes)
            )
        case "stream":
            let tenant = TenantID(raw: try cursor.u64(bytes))
            let stream = StreamID(raw: try cursor.u32(bytes))
            let name = try cursor.name(bytes)
            // A class of a newer version blocks the most (DESIGN 8).
            let streamClass = StreamClass(rawValue: try cursor.u8(bytes)) ?? .marketing
            self = .stream(tenant, stream, name: name, streamClass: streamClass)
        case "topic":
            let tenant = TenantID(raw: try cursor.u64(bytes))
            let stream = StreamID(raw: try cursor.u32(bytes))
            let topic = TopicID(raw: try cursor.u32(bytes))
            self = .topic(tenant, stream, topic, name: try cursor.name(bytes))
        case "key":
            let tenant = TenantID(raw: try cursor.u64(bytes))
            let name = try cursor.name(bytes)
            let hash = try cursor.secret(bytes)
            let scopes = KeyScopes(rawValue: try cursor.u16(bytes))
            self = .key(tenant, name: name, hash: hash, scopes: scopes)
        case "token-key":
            let tenant = TenantID(raw: try cursor.u64(bytes))
            let id = try cursor.u32(bytes)
            let created = try cursor.u64(bytes)
            self = .tokenKey(
                tenant,
                id: id,
                createdSeconds: created,
                sealedMaster: try cursor.secret(bytes)
            )
        case "admin":
            let publicKey = try cursor.secret(bytes)
            self = .admin(publicKey: publicKey, hash: try cursor.secret(bytes))
        case "cluster": self = .clusterSecret(sealed: try cursor.secret(bytes))
        case "voters": self = .voters(try VoterSet(bytes, at: &cursor))
        case "format": self = .format(try cursor.u16(bytes))
        case "deployer":
            let publicKey = try cursor.secret(bytes)
            self = .deployer(publicKey: publicKey, name: try cursor.name(bytes))
        case "function":
            let name = try cursor.name(bytes)
            let digest = ArtifactDigest(try cursor.secret(bytes))
            let previous = ArtifactDigest(try cursor.secret(bytes))
            let plain = Activation(name: name, digest: digest, previous: previous)
            self = .function(try plain.decodingTrial(bytes, at: &cursor))
        default: return nil
        }
    }
}

extension ByteCursor {
    mutating func name(_ bytes: Span<UInt8>) throws(DecodeError) -> String {
        String(decoding: try field(bytes, limit: Limits.nameBytes), as: UTF8.self)
    }

    /// Hashes, public keys and sealed secrets: all of them below 128 bytes.
    fileprivate mutating func secret(_ bytes: Span<UInt8>) throws(DecodeError) -> [UInt8] {
        try field(bytes, limit: 128)
    }
}

private func hex<N: FixedWidthInteger & UnsignedInteger>(_ value: N) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: N.bitWidth / 4 - digits.count) + digits
}

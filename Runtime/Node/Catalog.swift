// The catalog: what the registers add up to, ready for a serving loop to look things up in.
//
// The node loop builds a fresh one whenever a register changes and posts it to every loop before
// the change is acknowledged. It never changes after that, so loops read it without a lock. Secrets
// are opened here and live in memory only.

import Address
import Cluster
import Storage
import Suppression
import Token

/// A topic of a stream.
struct KnownTopic: Sendable {
    let id: TopicID
    let name: [UInt8]
    let isDeleted: Bool
}

/// A stream of a tenant.
struct KnownStream: Sendable {
    let id: StreamID
    let name: [UInt8]
    let streamClass: StreamClass
    let isDeleted: Bool
    var topics: NameTable<KnownTopic> = NameTable()
}

/// An API key.
struct KnownKey: Sendable {
    let tenant: TenantID
    let name: String
    let hash: [UInt8]
    let scopes: KeyScopes
    let isRevoked: Bool
}

/// Somebody who deploys functions.
struct KnownDeployer: Sendable {
    let publicKey: [UInt8]
    let name: String
    let isRevoked: Bool
}

/// A legal sender with everything that its requests need.
struct KnownTenant: Sendable {
    let id: TenantID
    let name: [UInt8]
    let isDeleted: Bool
    let digester: Digester
    var ring: TokenKeyRing
    var streams: NameTable<KnownStream> = NameTable()

    /// The words for a scope, `*` for a wildcard; nil for an id that no register names.
    func words(of scope: Scope) -> (stream: [UInt8], topic: [UInt8])? {
        let star = [UInt8(ascii: "*")]
        if scope.stream == .any { return (star, star) }
        guard let stream = streams.first(where: { $0.id == scope.stream }) else { return nil }
        if scope.topic == .any { return (stream.name, star) }
        guard let topic = stream.topics.first(where: { $0.id == scope.topic }) else { return nil }
        return (stream.name, topic.name)
    }
}

/// Entries by name, found from bytes without making a String.
struct NameTable<Value: Sendable>: Sendable {
    private var byHash: [UInt64: (name: [UInt8], entry: Value)] = [:]

    var all: [Value] { byHash.values.map(\.entry) }

    /// Takes an entry; two names of one hash cannot both be held, and the first stays.
    mutating func set(_ entry: Value, name: [UInt8]) {
        byHash[SipHash.checksum.hash(name.span)] = (name, entry)
    }

    mutating func update(_ name: [UInt8], _ body: (inout Value) -> Void) {
        let hash = SipHash.checksum.hash(name.span)
        guard var found = byHash[hash], found.name == name else { return }
        body(&found.entry)
        byHash[hash] = found
    }

    func find(_ name: Span<UInt8>) -> Value? {
        guard let found = byHash[SipHash.checksum.hash(name)], found.name.count == name.count
        else { return nil }
        for i in name.indices where found.name[i] != name[i] { return nil }
        return found.entry
    }

    func first(where matches: (Value) -> Bool) -> Value? {
        byHash.values.first { matches($0.entry) }?.entry
    }
}

/// Everything that the registers say, immutable.
final class Catalog: Sendable {
    /// Every register by name, for the next generation of each.
    let registers: [[UInt8]: Register]
    private let tenants: [TenantID: KnownTenant]
    private let keys: [UInt64: KnownKey]
    private let admins: [[UInt8]]
    let voters: VoterSet?
    /// The format that the cluster writes on its disks; nil until it was finalized once.
    let format: UInt16?
    /// Under which marks are hashed for digests; nil until the cluster's secret is known.
    let sketchKey: SketchKey?
    /// What links name the cluster by; 0 until its secret is known.
    let clusterID: UInt64
    /// Registers that could not be read or opened, by name, for the log.
    let unusable: [String]
    /// Whose signature makes an artifact worth running.
    let deployers: [KnownDeployer]
    /// Which version of a function serves, and the generation that says so.
    let activations: [(activation: Activation, generation: UInt64)]

    /// Builds from registers.
    ///
    /// - Parameter clusterKey: opens the cluster secret, which opens the rest.
    init(registers: [[UInt8]: Register], clusterKey: ClusterKey) {
        var builder = CatalogBuilder()
        for register in registers.values.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) })
        {
            builder.sort(register)
        }
        builder.build(clusterKey: clusterKey)
        self.registers = registers
        tenants = builder.tenants
        keys = builder.keys
        admins = builder.admins
        voters = builder.voters
        format = builder.format
        sketchKey = builder.sketchKey
        clusterID = builder.clusterID
        unusable = builder.unusable
        deployers = builder.deployers
        activations = builder.activations
    }

    /// What the registers say of a function.
    func activation(of name: String) -> (activation: Activation, generation: UInt64)? {
        activations.first { $0.activation.name == name }
    }

    /// Public keys whose signature counts now.
    var trustedDeployers: [[UInt8]] { deployers.filter { !$0.isRevoked }.map(\.publicKey) }

    /// A tenant that links may still point at, deleted or not.
    func tenant(_ id: TenantID) -> KnownTenant? { tenants[id] }

    var allTenants: [KnownTenant] { tenants.values.sorted { $0.id < $1.id } }

    var allKeys: [KnownKey] { keys.values.sorted { ($0.tenant, $0.name) < ($1.tenant, $1.name) } }

    /// The key whose text hashes to this, if it may be used.
    func key(hash: [UInt8]) -> KnownKey? {
        guard let found = keys[CatalogBuilder.prefix(hash)], !found.isRevoked,
            constantTimeEqual(found.hash, hash)
        else { return nil }
        return found
    }

    /// The key that a RESP connection presented at AUTH, if it may still be used.
    ///
    /// - Parameter principal: the leading 64 bits of its hash, as `CatalogBuilder.prefix` has them.
    func key(principal: UInt64) -> KnownKey? {
        guard let found = keys[principal], !found.isRevoked else { return nil }
        return found
    }

    /// Whether an admin's bearer text hashes to this.
    func isAdmin(hash: [UInt8]) -> Bool {
        admins.reduce(false) { $0 || constantTimeEqual($1, hash) }
    }

    /// Whether a sender could use this node at all: tenant, API key and token key are there.
    var isUsable: Bool {
        tenants.values.contains { !$0.isDeleted && !$0.ring.isEmpty }
            && keys.values.contains { !$0.isRevoked }
    }
}

/// Sorts registers by kind first, because topics need their streams and streams their tenants.
struct CatalogBuilder {
    var tenants: [TenantID: KnownTenant] = [:]
    var keys: [UInt64: KnownKey] = [:]
    var admins: [[UInt8]] = []
    var voters: VoterSet?
    var format: UInt16?
    var sketchKey: SketchKey?
    var clusterID: UInt64 = 0
    var unusable: [String] = []
    var deployers: [KnownDeployer] = []
    var activations: [(activation: Activation, generation: UInt64)] = []
    private var sealedSecret: [UInt8] = []
    private var byRank: [[(register: Register, setting: Setting)]] = Array(
        repeating: [],
        count: 4
    )

    static func prefix(_ hash: [UInt8]) -> UInt64 {
        hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func sort(_ register: Register) {
        let setting: Setting
        do {
            guard let known = try Setting(register) else { return }
            setting = known
        } catch { return reject(register) }
        switch setting {
        case .clusterSecret(let sealed): sealedSecret = sealed
        case .voters(let set): voters = set
        case .format(let number): format = number
        case .admin(_, let hash): if !register.final { admins.append(hash) }
        case .key(let tenant, let name, let hash, let scopes):
            keys[CatalogBuilder.prefix(hash)] = KnownKey(
                tenant: tenant,
                name: name,
                hash: hash,
                scopes: scopes,
                isRevoked: register.final
            )
        case .deployer(let publicKey, let name):
            deployers.append(
                KnownDeployer(publicKey: publicKey, name: name, isRevoked: register.final)
            )
        case .function(let activation): activations.append((activation, register.generation))
        case .tenant: byRank[0].append((register, setting))
        case .stream: byRank[1].append((register, setting))
        case .topic: byRank[2].append((register, setting))
        case .tokenKey: byRank[3].append((register, setting))
        }
    }

    mutating func build(clusterKey: ClusterKey) {
        let secret: ClusterSecret
        do {
            secret = try clusterKey.open(sealedSecret)
        } catch {
            if !sealedSecret.isEmpty { unusable.append("cluster/secret") }
            return
        }
        sketchKey = SketchKey(bytes: secret.derivedKey("sketch-1"))
        clusterID = CatalogBuilder.prefix(secret.derivedKey("cluster-id-1")) | 1
        for (register, setting) in byRank.joined() {
            do { try add(register, setting, secret) } catch { reject(register) }
        }
    }

    private mutating func add(
        _ register: Register,
        _ setting: Setting,
        _ secret: ClusterSecret
    ) throws(TokenError) {
        switch setting {
        case .tenant(let id, let name, let sealed):
            let opened = try secret.open(sealed, for: .pepper, register: register.name)
            guard let pepper = Pepper(opened) else { throw .malformed }
            tenants[id] = KnownTenant(
                id: id,
                name: Array(name.utf8),
                isDeleted: register.final,
                digester: Digester(pepper),
                ring: TokenKeyRing(tenant: id)
            )
        case .stream(let tenant, let id, let name, let streamClass):
            let entry = KnownStream(
                id: id,
                name: Array(name.utf8),
                streamClass: streamClass,
                isDeleted: register.final
            )
            tenants[tenant]?.streams.set(entry, name: entry.name)
        case .topic(let tenant, let stream, let id, let name):
            let entry = KnownTopic(id: id, name: Array(name.utf8), isDeleted: register.final)
            guard let parent = tenants[tenant]?.streams.first(where: { $0.id == stream })
            else { return }
            tenants[tenant]?.streams.update(parent.name) {
                $0.topics.set(entry, name: entry.name)
            }
        case .tokenKey(let tenant, let id, let createdSeconds, let sealed):
            let opened = try secret.open(sealed, for: .tokenMaster, register: register.name)
            guard let master = TokenMaster(opened) else { throw .malformed }
            tenants[tenant]?.ring.add(
                TokenKey(id: id, createdSeconds: createdSeconds, master: master, tenant: tenant)
            )
        case .key, .admin, .clusterSecret, .voters, .format, .deployer, .function: break
        }
    }

    private mutating func reject(_ register: Register) {
        unusable.append(String(decoding: register.name, as: UTF8.self))
    }
}

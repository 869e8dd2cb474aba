// Key files, and the first registers that a new cluster is made of.

import Cluster
import Foundation
import FunctionHost
import Storage
import Suppression
import Token

enum Keys {
    /// Reads the cluster key, or says how to make one.
    static func clusterKey(_ config: Config) throws(NodeFailure) -> ClusterKey {
        let path = config.clusterKeyFile
        guard let bytes = read(path) else {
            throw .configuration(
                "\(path): no cluster key; run `quell init D` and pass --cluster-key D/cluster.key"
            )
        }
        guard let key = ClusterKey(hex: bytes.span) else {
            throw .configuration("\(path): no cluster key; expected 64 hex digits")
        }
        return key
    }

    /// The registers of a new cluster; empty when the directory already belongs to one.
    static func firstRegisters(
        _ config: Config,
        _ opened: Opened,
        _ clusterKey: ClusterKey
    ) throws(NodeFailure) -> [Register] {
        if !opened.registers.isEmpty { return try unlocked(config, opened, clusterKey) }
        guard opened.restored == nil || !config.join.isEmpty else {
            throw .configuration(
                "\(config.dataDirectory): restored and without registers; use an empty directory"
            )
        }
        guard config.bootstrap || !config.join.isEmpty else {
            throw .configuration(
                "\(config.dataDirectory): is empty; pass --bootstrap once to create a cluster, "
                    + "or --join HOST:PORT to join one"
            )
        }
        // With several voters the first named one mints when all of them are there.
        guard config.bootstrap, config.voters == [config.name] else {
            if config.bootstrap, config.voters.first == config.name { _ = try adminKey(config) }
            return []
        }
        let slot = VoterSlot(
            name: config.name,
            node: opened.nodeID,
            lowestEpoch: opened.epoch,
            zone: config.zone
        )
        return try founding(config, [slot], clusterKey)
    }

    private static func adminKey(_ config: Config) throws(NodeFailure) -> AdminKey {
        let path = config.adminKeyFile
        guard let bytes = read(path), let admin = AdminKey(text: trimmed(bytes).span) else {
            throw .configuration(
                "\(path): no admin key; `quell init DIR` makes one beside cluster.key"
            )
        }
        return admin
    }

    /// The deployer key that `quell init` has put beside the admin key; nil without one.
    private static func deployerKey(_ config: Config) -> DeployerKey? {
        let folder = (config.adminKeyFile as NSString).deletingLastPathComponent
        return read(folder + "/deployer.key").flatMap(DeployerKey.init(hex:))
    }

    /// What a new cluster of these voters begins with.
    static func founding(
        _ config: Config,
        _ slots: [VoterSlot],
        _ clusterKey: ClusterKey
    ) throws(NodeFailure) -> [Register] {
        let admin = try adminKey(config)
        var settings: [Setting] = [
            .clusterSecret(sealed: clusterKey.seal(ClusterSecret.random())),
            .admin(publicKey: admin.publicKey, hash: admin.hash),
            .voters(VoterSet(generation: 1, slots: slots)),
        ]
        // Whoever founds the cluster may deploy to it; others are added later.
        if let key = deployerKey(config) {
            settings.append(.deployer(publicKey: key.publicKey, name: "first"))
        }
        return settings.map { setting in
            admin.signed(
                name: setting.registerName,
                generation: 1,
                final: false,
                value: setting.value
            )
        }
    }

    /// A directory of another cluster must not be served under this key.
    private static func unlocked(
        _ config: Config,
        _ opened: Opened,
        _ clusterKey: ClusterKey
    ) throws(NodeFailure) -> [Register] {
        for register in opened.registers {
            do {
                guard case .clusterSecret(let sealed) = try Setting(register) else { continue }
                _ = try clusterKey.open(sealed)
            } catch {
                throw .configuration(
                    "\(config.clusterKeyFile): does not open \(config.dataDirectory); "
                        + "it belongs to another cluster"
                )
            }
        }
        return []
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let file = FileManager.default.contents(atPath: path),
            file.count <= Limits.keyFileBytes
        else { return nil }
        return Array(file)
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        bytes.filter { $0 > 0x20 && $0 < 0x7f }
    }
}

// `quell init`: the three keys of a new cluster.

import ArgumentParser
import Foundation
import Glibc
import Token

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the keys of a new cluster.",
        discussion: """
            EXAMPLE
              quell init keys
              quell serve --bootstrap --cluster-key keys/cluster.key
            """
    )

    @Argument(help: "Directory for the keys; created if it is missing.")
    var directory: String

    func run() throws {
        try KeyFiles.create(in: directory)
        print("\(directory)/cluster.key   opens the cluster's secrets; every node needs it")
        print("\(directory)/admin.key     manages tenants, streams, topics and keys; for operators")
        print("\(directory)/deployer.key  signs functions; for whoever deploys them")
        print("Keep all three out of backups of the data directory.")
    }
}

enum KeyFiles {
    /// Creates cluster.key, admin.key and deployer.key, each 0600; refuses to overwrite.
    static func create(in directory: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw Failure(.configuration, "\(directory): cannot be created; choose another place")
        }
        // An Ed25519 seed is 32 random bytes (RFC 8032, 5.1.5).
        let seed = (0..<32).map { _ in UInt8.random(in: 0...255) }
        let files = [
            ("cluster.key", ClusterKey.random().hex), ("admin.key", AdminKey.random().text),
            ("deployer.key", seed.map { String(format: "%02x", $0) }.joined()),
        ]
        for (name, _) in files where unsafe access("\(directory)/\(name)", F_OK) == 0 {
            throw Failure(
                .configuration,
                "\(directory)/\(name): exists; choose another directory or remove it"
            )
        }
        for (name, text) in files {
            try Files.create("\(directory)/\(name)", Array((text + "\n").utf8), mode: 0o600)
        }
    }
}

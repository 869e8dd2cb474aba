// `quell init`: the three keys of a new cluster.

import ArgumentParser
import Crypto
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
        let seed = Array(Curve25519.Signing.PrivateKey().rawRepresentation)
        let files = [
            ("cluster.key", ClusterKey.random().hex), ("admin.key", AdminKey.random().text),
            ("deployer.key", seed.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()),
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

// What becomes of an artifact that a peer sends, and of one that lies on the disk: the digest says
// whether it is the one that was asked for, whoever it came from.

import Cluster
import EventLoop
import Foundation
import FunctionHost
import FunctionKit
import Suppression
import Testing

@testable import Node

@Suite struct FunctionThreadTests {
    private static func artifact(_ version: String) -> Artifact {
        let spec = FunctionSpec(
            name: "greet",
            kind: .http,
            isolation: .strict,
            artifactBytes: 16_384,
            deadlineMillis: 5
        )
        let manifest = Manifest(
            spec: spec,
            kind: .http,
            version: version,
            failure: .lastGood,
            methods: [.get]
        )
        return Artifact(manifest: manifest, wasm: [0], smoke: [])
    }

    /// A shelf in a folder of its own.
    private func shelf() -> FunctionShelf {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        return FunctionShelf(folder: folder.path())
    }

    @Test("what a peer sends under another's name is spoiled, and not kept")
    func taking() throws {
        let shelf = shelf()
        let loop = try Loop()
        let mailbox = try Mailbox<NodeMessage>(loop: loop, bound: 1)
        let settings = FunctionSettings(
            program: "/nowhere",
            engineOverride: nil,
            modules: nil,
            cache: shelf.folder,
            cacheKey: [],
            loops: 1
        )
        let thread = FunctionThread(shelf, settings, nil, mailbox)
        let (asked, other) = (Self.artifact("1.0.0"), Self.artifact("2.0.0"))
        let digest = try #require(ArtifactDigest(asked.digest))
        let peer = NodeID(raw: 7)
        for bytes in [other.bytes, Array(asked.bytes.dropLast()), []] {
            guard case .spoiled(digest, from: peer, _) = thread.take(digest, 1, bytes, peer) else {
                Issue.record("\(bytes.count) bytes were kept")
                continue
            }
        }
        #expect(!FileManager.default.fileExists(atPath: shelf.folder))
        guard case .kept(let notice, asked.bytes) = thread.take(digest, 1, asked.bytes, peer) else {
            Issue.record("the artifact itself was not kept")
            return
        }
        #expect(notice.digest == digest && notice.name == "greet")
        try FileManager.default.removeItem(atPath: shelf.folder)
        #expect(thread.post(.end))
        mailbox.close()
        loop.close()
    }

    @Test("a file that is another artifact, or none, is as good as not there")
    func reading() throws {
        let shelf = shelf()
        let (asked, other) = (Self.artifact("1.0.0"), Self.artifact("2.0.0"))
        let digest = try #require(ArtifactDigest(asked.digest))
        let notice = ArtifactNotice(asked, digest, 1)
        try shelf.write([notice], ["greet": RunningVersion(generation: 3, digest: digest)])
        for (bytes, isThere) in [
            (asked.bytes, true), (other.bytes, false), (Array(asked.bytes.dropLast()), false),
            ([], false),
        ] {
            try shelf.keep(bytes, digest)
            let contents = shelf.read()
            #expect(contents.artifacts.map(\.notice.digest) == (isThere ? [digest] : []))
            #expect(contents.running["greet"]?.digest == digest, "what should run is known")
        }
        try FileManager.default.removeItem(atPath: shelf.folder)
    }
}

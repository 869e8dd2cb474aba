// Artifacts on this node's disk, and what serves.
//
//     functions/DIGEST.qfn    one artifact, as it was published
//     functions/shelf.txt     artifact DIGEST NAME PUBLISHED-MILLISECONDS
//                             running NAME GENERATION DIGEST (or -)
//
// Both are written beside, synced and renamed. The list is the truth: a file that it does not name
// was never finished, and a name without its file is fetched again. What runs is written down so
// that a node that starts alone serves what it served, whatever it hears later.

import Cluster
import Foundation
import FunctionHost
import Glibc

/// The folder `functions` of a data directory.
struct FunctionShelf: Sendable {
    let folder: String

    /// What a start finds.
    struct Contents {
        var artifacts: [(notice: ArtifactNotice, bytes: [UInt8])] = []
        var running: [String: RunningVersion] = [:]
    }

    private var listPath: String { folder + "/shelf.txt" }

    private func path(_ digest: ArtifactDigest) -> String {
        "\(folder)/\(hexText(digest.bytes)).qfn"
    }

    /// Reads all of it; what is damaged is as good as not there.
    func read() -> Contents {
        var contents = Contents()
        let list = FileManager.default.contents(atPath: listPath) ?? Data()
        for line in String(decoding: list, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4 else { continue }
            switch words[0] {
            case "artifact":
                guard let digest = ArtifactDigest(hex: words[1]), let millis = UInt64(words[3]),
                    let file = FileManager.default.contents(atPath: path(digest)),
                    let bytes = UInt32(exactly: file.count), bytes <= Cluster.Limits.artifactBytes,
                    holds(Array(file), digest)
                else { continue }
                let notice = ArtifactNotice(
                    digest: digest,
                    name: words[2],
                    bytes: bytes,
                    publishedMillis: millis,
                    state: .preparing
                )
                contents.artifacts.append((notice, Array(file)))
            case "running":
                guard let generation = UInt64(words[2]) else { continue }
                contents.running[words[1]] = RunningVersion(
                    generation: generation,
                    digest: ArtifactDigest(hex: words[3])
                )
            default: continue
            }
        }
        return contents
    }

    /// Whether these bytes are the artifact of this name. Others are not handed on, nor prepared as
    /// what they are not: the artifact is fetched again.
    private func holds(_ bytes: [UInt8], _ digest: ArtifactDigest) -> Bool {
        do throws(LoadError) {
            return try Artifact(bytes: bytes).digest == digest.bytes
        } catch { return false }
    }

    /// Keeps an artifact's file.
    func keep(_ bytes: [UInt8], _ digest: ArtifactDigest) throws(LoadError) {
        try write(bytes, to: path(digest))
    }

    /// Forgets an artifact's file; the list no longer names it.
    func drop(_ digest: ArtifactDigest) { unsafe unlink(path(digest)) }

    /// Replaces the list.
    func write(_ notices: [ArtifactNotice], _ running: [String: RunningVersion]) throws(LoadError) {
        var lines = notices.map {
            "artifact \(hexText($0.digest.bytes)) \($0.name) \($0.publishedMillis)"
        }
        for (name, version) in running.sorted(by: { $0.key < $1.key }) {
            let digest = version.digest.map { hexText($0.bytes) } ?? "-"
            lines.append("running \(name) \(version.generation) \(digest)")
        }
        try write(Array((lines.joined(separator: "\n") + "\n").utf8), to: listPath)
    }

    private func write(_ bytes: [UInt8], to path: String) throws(LoadError) {
        let beside = path + ".tmp"
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch { throw .engine("\(folder): cannot be made") }
        let descriptor = unsafe open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .engine("\(beside): cannot be written") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            #if FAULTS
                if path.hasSuffix(".qfn") {
                    try file.write(contentsOf: bytes.prefix(bytes.count / 2))
                    try file.synchronize()
                    FaultPoint.artifactHalf.reach()
                    try file.seek(toOffset: 0)
                }
            #endif
            try file.write(contentsOf: bytes)
            try file.synchronize()
        } catch {
            unsafe unlink(beside)
            throw .engine("\(beside): cannot be written")
        }
        guard unsafe rename(beside, path) == 0 else { throw .engine("\(path): cannot be replaced") }
    }
}

extension ArtifactDigest {
    /// Reads 64 hexadecimal digits.
    init?(hex text: String) {
        let digits = text.map(\.hexDigitValue)
        guard digits.count == 64, !digits.contains(nil) else { return nil }
        let halves = digits.compactMap { $0 }
        self.init(
            stride(from: 0, to: 64, by: 2).map { UInt8(halves[$0] << 4 | halves[$0 + 1]) }
        )
    }
}

// The thread that makes versions: whatever of a deploy takes longer than a turn may.
//
//     node loop ── job ──► this thread ── result ──► node loop's mailbox
//
// One job after the other: files are written and synced, artifacts verified, compiled in a child,
// and asked their smoke requests. The engine is loaded with the first job that needs it, unless the
// node runs wasm anyway. A queue that is full refuses, and the caller says so.

import Cluster
import EventLoop
import Foundation
import FunctionHost
import Suppression
import Synchronization

/// Something to be done.
enum FunctionJob: Sendable {
    /// Put an artifact that is known to be one on the disk.
    case keep(Artifact, ArtifactNotice)
    /// Look at what a peer sent, then the same.
    case take(ArtifactDigest, publishedMillis: UInt64, [UInt8], from: NodeID)
    /// Verify, compile and try.
    case prepare(ArtifactDigest, [UInt8], trusted: [[UInt8]])
    /// Write down what there is and what runs.
    case note([ArtifactNotice], [String: RunningVersion], dropped: [ArtifactDigest])
    /// There is nothing more to do.
    case end
}

/// What came of it.
enum FunctionResult: Sendable {
    /// It is on the disk.
    case kept(ArtifactNotice, [UInt8])
    /// It is not what it was called, or does not fit on the disk.
    case spoiled(ArtifactDigest, from: NodeID?, why: String)
    /// A version, ready to serve.
    case version(ArtifactDigest, FunctionVersion, Workshop)
    /// None, and why.
    case failed(ArtifactDigest, why: String)
    /// The list of what runs could not be written.
    case unwritten(why: String)
}

/// The thread and its queue.
final class FunctionThread: Sendable {
    private let queue = Mutex<[FunctionJob]>([])
    private let isThere = DispatchSemaphore(value: 0)
    private let shelf: FunctionShelf
    private let settings: FunctionSettings
    private let node: Mailbox<NodeMessage>

    /// Starts the thread.
    init(
        _ shelf: FunctionShelf,
        _ settings: FunctionSettings,
        _ workshop: Workshop?,
        _ node: Mailbox<NodeMessage>
    ) {
        self.shelf = shelf
        self.settings = settings
        self.node = node
        let thread = Thread { [self] in
            nameThread("functions")
            work(workshop)
        }
        thread.start()
    }

    /// Takes a job; false when too many wait.
    func post(_ job: FunctionJob) -> Bool {
        let isTaken = queue.withLock { jobs in
            guard jobs.count < Limits.functionJobsCount else { return false }
            jobs.append(job)
            return true
        }
        if isTaken { isThere.signal() }
        return isTaken
    }

    private func work(_ first: Workshop?) {
        var workshop = first
        while true {
            isThere.wait()
            guard let job = queue.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                continue
            }
            let result: FunctionResult?
            switch job {
            case .keep(let artifact, let notice): result = keep(artifact, notice)
            case .take(let digest, let millis, let bytes, let from):
                result = take(digest, millis, bytes, from)
            case .prepare(let digest, let bytes, let trusted):
                result = prepare(digest, bytes, trusted, &workshop)
            case .note(let notices, let running, let dropped):
                result = note(notices, running, dropped)
            case .end: return
            }
            // False only when the node loop has gone.
            if let result { _ = node.post(.function(result)) }
        }
    }

    private func keep(_ artifact: Artifact, _ notice: ArtifactNotice) -> FunctionResult {
        let bytes = artifact.bytes
        do throws(LoadError) {
            try shelf.keep(bytes, notice.digest)
            return .kept(notice, bytes)
        } catch { return .spoiled(notice.digest, from: nil, why: error.description) }
    }

    /// Looks at what a peer has sent, and keeps it if it is what it was called.
    func take(
        _ digest: ArtifactDigest,
        _ millis: UInt64,
        _ bytes: [UInt8],
        _ from: NodeID
    ) -> FunctionResult {
        do throws(LoadError) {
            let artifact = try Artifact(bytes: bytes)
            guard artifact.digest == digest.bytes else {
                throw .artifact("its digest is another")
            }
            try shelf.keep(bytes, digest)
            #if FAULTS
                FaultPoint.written.reach()
            #endif
            return .kept(ArtifactNotice(artifact, digest, millis), bytes)
        } catch { return .spoiled(digest, from: from, why: error.description) }
    }

    private func prepare(
        _ digest: ArtifactDigest,
        _ bytes: [UInt8],
        _ trusted: [[UInt8]],
        _ workshop: inout Workshop?
    ) -> FunctionResult {
        do throws(LoadError) {
            let artifact = try Artifact(bytes: bytes)
            try artifact.verify(trusting: trusted)
            let place: Workshop
            if let workshop { place = workshop } else { place = try Workshop(settings) }
            workshop = place
            let version = try place.version(of: artifact)
            #if FAULTS
                FaultPoint.compiled.reach()
            #endif
            return .version(digest, version, place)
        } catch { return .failed(digest, why: error.description) }
    }

    private func note(
        _ notices: [ArtifactNotice],
        _ running: [String: RunningVersion],
        _ dropped: [ArtifactDigest]
    ) -> FunctionResult? {
        do throws(LoadError) {
            try shelf.write(notices, running)
            for digest in dropped { shelf.drop(digest) }
            return nil
        } catch { return .unwritten(why: error.description) }
    }
}

extension ArtifactNotice {
    /// What is told of an artifact.
    init(_ artifact: Artifact, _ digest: ArtifactDigest, _ publishedMillis: UInt64) {
        self.init(
            digest: digest,
            name: artifact.manifest.spec.name,
            bytes: UInt32(clamping: artifact.bytes.count),
            publishedMillis: publishedMillis,
            state: .preparing
        )
    }
}

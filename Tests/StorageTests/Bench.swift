// What the storage tests share: a directory that goes away, a recorder of events, a few writes.

import CLMDB
import Foundation
import Suppression
import Synchronization

@testable import Storage

/// A directory of its own, removed at the end.
final class Scratch {
    let path: String

    init() throws {
        let name = "quell-storage-\(UUID().uuidString)"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            print("left behind: \(path)")
        }
    }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Collects events and lets a test wait for one.
final class Recorder: Sendable {
    private let events = Mutex<[StoreEvent]>([])
    private let arrived = DispatchSemaphore(value: 0)

    var sink: @Sendable (StoreEvent) -> Void {
        { event in
            self.events.withLock { $0.append(event) }
            self.arrived.signal()
        }
    }

    var all: [StoreEvent] { events.withLock { $0 } }

    /// Waits until an event satisfies `wanted`; false after half a minute, far past any sane disk.
    func wait(_ wanted: (StoreEvent) -> Bool) -> Bool {
        let end = DispatchTime.now() + .seconds(30)
        while !all.contains(where: wanted) {
            if arrived.wait(timeout: end) == .timedOut { return false }
        }
        return true
    }

    func waitCommitted(_ sequence: UInt64) -> Bool {
        wait { if case .committed(let through, _, _) = $0 { through >= sequence } else { false } }
    }

    func waitCheckpointed(_ sequence: UInt64) -> Bool {
        wait {
            if case .checkpointed(let through, _, _, _) = $0 { through >= sequence } else { false }
        }
    }

    /// The numbers that a full disk refused.
    var refused: Set<UInt64> {
        var refused: Set<UInt64> = []
        for event in all { if case .refused(let numbers, _) = event { refused.formUnion(numbers) } }
        return refused
    }

    var isRefused: Bool { !refused.isEmpty }

    /// Waits until a change was committed or refused.
    func waitAnswered(_ sequence: UInt64) -> Bool {
        wait {
            switch $0 {
            case .committed(let through, _, _): through >= sequence
            case .refused(let numbers, _): numbers.upperBound >= sequence
            default: false
            }
        }
    }

    func waitFailed() -> Bool { wait { if case .failed = $0 { true } else { false } } }
}

/// Options of a store that checkpoints only when asked.
var lazyOptions: StoreOptions {
    var options = StoreOptions()
    options.lingerMillis = 3_600_000
    return options
}

func person(_ n: UInt64) -> Person {
    Person(tenant: TenantID(raw: 7), recipient: Recipient(high: n &* 0x9E37_79B9_7F4A_7C15, low: n))
}

func key(_ n: UInt64, _ reason: Reason = .unsubscribe) -> MarkKey {
    MarkKey(
        person: person(n),
        scope: Scope(stream: StreamID(raw: 5), topic: .any),
        reason: reason
    )
}

func dot(_ sequence: UInt64, node: UInt64 = 1, epoch: UInt64 = 1) -> Dot {
    let origin = Origin(node: NodeID(raw: node), epoch: Epoch(raw: epoch))
    return Dot(origin: origin, sequence: sequence)
}

func suppress(_ n: UInt64, _ dot: Dot, request: RequestStamp? = nil) -> Change {
    let time = HybridTime(raw: dot.sequence << 16)
    let suppression = SuppressingDot(dot: dot, time: time, source: .oneClick)
    return Change(dot: dot, time: time, request: request, body: .suppress(key(n), suppression))
}

func consent(_ n: UInt64, _ dot: Dot, covers: [Dot]) -> Change {
    let time = HybridTime(raw: dot.sequence << 16)
    return Change(
        dot: dot,
        time: time,
        body: .consent(key(n), covers: covers, evidence: [1, 2, 3])
    )
}

func register(
    _ name: String,
    _ dot: Dot,
    generation: UInt64,
    final: Bool = false,
    value: String
) -> Change {
    let register = Register(
        name: Array(name.utf8),
        generation: generation,
        final: final,
        value: Array(value.utf8),
        author: [],
        signature: []
    )
    return Change(dot: dot, time: HybridTime(raw: 1), body: .register(register))
}

/// Suppressions of the people `numbers`, each with the dot and the local sequence of its number.
func optOuts(_ numbers: ClosedRange<UInt64>) -> LogBatch {
    LogBatch(firstSequence: numbers.lowerBound, changes: numbers.map { suppress($0, dot($0)) })
}

extension Opened {
    /// The files of a store that still runs.
    var state: StateFile { open.state }
    var log: LogFile { open.log }

    private var open: (state: StateFile, log: LogFile) {
        guard let files = store.files else { preconditionFailure("the store is closed") }
        return files
    }

    /// Whether a person reads as suppressed, from the disk alone.
    func suppresses(_ n: UInt64) throws -> Bool {
        var reader = try store.reader()
        try reader.renew()
        return switch try reader.mark(key(n)) {
        case .absent: false
        case .damaged: true
        case .present(let mark): mark.isSuppressed(atSeconds: 0)
        }
    }
}

/// Replaces a byte behind each place where `pattern` stands in a file; returns how many.
func corrupt(_ path: String, after pattern: [UInt8], skipping: Int = 0) throws -> Int {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    var count = 0
    var from = bytes.startIndex
    while let range = bytes.range(of: Data(pattern), in: from..<bytes.endIndex) {
        let at = range.upperBound + skipping
        if at < bytes.endIndex { bytes[at] ^= 0x40 }
        count += 1
        from = range.upperBound
    }
    try bytes.write(to: URL(fileURLWithPath: path))
    return count
}

/// Runs a tool and returns its exit code.
func run(_ tool: String, _ arguments: String...) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: tool)
    process.arguments = arguments
    process.standardError = Pipe()
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}

/// Lets all writes of an environment go elsewhere until `restore`.
struct WriteFault {
    private let descriptor: Int32
    private let saved: Int32

    /// - Parameter path: `/dev/full` answers ENOSPC; a file opened for reading refuses, EBADF.
    init(_ environment: Environment, path: String, flags: Int32) throws {
        var descriptor: Int32 = -1
        try check(unsafe mdb_env_get_fd(environment.raw, &descriptor), "mdb_env_get_fd")
        self.descriptor = descriptor
        saved = dup(descriptor)
        let broken = unsafe open(path, flags)
        precondition(saved >= 0 && broken >= 0)
        precondition(dup2(broken, descriptor) >= 0)
        close(broken)
    }

    func restore() {
        precondition(dup2(saved, descriptor) >= 0)
        close(saved)
    }
}

/// xorshift64*: the same sequence in every run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}

/// A wall clock that a test turns.
final class Clock: Sendable {
    private let now: Atomic<UInt64>
    init(now: UInt64) { self.now = Atomic(now) }
    func read() -> UInt64 { now.load(ordering: .relaxed) }
    func advance(_ millis: UInt64) { now.add(millis, ordering: .relaxed) }
}

// What keeping digest, sketch and index costs a checkpoint: nanoseconds a mark, pages a commit.
//
//     upkeep FOLDER [ROUNDS]
//
// Three states begin alike. Two take the same commits in turn, of people drawn over 500,000: one
// that keeps digest and sketch, one that knows no sketch key and keeps neither. The index of dots
// cannot be left out of a checkpoint, so its entries are put by themselves into the third, in a
// transaction that is compared with an empty one. FOLDER is to be in memory: then a flush costs
// nothing, and what is left is our own work. Pages are what LMDB wrote, by /proc/self/io. One JSON
// line for each size of a commit.

import Glibc
import Suppression

@testable import Storage

let sizes = [1, 64, 4_096]
let peopleCount: UInt64 = 500_000
let roundsLeast = 15

func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Bytes that this process has written so far.
func written() -> Int {
    guard let file = unsafe fopen("/proc/self/io", "r") else { fatalError("no /proc/self/io") }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    while unsafe fgets(&line, 64, file) != nil {
        let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let text = String(decoding: bytes, as: UTF8.self)
        if text.hasPrefix("wchar: ") { return Int(text.dropFirst(7).dropLast()) ?? 0 }
    }
    fatalError("/proc/self/io has no wchar")
}

/// What something cost.
struct Cost {
    var nanos: [Double] = []
    var pages: [Double] = []

    /// The median of the rounds.
    var middle: (nanos: Double, pages: Double) {
        (nanos.sorted()[nanos.count / 2], pages.sorted()[pages.count / 2])
    }

    mutating func time(_ work: () throws -> Void) rethrows {
        let bytes = written()
        let begun = nanoseconds()
        try work()
        nanos.append(Double(nanoseconds() - begun))
        pages.append(Double(written() - bytes) / 4_096)
    }
}

func optOut(_ n: UInt64, _ sequence: UInt64) -> LoggedChange {
    let person = Person(
        tenant: TenantID(raw: 7),
        recipient: Recipient(high: n &* 0x9E37_79B9_7F4A_7C15, low: n)
    )
    let scope = Scope(stream: StreamID(raw: 5), topic: TopicID(raw: 6))
    let dot = Dot(origin: Origin(node: NodeID(raw: 1), epoch: Epoch(raw: 1)), sequence: sequence)
    let time = HybridTime(raw: sequence << 16)
    let suppression = SuppressingDot(dot: dot, time: time, source: .oneClick)
    let key = MarkKey(person: person, scope: scope, reason: .unsubscribe)
    let change = Change(dot: dot, time: time, body: .suppress(key, suppression))
    return LoggedChange(sequence: sequence, change: change)
}

/// A state with marks, and the number of the last change in it.
func filled(_ folder: String, keeps: Bool) throws -> Checkpoint {
    _ = mkdir(folder, 0o700)
    let opening = try Opening.begin(folder, StoreOptions())
    var made = Checkpoint(opening.state, watermark: 0, held: HeldSet(), wallMillis: { 1 })
    if keeps {
        try made.adopt(SketchKey(k0: 11, k1: 12))
        while try made.walk(limit: 10_000) {}
    }
    let first = (1...peopleCount).map { optOut($0, $0) }
    try made.merge(first[...], through: peopleCount)
    precondition((made.tally.sketch != nil) == keeps, "one keeps a sketch, the other none")
    return made
}

func upkeep(_ folder: String, rounds: Int) throws {
    var kept = try filled(folder + "/kept", keeps: true)
    var bare = try filled(folder + "/bare", keeps: false)
    let third = try filled(folder + "/third", keeps: false)
    var sequence = peopleCount
    var dice = SystemRandomNumberGenerator()
    for size in sizes {
        var (with, without, index, empty) = (Cost(), Cost(), Cost(), Cost())
        for turn in 0..<rounds {
            let changes = (0..<size).map { _ in
                sequence += 1
                return optOut(UInt64.random(in: 1...peopleCount, using: &dice), sequence)
            }
            // Whoever comes second finds the caches as the first has left them.
            if turn % 2 == 0 {
                try without.time { try bare.merge(changes[...], through: sequence) }
            }
            try with.time { try kept.merge(changes[...], through: sequence) }
            if turn % 2 == 1 {
                try without.time { try bare.merge(changes[...], through: sequence) }
            }
            try index.time { try indexed(third, changes, sequence) }
            try empty.time { try indexed(third, [], sequence) }
        }
        let tally = difference(with, without, size)
        let dots = difference(index, empty, size)
        let whole = with.middle
        print(
            """
            {"marks": \(size), "commit_ns": \(whole.nanos), "commit_pages": \(whole.pages), \
            "tally_ns": \(tally.nanos), "tally_pages": \(tally.pages), \
            "index_ns": \(dots.nanos), "index_pages": \(dots.pages)}
            """
        )
    }
}

/// By how much one costs more: nanoseconds a mark, pages a commit; of medians of the same rounds.
func difference(_ one: Cost, _ other: Cost, _ size: Int) -> (nanos: Double, pages: Double) {
    let nanos = zip(one.nanos, other.nanos).map { $0 - $1 }.sorted()
    let pages = zip(one.pages, other.pages).map { $0 - $1 }.sorted()
    return (nanos[nanos.count / 2] / Double(size), pages[pages.count / 2])
}

/// The index entries of these changes in a transaction of their own.
func indexed(_ state: Checkpoint, _ changes: [LoggedChange], _ watermark: UInt64) throws {
    let transaction = try WriteTransaction(state.environment)
    var record = Record()
    for logged in changes {
        guard let target = DotTarget(of: logged.change) else { continue }
        // Of another origin, so that the entry is as fresh here as it was for the checkpoint.
        let origin = Origin(node: NodeID(raw: 2), epoch: Epoch(raw: 1))
        record.begin { Dot(origin: origin, sequence: logged.sequence).encode(into: &$0) }
        record.seal { target.encode(into: &$0) }
        try transaction.put(record, in: state.tables.index)
    }
    try transaction.set(.watermark, to: watermark, in: state.tables.meta)
    try transaction.commit()
}

let arguments = CommandLine.arguments
guard arguments.count > 1 else { fatalError("upkeep FOLDER [ROUNDS]") }
let rounds = arguments.count > 2 ? Int(arguments[2]) ?? roundsLeast : roundsLeast
try upkeep(arguments[1], rounds: max(1, rounds))

// What the threads of a node say to each other, and the door through which they say it.
//
//     serving loop ── WriteMessage ──► node loop      one caller's write, fully prepared
//     node loop ── show, vouch, catalog, acknowledged, refused ──► each serving loop, in this order
//     storage threads ── StoreEvent ──► node loop, through a mailbox of its own, so that no caller
//                                        can keep a report out
//
// Order is the whole point: marks are posted before the lease that vouches for them and before the
// acknowledgment, to every loop, so an acknowledgment seen through one loop is a denial on all
// (DESIGN 3). Both sides post at the end of their turn, the node loop first all marks and leases to
// every loop and then the answers. A loop whose mailbox is full has missed marks; `missedThrough`
// voids its lease until its own snapshot of the state has caught up with them.

import Cluster
import EventLoop
import FunctionHost
import FunctionKit
import Servers
import Storage
import Suppression
import Synchronization

/// Which request of a serving loop waits.
struct Caller: Hashable, Sendable {
    /// The door it came through; each numbers its exchanges by itself.
    enum Door: Sendable {
        case http, resp, imports
    }

    let door: Door
    let exchange: Exchange
    /// Which part of an import; 0 for all else.
    var part: UInt32 = 0
}

/// To a serving loop.
enum LoopMessage: Sendable {
    /// A committed change, under its local sequence number.
    case show(sequence: UInt64, Change)
    /// The newest proof of freshness.
    case vouch(Lease)
    /// The registers changed.
    case catalog(Catalog)
    /// The gate said yes.
    case acknowledged(Caller, Durability, DotRange)
    /// The gate said no.
    case refused(Caller, Refusal)
    /// Every write before the question shows in the state from this local sequence number on.
    case checkpointing(Caller, through: UInt64)
    /// Other versions of functions serve from this turn on.
    case functions(FunctionRuntime)
    /// Ask the smoke requests of a function's active version, or of this one.
    case probe(UInt64, function: String, digest: String?)
    /// Finish what is in flight, accept nothing, then close.
    case drain
}

/// A write that a serving loop has checked and prepared.
struct WriteMessage: Sendable {
    /// Which loop waits.
    let loop: Int
    /// Which of its requests.
    let caller: Caller
    /// What to write.
    let drafts: [Draft]
    /// What to answer past the deadline.
    let policy: Policy
    /// The idempotency key, when there was one.
    let stamp: RequestStamp?
    /// A recipient's own opt-out: shed last.
    let isOptOut: Bool

    /// Rows of a list: they wait first.
    var isImport: Bool {
        if case .list(let list) = drafts.first { return list.source == .imported }
        return false
    }
}

/// To the node loop.
enum NodeMessage: Sendable {
    /// A caller wants to write.
    case write(WriteMessage)
    /// A caller wants to read everything that was acknowledged so far from the state.
    case checkpoint(loop: Int, Caller)
    /// A serving loop has closed everything.
    case drained(loop: Int)
    /// A serving loop cannot go on, such as when its listener cannot be bound.
    case broken(loop: Int, String)
    /// A serving loop accepts connections.
    case listening(loop: Int)
    /// A serving loop has asked a function's smoke requests; nil where the built-in serves.
    case probed(UInt64, digest: String?, isWell: Bool)
    /// The functions' thread is done with something.
    case function(FunctionResult)
}

/// One serving loop as the node loop sees it.
final class LoopDoor: Sendable {
    let mailbox: Mailbox<LoopMessage>
    let metrics = LoopMetrics()
    /// Highest local sequence number of a change that did not fit into the mailbox; 0 for none.
    ///
    /// Written by the node loop before the acknowledgment leaves, read by the serving loop after
    /// the request's last byte, so the reader cannot miss what the caller already knows.
    let missedThrough = Atomic<UInt64>(0)

    init(mailbox: Mailbox<LoopMessage>) { self.mailbox = mailbox }

    /// Shows what a turn of the node loop has to show, in order.
    ///
    /// What no longer fits voids the loop's lease until its snapshot has it; a newer lease behind
    /// it does not arrive either, and the older one ends by itself.
    ///
    /// Marks alone wake nobody: every turn of a loop begins with its mailbox, so a check finds them
    /// there, and a lease follows each tick. On a peer that takes in 20,000 opt-outs a second this
    /// is a wake in 100 ms instead of one a frame.
    func show(_ messages: [LoopMessage]) {
        var hasLease = false
        for case .vouch in messages { hasLease = true }
        let taken = mailbox.post(contentsOf: messages, wakes: hasLease)
        for case .show(let sequence, _) in messages[taken...] {
            missedThrough.max(sequence, ordering: .acquiringAndReleasing)
            metrics.missed.add()
        }
    }
}

/// Bounds of the shell.
enum Limits {
    /// Messages that wait for a serving loop: twice the writes that may wait for an acknowledgment,
    /// because each brings a change and an answer; 16,384 of 200 bytes are 3 MiB.
    static let loopMailboxCount = 2 * Cluster.Limits.waitingWritesCount
    /// Messages that wait for the node loop: every serving loop may fill the gate at once.
    static let nodeMailboxCount = 4 * Cluster.Limits.waitingWritesCount
    /// Reports of the storage threads that wait for the node loop: one a commit, 2,000 a second, so
    /// this is half a minute of a stalled loop; `committed` is cumulative, so a lost one is made
    /// good.
    static let storeReportsCount = 65_536
    /// Descriptors that we assume where the system does not say: POSIX's usual soft limit.
    static let descriptorsAtLeast = 1_024
    /// Descriptors that we ask for at most: Linux's fs.nr_open, above which no process gets more.
    static let descriptorsAtMost = 1_048_576
    /// Connections of the admin listener: admins and scrapers are few, and these come out of the
    /// tenth of the descriptors that public connections leave.
    static let adminConnectionsCount = 64
    /// Nanoseconds before a file is asked again to raise its format: its disk may be full.
    static let raiseNanos: UInt64 = 5_000_000_000
    /// Repairs that wait for each other: an operator and the background, twice.
    static let repairOrdersCount = 4
    /// Bytes of the stack of a serving loop's thread.
    static let threadStackBytes = 4 * 1_048_576
    /// Bytes of a key file: 64 hex digits or a bearer text, and a line end.
    static let keyFileBytes = 1_024
    /// Nanoseconds after which a serving loop stops waiting for the node loop: the gate's deadline
    /// and as much again for a stalled disk.
    static let answerDeadlineNanos = 2 * Cluster.Limits.acknowledgeDeadlineNanos
    /// Imported changes that may wait for the state at once; then imports pause. Two runs of the
    /// checkpointer: one is being written while the next gathers. In the log they are 150 MB.
    static let recentChangesCount = 1_048_576
    /// Changes in an overlay from which on imported ones go into `recent` instead: a quarter of
    /// what it holds, so that a small import shows its reasons at once and a large one leaves room.
    static let overlayImportCount = Suppression.Limits.overlayFullCount / 4
    /// Rows in one part of an import: one record of the log, 8 KB, and 0.1 ms of the node loop.
    static let importPartCount = 512
    /// Parts of one import on their way: four commits are filled while four are written.
    static let importPartsCount = 8
    /// Rows that one turn of a loop reads, all imports together: about 0.5 ms, which is what a
    /// check of another client may have to wait for.
    static let importRowsPerTurnCount = 512
    /// Imports at once on one loop.
    static let importsCount = 16
    /// Rejected rows that an answer lists, 100 bytes each; `invalid` counts all of them.
    static let importRejectedCount = 10_000
    /// Milliseconds between offers of a part that the node loop was too busy for.
    static let importRetryMillis: UInt64 = 20
    /// Nanoseconds without an acknowledged part after which an import is given up: a run of the
    /// checkpointer among 10 M marks takes seconds, a stalled disk tens of them.
    static let importSilenceNanos: UInt64 = 60_000_000_000
    /// API keys that a loop recognises without hashing them: senders beside one node are few.
    static let recognisedKeysCount = 8
    /// Checks of a batch answered in one turn: about 0.5 ms.
    static let checksPerTurnCount = 512
    /// Marks of an export read in one turn: about 0.5 ms, and 64 KiB of answer.
    static let exportPerTurnCount = 256
    /// Long answers at once on one loop: a batch holds 4 MiB, so 256 MiB at the very most.
    static let jobsCount = 64
    /// Own writes watched at a time on their way to every node: of 1,000 a second that take 5 ms
    /// each, more than all; at higher rates a sample of them.
    static let watchedWritesCount = 16
    /// Nanoseconds between two trials of a full disk.
    static let diskTrialNanos: UInt64 = 1_000_000_000
    /// Milliseconds between ticks of the node loop: lease age and deadlines are this coarse. A
    /// tenth of the target staleness of 1 s.
    static let tickMillis: UInt64 = 100
    /// Packets of peers that wait for the next turn: 32 peers that tell their whole table at once
    /// send 256, and a turn comes after every poll; more is a flood.
    static let memberPacketsCount = 1_024
    /// Bytes of a body at /u/: providers send 26 to 300; a valid token is never answered 413, so
    /// there is room for whatever a proxy adds.
    static let optOutBodyBytes = 65_536
    /// Bytes of an ordinary API body.
    static let apiBodyBytes = 65_536
    /// Bytes of a batch body: 10,000 addresses of 320 bytes with quotes and commas, and some.
    static let batchBodyBytes = 4_194_304
    /// Addresses in one batch (DESIGN 10.2).
    static let batchAddressesCount = 10_000
    /// Depth of a JSON body; ours have 3.
    static let jsonDepth = 8
    /// Bytes that an answer in JSON has room for before it grows: one check's is 106. From nothing
    /// it grew four times, a twentieth of what a check costs (callgrind).
    static let jsonAnswerBytes = 256
    /// Nanoseconds for connections to finish after SIGTERM; with the checkpoint it must stay below
    /// the 10 s of DESIGN 10.1.
    static let drainNanos: UInt64 = 3_000_000_000
    /// Nanoseconds between a node's farewell and its end: each of a few peers probes it once a
    /// second, and hears it with the answer.
    static let farewellNanos: UInt64 = 4_000_000_000
    /// Bytes of an Idempotency-Key.
    static let idempotencyKeyBytes = 256
    /// How often `quell fn test` asks a fixture for its time: the best of them is shown.
    static let fixtureRoundsCount = 20
    /// Bytes of path, query and body of a request to a function: what the window takes, less the
    /// header, the fields around them and two header values of 256 bytes.
    static let directRequestBytes = FunctionKit.Limits.requestBytes - 1_024
    /// Answers of one turn that are compared with a shadow's; those on top are not. With requests
    /// and answers of a window each, 32 KiB, they hold 8 MiB, and at 20 us a call 5 ms.
    static let comparisonsCount = 256
    /// Nanoseconds of a turn for shadows, and the deadline of one call on top: with 64 connections
    /// and a shadow just under the longest deadline it would be 3 s.
    static let comparisonsNanos: UInt64 = 5_000_000
    /// Jobs that wait for the functions' thread: every artifact there may be, to keep and prepare.
    static let functionJobsCount = 2 * Cluster.Limits.artifactsCount
    /// Nanoseconds for every serving loop to answer a probe: a turn each.
    static let probeNanos: UInt64 = 2_000_000_000
}

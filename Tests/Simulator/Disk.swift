// A simulated data directory: what is on it survives everything but a wipe.
//
//     log     records above the watermark, committed
//     state   marks, index, held set, registers, requests: everything at or below the watermark
//     truth   what log and state say together, kept beside them for the invariants
//
// A value, so a backup is an assignment and restoring one is another.

import Cluster
import Suppression

/// What the index leads to.
enum Target {
    case mark(MarkKey)
    case register([UInt8])
    case whole(Change)
}

/// The tables of `state.mdb`.
struct Tables {
    var marks: [MarkKey: Mark] = [:]
    var index: [Dot: Target] = [:]
    var registers: [[UInt8]: Register] = [:]
    var held = HeldSet()
    var requests: [Recipient: Cluster.RememberedRequest] = [:]
    /// What the node remembers of itself.
    var notes: [OwnNote.Kind: OwnNote] = [:]

    /// A merged state replaces no entry: of a list it would leave one mark.
    private mutating func lead(_ dot: Dot, to target: Target, by change: Change) {
        if case .merged = change.body, index[dot] != nil { return }
        index[dot] = target
    }

    /// Merges one record, as Storage's checkpoint does.
    mutating func merge(_ change: Change) {
        for n in 0..<change.markCount {
            let key = change.markKey(n)
            marks[key, default: Mark()].merge(change.mark(n))
            for dot in change.indexedDots { lead(dot, to: .mark(key), by: change) }
        }
        if case .list = change.body { index[change.dot] = .whole(change) }
        if let register = change.register {
            if registers[register.name].map(register.wins(over:)) ?? true {
                registers[register.name] = register
            }
            for dot in change.indexedDots { lead(dot, to: .register(register.name), by: change) }
        }
        switch change.body {
        case .merged: break
        case .own(let note): notes[note.kind] = note
        case .holds(let set): held.formUnion(set)
        case .suppress, .consent, .register, .list, .opaque: held.insert(change.dot)
        }
        if let stamp = change.request {
            let interval = SequenceInterval(first: change.dot.sequence, last: change.dot.sequence)
            requests[stamp.id] = Cluster.RememberedRequest(
                body: stamp.body,
                dots: DotRange(origin: change.dot.origin, interval: interval)
            )
        }
    }
}

/// One node's directory.
struct Disk {
    let node: NodeID
    var counter: UInt32 = 0
    var log: [(sequence: UInt64, change: Change)] = []
    var state = Tables()
    var watermark: UInt64 = 0
    /// Log and state together.
    var truth = Tables()
    var isRestored = false
    /// Nobody has found it whole since it was empty.
    var isJoining = false
    /// The sketch of its marks, where this world repairs them.
    var written: Written?

    /// An empty directory.
    init(node: NodeID, repairs: Bool = false) {
        self.node = node
        isJoining = repairs
        if repairs { written = Written([:]) }
    }

    /// 1 + max(last log key, watermark).
    var nextLocalSequence: UInt64 { 1 + max(log.last?.sequence ?? 0, watermark) }

    /// A commit of the log.
    mutating func commit(_ records: [(sequence: UInt64, change: Change)]) {
        for record in records {
            keepUp(record.change)
            if case .own(let note) = record.change.body, note.kind == .doubt {
                isRestored = !note.bytes.isEmpty
            }
        }
        // Keys of a table: a number that comes again replaces what it stood for.
        let first = records.first?.sequence ?? 0
        if log.last.map({ $0.sequence >= first }) ?? false {
            log.removeAll { old in records.contains { $0.sequence == old.sequence } }
        }
        log.append(contentsOf: records)
    }

    /// A checkpoint of everything in the log.
    mutating func checkpoint() {
        for record in log where record.sequence > watermark { state.merge(record.change) }
        watermark = max(watermark, log.last?.sequence ?? 0)
        log.removeAll()
    }

    /// One page from one snapshot, as a shell reads it.
    func page(_ request: PageRequest) -> PageRead {
        var assembly = PageAssembly(request, held: state.held)
        while let dot = assembly.next {
            switch state.index[dot] {
            case .mark(let key):
                if assembly.joins(key) { continue }
                guard let mark = state.marks[key] else {
                    assembly.skipDamaged()
                    continue
                }
                assembly.take(.mark(key, mark))
            case .whole(let change): assembly.take(change)
            case .register(let name):
                guard let register = state.registers[name] else {
                    assembly.skipDamaged()
                    continue
                }
                assembly.take(.register(register))
            case nil: assembly.skipDamaged()
            }
        }
        return PageRead(request, assembly.page)
    }
}

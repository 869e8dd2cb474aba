// A node that joins, on the node loop: what the machine Joining orders is carried out here.
//
//     held sets, pages ──► Joining        compare ──► an order for the repair desk, two rounds
//     every tick ────────► Joining        joined  ──► Core, repair machine, state.mdb, log
//
// Pulls bring the marks, as they do after any absence (Cluster's Pulling); nothing here moves
// bytes.

import Cluster
import EventLoop
import Storage
import Suppression
import Wire

extension NodeLoop {
    /// Once, before the loop runs.
    func joiningBegins() {
        if core.isJoining { repair(.joining(true)) }
    }

    /// Once a tick.
    func joiningTick() {
        guard !joining.isOver else { return }
        guard core.isJoining else {
            // It founded the cluster, or was there when it was founded.
            joining.end()
            return finishJoining()
        }
        let now = Clock.bootNanoseconds()
        joining.took(bytes: peers.pageBytes)
        // A cluster that nobody has founded yet has no marks to compare.
        let known = catalog.registers.isEmpty ? [] : repairPeers
        let others = known.map { (node: $0.node, isLinked: $0.isLinked) }
        switch joining.ticked(held: core.held, others: others, now: now) {
        case .rest: break
        case .compare(let node): beginComparing(node, now: now)
        case .joined:
            step(.joined)
            finishJoining()
            reportMissing()
            log.notice("joined: the marks are those of the others", [:])
        }
        reportJoining(now: now)
    }

    private func finishJoining() {
        repair(.joining(false))
        store.joined()
        metrics.joiningLeft.set(0)
    }

    private func beginComparing(_ node: NodeID, now: UInt64) {
        guard let peer = repairPeers.first(where: { $0.node == node }) else {
            return joining.compared(node, .failed, now: now)
        }
        var order = RepairOrder(exchange: nil, isDry: false, waiting: [peer], all: [peer])
        order.isForJoining = true
        if !begin(order) { joining.compared(node, .failed, now: now) }
    }

    /// A comparison has ended; a peer that was lost meanwhile gives a report too.
    func compared(_ report: RepairReport) {
        let isWhole = report.failure == nil && !report.isDoubted
        joining.compared(report.peer, isWhole ? .whole : .failed, now: Clock.bootNanoseconds())
    }

    private func reportJoining(now: UInt64) {
        if let progress = joining.progress {
            metrics.joiningLeft.set(Int(clamping: progress.of - progress.held))
        }
        guard let news = joining.news(now: now) else { return }
        log.notice(
            "joining",
            [
                "join.percent": "\(news.percent)", "join.writes": "\(news.held) of \(news.of)",
                "join.bytes": "\(news.bytes)", "join.bytes_per_second": "\(news.bytesPerSecond)",
            ]
        )
    }

    private func reportMissing() {
        guard !joining.missing.isEmpty else { return }
        let origins = joining.missing.entries.map { hexText($0.origin.node.raw) }
        log.warning(
            "nobody who is linked has these writes; they are pulled when somebody comes who does",
            [
                "join.missing": "\(joining.missing.count)",
                "origins": Set(origins).sorted().joined(separator: " "),
            ]
        )
    }
}

extension JSONWriter {
    /// How far a node has come; null when it is through.
    mutating func joining(_ progress: Joining.Progress?, missing: UInt64) {
        guard let progress else { return null() }
        beginObject()
        field("percent", progress.percent)
        field("writes", Int(clamping: progress.held))
        field("of", Int(clamping: progress.of))
        field("bytes", Int(clamping: progress.bytes))
        field("bytes_per_second", Int(clamping: progress.bytesPerSecond))
        field("compared", progress.compared)
        field("missing", Int(clamping: missing))
        endObject()
    }
}

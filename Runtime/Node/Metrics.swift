// Every metric of a node, declared here and nowhere else: quell_<module>_<noun>_<unit>.
//
// Labels come from closed enums, never from a recipient, an address or a token. What each number is
// for, and when it wakes somebody, stands in Deploy/monitoring; a house rule checks that each is
// there.

import Cluster
import FunctionHost
import Suppression
import Synchronization

/// The names, as Prometheus sees them.
enum MetricName: String, CaseIterable {
    case acknowledge = "quell_write_acknowledge_seconds"
    case writeRefusals = "quell_write_refusals_total"
    case acknowledgments = "quell_write_acknowledged_total"
    case owed = "quell_write_owed_changes"
    case visible = "quell_write_visible_seconds"
    case unseen = "quell_write_unseen_seconds"
    case checkAnswer = "quell_check_answer_seconds"
    case decisions = "quell_check_decisions_total"
    case leaseStaleness = "quell_lease_staleness_seconds"
    case logCommit = "quell_log_commit_seconds"
    case logRecords = "quell_log_records_total"
    case checkpoint = "quell_state_checkpoint_seconds"
    case checkpointLag = "quell_state_checkpoint_lag_changes"
    case marks = "quell_state_marks_count"
    case filter = "quell_state_filter_bytes"
    case damaged = "quell_state_damaged_total"
    case failed = "quell_store_failed_state"
    case loopLag = "quell_loop_lag_seconds"
    case overlay = "quell_loop_overlay_changes"
    case missed = "quell_loop_mailbox_full_total"
    case requests = "quell_http_requests_total"
    case connections = "quell_http_open_connections"
    case refused = "quell_http_refused_total"
    case badTokens = "quell_token_invalid_total"
    case peersLinked = "quell_peer_linked_nodes"
    case peersMissing = "quell_peer_missing_nodes"
    case peersDropped = "quell_peer_dropped_total"
    case peerFirsts = "quell_peer_first_changes_total"
    case peerRepeats = "quell_peer_repeated_changes_total"
    case peersMalformed = "quell_peer_malformed_total"
    case cloned = "quell_peer_cloned_state"
    case memberProbes = "quell_member_probes_total"
    case memberProbesFailed = "quell_member_failed_probes_total"
    case memberSuspicions = "quell_member_suspicions_total"
    case memberRefutations = "quell_member_refutations_total"
    case memberDeaths = "quell_member_deaths_total"
    case memberRefused = "quell_member_refused_total"
    case memberSuspects = "quell_member_suspect_nodes"
    case memberUnreachable = "quell_member_unreachable_nodes"
    case memberUnstable = "quell_member_unstable_nodes"
    case memberDoubt = "quell_member_doubt_state"
    case repairDifferences = "quell_repair_differences_total"
    case repairBytes = "quell_repair_bytes_total"
    case repairUnequal = "quell_repair_unequal_peers"
    case repairDamaged = "quell_repair_damaged_state"
    case joiningLeft = "quell_join_lacking_changes"
    case behind = "quell_peer_behind_changes"
    case lacking = "quell_peer_lacking_changes"
    case receipts = "quell_peer_receipts_total"
    case functionCalls = "quell_function_calls_total"
    case functionFailures = "quell_function_failures_total"
    case functionTime = "quell_function_busy_seconds_total"
    case functionOverruled = "quell_function_overruled_total"
    case functionMissing = "quell_function_missing_state"
    case functionGeneration = "quell_function_generation_state"
    case functionCompared = "quell_function_compared_total"
    case functionDiffering = "quell_function_differing_total"
    case functionLoosened = "quell_function_loosened_total"
    case functionReverted = "quell_function_reverted_state"
    case ready = "quell_node_ready_state"
    case writable = "quell_node_writable_state"
    case build = "quell_node_build_labels"
}

/// The numbers of one serving loop; written there, read anywhere.
public final class LoopMetrics: Sendable {
    let acknowledge = Histogram()
    let checkAnswer = Histogram()
    let loopLag = Histogram()
    let allowed = Counter()
    let denied = Counter()
    let unknown = Counter()
    let overlay = Gauge()
    let missed = Counter()
    let requests = Gauge()
    let connections = Gauge()
    let refusedRequests = Gauge()
    let badTokens = Counter()
    let quorumAcknowledgments = Counter()
    let localAcknowledgments = Counter()
    let refusals = InlineArray<9, Counter> { _ in Counter() }
    let damaged = Counter()

    init() {}

    func count(_ counts: DecisionCounts) {
        allowed.add(counts.allowed)
        denied.add(counts.denied)
        unknown.add(counts.unknown)
    }
}

/// The numbers of the node loop and of the two storage threads.
public final class NodeMetrics: Sendable {
    let logCommit = Histogram()
    let logRecords = Counter()
    let checkpoint = Histogram()
    let checkpointLag = Gauge()
    let marks = Gauge()
    let filterBytes = Gauge()
    let loopLag = Histogram()
    let failed = Gauge()
    let peersLinked = Gauge()
    let peersMissing = Gauge()
    let peersDropped = Gauge()
    let peerFirsts = Gauge()
    let peerRepeats = Gauge()
    let peersMalformed = Gauge()
    let cloned = Gauge()
    let members = MemberMetrics()
    let repairDifferences = Counter()
    let repairBytes = Counter()
    let repairUnequal = Gauge()
    let repairDamaged = Gauge()
    let joiningLeft = Gauge()
    let readiness = PublishedReadiness()
    let writability = PublishedReadiness()
    let owed = Gauge()
    let unseenNanos = Gauge()
    let receiptsSent = Gauge()
    let receiptsReceived = Gauge()
    let visible = Histogram()
    /// -1 without a proof.
    let stalenessMillis = Gauge()
    /// What serves, with its counts; set once, before anything is served.
    let functions = Mutex(FunctionRuntime.builtIn([]))

    init() {}
}

/// Writes the text format of Prometheus 0.0.4.
struct MetricsPage {
    private(set) var text: [UInt8] = []

    mutating func head(_ name: MetricName, _ type: String) {
        append("# TYPE \(name.rawValue) \(type)\n")
    }

    mutating func sample(_ name: MetricName, labels: String = "", _ value: String) {
        append(name.rawValue)
        if !labels.isEmpty { append("{\(labels)}") }
        append(" \(value)\n")
    }

    mutating func histogram(_ name: MetricName, _ parts: [Histogram]) {
        head(name, "histogram")
        var total: UInt64 = 0
        for i in 0...Histogram.bucketsCount {
            total += parts.reduce(0) { $0 + $1.count(inBucket: i) }
            let bound =
                i == Histogram.bucketsCount
                ? "+Inf" : "\(Double(UInt64(1) << UInt64(i)) / 1_000_000)"
            append("\(name.rawValue)_bucket{le=\"\(bound)\"} \(total)\n")
        }
        append("\(name.rawValue)_sum \(parts.reduce(0) { $0 + $1.sumSeconds })\n")
        append("\(name.rawValue)_count \(total)\n")
    }

    private mutating func append(_ string: String) { text.append(contentsOf: string.utf8) }
}

extension MetricsPage {
    /// The whole page of a node.
    static func write(
        node: NodeMetrics,
        loops: [LoopMetrics],
        peers: [KnownPeer],
        name: String,
        version: String
    ) -> [UInt8] {
        var page = MetricsPage()
        page.histogram(.acknowledge, loops.map(\.acknowledge))
        page.head(.writeRefusals, "counter")
        for refusal in Refusal.all {
            let total = loops.reduce(0) { $0 + $1.refusals[Int(refusal.rawValue)].total }
            page.sample(.writeRefusals, labels: "cause=\"\(refusal.word)\"", "\(total)")
        }
        page.writes(node, loops)
        page.histogram(.checkAnswer, loops.map(\.checkAnswer))
        page.head(.decisions, "counter")
        let decisions: [(Decision, KeyPath<LoopMetrics, Counter>)] = [
            (.allow, \.allowed), (.deny, \.denied), (.unknown, \.unknown),
        ]
        for (decision, path) in decisions {
            let total = loops.reduce(0) { $0 + $1[keyPath: path].total }
            page.sample(.decisions, labels: "decision=\"\(decision.name)\"", "\(total)")
        }
        page.head(.leaseStaleness, "gauge")
        // Prometheus compares NaN with nothing, so "no proof" is not mistaken for "just proved".
        let millis = node.stalenessMillis.now
        page.sample(.leaseStaleness, millis < 0 ? "NaN" : "\(Double(millis) / 1_000)")
        page.histogram(.logCommit, [node.logCommit])
        page.sum(.logRecords, "counter", [node.logRecords.total])
        page.histogram(.checkpoint, [node.checkpoint])
        page.gauge(.checkpointLag, node.checkpointLag)
        page.gauge(.marks, node.marks)
        page.gauge(.filter, node.filterBytes)
        page.sum(.damaged, "counter", loops.map(\.damaged.total))
        page.gauge(.failed, node.failed)
        page.histogram(.loopLag, loops.map(\.loopLag) + [node.loopLag])
        page.head(.overlay, "gauge")
        for (i, loop) in loops.enumerated() {
            page.sample(.overlay, labels: "loop=\"\(i)\"", "\(loop.overlay.now)")
        }
        page.sum(.missed, "counter", loops.map(\.missed.total))
        page.sum(.requests, "counter", loops.map { UInt64($0.requests.now) })
        page.sum(.connections, "gauge", loops.map { UInt64($0.connections.now) })
        page.sum(.refused, "counter", loops.map { UInt64($0.refusedRequests.now) })
        page.sum(.badTokens, "counter", loops.map(\.badTokens.total))
        page.gauge(.peersLinked, node.peersLinked)
        page.gauge(.peersMissing, node.peersMissing)
        page.sum(.peersDropped, "counter", [UInt64(node.peersDropped.now)])
        page.sum(.peerFirsts, "counter", [UInt64(node.peerFirsts.now)])
        page.sum(.peerRepeats, "counter", [UInt64(node.peerRepeats.now)])
        page.sum(.peersMalformed, "counter", [UInt64(node.peersMalformed.now)])
        page.gauge(.cloned, node.cloned)
        page.members(node.members)
        page.sum(.repairDifferences, "counter", [node.repairDifferences.total])
        page.sum(.repairBytes, "counter", [node.repairBytes.total])
        page.gauge(.repairUnequal, node.repairUnequal)
        page.gauge(.repairDamaged, node.repairDamaged)
        page.gauge(.joiningLeft, node.joiningLeft)
        page.peers(node, peers)
        page.head(.ready, "gauge")
        page.sample(.ready, node.readiness.isReady ? "1" : "0")
        page.head(.writable, "gauge")
        page.sample(.writable, node.writability.isReady ? "1" : "0")
        page.functions(node.functions.withLock { $0 })
        page.head(.build, "gauge")
        page.sample(.build, labels: "node=\"\(name)\",version=\"\(version)\"", "1")
        return page.text
    }

    /// How safe and how soon.
    private mutating func writes(_ node: NodeMetrics, _ loops: [LoopMetrics]) {
        head(.acknowledgments, "counter")
        let quorum = loops.reduce(0) { $0 + $1.quorumAcknowledgments.total }
        let local = loops.reduce(0) { $0 + $1.localAcknowledgments.total }
        sample(.acknowledgments, labels: "durability=\"quorum\"", "\(quorum)")
        sample(.acknowledgments, labels: "durability=\"local\"", "\(local)")
        gauge(.owed, node.owed)
        histogram(.visible, [node.visible])
        head(.unseen, "gauge")
        sample(.unseen, "\(Double(node.unseenNanos.now) / 1_000_000_000)")
    }

    /// One sample a known node: voters and linked nodes, 64 at the most.
    private mutating func peers(_ node: NodeMetrics, _ peers: [KnownPeer]) {
        for (name, count) in [(MetricName.behind, \KnownPeer.behind), (.lacking, \.lacking)] {
            head(name, "gauge")
            // A wiped voter that is back has its name twice, and one repeated sample would cost the
            // whole page.
            let most = Dictionary(
                peers.map { ($0.label, $0[keyPath: count]) },
                uniquingKeysWith: max
            )
            for (label, count) in most.sorted(by: { $0.key < $1.key }) {
                sample(name, labels: "peer=\"\(label)\"", "\(count)")
            }
        }
        head(.receipts, "counter")
        sample(.receipts, labels: "direction=\"sent\"", "\(node.receiptsSent.now)")
        sample(.receipts, labels: "direction=\"received\"", "\(node.receiptsReceived.now)")
    }

    mutating func sum(_ name: MetricName, _ type: String, _ parts: [UInt64]) {
        head(name, type)
        sample(name, "\(parts.reduce(0, +))")
    }

    mutating func gauge(_ name: MetricName, _ gauge: Gauge) {
        head(name, "gauge")
        sample(name, "\(gauge.now)")
    }
}

extension KnownPeer {
    /// The name as a label: what came over a link may hold any byte.
    fileprivate var label: String {
        String(
            name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }
        )
    }
}

extension Refusal {
    /// All of them, for the metric's label.
    static let all: [Refusal] = [
        .notDurable, .full, .busy, .failed, .otherBody, .unobserved, .superseded, .notChosen,
        .unready,
    ]

    /// The label.
    var word: String {
        switch self {
        case .notDurable: "not_durable"
        case .full: "full"
        case .busy: "busy"
        case .failed: "failed"
        case .otherBody: "other_body"
        case .unobserved: "unobserved"
        case .superseded: "superseded"
        case .notChosen: "not_chosen"
        case .unready: "unready"
        }
    }
}

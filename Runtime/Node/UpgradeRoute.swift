// `quell upgrade`: which release each member runs, and from when on the newest format is written.
//
//     GET  /v1/upgrade    {"format","runs","finalized","members":[{"name","runs"}]}
//     POST /v1/upgrade    {"action":"finalize"} -> 200 {"format"}; 409 says who does not run it yet
//
// A member's release is the highest protocol version in its hello; one that is not linked cannot be
// asked, and is named too. `finalize` sets the register `format`; every node that sees it raises
// the number in both of its files and writes the new layout from then on (DESIGN 15).

import Cluster
import EventLoop
import Servers
import Storage
import Suppression
import Wire

/// How far the own disk is.
struct Upgrade {
    private var state: UInt64
    private var log: UInt64
    private var askedNanos: UInt64 = 0

    /// - Parameter format: of both files, as they were found.
    init(format: UInt64) {
        state = format
        log = format
    }

    /// What both files are written in.
    var format: UInt64 { min(state, log) }

    /// Whether the store must be asked now, first or again.
    mutating func isDue(for wanted: UInt64, now: UInt64) -> Bool {
        guard format < wanted, now >= askedNanos + Limits.raiseNanos || askedNanos == 0 else {
            return false
        }
        askedNanos = now
        return true
    }

    mutating func raised(_ file: StoreFile, to format: UInt64) {
        switch file {
        case .state: state = format
        case .log: log = format
        }
    }
}

extension NodeLoop {
    /// Once a tick: the files follow the register, as far as this release knows how.
    func upgradeTick() {
        guard let wanted = catalog.format, wanted <= config.release.format else { return }
        guard upgrade.isDue(for: UInt64(wanted), now: Clock.bootNanoseconds()) else { return }
        store.raise(to: UInt64(wanted))
    }

    /// One of the files is written in another format now.
    func raised(_ file: StoreFile, to format: UInt64) {
        let before = upgrade.format
        upgrade.raised(file, to: format)
        guard upgrade.format > before else { return }
        log.notice("the disk format was raised", ["disk.format": "\(upgrade.format)"])
    }

    func upgrades(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        switch call.method {
        case .get:
            answer.json { write(releases, into: &$0) }
            return .answered
        case .post: break
        default:
            answer.methodNotAllowed("GET, POST")
            return .answered
        }
        guard try call.json().required("action") == "finalize" else {
            throw Refused(.badRequest, "`action` is finalize.")
        }
        let format = config.release.format
        let behind = releases.filter { ($0.format ?? 0) < format }.map { row in
            row.format.map { "\(row.name) runs \($0)" } ?? "\(row.name) is not reached"
        }
        guard behind.isEmpty else {
            let who = behind.joined(separator: ", ")
            throw Refused(.conflict, "Not every member runs format \(format): \(who).")
        }
        let reply = AdminAnswer.object { $0.field("format", Int(format)) }
        return set([(.format(format), final: false)], by: admin, exchange, reply)
    }

    /// What each member runs, this one included; nil for one that is not linked.
    private var releases: [(name: String, format: UInt16?)] {
        let linked = peers.peers
        let others = knownPeers.filter { !$0.state.isGone }.map { peer in
            (name: peer.name, format: linked.first { $0.node == peer.node }?.format)
        }
        return [(name: config.name, format: config.release.format)] + others
    }

    private func write(
        _ releases: [(name: String, format: UInt16?)],
        into json: inout JSONWriter
    ) {
        json.beginObject()
        json.field("format", Int(upgrade.format))
        json.field("runs", Int(config.release.format))
        json.field("finalized", catalog.format == config.release.format)
        json.key("members")
        json.beginArray()
        for (name, format) in releases {
            json.beginObject()
            json.field("name", name)
            json.key("runs")
            if let format { json.integer(Int(format)) } else { json.null() }
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}

extension JSONWriter {
    /// What a node runs and writes, and whom it cannot speak with.
    mutating func release(_ node: NodeLoop) {
        beginObject()
        field("runs", Int(node.config.release.format))
        field("disk", Int(node.upgrade.format))
        key("refused")
        beginArray()
        for (address, theirs) in node.peers.refused.sorted(by: { $0.key < $1.key }) {
            beginObject()
            field("address", address)
            field("speaks", theirs.words)
            endObject()
        }
        endArray()
        endObject()
    }
}

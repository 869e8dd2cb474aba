// `POST /v1/repair`: compare with every peer, or with one, and mend unless it is a dry run.
//
//     {"peer":"n2","dry_run":true,"deep":true}     all optional; no body: all peers, and mend
//     200 {"equal","peers":[{"peer","differences","pushed","pulled","bytes_sent","bytes_received",
//                            "bytes_floor","ratio","round_trips","seconds"}]}
//
// A deep one reads every own mark again first, verifies its checksum and compares the whole with
// the sketch in memory: "deep":{"marks_damaged","memory_equal"} stands beside "peers".
//
// The answer comes when the last peer is done. A peer that could not be compared with has one
// member more, "failure", which says why. `GET /v1/repair` says how far the running one is.

import Cluster
import Servers
import Storage
import Wire

extension NodeLoop {
    func repairs(
        _ call: Call,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) throws -> Disposition {
        _ = try authorizeAdmin(call)
        switch call.method {
        case .get:
            answer.json { json in
                json.beginObject()
                json.field("running", !desk.orders.isEmpty)
                json.field("peer", desk.orders.first?.current?.name)
                json.field("found", desk.machine.progress.found)
                json.field("settled", desk.machine.progress.settled)
                json.endObject()
            }
            return .answered
        case .post: break
        default:
            answer.methodNotAllowed("GET, POST")
            return .answered
        }
        let wish = try RepairWish(call)
        var peers = repairPeers
        if let name = wish.peer {
            peers = peers.filter { $0.name == name }
            guard !peers.isEmpty else {
                throw Refused(.notFound, "This node knows no peer \"\(name)\".")
            }
        }
        let order = RepairOrder(
            exchange: exchange,
            isDry: wish.isDry,
            isDeep: wish.isDeep,
            waiting: peers,
            all: peers
        )
        guard begin(order) else {
            throw Refused(.unavailable, "Other repairs wait already; try again in a moment.")
        }
        return .later
    }
}

/// What the body asks for.
private struct RepairWish {
    var peer: String?
    var isDry = false
    var isDeep = false

    init(_ call: Call) throws {
        guard !call.body.isEmpty else { return }
        let json = try call.json()
        peer = try json.optional("peer")
        isDry = try json.flag("dry_run")
        isDeep = try json.flag("deep")
    }
}

extension JSONValue {
    /// A member that may be missing, but must be true or false if it is there.
    fileprivate func flag(_ name: String) throws -> Bool {
        guard let member = self[name], !member.isNull else { return false }
        guard let flag = member.bool else {
            throw Refused(.badRequest, "`\(name)` is neither true nor false.")
        }
        return flag
    }
}

extension HTTPAnswer {
    /// Section 10.5's shape.
    mutating func repaired(_ order: RepairOrder) {
        json { json in
            json.beginObject()
            json.field("equal", order.reports.allSatisfy { $0.report.isEqual })
            json.key("peers")
            json.beginArray()
            for (name, report) in order.reports { json.report(report, of: name) }
            json.endArray()
            if let audit = order.audit {
                json.key("deep")
                json.beginObject()
                json.field("marks_damaged", audit.damagedCount)
                json.field("memory_equal", audit.isEqual)
                json.endObject()
            }
            json.endObject()
        }
    }
}

extension JSONWriter {
    fileprivate mutating func report(_ report: RepairReport, of name: String) {
        beginObject()
        field("peer", name)
        field("differences", Int(clamping: report.differences))
        field("pushed", Int(clamping: report.pushed))
        field("pulled", Int(clamping: report.pulled))
        field("bytes_sent", Int(clamping: report.bytesSent))
        field("bytes_received", Int(clamping: report.bytesReceived))
        field("bytes_floor", Int(clamping: report.floorBytes))
        key("ratio")
        if report.differences > 0, report.floorBytes > 0 {
            number(
                Double(report.bytesSent + report.bytesReceived) / Double(report.floorBytes)
            )
        } else {
            null()
        }
        field("round_trips", Int(clamping: report.roundTrips))
        key("seconds")
        number(Double(report.nanoseconds / 1_000) / 1_000_000)
        if let failure = report.failure { field("failure", failure.word) }
        endObject()
    }
}

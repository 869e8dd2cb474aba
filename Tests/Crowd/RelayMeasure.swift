// One row of the table of relays: a crowd that writes, at rest, under loss, and when a relay dies.

@testable import Cluster

/// What came out of one run of relays.
struct RelayMeasured {
    let count: Int
    let what: String
    var links = 0
    var copies = 0.0
    var half: UInt64?
    var most: UInt64?
    var last: UInt64?
    /// Writes that somebody still lacked ten seconds after the last one.
    var unfinished = 0
    var announcements = 0.0
    var grafts = 0

    static let head = """
        | nodes | links at most | what happens | copies a node | last node p50 | p99 | max \
        | unfinished | announcements/s/node | grafts |
        |---|---|---|---|---|---|---|---|---|---|
        """

    /// A row of the table.
    var row: String {
        "| \(count) | \(links) | \(what) | \(copies.short) | \(millis(half)) | \(millis(most))"
            + " | \(millis(last)) | \(unfinished) | \(announcements.short) | \(grafts) |"
    }

    private func millis(_ nanos: UInt64?) -> String {
        nanos.map { "\($0 / millisecond) ms" } ?? "-"
    }
}

extension RelayCrowd {
    /// Twenty writes a second for a minute prune the tree; then the rows.
    static func rows(_ count: Int, seed: UInt64, seconds: UInt64 = 20) -> [RelayMeasured] {
        var crowd = RelayCrowd(count, seed: seed)
        crowd.write(20, seconds: 60)
        crowd.pass(seconds: 10)
        var rows = [crowd.measured("at rest", seconds: seconds) { _ in }]
        for loss in [10, 100, 300] {
            rows.append(
                crowd.measured("\(loss / 10) % of segments lost", seconds: seconds) {
                    $0.wires.lossPerMille = loss
                }
            )
        }
        crowd.wires.lossPerMille = 0
        crowd.write(20, seconds: 30)
        crowd.pass(seconds: 10)
        rows.append(
            crowd.measured("a relay dies, unnoticed", seconds: 10) {
                if let relay = $0.someRelay { $0.wires.isDown[relay] = true }
            }
        )
        crowd.relink()
        rows.append(crowd.measured("the next relay is chosen", seconds: seconds) { _ in })
        rows.append(
            crowd.measured("one of eleven nodes dies, unnoticed", seconds: 10) {
                for node in stride(from: 3, to: count, by: 11) { $0.wires.isDown[node] = true }
            }
        )
        crowd.relink()
        crowd.write(20, seconds: 30)
        crowd.pass(seconds: 10)
        rows.append(crowd.measured("after that", seconds: seconds) { _ in })
        return rows
    }

    private mutating func measured(
        _ what: String,
        seconds: UInt64,
        _ change: (inout RelayCrowd) -> Void
    ) -> RelayMeasured {
        change(&self)
        write(20, seconds: seconds)
        pass(seconds: 10)
        var measured = RelayMeasured(count: wires.isDown.count, what: what)
        measured.links = mostLinks
        measured.copies = copies
        measured.half = lasts.percentile(50)
        measured.most = lasts.percentile(99)
        measured.last = lasts.max()
        measured.unfinished = unfinished
        measured.announcements =
            Double(announcements) / Double(seconds + 10) / Double(wires.isDown.count)
        measured.grafts = grafts
        return measured
    }
}

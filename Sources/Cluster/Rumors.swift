// News that travels with whatever is sent anyway: told a bounded number of times, youngest first.
//
// One rumor a member; a later one takes the place of an earlier one. Each packet carries those that
// were told least often, so a burst cannot keep a fresh rumor waiting (SWIM, 4.1).

internal import Suppression

/// What is still to be told; a plain value.
struct Rumors: Sendable {
    private struct Rumor: Sendable {
        let record: MemberRecord
        var tellings: Int
    }

    private var waiting: [Rumor] = []

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    /// Tells this from now on, instead of what was told about the same member.
    mutating func spread(_ record: MemberRecord) {
        // Known from a link alone: the node itself will say more.
        guard record.incarnation > 0 else { return }
        waiting.removeAll { $0.record.node == record.node }
        waiting.append(Rumor(record: record, tellings: 0))
    }

    /// Adds what fits into a packet, and counts it as told.
    ///
    /// - Parameters:
    ///   - records: what the packet has already; nobody is told twice in it.
    ///   - limit: tellings after which a rumor ends.
    mutating func take(into records: inout [MemberRecord], limit: Int) {
        guard !waiting.isEmpty else { return }
        var room = Limits.memberPacketBytes - MemberPacket.headMostBytes
        for record in records { room -= record.encodedCount }
        let order = waiting.indices.sorted {
            (waiting[$0].tellings, -$0) < (waiting[$1].tellings, -$1)
        }
        for index in order where records.count < Limits.memberRecordsCount {
            let record = waiting[index].record
            guard !records.contains(where: { $0.node == record.node }) else { continue }
            guard record.encodedCount <= room else { continue }
            room -= record.encodedCount
            records.append(record)
            waiting[index].tellings += 1
        }
        waiting.removeAll { $0.tellings >= limit }
    }
}

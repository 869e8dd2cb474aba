// What is told, to whom, and in how many packets.
//
//     rumors   what changed, to three at random every 200 ms and in every packet that leaves anyway
//     table    everything, to a node that was just linked or whose hash differs
//     answers  what is known better, to whoever told something older
//
// Every packet is bounded, and so is the number of packets that one packet or tick can cause.

internal import Suppression

extension Membership {
    mutating func tellNews(now: UInt64, into effects: inout [MemberEffect]) {
        guard !rumors.isEmpty, now >= newsDueNanos else { return }
        newsDueNanos = now + Limits.newsNanos
        for node in listeners() where !rumors.isEmpty {
            effects.append(.send(to: node, packed(.news, 0, NodeID(raw: 0), [])))
        }
    }

    /// Three at random that are not known to be gone. Drawn, not filtered: five times a second a
    /// filter over a thousand members cost more than all else that membership does.
    private mutating func listeners() -> [NodeID] {
        var picked: [NodeID] = []
        guard !ring.isEmpty else { return picked }
        for _ in 0..<Limits.listenerDrawsCount where picked.count < Limits.exchangePeersCount {
            let node = ring[chance.below(ring.count)]
            guard !picked.contains(node) else { continue }
            switch table[node]?.record.state {
            case .alive, .suspect: picked.append(node)
            case .unreachable, .left, .evicted, nil: continue
            }
        }
        return picked
    }

    mutating func tellTableIfOther(
        _ packet: MemberPacket,
        to sender: NodeID,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        // Rumors under way explain a difference, and soon end it.
        guard packet.hash != hash, rumors.isEmpty, now >= tableDueNanos else { return }
        tableDueNanos = now + Limits.tableNanos
        tellTable(to: sender, into: &effects)
    }

    /// The whole table in packets, or the next part of a large one.
    mutating func tellTable(to node: NodeID, into effects: inout [MemberEffect]) {
        let records = [own] + members.filter { $0.incarnation > 0 }
        if tableAt >= records.count { tableAt = 0 }
        let from = tableAt
        var told = 0
        for _ in 0..<Limits.tablePacketsCount where told < records.count {
            var room = Limits.memberPacketBytes - MemberPacket.headMostBytes
            var page: [MemberRecord] = []
            while told < records.count, page.count < Limits.memberRecordsCount {
                let record = records[(from + told) % records.count]
                guard record.encodedCount <= room else { break }
                room -= record.encodedCount
                page.append(record)
                told += 1
            }
            let news = MemberPacket(.news, hash: hash, records: page)
            effects.append(.send(to: node, news))
        }
        tableAt = told < records.count ? (from + told) % records.count : 0
    }

    /// One record, now.
    func tell(_ record: MemberRecord, to node: NodeID, into effects: inout [MemberEffect]) {
        guard record.incarnation > 0 else { return }
        effects.append(.send(to: node, MemberPacket(.news, hash: hash, records: [record])))
    }

    mutating func ping(
        _ node: NodeID,
        _ number: UInt32,
        into effects: inout [MemberEffect]
    ) {
        // What is said against it goes first: only it can take it back (Lifeguard, IV.C).
        var first: [MemberRecord] = []
        if let record = table[node]?.record, record.state != .alive, record.incarnation > 0 {
            first.append(record)
        }
        effects.append(.send(to: node, packed(.ping, number, node, first)))
    }

    /// A packet with what must be in it, and rumors in the room that is left.
    mutating func packed(
        _ kind: MemberPacket.Kind,
        _ number: UInt32,
        _ subject: NodeID,
        _ first: [MemberRecord]
    ) -> MemberPacket {
        var records: [MemberRecord] = []
        var room = Limits.memberPacketBytes - MemberPacket.headMostBytes
        for record in first where record.encodedCount <= room {
            guard records.count < Limits.memberRecordsCount else { break }
            room -= record.encodedCount
            records.append(record)
        }
        rumors.take(into: &records, limit: rumorTellings(members: table.count + 1))
        return MemberPacket(
            kind,
            number: number,
            subject: subject,
            hash: hash,
            held: held,
            records: records
        )
    }
}

// Packets of membership as bytes: written and read back, and every field out of its range refused.

import Suppression
import Testing

@testable import Cluster

@Suite("MemberPacket")
struct MemberPacketTests {
    private let suspect = MemberRecord(
        .made(7),
        incarnation: 5,
        state: .suspect,
        accuser: NodeID(raw: 3)
    )

    private func bytes(_ packet: MemberPacket) -> [UInt8] {
        var out: [UInt8] = []
        packet.encode(into: &out)
        return out
    }

    private func read(_ packet: MemberPacket) throws -> MemberPacket {
        try MemberPacket(decoding: bytes(packet).span)
    }

    private func readBook(_ bytes: [UInt8]) throws -> MemberBook {
        try MemberBook(decoding: bytes.span)
    }

    private func error(_ bytes: [UInt8]) -> DecodeError? {
        do {
            _ = try MemberPacket(decoding: bytes.span)
            return nil
        } catch { return error }
    }

    /// One record on its own, changed at will, in an otherwise sound packet.
    private func error(of record: MemberRecord) -> DecodeError? {
        error(bytes(MemberPacket(.news, hash: 1, records: [record])))
    }

    private func facts(
        node: UInt64 = 7,
        epoch: UInt64 = 1,
        name: String = "n7",
        zone: String = "z1",
        address: String = "127.0.0.1:10007"
    ) -> MemberFacts {
        MemberFacts(
            origin: Origin(node: NodeID(raw: node), epoch: Epoch(raw: epoch)),
            name: name,
            zone: zone,
            region: "",
            address: address,
            holds: .cache
        )
    }

    @Test("every kind is read back as it was written")
    func roundTrip() throws {
        let records = [suspect, MemberRecord(facts(), incarnation: 1, state: .left)]
        for kind in [MemberPacket.Kind.ping, .ack, .request, .nack] {
            let packet = MemberPacket(
                kind,
                number: 9,
                subject: NodeID(raw: 2),
                hash: .max,
                records: records
            )
            #expect(try read(packet) == packet)
        }
        let news = MemberPacket(.news, hash: 0, records: [])
        #expect(try read(news) == news)
    }

    @Test("a record says beforehand how many bytes it takes")
    func size() {
        let empty = bytes(MemberPacket(.news, hash: 0, records: []))
        #expect(empty.count == MemberPacket.headBytes)
        let one = bytes(MemberPacket(.news, hash: 0, records: [suspect]))
        #expect(one.count == empty.count + suspect.encodedCount)
        let ping = MemberPacket(
            .ping,
            number: 1,
            subject: NodeID(raw: 2),
            hash: 3,
            held: 4,
            records: []
        )
        #expect(bytes(ping).count == MemberPacket.headMostBytes)
        let full = MemberPacket.headMostBytes + Limits.memberRecordsCount * 42
        #expect(full <= Limits.memberPacketBytes)
    }

    @Test("what the sender holds goes with pings and acks, and to nobody who speaks version 1")
    func held() throws {
        for kind in [MemberPacket.Kind.ping, .ack, .request, .nack, .news] {
            let isNews = kind == .news
            let packet = MemberPacket(
                kind,
                number: isNews ? 0 : 9,
                subject: NodeID(raw: isNews ? 0 : 2),
                hash: 3,
                held: 0x0102_0304_0506_0708,
                records: [suspect]
            )
            #expect(packet.held == (kind == .ping || kind == .ack ? 0x0102_0304_0506_0708 : nil))
            #expect(try read(packet) == packet)
            var older: [UInt8] = []
            packet.encode(into: &older, version: 1)
            #expect(older[0] == 1)
            let told = try MemberPacket(decoding: older.span)
            #expect(told.held == nil && told.records == packet.records)
            #expect(told.hash == 3 && told.number == packet.number)
            guard packet.held == nil else { continue }
            // A kind that has no such field, in the version that has it.
            older[0] = 2
            #expect(error(older) == .malformed)
        }
    }

    @Test("each cut and each byte too many is refused", arguments: [nil, 4] as [UInt64?])
    func cuts(held: UInt64?) {
        let whole = bytes(
            MemberPacket(
                .ping,
                number: 1,
                subject: NodeID(raw: 2),
                hash: 3,
                held: held,
                records: [suspect]
            )
        )
        #expect(whole[0] == (held == nil ? 1 : 2))
        #expect(error(whole) == nil)
        for count in whole.indices { #expect(error(Array(whole[..<count])) != nil) }
        #expect(error(whole + [0]) == .malformed)
    }

    @Test("version, kind, number, subject and count must be what some version writes")
    func head() {
        let ping = MemberPacket(.ping, number: 1, subject: NodeID(raw: 2), hash: 3, records: [])
        var changed = bytes(ping)
        changed[0] = 3
        #expect(error(changed) == .malformed)
        for kind in [0, 6, 255] as [UInt8] {
            changed = bytes(ping)
            changed[1] = kind
            #expect(error(changed) == .malformed)
        }
        let wrong = [
            MemberPacket(.ping, number: 0, subject: NodeID(raw: 2), hash: 3, records: []),
            MemberPacket(.ack, number: 1, subject: NodeID(raw: 0), hash: 3, records: []),
            MemberPacket(.news, number: 1, hash: 3, records: []),
            MemberPacket(.news, subject: NodeID(raw: 2), hash: 3, records: []),
        ]
        for packet in wrong { #expect(error(bytes(packet)) == .malformed) }
        changed = bytes(ping)
        changed[22] = UInt8(Limits.memberRecordsCount) + 1
        #expect(error(changed) == .malformed)
    }

    @Test("every field of a record is checked against its range")
    func ranges() {
        #expect(error(of: MemberRecord(facts(), incarnation: 1)) == nil)
        let wrong = [
            MemberRecord(facts(node: 0), incarnation: 1),
            MemberRecord(facts(epoch: 0), incarnation: 1),
            MemberRecord(facts(), incarnation: 0),
            MemberRecord(facts(), incarnation: MemberRecord.incarnationEnd),
            MemberRecord(facts(name: ""), incarnation: 1),
            MemberRecord(facts(name: "a b"), incarnation: 1),
            MemberRecord(facts(name: String(repeating: "n", count: 65)), incarnation: 1),
            MemberRecord(facts(zone: "z\u{7F}"), incarnation: 1),
            MemberRecord(facts(), incarnation: 1, state: .suspect, accuser: NodeID(raw: 7)),
        ]
        for record in wrong { #expect(error(of: record) == .malformed, "\(record)") }
        // state at offset 24 of the record, holds at 25, accuser from 26
        let sound = bytes(MemberPacket(.news, hash: 1, records: [suspect]))
        let at = MemberPacket.headBytes
        for (offset, value) in [(24, 5), (24, 0), (25, 2)] as [(Int, UInt8)] {
            var changed = sound
            changed[at + offset] = value
            #expect(error(changed) == .malformed)
        }
        var unsigned = sound
        unsigned[at + 33] = 0
        #expect(error(unsigned) == .malformed)
    }

    @Test("an address is a host and a port that can be dialed")
    func addresses() {
        for good in ["127.0.0.1:1", "[::1]:65535", "::1:80", "node-1.example:8103"] {
            #expect(error(of: MemberRecord(facts(address: good), incarnation: 1)) == nil, "\(good)")
        }
        let long = String(repeating: "1", count: 60) + ":8103"
        for bad in ["", ":80", "host", "host:", "host:0", "host:65536", "h:123456", "h/x:1", long] {
            let refused = error(of: MemberRecord(facts(address: bad), incarnation: 1))
            #expect(refused == .malformed, "\(bad)")
        }
    }

    @Test("no single flipped bit traps, and what still reads is in range")
    func flips() {
        let sound = bytes(
            MemberPacket(
                .ack,
                number: 1,
                subject: NodeID(raw: 2),
                hash: 3,
                held: 4,
                records: [suspect]
            )
        )
        for bit in 0..<(sound.count * 8) {
            var changed = sound
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            do {
                let read = try MemberPacket(decoding: changed.span)
                #expect(read.records.allSatisfy { $0.incarnation > 0 && $0.node.raw > 0 })
            } catch { continue }
        }
    }

    @Test("a book is read back, and one that is cut, too long or absurd is refused")
    func book() throws {
        let book = MemberBook(incarnation: 4, records: [suspect])
        var out: [UInt8] = []
        book.encode(into: &out)
        #expect(try readBook(out) == book)
        for count in out.indices {
            #expect(throws: DecodeError.self) { try readBook(Array(out[..<count])) }
        }
        #expect(throws: DecodeError.malformed) { try readBook(out + [0]) }
        var absurd = out
        absurd[1] = 0x80
        #expect(throws: DecodeError.malformed) { try readBook(absurd) }
    }
}

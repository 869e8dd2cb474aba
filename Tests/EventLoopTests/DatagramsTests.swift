// UDP over loopback: packets arrive whole, used ports are named, closing gives the port back.

import EventLoop
import Testing

private final class Inbox: DatagramsOwner {
    var packets: [[UInt8]] = []
    var onPacket: () -> Void = {}

    func datagrams(_ datagrams: Datagrams, received packet: Span<UInt8>) {
        packets.append(packet.indices.map { packet[$0] })
        onPacket()
    }
}

@Suite struct DatagramsTests {
    @Test("packets arrive whole and one by one")
    func arrive() throws {
        let loop = try Loop()
        let inbox = Inbox()
        let receiver = try Datagrams(on: loop, host: "127.0.0.1", port: 0, owner: inbox)
        let sender = try Datagrams(on: loop, host: "localhost", port: 0, owner: Inbox())
        let dog = try watchdog(loop)
        let place = try DatagramAddress(host: "127.0.0.1", port: receiver.port)
        let packets = [[1], [UInt8](repeating: 2, count: 1_200), [3, 4]]
        inbox.onPacket = {
            if inbox.packets.count == packets.count {
                for end in [receiver, sender] { end.close() }
            }
            if inbox.packets.count == packets.count { dog.close() }
        }
        let sent = packets.map { sender.send($0.span, to: place) }
        #expect(sent == [true, true, true])
        loop.run()
        #expect(inbox.packets == packets)
        let late: [UInt8] = [1]
        let isSent = sender.send(late.span, to: place)
        #expect(!isSent)
        loop.close()
    }

    @Test("a used port is named, and free again after closing")
    func usedPort() throws {
        let loop = try Loop()
        let first = try Datagrams(on: loop, host: "127.0.0.1", port: 0, owner: Inbox())
        let port = first.port
        #expect(throws: LoopError.addressInUse("127.0.0.1:\(port)")) {
            _ = try Datagrams(on: loop, host: "127.0.0.1", port: port, owner: Inbox())
        }
        first.close()
        loop.run()
        let second = try Datagrams(on: loop, host: "127.0.0.1", port: port, owner: Inbox())
        second.close()
        loop.run()
        loop.close()
    }

    @Test("addresses are read from text, of both families, and nothing else is")
    func addresses() {
        for text in ["127.0.0.1:8103", "[::1]:8103", "localhost:1"] {
            #expect(throws: Never.self) { try DatagramAddress(Array(text.utf8)) }
        }
        for text in ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "host:1", "::1"] {
            #expect(throws: LoopError.self) { try DatagramAddress(Array(text.utf8)) }
        }
    }
}

// Packets beside a link over loopback: they arrive once, and only with a link.

import EventLoop
import Suppression
import Testing

@testable import Servers

private final class Silence: DatagramsOwner {
    func datagrams(_ datagrams: Datagrams, received packet: Span<UInt8>) {}
}

@Suite struct PeerDatagramTests {
    private func sealed(_ node: PeerNode, _ link: PeerLinkID) -> [UInt8]? {
        let body: [UInt8] = [7]
        return node.server?.byID[link]?.sealDatagram(body.span)?.packet
    }

    @Test("packets of a linked peer arrive, the largest too; without a link none leaves")
    func arrive() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        #expect(!a.sendDatagram(to: b.node, [1]))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        let largest = [UInt8](repeating: 3, count: PeerServer.datagramBytes)
        #expect(a.sendDatagram(to: b.node, []))
        #expect(a.sendDatagram(to: b.node, largest))
        #expect(!a.sendDatagram(to: b.node, largest + [1]))
        #expect(b.sendDatagram(to: a.node, [2]))
        rig.until { b.packets.count == 2 && a.packets.count == 1 }
        #expect(b.packets.map(\.bytes) == [[], largest])
        #expect(b.packets.map(\.from) == [a.node, a.node] && a.packets[0].bytes == [2])
        #expect(a.server?.counters.unsentDatagrams == 2)
        rig.close()
    }

    @Test("a packet that comes again, is changed, or is of an earlier link is dropped and counted")
    func replays() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        let socket = try Datagrams(on: rig.loop, host: "127.0.0.1", port: 0, owner: Silence())
        let place = try DatagramAddress(b.address)
        let link = try #require(a.link)
        let packet = try #require(sealed(a, link))
        var changed = try #require(sealed(a, link))
        changed[20] ^= 1
        let noise: [UInt8] = [1, 2, 3]
        for bytes in [packet, packet, changed, noise] {
            let isSent = socket.send(bytes.span, to: place)
            #expect(isSent)
        }
        rig.until { b.server?.counters.refusedDatagrams == 2 }
        #expect(b.packets.map(\.bytes) == [[7]])
        #expect(b.server?.counters.replayedDatagrams == 1)
        let late = try #require(sealed(a, link))
        a.server?.end(link)
        rig.until { b.link == nil }
        rig.wait(milliseconds: 2_000, step: 100) { b.link != nil }
        let isSent = socket.send(late.span, to: place)
        #expect(isSent)
        rig.until { b.server?.counters.refusedDatagrams == 3 }
        #expect(b.packets.count == 1)
        socket.close()
        rig.close()
    }
}

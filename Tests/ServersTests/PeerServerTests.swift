// Links between real sockets: they come up once, carry frames in order, and end for one cause.

import EventLoop
import Suppression
import Testing

@testable import Servers

@Suite struct PeerLinkTests {
    @Test("a dial links both sides once, and frames of any size arrive in order")
    func frames() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        #expect(a.linked[0].peer == b.server?.identity)
        #expect(b.linked[0].peer == a.server?.identity)
        let sizes = [0, 1, 65_536, 3, 1 << 20, 0]
        let sent = sizes.map { size in
            (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        }
        var (toB, toA) = (sent[...], sent.reversed()[...])
        rig.until {
            while a.hasRoom, let frame = toB.popFirst() { _ = a.send(frame) }
            while b.hasRoom, let frame = toA.popFirst() { _ = b.send(frame) }
            return b.frames.count == sizes.count && a.frames.count == sizes.count
        }
        let isSame = b.frames == sent && a.frames == sent.reversed()
        #expect(isSame)
        rig.close()
    }

    @Test("a frame above 1 MiB is refused on the way out and ends the link on the way in")
    func tooLong() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        let relay = try rig.relay(to: b)
        try a.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && b.link != nil }
        let isSent = a.send([UInt8](repeating: 0, count: 1 << 20 | 1))
        #expect(!isSent)
        relay.change = { isDialer, bytes in isDialer ? [0, 0x10, 0, 1] + bytes : bytes }
        #expect(a.send([1]))
        rig.until { !b.ends.isEmpty }
        #expect(b.ends == [.tooLong] && b.frames.isEmpty)
        rig.close()
    }

    @Test("two that dial each other at once have one link", arguments: 0..<12)
    func simultaneous(round: Int) throws {
        let rig = try PeerRig()
        let nodes = [try rig.node(1), try rig.node(2)]
        let first = round % 2
        try rig.dial(nodes[first], nodes[1 - first])
        rig.pass(turns: round / 2)
        try rig.dial(nodes[1 - first], nodes[first])
        rig.until { nodes.allSatisfy { $0.link != nil } }
        rig.pass()
        rig.wait(milliseconds: 20_000)
        for node in nodes {
            #expect(node.linked.count == 1 && node.ends.isEmpty && node.failures.isEmpty)
            #expect(node.server?.counters.open == 1)
        }
        #expect(nodes[0].send([1]) && nodes[1].send([2]))
        rig.until { nodes.allSatisfy { $0.frames.count == 1 } }
        rig.close()
    }

    @Test("five nodes that all dial all have ten links, and no end", arguments: 0..<4)
    func mesh(seed: UInt64) throws {
        let rig = try PeerRig()
        let nodes = try (1...5).map { try rig.node($0, adjust: { $0.seed = seed }) }
        for from in nodes { for to in nodes where from !== to { try rig.dial(from, to) } }
        rig.until { nodes.allSatisfy { $0.linked.count == 4 } }
        rig.wait(milliseconds: 10_000)
        for node in nodes {
            #expect(node.linked.count == 4 && node.ends.isEmpty)
            #expect(node.server?.counters.open == 4)
            #expect(Set(node.linked.map(\.peer.node)).count == 4)
        }
        rig.close()
    }

    @Test("another address of a linked peer is a duplicate, and the link stands")
    func alias() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        for (from, to) in [(a, b), (b, a)] {
            let relay = try rig.relay(to: to)
            try from.server?.dial(host: "127.0.0.1", port: relay.port)
            rig.until { from.server?.counters.ended(.duplicate) == 1 }
            rig.wait(milliseconds: 10_000)
            #expect(from.server?.counters.ended(.duplicate) == 1)
        }
        #expect(a.linked.count == 1 && a.ends.isEmpty && b.linked.count == 1 && b.ends.isEmpty)
        rig.close()
    }

    @Test("a peer that lost its link gets another at once, whoever decides", arguments: [1, 9])
    func lostOnOneSide(id: UInt64) throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(5), try rig.node(id))
        let relay = try rig.relay(to: a)
        try b.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && b.link != nil }
        relay.isCut = true
        relay.dialers[0].close()  // b hears of it, a does not
        rig.until { b.ends == [.peerClosed] }
        relay.isCut = false
        rig.wait(milliseconds: 500, step: 100) { b.link != nil }
        #expect(b.linked.count == 2 && a.linked.count == 2)
        #expect(a.ends == [.replaced])
        #expect(a.send([1]) && b.send([2]))
        rig.until { a.frames == [[2]] && b.frames == [[1]] }
        rig.close()
    }

    @Test("a reader that does not read bounds its writer, and no byte is lost when it reads")
    func backPressure() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        b.isAsleep = true
        let frame = [UInt8](repeating: 5, count: 60_000)
        var sent = 0
        var most = 0
        for _ in 0..<400 {
            while a.hasRoom, sent < 1_000 {
                let isSent = a.send(frame)
                #expect(isSent)
                sent += 1
            }
            most = max(most, a.server?.links.first?.queuedBytes ?? 0)
            rig.pass(turns: 2)
        }
        #expect(sent > 20 && sent < 1_000)
        #expect(most >= 1 << 20 && most < 1 << 20 + 60_020)
        let drains = a.drains
        b.isAsleep = false
        rig.until { b.frames.count == sent && a.drains > drains }
        let isSame = b.frames.allSatisfy { $0 == frame }
        #expect(isSame)
        #expect(a.ends.isEmpty)
        rig.close()
    }

    @Test("a turn opens a bounded number of small frames, and the rest in the next ones")
    func turns() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        b.isAsleep = true
        for number in 0..<1_000 { _ = a.send([UInt8(truncatingIfNeeded: number)]) }
        rig.pass(turns: 20)
        b.isAsleep = false
        var steps: [Int] = []
        rig.until {
            steps.append(b.frames.count)
            return b.frames.count == 1_000
        }
        let most = zip(steps, steps.dropFirst()).map { $1 - $0 }.max() ?? 0
        #expect(most > 200 && most <= 256)
        let isSame = b.frames == (0..<1_000).map { [UInt8(truncatingIfNeeded: $0)] }
        #expect(isSame)
        rig.close()
    }

    @Test("room that comes back with the write itself is told as well")
    func roomAtOnce() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1, adjust: { $0.queueBytes = 1_000 }), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        rig.until { a.hasRoom }
        #expect(a.drains == 0)
        #expect(a.send([UInt8](repeating: 1, count: 2_000)) && !a.hasRoom)
        rig.until { a.drains == 1 && b.frames.count == 1 }
        #expect(a.hasRoom)
        rig.close()
    }

    @Test("who sends without room loses the link, and hears so")
    func overflow() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        b.isAsleep = true
        let frame = [UInt8](repeating: 5, count: 1 << 20)
        let first = a.send(frame), second = a.send(frame)
        #expect(first && !second)
        rig.until { a.ends == [.overflow] }
        #expect(!a.send([1]))
        rig.close()
    }

    @Test("a cut in both directions is found by silence, and mended by a new dial")
    func silence() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        let relay = try rig.relay(to: b)
        try a.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && b.link != nil }
        rig.wait(milliseconds: 60_000)
        #expect(a.ends.isEmpty && b.ends.isEmpty)
        #expect(a.server?.links.first?.roundTripNanos != nil)
        relay.isCut = true
        rig.wait(milliseconds: 4_500)
        #expect(a.ends.isEmpty && b.ends.isEmpty)
        rig.wait(milliseconds: 1_500)
        #expect(a.ends == [.silent] && b.ends == [.silent])
        relay.isCut = false
        rig.wait(milliseconds: 10_000) { a.link != nil && b.link != nil }
        #expect(a.linked.count == 2 && b.linked.count == 2)
        rig.close()
    }

    @Test("a process that stood still does not take its own pause for its peers' silence")
    func pause() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        try rig.dial(a, b)
        rig.until { a.link != nil && b.link != nil }
        a.server?.sweep(now: rig.now + 60_000)
        rig.pass()
        #expect(a.ends.isEmpty && b.ends.isEmpty)
        rig.close()
    }

    @Test("drain says farewell, and is done when all have gone")
    func drain() throws {
        let rig = try PeerRig()
        let nodes = try (1...3).map { try rig.node($0) }
        try rig.dial(nodes[0], nodes[1])
        try rig.dial(nodes[2], nodes[0])
        rig.until { nodes[0].linked.count == 2 && nodes[1].link != nil && nodes[2].link != nil }
        #expect(nodes[0].server?.isDrained == false)
        nodes[0].server?.drain()
        rig.until { nodes[0].server?.isDrained == true }
        #expect(nodes[0].ends == [.closedHere, .closedHere])
        rig.until { nodes[1].ends.count + nodes[2].ends.count == 2 }
        #expect(nodes[1].ends == [.farewell(.leaving)])
        #expect(nodes[2].ends == [.farewell(.leaving)])
        rig.pass(turns: 9)
        #expect(nodes.allSatisfy { $0.server?.isAtRest == true }, "a link that has ended, ends")
        rig.close()
    }

    @Test("a refused dial is told and tried again until forgotten; our own address only once")
    func redial() throws {
        let rig = try PeerRig()
        let (a, gone) = (try rig.node(1), try rig.node(2))
        let port = gone.server?.port ?? 0
        gone.server?.close()
        rig.pass(turns: 5)
        try a.server?.dial(host: "127.0.0.1", port: port)
        rig.until { a.failures.count == 1 }
        if case .failed? = a.failures.first {} else { Issue.record("\(a.failures)") }
        rig.wait(milliseconds: 20_000)
        #expect(a.failures.count > 4 && a.failures.count < 20)
        a.server?.forget(host: "127.0.0.1", port: port)
        let before = a.failures.count
        rig.wait(milliseconds: 20_000)
        #expect(a.failures.count == before)
        try rig.dial(a, a)
        rig.until { a.server?.counters.open == 0 && a.failures.contains(.ourselves) }
        rig.wait(milliseconds: 20_000)
        #expect(a.server?.counters.ended(.ourselves) == 2, "one for each side of the connection")
        #expect(a.linked.isEmpty && a.clones.isEmpty)
        rig.close()
    }

    @Test("a used peer port is named, TCP or UDP")
    func usedPort() throws {
        let rig = try PeerRig()
        let a = try rig.node(1)
        let port = a.server?.port ?? 0
        let b = try rig.node(2)
        let other = try PeerServer(
            loop: rig.loop,
            identity: b.server?.identity ?? a.linked[0].peer,
            keys: PeerKeys(current: PeerSecret(bytes: PeerRig.key)),
            service: b
        )
        #expect(throws: LoopError.addressInUse("127.0.0.1:\(port)")) {
            try other.listen(host: "127.0.0.1", port: port)
        }
        other.close()
        rig.close()
    }
}

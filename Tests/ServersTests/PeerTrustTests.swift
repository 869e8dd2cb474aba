// Whom a node links with, and whom it does not: keys, clusters, versions, copies, recordings,
// noise.

import EventLoop
import Suppression
import Testing

@testable import Servers

private func secret(_ byte: UInt8) -> PeerSecret {
    PeerSecret(bytes: [UInt8](repeating: byte, count: 32))
}

@Suite struct PeerTrustTests {
    @Test("a wrong key is closed without an answer and counted")
    func wrongKey() throws {
        let rig = try PeerRig()
        let a = try rig.node(1, keys: PeerKeys(current: secret(1)))
        let b = try rig.node(2, keys: PeerKeys(current: secret(2)))
        let liar = PeerSecret(id: secret(2).id, bytes: [UInt8](repeating: 3, count: 32))
        let c = try rig.node(3, keys: PeerKeys(current: liar))
        let relay = try rig.relay(to: b)
        var answered = 0
        relay.change = { isDialer, bytes in
            if !isDialer { answered += bytes.count }
            return bytes
        }
        try a.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.failures == [.peerClosed] && b.failures == [.wrongKey] }
        try c.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { c.failures == [.peerClosed] && b.failures == [.wrongKey, .forged] }
        #expect(answered == 0)
        #expect(a.linked.isEmpty && b.linked.isEmpty && c.linked.isEmpty)
        rig.close()
    }

    @Test("both sides name another cluster and a version that they do not share")
    func refusals() throws {
        let rig = try PeerRig()
        let a = try rig.node(1)
        let b = try rig.node(2, describe: { $0.clusterID = 1 })
        let c = try rig.node(3, describe: { $0.protocolRange = 3...9 })
        try rig.dial(a, b)
        rig.until { a.failures == [.otherCluster] && b.failures == [.otherCluster] }
        try rig.dial(c, a)
        rig.until {
            c.failures == [.otherProtocol(1...2)] && a.failures.last == .otherProtocol(3...9)
        }
        #expect(a.linked.isEmpty && b.linked.isEmpty && c.linked.isEmpty)
        rig.close()
    }

    @Test("an empty node that knows no cluster yet links with one")
    func joins() throws {
        let rig = try PeerRig()
        let a = try rig.node(1)
        let b = try rig.node(2, describe: { $0.clusterID = 0 })
        try rig.dial(b, a)
        rig.until { a.link != nil && b.link != nil }
        #expect(b.linked[0].peer.clusterID == 0xC0FFEE)
        rig.close()
    }

    @Test("during a rotation every step links with the one before, whoever dials")
    func rotation() throws {
        let (old, next) = (secret(1), secret(2))
        let steps = [
            PeerKeys(current: old), PeerKeys(current: old, other: next),
            PeerKeys(current: next, other: old), PeerKeys(current: next),
        ]
        for step in 0..<3 {
            for isReversed in [false, true] {
                let rig = try PeerRig()
                let a = try rig.node(1, keys: steps[step])
                let b = try rig.node(2, keys: steps[step + 1])
                if isReversed { try rig.dial(b, a) } else { try rig.dial(a, b) }
                rig.wait(milliseconds: 2_000, step: 50) { a.link != nil && b.link != nil }
                #expect(a.linked.count == 1 && b.linked.count == 1)
                rig.close()
            }
        }
        // One that has only the old key meets one that prefers the next: the second dial does it.
        let rig = try PeerRig()
        let a = try rig.node(1, keys: steps[0])
        let b = try rig.node(2, keys: steps[2])
        try rig.dial(b, a)
        rig.wait(milliseconds: 2_000, step: 50) { a.link != nil && b.link != nil }
        #expect(a.linked.count == 1 && a.failures == [.wrongKey])
        rig.close()
    }

    @Test("noise is closed without a byte; half a hello and its silence end by time")
    func noise() throws {
        let rig = try PeerRig()
        let a = try rig.node(1)
        let hello = PeerHello.sealed(
            try rig.node(2).server?.identity ?? a.linked[0].peer,
            under: PeerSecret(bytes: PeerRig.key),
            random: .fresh()
        )
        let (web, _) = try rig.stranger(at: a, Array("GET / HTTP/1.1\r\n\r\n".utf8))
        let (half, _) = try rig.stranger(at: a, Array(hello.prefix(60)))
        let (silent, _) = try rig.stranger(at: a, [])
        rig.until { web.hasEnded && a.server?.counters.accepted == 3 }
        rig.wait(milliseconds: 4_500)
        #expect(!half.hasEnded && !silent.hasEnded)
        rig.wait(milliseconds: 1_500)
        #expect(half.hasEnded && silent.hasEnded)
        #expect(web.got + half.got + silent.got == [])
        #expect(a.failures == [.garbage, .handshakeTime, .handshakeTime])
        rig.close()
    }

    @Test("strangers are bounded in number, and make room when they end")
    func strangers() throws {
        let rig = try PeerRig()
        let a = try rig.node(1, adjust: { $0.strangers = 3 })
        let b = try rig.node(2)
        let crowd = try (0..<5).map { _ in try rig.stranger(at: a, []) }
        rig.until { a.server?.counters.turnedAway == 2 }
        try rig.dial(b, a)
        rig.until { a.server?.counters.turnedAway == 3 }
        rig.wait(milliseconds: 6_000)
        #expect(crowd.allSatisfy { $0.0.hasEnded })
        rig.wait(milliseconds: 6_000) { a.link != nil && b.link != nil }
        #expect(a.link != nil)
        // A link is no stranger any more: as many as before may come.
        let more = try (0..<3).map { _ in try rig.stranger(at: a, []) }
        rig.until { a.server?.counters.open == 4 }
        #expect(more.allSatisfy { !$0.0.hasEnded })
        rig.close()
    }

    @Test("a recorded hello of a true peer gets no link, ends none and reports no copy")
    func recording() throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        let relay = try rig.relay(to: a)
        try b.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && b.link != nil }
        let length =
            PeerHello.headBytes + Int(relay.fromDialer[24]) << 8
            + Int(relay.fromDialer[25])
        let hello = Array(relay.fromDialer.prefix(length))
        let (onlyHello, _) = try rig.stranger(at: a, hello)
        let (all, _) = try rig.stranger(at: a, relay.fromDialer)
        rig.until { all.hasEnded && !onlyHello.got.isEmpty }
        rig.wait(milliseconds: 6_000)
        #expect(onlyHello.hasEnded)
        #expect(a.linked.count == 1 && a.ends.isEmpty && a.clones.isEmpty)
        #expect(a.failures == [.forged, .handshakeTime])
        rig.close()
    }

    @Test(
        "a frame that is changed, repeated or swallowed on the way ends the link",
        arguments: ["changed", "repeated", "swallowed"]
    )
    func tampering(how: String) throws {
        let rig = try PeerRig()
        let (a, b) = (try rig.node(1), try rig.node(2))
        let relay = try rig.relay(to: b)
        try a.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && b.link != nil }
        #expect(a.send([1]))
        rig.until { b.frames == [[1]] }
        var isDone = false
        relay.change = { isDialer, bytes in
            guard isDialer, !isDone else { return bytes }
            isDone = true
            switch how {
            case "changed": return bytes.dropLast() + [bytes[bytes.count - 1] ^ 1]
            case "repeated": return bytes + bytes
            default: return []
            }
        }
        #expect(a.send([2]))
        rig.until { isDone }
        _ = a.send([3])
        rig.until { b.ends == [.forged] }
        #expect(b.frames == (how == "repeated" ? [[1], [2]] : [[1]]))
        rig.close()
    }

    @Test("a live copy of a directory is reported, and the first life keeps its link")
    func clone() throws {
        let rig = try PeerRig()
        let (a, first) = (try rig.node(5), try rig.node(9))
        try rig.dial(first, a)
        rig.until { a.link != nil && first.link != nil }
        // A running copy elsewhere, a started copy elsewhere, a started copy that says our address.
        for (epoch, isElsewhere) in [(UInt32(1), true), (2, true), (2, false)] {
            let copy = try rig.node(9, epoch: epoch)
            if !isElsewhere { copy.server?.identity.address = first.address }
            let before = a.clones.count
            if epoch == 1 { try rig.dial(a, copy) } else { try rig.dial(copy, a) }
            rig.until { a.clones.count > before && a.server?.counters.open == 1 }
            #expect(a.clones.last?.node == NodeID(raw: 9))
            #expect(a.clones.last?.addresses == [first.address, copy.address])
            #expect(copy.linked.isEmpty && a.linked.count == 1 && a.ends.isEmpty)
            a.server?.forget(host: "127.0.0.1", port: copy.server?.port ?? 0)
            copy.server?.close()
        }
        rig.close()
    }

    @Test("a copy that meets its own original: both report it")
    func ownClone() throws {
        let rig = try PeerRig()
        let (a, copy) = (try rig.node(5), try rig.node(5, epoch: 2))
        try rig.dial(copy, a)
        rig.until { !a.clones.isEmpty && !copy.clones.isEmpty }
        #expect(a.clones[0].addresses == [a.address, copy.address])
        #expect(copy.clones[0].addresses == [copy.address, a.address])
        #expect(a.linked.isEmpty && copy.linked.isEmpty)
        rig.close()
    }

    @Test("the next life of a node takes the place of one that does not answer", arguments: [1, 9])
    func nextLife(id: UInt64) throws {
        let rig = try PeerRig()
        let (a, first) = (try rig.node(5), try rig.node(id))
        let relay = try rig.relay(to: a)
        try first.server?.dial(host: "127.0.0.1", port: relay.port)
        rig.until { a.link != nil && first.link != nil }
        relay.isCut = true
        let second = try rig.node(id, epoch: 2)
        try rig.dial(second, a)
        rig.until { second.failures.count == 1 }
        #expect(a.ends.isEmpty && a.linked.count == 1, "the first may still be alive")
        rig.wait(milliseconds: 2_500, step: 100)
        #expect(a.ends == [.silent])
        rig.wait(milliseconds: 5_000, step: 100) { second.link != nil }
        #expect(a.linked.count == 2 && a.linked.last?.peer.epoch.counter == 2)
        #expect(a.clones.isEmpty)
        rig.close()
    }
}

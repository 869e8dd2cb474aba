// A peer made by hand that has the key and breaks the rules: who is in the cluster may still err.

import EventLoop
import Suppression
import Testing

@testable import Servers

/// Dials, says hello, and then frames of any kind and body.
private final class Member: StreamOwner {
    let identity: PeerIdentity
    private let secret = PeerSecret(bytes: PeerRig.key)
    private let random = HandshakeRandom.fresh()
    private var got: [UInt8] = []
    private var cipher: PeerCipher?
    private var counter: UInt64 = 0
    private(set) var hasEnded = false

    /// The acceptor's hello has come.
    var isGreeted: Bool { cipher != nil }

    init(_ identity: PeerIdentity) { self.identity = identity }

    func streamConnected(_ stream: Stream) {
        stream.startReading()
        let hello = PeerHello.sealed(identity, under: secret, random: random)
        stream.write(hello.span)
    }

    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        for index in bytes.indices { got.append(bytes[index]) }
        guard cipher == nil else { return }
        let bytes = got
        do {
            let keys = PeerKeys(current: secret)
            let hello = try PeerHello.read(bytes.span, keys: keys, answering: random)
            guard let hello else { return }
            cipher = PeerSchedule(secret: secret, dialer: random, acceptor: hello.random)
                .cipher(.frames, .fromDialer, sender: identity.origin)
        } catch {
            Issue.record("\(error)")
        }
    }

    func streamEnded(_ stream: Stream, reason: EndReason) { hasEnded = true }

    func say(_ kind: UInt8, _ body: [UInt8], on stream: Stream) {
        let head = PeerFrameHead(kind: kind, length: body.count).encoded
        var output = head
        cipher?.seal(body.span, header: head, counter: counter, onto: &output)
        counter += 1
        stream.write(output.span)
    }
}

@Suite struct PeerRuleTests {
    private let ready: (UInt8, [UInt8]) = (1, [0, 0, 0, 1])

    /// Says these frames to a node, and tells what the node made of them.
    private func talk(_ frames: [(UInt8, [UInt8])]) throws -> (PeerNode, PeerEnd?) {
        let rig = try PeerRig()
        let node = try rig.node(5)
        var identity = try #require(node.server).identity
        identity.node = NodeID(raw: 1)
        let member = Member(identity)
        let stream = try Stream.connect(
            on: rig.loop,
            host: "127.0.0.1",
            port: node.server?.port ?? 0,
            owner: member
        )
        rig.streams.append(stream)
        rig.until { member.isGreeted }
        for frame in frames { member.say(frame.0, frame.1, on: stream) }
        rig.pass(turns: 40)
        let end = node.failures.first ?? node.ends.first
        #expect(member.hasEnded == (end != nil))
        rig.close()
        return (node, end)
    }

    @Test("before its ready a peer may say farewell, and nothing else")
    func early() throws {
        for frame in [(0, [7]), (2, [0, 0, 0, 0, 0, 0, 0, 1]), (3, []), (9, [])]
            as [(UInt8, [UInt8])]
        {
            let (node, end) = try talk([frame])
            #expect(end == .malformed && node.linked.isEmpty && node.frames.isEmpty)
        }
        #expect(try talk([(4, [1])]).1 == .farewell(.leaving))
        #expect(try talk([(1, [UInt8](repeating: 0, count: 65))]).1 == .tooLong)
        #expect(try talk([(1, [0, 0, 0])]).1 == .malformed)
    }

    @Test("after it frames are taken, kinds of later versions passed over, wrong sizes refused")
    func late() throws {
        let (node, end) = try talk([ready, (0, [7]), (99, [1, 2]), (0, [8])])
        #expect(node.frames == [[7], [8]] && end == nil)
        #expect(node.server?.counters.unknownFrames == 1)
        for wrong in [(2, [1]), (3, [1]), (4, []), (1, [0, 0, 0, 2])] as [(UInt8, [UInt8])] {
            #expect(try talk([ready, wrong]).1 == .malformed)
        }
        #expect(try talk([ready, (4, [77])]).1 == .farewell(.unknown))
    }

    @Test("the number of a link that is over is not taken again")
    func numbers() throws {
        var pairs = PeerPairs(own: NodeID(raw: 5))
        let lower = try #require(try talk([]).0.server).identity
        var peer = lower
        peer.node = NodeID(raw: 1)
        pairs.follow(peer, PeerLinkID(raw: 1), number: 3)
        #expect(pairs.verdict(on: peer, number: 3) == .duplicate)
        #expect(pairs.verdict(on: peer, number: 2) == .duplicate)
        #expect(pairs.verdict(on: peer, number: 4) == .replace(PeerLinkID(raw: 1)))
        #expect(pairs.verdict(on: peer, number: nil) == .duplicate)
        var higher = lower
        higher.node = NodeID(raw: 9)
        #expect(pairs.choose(higher, PeerLinkID(raw: 2)) == 1)
        #expect(pairs.verdict(on: higher, number: 0) == .duplicate, "our choice is on its way")
        #expect(pairs.verdict(on: higher, number: 1) == .replace(PeerLinkID(raw: 2)))
        higher.epoch = Epoch(raw: 1)
        #expect(pairs.verdict(on: higher, number: 0) == .otherLife(PeerLinkID(raw: 2)))
        pairs.ended(higher.node, PeerLinkID(raw: 1))
        #expect(pairs.link(with: higher.node) == PeerLinkID(raw: 2), "another link's end")
        pairs.ended(higher.node, PeerLinkID(raw: 2))
        #expect(pairs.verdict(on: higher, number: 0) == .free)
        #expect(pairs.choose(higher, PeerLinkID(raw: 3)) == 1, "numbers belong to two lives")
    }
}

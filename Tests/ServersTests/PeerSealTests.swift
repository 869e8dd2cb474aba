// The pure parts of links: hellos, key schedule, frames, packets, the window, the wait of a dial.
//
// The fixed bytes were computed by another implementation (Python's hmac and OpenSSL's cipher) from
// Docs/formats.md: a format that changes by accident changes here first.

import Suppression
import Testing

@testable import Servers

private let secret = PeerSecret(bytes: Array(0..<32))
private let dialer = HandshakeRandom(high: 0x1111_1111_1111_1111, low: 0x2222_2222_2222_2222)
private let acceptor = HandshakeRandom(high: 0x3333_3333_3333_3333, low: 0x4444_4444_4444_4444)
private let origin = Origin(node: NodeID(raw: 7), epoch: Epoch(counter: 3, random: 9))
private let identity = PeerIdentity(
    node: origin.node,
    epoch: origin.epoch,
    name: Array("n1".utf8),
    zone: Array("z1".utf8),
    region: Array("eu".utf8),
    clusterID: 0xC0FFEE,
    holdsAll: true,
    protocolRange: 1...2,
    address: Array("127.0.0.1:8103".utf8)
)
private let schedule = PeerSchedule(secret: secret, dialer: dialer, acceptor: acceptor)

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

private func read(
    _ bytes: [UInt8],
    _ keys: PeerKeys = PeerKeys(current: secret),
    answering: HandshakeRandom? = nil
) throws(PeerEnd) -> PeerHello? {
    try PeerHello.read(bytes.span, keys: keys, answering: answering)
}

private func decode(_ bytes: [UInt8]) throws(DecodeError) -> PeerIdentity {
    try PeerIdentity.decode(bytes.span)
}

private func head(_ bytes: [UInt8]) throws(PeerEnd) -> PeerFrameHead? {
    try PeerFrameHead(bytes.span, at: 0)
}

private func other(_ change: (inout PeerIdentity) -> Void) -> PeerIdentity {
    var other = identity
    other.node = NodeID(raw: 8)
    change(&other)
    return other
}

@Suite struct PeerHelloTests {
    let first = PeerHello.sealed(identity, under: secret, random: dialer)
    let second = PeerHello.sealed(identity, under: secret, random: acceptor, answering: dialer)

    @Test("both hellos are these bytes, and open to what was said")
    func vector() throws {
        #expect(
            hex(first)
                == "514c4b3150785efa11111111111111112222222222222222004abfbf6fe57f91c09e1ce9db746a"
                + "0ea135a71ef04befd383f17fae666103a9463b13d03896735acd4c508e9e900b78b44f89c8e414"
                + "7a70931b8e7ea12d687f49201bee0bddbf872f05f81f"
        )
        #expect(
            hex(second)
                == "514c4b3150785efa33333333333333334444444444444444004a5bc4b102e8bb08dc8f4025cdf6"
                + "b25e98077ff9150ee001fa87cf3174ebab09c9a451628b66ab6bfa253592f57b5f32e9a5f25329"
                + "260817732589db79034ab420bcd834cfafae6e795f1d"
        )
        #expect(try read(first)?.identity == identity)
        #expect(try read(first)?.count == first.count)
        #expect(try read(second, answering: dialer)?.identity == identity)
    }

    @Test("not one flipped bit is accepted, and no part of a hello is taken for all of it")
    func flips() {
        for at in first.indices {
            for bit in at < PeerHello.headBytes ? 0..<8 : at % 8..<at % 8 + 1 {
                var bytes = first
                bytes[at] ^= 1 << UInt8(bit)
                bytes += [UInt8](repeating: 0, count: 600)  // a longer length finds its bytes
                let opened = Result { () throws(PeerEnd) in try read(bytes) }
                if case .success = opened { Issue.record("accepted a flip at \(at)") }
            }
        }
        for count in first.indices {
            let part = Result { () throws(PeerEnd) in try read(Array(first.prefix(count))) }
            if case .success(nil) = part { continue }
            Issue.record("\(count) bytes were enough")
        }
    }

    @Test("a hello answers one random only, and is no hello of the other side")
    func replays() {
        #expect(throws: PeerEnd.forged) { try read(second, answering: acceptor) }
        #expect(throws: PeerEnd.forged) { try read(second) }
        #expect(throws: PeerEnd.forged) { try read(first, answering: dialer) }
    }

    @Test("strangers, wrong keys and wrong bytes under a right number are told apart")
    func keys() {
        let other = PeerSecret(bytes: Array(1..<33))
        let liar = PeerSecret(id: secret.id, bytes: Array(1..<33))
        #expect(throws: PeerEnd.garbage) { try read(Array("GET / HTTP/1.1\r\n".utf8)) }
        #expect(throws: PeerEnd.wrongKey) { try read(first, PeerKeys(current: other)) }
        #expect(throws: PeerEnd.forged) { try read(first, PeerKeys(current: liar)) }
        let both = PeerKeys(current: other, other: secret)
        #expect(throws: Never.self) { try read(first, both) }
        #expect(both.dialing(attempt: 0).id == other.id)
        #expect(both.dialing(attempt: 1).id == secret.id)
    }

    @Test("values that no version writes are refused, additions of later versions are not")
    func ranges() throws {
        let good = identity.encoded()
        #expect(try decode(good + [1, 2, 3]) == identity)
        for (at, value) in [(0, 2), (25, 9), (31, 200)] {
            var bytes = good
            bytes[at] = UInt8(value)  // version; lowest above highest; a name of 200 bytes
            let wrong = bytes
            #expect(throws: DecodeError.self) { try decode(wrong) }
        }
        var nobody = good
        for at in 1...8 { nobody[at] = 0 }
        let zero = nobody
        #expect(throws: DecodeError.malformed) { try decode(zero) }
        for blank in [UInt8(0x20), 0x0A, 0x7F, 0xC3, 0] {
            var bytes = good
            bytes[33] = blank
            let wrong = bytes
            #expect(throws: DecodeError.malformed) { try decode(wrong) }
        }
        for count in good.indices {
            let part = Array(good.prefix(count))
            #expect(throws: DecodeError.self) { try decode(part) }
        }
    }

    @Test("both sides come to the same refusal")
    func refusals() {
        let cases: [(PeerIdentity, PeerEnd?)] = [
            (other { _ in }, nil),
            (other { $0.clusterID = 1 }, .otherCluster),
            (other { $0.clusterID = 0 }, nil),
            (other { $0.protocolRange = 3...4 }, .otherProtocol(3...4)),
            (other { $0.protocolRange = 2...4 }, nil),
            (other { $0.node = identity.node }, .ourselves),
            (
                other {
                    $0.node = identity.node
                    $0.epoch = Epoch(raw: 1)
                }, .cloned
            ),
        ]
        for (peer, why) in cases {
            #expect(identity.refusal(of: peer) == why)
            let theirs = peer.refusal(of: identity)
            #expect(theirs == (why == .otherProtocol(3...4) ? .otherProtocol(1...2) : why))
        }
        #expect(identity.agreed(with: other { $0.protocolRange = 2...4 }) == 2)
    }
}

/// Opens packets by what they claim.
private final class Packets {
    private var opener: DatagramOpener

    init(_ cipher: PeerCipher) { opener = DatagramOpener(cipher, node: origin.node) }

    func open(_ packet: [UInt8]) -> DatagramOpener.Opened? {
        guard let claim = DatagramFrame.claim(packet.span) else { return nil }
        guard claim.node == origin.node else { return .forged }
        return opener.open(packet.span, number: claim.number)
    }
}

@Suite struct PeerFrameTests {
    private func cipher(
        _ channel: PeerChannel = .frames,
        _ direction: PeerDirection = .fromDialer,
        _ sender: Origin = origin,
        _ schedule: PeerSchedule = schedule
    ) -> PeerCipher { schedule.cipher(channel, direction, sender: sender) }

    private func open(_ opener: inout FrameOpener, _ bytes: [UInt8]) -> [UInt8]? {
        do {
            guard let head = try PeerFrameHead(bytes.span, at: 0),
                bytes.count >= head.frameBytes
            else { return nil }
            return try opener.open(head, bytes.span, at: 0)
        } catch { return nil }
    }

    private func frames(_ bodies: [[UInt8]]) -> [[UInt8]] {
        var sealer = FrameSealer(cipher())
        var sealed: [[UInt8]] = []
        for body in bodies {
            var output: [UInt8] = []
            sealer.seal(.frame, body.span, onto: &output)
            sealed.append(output)
        }
        return sealed
    }

    @Test("two frames and a packet are these bytes")
    func vector() {
        let sealed = frames([[], Array("opt-out".utf8)])
        #expect(
            hex(sealed[0] + sealed[1])
                == "000000005d501ad980a592717b2467a5776fdfcd"
                + "00000007d9ec2923a2e85767a8d4556e6e1a0cde81967d9a4c0d3a"
        )
        var sealer = DatagramSealer(cipher(.datagrams), node: origin.node)
        let probe = Array("probe".utf8)
        _ = sealer.seal(probe.span)
        let packet = sealer.seal(probe.span)
        #expect(
            hex(packet)
                == "01000000000000000700000000000000014a093a530eaafb3c924b86e031f92932d0436cda6a"
        )
    }

    @Test("the key is another one for every input of the schedule")
    func schedules() {
        let probe: [UInt8] = [1, 2, 3]
        let dialers = PeerSchedule(secret: secret, dialer: acceptor, acceptor: acceptor)
        let acceptors = PeerSchedule(secret: secret, dialer: dialer, acceptor: dialer)
        let bytes = PeerSecret(id: secret.id, bytes: Array(1..<33))
        let number = PeerSecret(id: 1, bytes: Array(0..<32))
        let ciphers = [
            cipher(),
            cipher(.datagrams), cipher(.hello),
            cipher(.frames, .fromAcceptor),
            cipher(.frames, .fromDialer, Origin(node: NodeID(raw: 8), epoch: origin.epoch)),
            cipher(.frames, .fromDialer, Origin(node: origin.node, epoch: Epoch(raw: 1))),
            cipher(.frames, .fromDialer, origin, dialers),
            cipher(.frames, .fromDialer, origin, acceptors),
            cipher(
                .frames,
                .fromDialer,
                origin,
                PeerSchedule(secret: bytes, dialer: dialer, acceptor: acceptor)
            ),
            cipher(
                .frames,
                .fromDialer,
                origin,
                PeerSchedule(secret: number, dialer: dialer, acceptor: acceptor)
            ),
        ]
        let texts = ciphers.map { cipher in
            var output: [UInt8] = []
            cipher.seal(probe.span, header: [], counter: 0, onto: &output)
            return output
        }
        #expect(Set(texts).count == texts.count)
    }

    @Test("not one flipped bit of a frame is accepted")
    func flips() {
        let sealed = frames([[1, 2, 3, 4, 5]])[0]
        for at in sealed.indices {
            for bit in 0..<8 {
                var bytes = sealed
                bytes[at] ^= 1 << UInt8(bit)
                bytes += [UInt8](repeating: 0, count: 300)
                var opener = FrameOpener(cipher())
                let opened = open(&opener, bytes)
                #expect(opened == nil, "a flip at \(at)")
            }
        }
    }

    @Test("a frame that is repeated, left out, moved or sent back does not open")
    func order() {
        let sealed = frames([[1], [2], [3]])
        var opener = FrameOpener(cipher())
        let early = open(&opener, sealed[1])
        let first = open(&opener, sealed[0])
        let again = open(&opener, sealed[0])
        let third = open(&opener, sealed[2])
        let second = open(&opener, sealed[1])
        #expect(early == nil && first == [1] && again == nil && third == nil && second == [2])
        var back = FrameOpener(cipher(.frames, .fromAcceptor))
        let reflected = open(&back, sealed[0])
        #expect(reflected == nil)
    }

    @Test("lengths end at 1 MiB")
    func length() throws {
        let largest: [UInt8] = [0, 0x10, 0, 0]
        let larger: [UInt8] = [0, 0x10, 0, 1]
        #expect(try head(largest)?.length == 1 << 20)
        #expect(throws: PeerEnd.tooLong) { try head(larger) }
    }

    @Test("a packet opens once, its flips never, and forgeries do not move the window")
    func packets() throws {
        var sealer = DatagramSealer(cipher(.datagrams), node: origin.node)
        let body: [UInt8] = [9, 9]
        var packets: [[UInt8]] = []
        for _ in 0..<3_000 { packets.append(sealer.seal(body.span)) }
        let inbox = Packets(cipher(.datagrams))
        for at in packets[5].indices {
            for bit in 0..<8 {
                var packet = packets[5]
                packet[at] ^= 1 << UInt8(bit)
                let opened = inbox.open(packet)
                #expect(opened == nil || opened == .forged, "a flip at \(at)")
            }
        }
        let order = [5, 5, 0, 2_000, 977, 976, 2_000]
        let opened = order.map { inbox.open(packets[$0]) }
        #expect(
            opened == [
                .bytes(body), .replayed, .bytes(body), .bytes(body), .bytes(body), .replayed,
                .replayed,
            ]
        )
    }
}

@Suite struct ReplayWindowTests {
    @Test("any number is fresh once, and never again, whatever the order")
    func law() {
        var seed = Jitter(seed: 11)
        for _ in 0..<200 {
            var window = ReplayWindow()
            var seen: Set<UInt64> = []
            var highest: UInt64 = 0
            for _ in 0..<300 {
                let jump = seed.next() % 8 == 0 ? seed.next() % 3_000 : seed.next() % 40
                let base = highest + jump
                let back = seed.next() % 1_300
                let number = base > back ? base - back : base
                let isFresh = window.isFresh(number)
                let isTooOld = !seen.isEmpty && highest >= 1_024 && number <= highest - 1_024
                #expect(isFresh == (!seen.contains(number) && !isTooOld))
                guard isFresh else { continue }
                window.note(number)
                seen.insert(number)
                highest = max(highest, number)
            }
        }
    }

    @Test("the edges: 1,024 numbers, a jump over the whole window, the last number")
    func edges() {
        var window = ReplayWindow()
        window.note(0)
        window.note(1_023)
        let inside = window.isFresh(1), first = window.isFresh(0)
        window.note(1_024)
        let out = window.isFresh(0), edge = window.isFresh(1)
        window.note(1 << 40)
        let stale = window.isFresh(2_000), kept = window.isFresh((1 << 40) - 1_023)
        let last = window.isFresh(.max)
        #expect(inside && !first && !out && edge && !stale && kept && !last)
    }
}

@Suite struct RedialTests {
    @Test("waits double up to 5 s, and half of each is chance")
    func waits() {
        var seed = Jitter(seed: 3)
        for failures in 0..<40 {
            let whole = min(100 << UInt64(min(failures, 10)), 5_000)
            let waits = (0..<200).map { _ in
                PeerTarget.wait(failures: failures, random: seed.next())
            }
            #expect(waits.allSatisfy { $0 >= whole / 2 && $0 <= whole })
            #expect(Set(waits).count > 20)
        }
    }

    @Test("only a link that lasted forgives the failures before it")
    func forgiving() {
        var target = PeerTarget(host: "::1", port: 9)
        for _ in 0..<10 { target.ended(now: 100, lived: 10, random: 0) }
        #expect(target.due == 100 + 2_500)
        target.ended(now: 100, lived: 5_000, random: 0)
        #expect(target.due == 100 + 50)
        #expect(String(decoding: target.address, as: UTF8.self) == "[::1]:9")
    }
}

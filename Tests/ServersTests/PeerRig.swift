// Nodes, strangers and a relay between them on one loop over loopback; time by hand.

import EventLoop
import Suppression
import Testing

@testable import Servers

/// A node that keeps all that it hears.
final class PeerNode: PeerService {
    var linked: [(id: PeerLinkID, peer: PeerIdentity)] = []
    var frames: [[UInt8]] = []
    var ends: [PeerEnd] = []
    var drains = 0
    var packets: [(from: NodeID, bytes: [UInt8])] = []
    var clones: [(node: NodeID, addresses: [[UInt8]])] = []
    var failures: [PeerEnd] = []
    /// Its turns are left out: it does not read.
    var isAsleep = false
    var server: PeerServer?
    private(set) var live: [PeerLinkID] = []

    /// The only link, if there is exactly one.
    var link: PeerLinkID? { live.count == 1 ? live[0] : nil }
    var address: [UInt8] { server?.identity.address ?? [] }
    var node: NodeID { server?.identity.node ?? NodeID(raw: 0) }

    func linked(_ link: PeerLinkID, _ peer: PeerIdentity) {
        linked.append((link, peer))
        live.append(link)
    }

    func received(_ link: PeerLinkID, _ frame: Span<UInt8>) {
        #expect(live.contains(link))
        frames.append(bytes(frame))
    }

    func unlinked(_ link: PeerLinkID, _ why: PeerEnd) {
        #expect(live.contains(link))
        live.removeAll { $0 == link }
        ends.append(why)
    }

    func drained(_ link: PeerLinkID) { drains += 1 }

    func datagram(from node: NodeID, _ bytes: Span<UInt8>) {
        packets.append((node, self.bytes(bytes)))
    }

    func cloned(node: NodeID, addresses: [[UInt8]]) { clones.append((node, addresses)) }

    func failed(address: [UInt8], _ why: PeerEnd) { failures.append(why) }

    func send(_ frame: [UInt8]) -> Bool {
        guard let link, let server else { return false }
        return server.send(link, frame.span)
    }

    var hasRoom: Bool {
        guard let link, let server else { return false }
        return server.hasRoom(link)
    }

    func sendDatagram(to node: NodeID, _ packet: [UInt8]) -> Bool {
        server?.sendDatagram(to: node, packet.span) ?? false
    }

    private func bytes(_ span: Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }
}

/// Somebody on the other end of a stream who writes whatever a test says.
final class Stranger: StreamOwner {
    var got: [UInt8] = []
    var hasEnded = false
    private let first: [UInt8]

    init(_ first: [UInt8]) { self.first = first }

    func streamConnected(_ stream: Stream) {
        stream.startReading()
        let bytes = first
        stream.write(bytes.span)
    }

    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        for index in bytes.indices { got.append(bytes[index]) }
    }

    func streamEnded(_ stream: Stream, reason: EndReason) { hasEnded = true }
}

/// Stands between a dialer and a port, and passes bytes on, changes them, or swallows them.
final class Relay: ListenerOwner {
    final class Half: StreamOwner {
        let relay: Relay
        let isDialer: Bool
        var other: Stream?

        init(_ relay: Relay, isDialer: Bool) {
            self.relay = relay
            self.isDialer = isDialer
        }

        func streamConnected(_ stream: Stream) {
            stream.startReading()
            other?.startReading()
        }

        func stream(_ stream: Stream, received bytes: Span<UInt8>) {
            var chunk: [UInt8] = []
            for index in bytes.indices { chunk.append(bytes[index]) }
            if isDialer { relay.fromDialer += chunk }
            guard !relay.isCut else { return }
            chunk = relay.change(isDialer, chunk)
            other?.write(chunk.span)
        }

        func streamEnded(_ stream: Stream, reason: EndReason) {
            if !relay.isCut { other?.close() }
        }
    }

    let loop: Loop
    let target: Int
    var listener: Listener?
    var isCut = false
    var change: (_ isDialer: Bool, [UInt8]) -> [UInt8] = { $1 }
    var fromDialer: [UInt8] = []
    var dialers: [Stream] = []
    var streams: [Stream] = []

    init(_ loop: Loop, to target: Int) throws {
        self.loop = loop
        self.target = target
        listener = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: self)
    }

    var port: Int { listener?.port ?? 0 }

    func listener(_ listener: Listener, accepted stream: Stream) {
        let near = Half(self, isDialer: true)
        let far = Half(self, isDialer: false)
        stream.owner = near
        far.other = stream
        do {
            let out = try Stream.connect(on: loop, host: "127.0.0.1", port: target, owner: far)
            near.other = out
            for half in [stream, out] { half.writeCap = 8 << 20 }
            dialers.append(stream)
            streams += [stream, out]
        } catch {
            Issue.record("\(error)")
        }
    }

    func close() {
        listener?.close()
        for stream in streams { stream.close() }
    }
}

/// A loop with nodes that sweep only when told.
final class PeerRig: Turn {
    static let key = [UInt8](repeating: 7, count: 32)

    let loop: Loop
    var nodes: [PeerNode] = []
    var relays: [Relay] = []
    var streams: [Stream] = []
    /// Milliseconds on everybody's clock.
    var now: UInt64 = 1_000
    private var condition: () -> Bool = { false }
    private let dog: Timer

    init() throws {
        ignoreBrokenPipe()
        loop = try Loop()
        let loop = loop
        dog = try Timer(on: loop, after: 10_000) {
            Issue.record("the condition never came true")
            loop.stop()
        }
        loop.turn = self
    }

    func turn(loop: Loop) {
        for node in nodes where !node.isAsleep { node.server?.serveReady() }
        // Where a node would step its core: what a condition sends leaves with this turn.
        if condition() { loop.stop() }
        for node in nodes where !node.isAsleep { node.server?.flush() }
    }

    /// A node that listens on a port of the kernel's choice.
    func node(
        _ id: UInt64,
        epoch: UInt32 = 1,
        keys: PeerKeys = PeerKeys(current: PeerSecret(bytes: PeerRig.key)),
        adjust: (inout PeerOptions) -> Void = { _ in },
        describe: (inout PeerIdentity) -> Void = { _ in }
    ) throws -> PeerNode {
        let node = PeerNode()
        var options = PeerOptions()
        options.sweepMilliseconds = 0
        adjust(&options)
        var identity = PeerIdentity(
            node: NodeID(raw: id),
            epoch: Epoch(counter: epoch, random: 9),
            name: Array("n\(id)".utf8),
            zone: Array("z1".utf8),
            region: [],
            clusterID: 0xC0FFEE,
            holdsAll: true,
            protocolRange: 1...2,
            address: Array("127.0.0.1:1".utf8)
        )
        describe(&identity)
        // The kernel chooses among free TCP ports; UDP may have that one in use.
        var attempts = 0
        while node.server == nil, attempts < 8 {
            attempts += 1
            try listen(node, identity, keys, options)
        }
        nodes.append(node)
        return node
    }

    private func listen(
        _ node: PeerNode,
        _ identity: PeerIdentity,
        _ keys: PeerKeys,
        _ options: PeerOptions
    ) throws(LoopError) {
        let server = try PeerServer(
            loop: loop,
            identity: identity,
            keys: keys,
            service: node,
            options: options
        )
        do {
            try server.listen(host: "127.0.0.1", port: 0)
        } catch {
            server.close()
            return
        }
        server.identity.address = Array("127.0.0.1:\(server.port)".utf8)
        server.sweep(now: now)
        node.server = server
    }

    func relay(to node: PeerNode) throws -> Relay {
        let relay = try Relay(loop, to: node.server?.port ?? 0)
        relays.append(relay)
        return relay
    }

    func stranger(at node: PeerNode, _ bytes: [UInt8]) throws -> (Stranger, Stream) {
        let stranger = Stranger(bytes)
        let stream = try Stream.connect(
            on: loop,
            host: "127.0.0.1",
            port: node.server?.port ?? 0,
            owner: stranger
        )
        stream.writeCap = 8 << 20
        streams.append(stream)
        return (stranger, stream)
    }

    func dial(_ from: PeerNode, _ to: PeerNode) throws {
        try from.server?.dial(host: "127.0.0.1", port: to.server?.port ?? 0)
    }

    /// Runs the loop until the condition holds in the middle of a turn.
    func until(_ condition: @escaping () -> Bool) {
        self.condition = condition
        loop.again()
        loop.run()
        self.condition = { false }
    }

    /// Runs the loop for so many turns without waiting.
    func pass(turns: Int = 200) {
        var left = turns
        until { [self] in
            left -= 1
            if left > 0 { loop.again() }
            return left <= 0
        }
    }

    /// Lets time pass on all clocks, and what it brings happen.
    func wait(milliseconds: UInt64, step: UInt64 = 500, unless: () -> Bool = { false }) {
        let end = now + milliseconds
        while now < end, !unless() {
            now += step
            for node in nodes { node.server?.sweep(now: now) }
            pass(turns: 40)
        }
    }

    func close() {
        for relay in relays { relay.close() }
        for stream in streams { stream.close() }
        for node in nodes { node.server?.close() }
        dog.close()
        loop.run()
        for node in nodes { #expect(node.server?.counters.open == 0) }
        loop.close()
    }
}

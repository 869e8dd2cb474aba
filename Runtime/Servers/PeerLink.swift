// One connection between two nodes: hellos, then frames, then perhaps a farewell.
//
//     greeting --hello--> waiting --ready--> linked --> leaving --> gone
//        |                   |                 |
//        +-------------------+-----------------+--> gone: any fault ends it, without an answer
//
// A read only appends; the turn opens frames, up to a bound of bytes, and what is behind waits,
// when too much, with the kernel. So a service that is slow slows its peer, whose queue then fills,
// whose core then stops pushing. Before the peer has proved the key nothing is buffered that is
// longer than a hello.
//
// An end is decided in one place and told in another: `fail` closes the stream at once, and the
// next turn buries the link, so that a service never hears of an end in the middle of its own call.

internal import EventLoop
internal import Suppression

/// A connection of a `PeerServer`.
final class PeerLink {
    enum Phase { case greeting, waiting, linked, leaving }

    let id: PeerLinkID
    let stream: Stream
    let server: PeerServer
    /// The address that we dialed; nil if we accepted.
    let dialed: [UInt8]?
    /// Whom a stranger is counted against.
    let origin: PeerKey?
    /// What a dialer seals its hello under.
    let secret: PeerSecret?
    let random = HandshakeRandom.fresh()
    var phase = Phase.greeting
    var peer: PeerIdentity?
    var seals = PeerSeals()
    var output: [UInt8] = []
    var roundTripNanos: UInt64?
    /// Milliseconds at which it was linked; nil before.
    var linkedAt: UInt64?
    /// Another life of the peer asks for this link's place; the ping that decides.
    var challenge: (by: PeerIdentity, stamp: UInt64, deadline: UInt64)?
    /// Milliseconds on the server's clock.
    var nextPing: UInt64 = 0
    /// Why it ends; nil while it does not.
    private(set) var fate: PeerEnd?
    /// The service knows of the end, or never knew of the link.
    var isBuried = false
    /// No event of the stream comes any more.
    private(set) var hasStreamEnded = false

    private var input: [UInt8] = []
    private var isListed = false
    private var isDirty = false
    private var hasShutDown = false
    private var hasDrained = false
    /// What becomes of it once all that has come is read.
    private var ending: PeerEnd?
    private var heard: UInt64
    /// Of the handshake, later of leaving.
    private var deadline: UInt64

    /// An accepted connection.
    init(_ server: PeerServer, _ id: PeerLinkID, _ stream: Stream, origin: PeerKey?) {
        self.server = server
        self.id = id
        self.stream = stream
        self.origin = origin
        dialed = nil
        secret = nil
        heard = server.now
        deadline = server.after(server.options.handshakeMilliseconds)
        begin()
    }

    /// A dialed connection, which speaks first.
    init(
        _ server: PeerServer,
        _ id: PeerLinkID,
        _ stream: Stream,
        dialed: [UInt8],
        secret: PeerSecret
    ) {
        self.server = server
        self.id = id
        self.stream = stream
        self.dialed = dialed
        self.secret = secret
        origin = nil
        heard = server.now
        deadline = server.after(server.options.handshakeMilliseconds)
        begin()
        output = PeerHello.sealed(server.identity, under: secret, random: random)
        markDirty()
    }

    var isLinked: Bool { phase == .linked && fate == nil }

    /// Bytes that wait for the peer.
    var queuedBytes: Int { output.count + stream.queuedBytes }

    /// Opens what has come, up to the bound of a turn, and tells the service.
    func serve() {
        isListed = false
        tellDrained()
        // Moved out and back, not copied: nothing is received during a turn.
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        var at = 0
        var cost = 0
        do {
            while fate == nil, phase != .leaving, cost < Limits.peerBytesPerTurn {
                guard let used = try step(bytes.span, at) else { break }
                at += used
                cost += max(used, Limits.peerFrameCostBytes)
            }
        } catch {
            fail(error)
        }
        let isCut = cost >= Limits.peerBytesPerTurn && at < bytes.count
        if fate != nil || phase == .leaving || at == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= Limits.spareBufferBytes)
        } else {
            bytes.removeFirst(at)
        }
        swap(&bytes, &input)
        if isCut, fate == nil {
            list()
        } else if let ending, fate == nil {
            fail(ending)
        }
        if fate != nil { server.bury(self) }
        if input.count < inputCap, ending == nil { stream.startReading() }
    }

    /// Seals a frame into this turn's output.
    ///
    /// - Returns: false if the link is not, or can no longer be, one.
    func send(_ frame: Span<UInt8>) -> Bool {
        guard isLinked else { return false }
        guard queuedBytes < server.options.queueBytes else {
            fail(.overflow)
            return false
        }
        server.counters.sentFrames += 1
        return say(.frame, frame)
    }

    /// One packet and where to send it; nil if the link or the peer's address is none.
    func sealDatagram(_ body: Span<UInt8>) -> (packet: [UInt8], to: DatagramAddress)? {
        guard isLinked, body.count <= DatagramFrame.bodyBytes, let to = seals.datagramAddress,
            let packet = seals.datagramSealer?.seal(body)
        else { return nil }
        return (packet, to)
    }

    /// Opens a packet that claims to be of this link.
    func openDatagram(_ packet: Span<UInt8>, number: UInt64) -> DatagramOpener.Opened {
        guard isLinked, let opened = seals.datagramOpener?.open(packet, number: number) else {
            return .forged
        }
        return opened
    }

    /// Sends what was said since the last flush in one write.
    func flush() {
        isDirty = false
        guard !stream.isClosing else { return output = [] }
        let lackedRoom = queuedBytes >= server.options.queueBytes
        server.counters.sentBytes += output.count
        stream.write(output.span)
        output.removeAll(keepingCapacity: output.capacity <= Limits.spareBufferBytes)
        if lackedRoom, stream.queuedBytes == 0 { noteDrained() }
        if phase == .leaving, !hasShutDown {
            hasShutDown = true
            stream.shutdown()
            stream.startReading()
        }
    }

    /// Ends what is over time, and pings.
    func sweep() {
        let now = server.now
        switch phase {
        case .greeting, .waiting:
            if now > deadline { fail(.handshakeTime) }
        case .linked:
            let isLate = challenge.map { now > $0.deadline } ?? false
            if isLate || now > heard + server.options.silenceMilliseconds { return fail(.silent) }
            if now >= nextPing {
                nextPing = now + server.options.pingMilliseconds
                ping()
            }
        case .leaving:
            if now > deadline { stream.close() }
        }
    }

    /// Our own process stood still: that time is not the peer's silence.
    func forgive(_ milliseconds: UInt64) {
        heard += milliseconds
        deadline += milliseconds
        challenge?.deadline += milliseconds
    }

    /// Another life or place of the peer asks for this link's place: is this one alive?
    func challenge(by other: PeerIdentity) {
        guard isLinked, challenge == nil else { return }
        let stamp = ping()
        let deadline = server.after(Limits.peerChallengeMilliseconds)
        challenge = (other, stamp, deadline)
    }

    /// Ends at once; the first cause is the one that counts.
    func fail(_ why: PeerEnd) {
        if fate == nil { fate = why }
        stream.close()
        list()
    }

    /// Says why, and ends once the peer can have read it.
    func leave(_ why: PeerEnd, _ farewell: PeerFarewell?) {
        guard fate == nil, phase != .leaving else { return }
        fate = why
        if let farewell {
            let cause = [farewell.rawValue]
            say(.farewell, cause.span)
        }
        phase = .leaving
        deadline = server.after(Limits.peerLeaveMilliseconds)
        input = []
        markDirty()
        list()
    }

    /// Seals a frame of any kind; control frames are dropped by a queue that is over-full.
    @discardableResult
    func say(_ kind: PeerFrameKind, _ body: Span<UInt8>) -> Bool {
        guard fate == nil || kind == .farewell, seals.sealer != nil else { return false }
        let isRoom = queuedBytes < server.hardQueueBytes - Limits.peerControlBytes
        guard kind == .frame || isRoom else { return false }
        seals.sealer?.seal(kind, body, onto: &output)
        markDirty()
        return true
    }

    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        server.dirty(self)
    }

    /// What may wait to be read: a whole frame of a peer, a whole hello of a stranger.
    private var inputCap: Int {
        phase == .linked
            ? PeerFrameHead.bytes + Limits.peerFrameBytes + PeerCipher.tagBytes
            : PeerHello.headBytes + Limits.peerHelloBytes
    }

    private func begin() {
        stream.writeCap = server.hardQueueBytes
        stream.owner = self
        stream.repeatLost(afterMicroseconds: Limits.peerRepeatMicroseconds)
        stream.startReading()
    }

    private func list() {
        guard !isListed else { return }
        isListed = true
        server.list(self)
    }

    private func noteDrained() {
        hasDrained = true
        list()
    }

    private func tellDrained() {
        guard hasDrained else { return }
        hasDrained = false
        if isLinked { server.service.drained(id) }
    }
}

extension PeerLink: StreamOwner {
    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        server.counters.receivedBytes += bytes.count
        heard = server.now
        guard phase != .leaving, fate == nil else { return }  // read and dropped, until it ends
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
        list()
        // libuv reads on and on in one call; opening is for the turn, so the bound is kept here.
        if input.count >= inputCap { stream.stopReading() }
    }

    func streamFinished(_ stream: Stream) {
        if phase == .leaving { return stream.close() }
        ending = .peerClosed
        list()
    }

    func streamDrained(_ stream: Stream) { noteDrained() }

    func streamEnded(_ stream: Stream, reason: EndReason) {
        hasStreamEnded = true
        if ending == nil { ending = PeerEnd(reason) }
        output = []
        server.streamEnded(self)
        if !isBuried { list() }
    }
}

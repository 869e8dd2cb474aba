// Streams over loopback: bytes come back, slow readers are bounded, used ports are named.

import EventLoop
import Foundation
import Testing

/// Foundation has a `Stream` too.
typealias Connection = EventLoop.Stream

/// Echoes, and keeps what happened.
private final class Echo: ListenerOwner, StreamOwner {
    var streams: [Connection] = []
    var ends: [EndReason] = []
    var drains = 0
    var mostQueued = 0
    var peers: [[UInt8]] = []
    var writeCap = 1 << 20
    var onEnd: () -> Void = {}

    func listener(_ listener: Listener, accepted stream: Connection) {
        stream.owner = self
        stream.writeCap = writeCap
        peers.append(stream.peer)
        streams.append(stream)
        stream.startReading()
    }

    func stream(_ stream: Connection, received bytes: Span<UInt8>) {
        stream.write(bytes)
        mostQueued = max(mostQueued, stream.queuedBytes)
    }

    func streamDrained(_ stream: Connection) { drains += 1 }

    func streamEnded(_ stream: Connection, reason: EndReason) {
        ends.append(reason)
        onEnd()
    }
}

/// Sends, and keeps what comes.
private final class Caller: StreamOwner {
    var toSend: [UInt8]
    var got: [UInt8] = []
    var reads = true
    var ends: [EndReason] = []
    var onEnd: () -> Void = {}

    init(_ toSend: [UInt8]) { self.toSend = toSend }

    func streamConnected(_ stream: Connection) {
        if reads { stream.startReading() }
        stream.writeCap = toSend.count
        let bytes = toSend
        stream.write(bytes.span)
    }

    func stream(_ stream: Connection, received bytes: Span<UInt8>) {
        for index in bytes.indices { got.append(bytes[index]) }
        if got.count == toSend.count { stream.shutdown() }
    }

    func streamEnded(_ stream: Connection, reason: EndReason) {
        ends.append(reason)
        onEnd()
    }
}

@Suite struct StreamTests {
    @Test("a megabyte comes back in order, and both sides end once")
    func echo() throws {
        let loop = try Loop()
        let echo = Echo()
        let listener = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: echo)
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let caller = Caller(bytes)
        let dog = try watchdog(loop)
        let stream = try Connection.connect(
            on: loop,
            host: "127.0.0.1",
            port: listener.port,
            owner: caller
        )
        caller.onEnd = {
            listener.close()
            dog.close()
        }
        loop.run()
        #expect(caller.got == bytes)
        #expect(echo.ends == [.peerClosed])
        #expect(caller.ends == [.peerClosed])
        #expect(stream.isClosing)
        #expect(String(decoding: echo.peers[0], as: UTF8.self).hasPrefix("127.0.0.1:"))
        loop.close()
    }

    @Test("a reader that never reads ends with overflow at the cap, not later")
    func overflow() throws {
        let loop = try Loop()
        let echo = Echo()
        echo.writeCap = 200_000
        let listener = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: echo)
        let caller = Caller([UInt8](repeating: 7, count: 64 << 20))
        caller.reads = false
        let dog = try watchdog(loop)
        let stream = try Connection.connect(
            on: loop,
            host: "127.0.0.1",
            port: listener.port,
            owner: caller
        )
        echo.onEnd = { stream.close() }
        caller.onEnd = {
            listener.close()
            dog.close()
        }
        loop.run()
        #expect(echo.ends == [.overflow])
        #expect(echo.mostQueued > 100_000 && echo.mostQueued <= 200_000)
        loop.close()
    }

    @Test("a used port is named, and the loop stays usable")
    func usedPort() throws {
        let loop = try Loop()
        let echo = Echo()
        let first = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: echo)
        let place = "127.0.0.1:\(first.port)"
        #expect(throws: LoopError.addressInUse(place)) {
            _ = try Listener(on: loop, host: "127.0.0.1", port: first.port, owner: echo)
        }
        #expect(throws: LoopError.addressInUse(place)) {
            _ = try Listener(
                on: loop,
                host: "127.0.0.1",
                port: first.port,
                sharePort: true,
                owner: echo
            )
        }
        #expect(LoopError.addressInUse(place).description.contains(place))
        first.close()
        loop.run()
        loop.close()
    }

    @Test("addresses that are none are refused", arguments: ["", "nowhere", "1.2.3", "::1::"])
    func badAddress(host: String) throws {
        let loop = try Loop()
        let place = host.contains(":") ? "[\(host)]:1" : "\(host):1"
        #expect(throws: LoopError.addressInvalid(place)) {
            _ = try Listener(on: loop, host: host, port: 1, owner: Echo())
        }
        #expect(throws: LoopError.addressInvalid("127.0.0.1:65536")) {
            _ = try Listener(on: loop, host: "127.0.0.1", port: 65_536, owner: Echo())
        }
        loop.close()
    }

    @Test("a refused dial ends with the system's reason")
    func refusedDial() throws {
        let loop = try Loop()
        let gone = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: Echo())
        gone.close()
        loop.run()
        let caller = Caller([1])
        let stream = try Connection.connect(
            on: loop,
            host: "127.0.0.1",
            port: gone.port,
            owner: caller
        )
        loop.run()
        #expect(caller.ends.count == 1 && stream.isClosing)
        if case .failed? = caller.ends.first {} else { Issue.record("ended \(caller.ends)") }
        loop.close()
    }

    @Test("closing in the middle of queued writes frees everything")
    func closeWhileQueued() throws {
        let loop = try Loop()
        let echo = Echo()
        let listener = try Listener(on: loop, host: "127.0.0.1", port: 0, owner: echo)
        let caller = Caller([UInt8](repeating: 1, count: 32 << 20))
        let stream = try Connection.connect(
            on: loop,
            host: "127.0.0.1",
            port: listener.port,
            owner: caller
        )
        echo.writeCap = 32 << 20
        let turn = Watch {
            if stream.queuedBytes > 0 {
                stream.close()
                let late: [UInt8] = [1, 2, 3]
                stream.write(late.span)
                stream.shutdown()
                stream.close()
                listener.close()
            }
        }
        loop.turn = turn
        let dog = try watchdog(loop)
        echo.onEnd = { dog.close() }
        loop.run()
        #expect(caller.ends == [.closedHere])
        loop.close()
    }
}

/// A turn that only looks.
final class Watch: Turn {
    private let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
    func turn(loop: Loop) { body() }
}

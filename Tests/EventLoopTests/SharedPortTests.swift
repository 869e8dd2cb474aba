// Two loops on two threads listen on one port, and the kernel gives connections to both.

import EventLoop
import Foundation
import Testing

/// Counts what it accepts into the main loop's box.
private final class Counter: ListenerOwner, StreamOwner {
    let number: Int
    let mailbox: Mailbox<Int>

    init(_ number: Int, _ mailbox: Mailbox<Int>) {
        self.number = number
        self.mailbox = mailbox
    }

    func listener(_ listener: Listener, accepted stream: Connection) {
        _ = mailbox.post(number)
        stream.owner = self
        stream.close()
    }

    func stream(_ stream: Connection, received bytes: Span<UInt8>) {}
    func streamEnded(_ stream: Connection, reason: EndReason) {}
}

private final class Quiet: StreamOwner {
    func streamConnected(_ stream: Connection) { stream.startReading() }
    func stream(_ stream: Connection, received bytes: Span<UInt8>) {}
    func streamEnded(_ stream: Connection, reason: EndReason) {}
}

@Suite struct SharedPortTests {
    @Test("two loops share a port and both accept")
    func sharedPort() throws {
        let loop = try Loop()
        let accepted = try Mailbox<Int>(loop: loop, bound: 1_000)
        let first = try Listener(
            on: loop,
            host: "127.0.0.1",
            port: 0,
            sharePort: true,
            owner: Counter(1, accepted)
        )
        let port = first.port
        let started = try Mailbox<Bool>(loop: loop, bound: 2)
        let stop = try stopper(accepted: accepted, port: port, started: started)

        var counts = [1: 0, 2: 0]
        var batch: [Int] = []
        var flags: [Bool] = []
        var dialled = false
        let turn = Watch { [loop] in
            started.drain(into: &flags)
            if !flags.isEmpty, !dialled {
                dialled = true
                for _ in 0..<64 { dial(loop, port) }
            }
            accepted.drain(into: &batch)
            for number in batch { counts[number, default: 0] += 1 }
            if counts.values.reduce(0, +) == 64 { loop.stop() }
        }
        loop.turn = turn
        let dog = try watchdog(loop)
        loop.run()
        #expect(counts[1, default: 0] > 0 && counts[2, default: 0] > 0)
        _ = stop.post(true)
        first.close()
        accepted.close()
        started.close()
        dog.close()
        loop.close()
    }
}

private func dial(_ loop: Loop, _ port: Int) {
    do {
        _ = try Connection.connect(
            on: loop,
            host: "127.0.0.1",
            port: port,
            owner: Quiet()
        )
    } catch {
        Issue.record("dial: \(error)")
    }
}

/// Runs the second loop on a thread of its own; a message to the returned box ends it.
private func stopper(
    accepted: Mailbox<Int>,
    port: Int,
    started: Mailbox<Bool>
) throws -> Mailbox<Bool> {
    let made = Condition()
    let thread = Thread {
        do {
            let loop = try Loop()
            let stop = try Mailbox<Bool>(loop: loop, bound: 1)
            let listener = try Listener(
                on: loop,
                host: "127.0.0.1",
                port: port,
                sharePort: true,
                owner: Counter(2, accepted)
            )
            var flags: [Bool] = []
            let turn = Watch { [loop] in
                stop.drain(into: &flags)
                if !flags.isEmpty { loop.stop() }
            }
            loop.turn = turn
            made.set(stop)
            _ = started.post(true)
            loop.run()
            listener.close()
            stop.close()
            loop.close()
        } catch {
            Issue.record("second loop: \(error)")
        }
    }
    thread.start()
    return made.wait()
}

/// A box handed from one thread to another, once.
private final class Condition: @unchecked Sendable {
    private let condition = NSCondition()
    private var value: Mailbox<Bool>?

    func set(_ mailbox: Mailbox<Bool>) {
        condition.lock()
        value = mailbox
        condition.signal()
        condition.unlock()
    }

    func wait() -> Mailbox<Bool> {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value { return value }
            condition.wait()
        }
    }
}

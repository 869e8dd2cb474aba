// A loop takes turns, closes empty, and never runs a callback after an end.

import EventLoop
import Testing

/// Ends a loop that a defect would leave running for ever.
func watchdog(_ loop: Loop) throws -> EventLoop.Timer {
    try Timer(on: loop, after: 10_000) { [loop] in
        Issue.record("the loop did not come to its end")
        loop.stop()
    }
}

private final class CountingTurn: Turn {
    var count = 0
    var body: (Loop) -> Void = { _ in }

    func turn(loop: Loop) {
        count += 1
        body(loop)
    }
}

@Suite struct LoopTests {
    @Test("a loop whose handles were closed closes empty")
    func closesEmpty() throws {
        let loop = try Loop()
        let timer = try Timer(on: loop, after: 60_000) {}
        let signals = try Signals(on: loop, [.user1, .user2]) { _ in }
        let wake = try Wake(loop: loop)
        timer.close()
        signals.close()
        wake.close()
        wake.close()
        timer.close()
        loop.run()
        loop.close()
    }

    @Test("what a timer appends is seen by a turn before the loop blocks")
    func turnBeforeBlocking() throws {
        let loop = try Loop()
        let turn = CountingTurn()
        loop.turn = turn
        var appended = false
        var seen = false
        turn.body = { loop in
            if appended {
                seen = true
                loop.stop()
            }
        }
        let dog = try watchdog(loop)
        let timer = try Timer(on: loop, after: 0) { appended = true }
        loop.run()
        #expect(seen)
        timer.close()
        dog.close()
        loop.close()
    }

    @Test("again() goes on without blocking, once per call")
    func again() throws {
        let loop = try Loop()
        let turn = CountingTurn()
        loop.turn = turn
        turn.body = { [unowned turn] loop in
            if turn.count < 100 { loop.again() } else { loop.stop() }
        }
        let dog = try watchdog(loop)
        loop.run()
        #expect(turn.count == 100)
        dog.close()
        loop.close()
    }

    @Test("a repeating timer stops for good inside its own callback")
    func repeatingTimer() throws {
        let loop = try Loop()
        var calls = 0
        var timer: EventLoop.Timer?
        timer = try Timer(on: loop, after: 0, every: 1) {
            calls += 1
            if calls == 3 { timer?.close() }
        }
        loop.run()
        #expect(calls == 3)
        timer = nil
        loop.close()
    }

    @Test("boot time does not step back")
    func bootTime() {
        let before = Clock.bootNanoseconds()
        let after = Clock.bootNanoseconds()
        #expect(before <= after)
        #expect(Clock.wallMilliseconds() > 1_700_000_000_000)
    }
}

// Threads meet a loop in a box that is bounded, ordered, and closed without ceremony.

import EventLoop
import Foundation
import Synchronization
import Testing

private final class DrainTurn: Turn {
    let mailbox: Mailbox<Int>
    var seen: [Int] = []
    var batch: [Int] = []
    let last: Int

    init(_ mailbox: Mailbox<Int>, last: Int) {
        self.mailbox = mailbox
        self.last = last
    }

    func turn(loop: Loop) {
        mailbox.drain(into: &batch)
        seen.append(contentsOf: batch)
        if seen.last == last { loop.stop() }
    }
}

@Suite struct MailboxTests {
    @Test("a full box says no, and takes again once drained")
    func bound() throws {
        let loop = try Loop()
        let mailbox = try Mailbox<Int>(loop: loop, bound: 2)
        #expect(mailbox.post(1))
        #expect(mailbox.post(2))
        #expect(!mailbox.post(3))
        var batch = [9]
        mailbox.drain(into: &batch)
        #expect(batch == [1, 2])
        #expect(mailbox.post(4))
        mailbox.drain(into: &batch)
        #expect(batch == [4])
        mailbox.close()
        loop.close()
    }

    @Test("of many at once a box takes the first ones that fit, in order")
    func many() throws {
        let loop = try Loop()
        let mailbox = try Mailbox<Int>(loop: loop, bound: 4)
        #expect(mailbox.post(contentsOf: []) == 0)
        #expect(mailbox.post(contentsOf: [1, 2, 3]) == 3)
        #expect(mailbox.post(contentsOf: [4, 5]) == 1)
        #expect(mailbox.post(contentsOf: [6]) == 0)
        var batch: [Int] = []
        mailbox.drain(into: &batch)
        #expect(batch == [1, 2, 3, 4])
        mailbox.close()
        #expect(mailbox.post(contentsOf: [7]) == 0)
        loop.close()
    }

    @Test(
        "many messages wake a sleeping loop as one does, and quiet ones once the box is half full",
        arguments: [[1, 2, 3], [1], [3, 4]]
    )
    func manyWake(loud: [Int]) throws {
        let loop = try Loop()
        let mailbox = try Mailbox<Int>(loop: loop, bound: 8)
        #expect(mailbox.post(contentsOf: [7, 8], wakes: false) == 2)
        let isHalf = loud.count == 2
        let turn = DrainTurn(mailbox, last: loud[loud.count - 1])
        loop.turn = turn
        let dog = try watchdog(loop)
        let thread = Thread { _ = mailbox.post(contentsOf: loud, wakes: !isHalf) }
        thread.start()
        loop.run()
        #expect(turn.seen == [7, 8] + loud)
        mailbox.close()
        dog.close()
        loop.close()
    }

    @Test("posting to a closed box says no, and what was inside stays")
    func closed() throws {
        let loop = try Loop()
        let mailbox = try Mailbox<Int>(loop: loop, bound: 2)
        #expect(mailbox.post(1))
        mailbox.close()
        #expect(!mailbox.post(2))
        loop.close()
        #expect(!mailbox.post(3))
        var batch: [Int] = []
        mailbox.drain(into: &batch)
        #expect(batch == [1])
    }

    @Test("a sleeping loop wakes, and sees another thread's messages all and in order")
    func order() throws {
        let loop = try Loop()
        let total = 100_000
        let mailbox = try Mailbox<Int>(loop: loop, bound: 64)
        let turn = DrainTurn(mailbox, last: total - 1)
        loop.turn = turn
        let dog = try watchdog(loop)
        let thread = Thread {
            for number in 0..<total {
                while !mailbox.post(number) { sched_yield() }
            }
        }
        thread.start()
        loop.run()
        #expect(turn.seen == Array(0..<total))
        mailbox.close()
        dog.close()
        loop.close()
    }

    @Test("a bell that was taken down rings no more")
    func closedWake() throws {
        let loop = try Loop()
        let wake = try Wake(loop: loop)
        #expect(wake.send())
        wake.close()
        #expect(!wake.send())
        loop.close()
        #expect(!wake.send())
    }

    @Test("posting while the reader closes is safe")
    func closeRace() throws {
        for _ in 0..<200 {
            let loop = try Loop()
            let mailbox = try Mailbox<Int>(loop: loop, bound: 1_000_000)
            let thread = Thread { while mailbox.post(1) {} }
            thread.start()
            mailbox.close()
            loop.close()
        }
    }
}

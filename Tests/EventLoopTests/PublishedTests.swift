// An old value is freed when every registered reader has passed, and not a turn sooner.

import EventLoop
import Foundation
import Synchronization
import Testing

private final class Tracked: Sendable {
    static let alive = Mutex<[Int: Int]>([:])  // family -> live values
    let family: Int
    let number: Int

    init(_ family: Int, _ number: Int) {
        self.family = family
        self.number = number
        Tracked.alive.withLock { $0[family, default: 0] += 1 }
    }

    deinit { Tracked.alive.withLock { $0[family, default: 0] -= 1 } }

    static func count(_ family: Int) -> Int { alive.withLock { $0[family, default: 0] } }
}

@Suite struct PublishedTests {
    @Test("frees an old value only after all readers have passed")
    func quiescence() {
        let published = Published(Tracked(1, 1))
        let first = published.reader()
        let second = published.reader()
        published.publish(Tracked(1, 2))
        #expect(first.withValue { $0.number } == 2)
        #expect(published.reclaim() == 1)
        first.passed()
        #expect(published.reclaim() == 1)
        #expect(Tracked.count(1) == 2)
        second.passed()
        #expect(published.reclaim() == 0)
        #expect(Tracked.count(1) == 1)
        first.close()
        second.close()
    }

    @Test("a pass before the swap does not count for it")
    func earlyPass() {
        let published = Published(Tracked(2, 1))
        let reader = published.reader()
        reader.passed()
        published.publish(Tracked(2, 2))
        #expect(published.reclaim() == 1)
        reader.passed()
        published.publish(Tracked(2, 3))
        #expect(published.reclaim() == 1)
        #expect(Tracked.count(2) == 2)
        reader.close()
        #expect(published.reclaim() == 0)
    }

    @Test("nothing is left when it ends")
    func ends() {
        do {
            let published = Published(Tracked(3, 1))
            let reader = published.reader()
            published.publish(Tracked(3, 2))
            published.publish(Tracked(3, 3))
            reader.close()
        }
        #expect(Tracked.count(3) == 0)
    }

    @Test("readers on two threads only ever see live values, newer and newer")
    func threads() throws {
        let published = Published(Tracked(4, 0))
        let swaps = 20_000
        let left = Left()
        for _ in 0..<2 {
            let thread = Thread {
                let reader = published.reader()
                var last = 0
                while last < swaps {
                    let number = reader.withValue { $0.number }
                    if number < last { left.ordered.store(false, ordering: .relaxed) }
                    last = number
                    reader.passed()
                }
                reader.close()
                left.finished.add(1, ordering: .releasing)
            }
            thread.start()
        }
        for number in 1...swaps {
            published.publish(Tracked(4, number))
            published.reclaim()
        }
        while left.finished.load(ordering: .acquiring) < 2 { sched_yield() }
        let wasOrdered = left.ordered.load(ordering: .relaxed)
        #expect(wasOrdered)
        #expect(published.reclaim() == 0)
        #expect(Tracked.count(4) == 1)
    }
}

private final class Left: Sendable {
    let finished = Atomic(0)
    let ordered = Atomic(true)
}

// Stories of a breaker; time is a number.

import Suppression
import Testing

private let second: UInt64 = 1_000_000_000

extension Breaker {
    /// Whether it would permit a call; the asking itself changes nothing.
    fileprivate func wouldPermit(_ now: UInt64) -> Bool {
        var copy = self
        return copy.permits(now: now)
    }
}

@Suite struct BreakerTests {
    @Test("three failures in a row open it for five seconds")
    func run() {
        var breaker = Breaker()
        breaker.failed(now: 0)
        breaker.failed(now: 1)
        #expect(breaker.wouldPermit(2))
        breaker.failed(now: 2)
        #expect(!breaker.wouldPermit(3))
        #expect(!breaker.wouldPermit(5 * second))
        #expect(breaker.wouldPermit(5 * second + 2))
    }

    @Test("a good call between two failures makes no run")
    func mixed() {
        var breaker = Breaker()
        for now in 0..<400 as Range<UInt64> {
            if now % 100 == 0 { breaker.failed(now: now) } else { breaker.succeeded(now: now) }
        }
        #expect(breaker.wouldPermit(400))
    }

    @Test("five failures that are 2 % of ten seconds open it")
    func often() {
        var breaker = Breaker()
        for now in 0..<240 as Range<UInt64> {
            if now % 48 == 47 { breaker.failed(now: now) } else { breaker.succeeded(now: now) }
        }
        #expect(!breaker.wouldPermit(240))
        breaker = Breaker()
        for now in 0..<240 as Range<UInt64> {
            let later = now * second
            if now % 48 == 47 { breaker.failed(now: later) } else { breaker.succeeded(now: later) }
        }
        #expect(breaker.wouldPermit(240 * second))
    }

    @Test("a failing trial doubles the time, up to a minute; twenty good ones close it")
    func trial() {
        var breaker = Breaker()
        for now in 0..<3 as Range<UInt64> { breaker.failed(now: now) }
        var now = 2 + 5 * second
        for wait in [10, 20, 40, 60, 60] as [UInt64] {
            let mayTry = breaker.permits(now: now)
            #expect(mayTry)
            breaker.failed(now: now)
            #expect(!breaker.wouldPermit(now + wait * second - 1))
            now += wait * second
        }
        let mayTry = breaker.permits(now: now)
        #expect(mayTry)
        for _ in 0..<20 { breaker.succeeded(now: now) }
        #expect(breaker == Breaker())
    }
}

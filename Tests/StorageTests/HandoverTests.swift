// What the checkpointer is told to do, without a disk: who is answered by which merge.

import Suppression
import Testing

@testable import Storage

@Suite struct HandoverTests {
    private func write(_ sequence: UInt64) -> [LoggedChange] {
        [LoggedChange(sequence: sequence, change: suppress(sequence, dot(sequence)))]
    }

    @Test("a copy of the sketch that is asked for during a merge waits for the next one")
    func freezeDuringMerge() throws {
        let handover = try Handover(committedThrough: 0, lingerMillis: 60_000)
        var taken: [LoggedChange] = []
        handover.reached(1)
        handover.add(write(1), bytes: 1)
        handover.hurry()
        guard case .merge(behind: false, urgent: true) = handover.next(at: 0, into: &taken)
        else { throw Unexpected() }
        // Committed while the first is being merged; the sketch does not show it at its end.
        handover.reached(2)
        handover.add(write(2), bytes: 1)
        handover.freeze()
        #expect(handover.takeFreezes() == 0)
        guard case .merge(behind: false, urgent: true) = handover.next(at: 1, into: &taken)
        else { throw Unexpected() }
        #expect(taken.map(\.sequence) == [2] && handover.takeFreezes() == 1)
        #expect(handover.takeFreezes() == 0)
    }

    @Test("a merge that failed answers nobody; the next one does")
    func freezeAndFailure() throws {
        let handover = try Handover(committedThrough: 0, lingerMillis: 60_000)
        var taken: [LoggedChange] = []
        handover.reached(1)
        handover.add(write(1), bytes: 1)
        handover.freeze()
        guard case .merge(behind: false, urgent: true) = handover.next(at: 0, into: &taken)
        else { throw Unexpected() }
        handover.fallBehind()
        #expect(handover.takeFreezes() == 0)
        guard case .merge(behind: true, urgent: true) = handover.next(at: 0, into: &taken)
        else { throw Unexpected() }
        #expect(handover.takeFreezes() == 1)
    }

    private struct Unexpected: Error {}
}

// The simulated store: one batch of the log at a time, what its node is told of it, and when the
// state catches up with the log.

import Suppression

@testable import Cluster

extension World {
    func beginCommit(_ shell: Shell) {
        guard shell.inFlight.isEmpty, !shell.queue.isEmpty else { return }
        swap(&shell.inFlight, &shell.queue)
        var micros = shell.dice.within(150...(150 + swarm.commitMicros))
        if now < shell.slowUntil { micros *= 100 }
        timeline.at(now + micros * 1_000, .commit(shell.index, life: shell.life))
    }

    func commit(_ shell: Shell) {
        guard let first = shell.inFlight.first?.sequence, let last = shell.inFlight.last?.sequence
        else { return }
        var event = Event.committed(through: last)
        if shell.failsNextCommit {
            shell.failsNextCommit = false
            reach(.diskFailed)
            event = .failed
            if shell.dice.thousandths(500) { raise(shell, shell.inFlight) }
        } else if shell.isDiskFull {
            reach(.diskRefused)
            for record in shell.inFlight {
                record.change.request.map { ledger.excuse(stampName(shell, $0)) }
            }
            event = .refused(first: first, last: last)
        } else {
            raise(shell, shell.inFlight)
        }
        shell.inFlight = []
        told(shell, event)
        beginCommit(shell)
    }

    /// What a disk has from now on is what its held set says.
    func raise(_ shell: Shell, _ records: [(sequence: UInt64, change: Change)]) {
        let before = shell.disk.truth.held
        shell.disk.commit(records)
        let more = shell.disk.truth.held.subtracting(before)
        for (dot, why) in ledger.unshown(more, on: shell.disk) where !isLost(dot) {
            ledger.fail(why)
        }
    }

    func told(_ shell: Shell, _ event: Event) {
        let moment = max(now, shell.lastStoredNanos) + shell.dice.within(1_000...100_000)
        shell.lastStoredNanos = moment
        timeline.at(moment, .stored(shell.index, life: shell.life, event))
    }

    func checkpoint(_ shell: Shell, _ life: Int) {
        let next = now + (isHealing ? 50 : swarm.checkpointMillis) * millisecond
        timeline.at(next, .checkpoint(shell.index, life: life))
        guard !shell.isDiskFull, !shell.disk.log.isEmpty else { return }
        checkpointNow(shell)
        if shell.dice.thousandths(100) { shell.backup = shell.disk }
    }

    /// What the log has goes into the state.
    func checkpointNow(_ shell: Shell) {
        guard !shell.disk.log.isEmpty else { return }
        shell.disk.checkpoint()
        told(shell, .checkpointed(through: shell.disk.watermark))
    }
}

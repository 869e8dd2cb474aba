// What the simulated store tells its node, and when its state catches up with its log.

import Suppression

@testable import Cluster

extension World {
    func told(_ shell: Shell, _ event: Event) {
        let moment = max(now, shell.lastStoredNanos) + shell.dice.within(1_000...100_000)
        shell.lastStoredNanos = moment
        timeline.at(moment, .stored(shell.index, life: shell.life, event))
    }

    func checkpoint(_ shell: Shell, _ life: Int) {
        let next = now + (isHealing ? 50 : swarm.checkpointMillis) * millisecond
        timeline.at(next, .checkpoint(shell.index, life: life))
        guard !shell.isDiskFull, !shell.disk.log.isEmpty else { return }
        shell.disk.checkpoint()
        told(shell, .checkpointed(through: shell.disk.watermark))
        if shell.dice.thousandths(100) { shell.backup = shell.disk }
    }
}

// The clients: they opt out, consent to what they were shown, set registers, repeat themselves, and
// ask whether they may send.

import Suppression

@testable import Cluster

extension World {
    /// One of the people that this world is about: in the first partition or the last, and each
    /// with a prefix of its own, as with real people. A changed mark leads to all of its prefix.
    func key(_ n: Int) -> MarkKey {
        let prefix = (n & 2 == 0 ? 0 : UInt64.max << 52) | UInt64(n & 0xfff) << 40
        let person = Person(
            tenant: TenantID(raw: 7),
            recipient: Recipient(high: prefix | 1, low: UInt64(n))
        )
        return MarkKey(person: person, scope: .tenant, reason: .unsubscribe)
    }

    /// A node of the seed's cluster; nil for one that was left out.
    func someNode() -> Shell? {
        let index = dice.below(dealtNodesCount)
        return index < shells.count ? shells[index] : nil
    }

    /// A person of these days: most are opted out for the first time, long enough before the end of
    /// the run to be allowed by mistake.
    private func somebody(daysAgo: Int = 0) -> MarkKey {
        let today = Int(now / (swarm.boundMillis * millisecond / 2))
        return key(max(0, today - daysAgo) * swarm.keysCount + dice.below(swarm.keysCount))
    }

    /// A write at some node, and the next one scheduled.
    func write() {
        guard !isHealing else { return }
        let number = nextWrite
        nextWrite += 1
        dice = Dice(seed: seed, .write, number)
        timeline.at(now + dice.within(1...(2 * swarm.writeMillis)) * millisecond, .write)
        guard let shell = someNode(), trim.hasWrite(number), shell.isUp, now >= shell.pausedUntil
        else { return }
        outcome.writes.append(number)
        let key = somebody()
        switch dice.below(20) {
        case 0...2: consent(shell, key)
        case 3: register(shell)
        case 4, 5: repeated(shell, key)
        case 6:
            let people = (0...dice.below(8)).map { _ in self.somebody() }
            let list = SuppressionList(
                tenant: key.person.tenant,
                scope: key.scope,
                reason: key.reason,
                source: .imported,
                recipients: people.map(\.person.recipient)
            )
            request(shell, [.list(list)], .strict)
        default: request(shell, [optOut(key)], dice.one(of: [.available, .strict]))
        }
    }

    private func optOut(_ key: MarkKey) -> Draft {
        .suppress(key, source: .oneClick, expiresSeconds: 0)
    }

    private func request(
        _ shell: Shell,
        _ drafts: [Draft],
        _ policy: Policy,
        stamp: RequestStamp? = nil,
        remembered: Cluster.RememberedRequest? = nil,
        isUndone: Bool = false
    ) {
        let ticket = Ticket(raw: nextTicket)
        nextTicket += 1
        ledger.asked(ticket)
        shell.openTickets.append(ticket)
        if let stamp { shell.stampsByTicket[ticket] = stampName(shell, stamp) }
        step(
            shell,
            .requested(
                WriteRequest(
                    ticket: ticket,
                    drafts: drafts,
                    policy: policy,
                    stamp: stamp,
                    remembered: remembered,
                    isUndone: isUndone
                )
            )
        )
    }

    func stampName(_ shell: Shell, _ stamp: RequestStamp) -> String {
        "\(shell.name)/\(shell.disk.node.raw)/request \(stamp.id.low)"
    }

    /// A caller that names its request, and now and then repeats one.
    private func repeated(_ shell: Shell, _ key: MarkKey) {
        if dice.thousandths(500) { nextStamp += 1 }
        let id = Recipient(high: UInt64(shell.index), low: nextStamp)
        // The body says which person: the same id always names the same one.
        let person = self.key(Int(nextStamp) % swarm.keysCount)
        let stamp = RequestStamp(id: id, body: nextStamp)
        let fresh = shell.core?.request(id)
        let known = fresh ?? shell.disk.state.requests[id]
        var isUndone = false
        if let known {
            reach(.requestRepeated)
            let (mark, dot) = (shell.mark(person), known.dots.dot(0))
            isUndone = mark.isUndone(dot, isCommitted: fresh == nil)
            // Lost with its mark, it is done under a dot of its own.
            if isUndone, !mark.covers(dot) { ledger.excuse(stampName(shell, stamp)) }
        }
        request(
            shell,
            [optOut(person)],
            .available,
            stamp: stamp,
            remembered: known,
            isUndone: isUndone
        )
    }

    /// A person is shown what stands against them, and lifts exactly that, sometimes elsewhere.
    private func consent(_ shell: Shell, _ key: MarkKey) {
        let seen = shell.mark(key).suppressions.map(\.dot)
        guard !seen.isEmpty else { return }
        reach(.consented)
        ledger.consents(key, seen)
        let other = dice.thousandths(300) ? someNode() : shell
        guard let other, other.isUp, now >= other.pausedUntil else { return }
        request(other, [.consent(key, covers: seen, evidence: [1])], .strict)
    }

    private func register(_ shell: Shell) {
        registerGeneration += UInt64(dice.below(2))
        let register = Register(
            name: [114, UInt8(dice.below(2))],
            generation: 1 + registerGeneration,
            final: false,
            value: [UInt8(dice.below(200))],
            author: [1],
            signature: [2]
        )
        request(shell, [.register(register)], .strict)
    }

    /// A check at some node, running or stopped, and the next one scheduled.
    func ask() {
        guard !isHealing else { return }
        let number = nextCheck
        nextCheck += 1
        dice = Dice(seed: seed, .check, number)
        timeline.at(now + dice.within(1...(2 * swarm.checkMillis)) * millisecond, .ask)
        guard let shell = someNode(), trim.hasCheck(number), shell.isUp else { return }
        outcome.checks.append(number)
        // Some ask about what this node has just said yes to.
        let told = ledger.lastTold(at: shell.index)
        let key = dice.thousandths(300) ? told ?? somebody() : somebody(daysAgo: dice.below(7))
        let loop = dice.below(shell.loops.count)
        let check = Action.check(
            shell.index,
            life: shell.life,
            loop: loop,
            key,
            askedNanos: now
        )
        timeline.at(now + 1_000, check)
    }
}

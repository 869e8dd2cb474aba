// The asking side of freshness: nonces out, confirmations in, and which of them count by now.
//
//     ask(nonce, known) ──► voter          sent at t
//     confirm(nonce, delta) ◄── voter      waits until all of delta is shown here
//     all shown ──► the voter's slot is fresh as of t
//
// A confirmation is compared with what *it* names, never with the newest, so a lease holds however
// fast others write. Answers of one voter are taken in order: each names what came after the one
// before, so one counts only when those before it do. An answer that finds no room is ignored and
// its counter with it; the next one then names the same writes again.

import Suppression

/// What this node has asked, and what it was told and does not show yet.
struct Asking: Sendable {
    private struct Waiting {
        let sentNanos: UInt64
        let generation: UInt64
        var missing: HeldSet
    }

    private struct Voter {
        let origin: Origin
        var known: UInt64 = 0
        var waiting: [Waiting] = []
        var lastNonce: Nonce?
    }

    private var sent: [(nonce: Nonce, nanos: UInt64)] = []
    private var voters: [Voter] = []
    private var nextNanos: UInt64 = 0

    /// Answers that wait for what they name.
    var waitingCount: Int { voters.reduce(0) { max($0, $1.waiting.count) } }

    /// Whether it is time to ask again.
    func isDue(now: UInt64) -> Bool { now >= nextNanos }

    /// Remembers a question that goes out now.
    mutating func asked(_ nonce: Nonce, now: UInt64) {
        nextNanos = now + Limits.askNanos
        sent.append((nonce, now))
        if sent.count > Limits.rememberedAsksCount { sent.removeFirst() }
    }

    /// The counter of this voter's last answer, 0 for none.
    func known(of voter: Origin) -> UInt64 {
        voters.first { $0.origin == voter }?.known ?? 0
    }

    /// Whether another life of the same node was heard of.
    func isAnotherLife(_ origin: Origin) -> Bool {
        voters.contains { $0.origin.node == origin.node && $0.origin != origin }
    }

    /// A link came up: of another life nothing carries over.
    mutating func linked(_ origin: Origin) {
        voters.removeAll { $0.origin.node == origin.node && $0.origin != origin }
    }

    /// Forgets every answer, and every question with them.
    mutating func reset() {
        voters.removeAll()
        sent.removeAll()
        nextNanos = 0
    }

    /// Takes an answer, if it is one to a question of ours.
    ///
    /// - Parameter visible: what this node shows to its checks.
    mutating func confirmed(_ answer: Confirmation, by voter: Origin, visible: HeldSet) {
        guard let question = sent.first(where: { $0.nonce == answer.nonce }) else { return }
        if !voters.contains(where: { $0.origin == voter }) {
            voters.append(Voter(origin: voter))
        }
        guard let at = voters.firstIndex(where: { $0.origin == voter }),
            voters[at].lastNonce != answer.nonce,
            answer.since <= voters[at].known, answer.counter >= voters[at].known,
            voters[at].waiting.count < Limits.waitingConfirmationsCount,
            voters[at].waiting.last.map({ $0.sentNanos <= question.nanos }) ?? true
        else { return }
        voters[at].known = answer.counter
        voters[at].lastNonce = answer.nonce
        voters[at].waiting.append(
            Waiting(
                sentNanos: question.nanos,
                generation: answer.generation,
                missing: answer.delta.subtracting(visible)
            )
        )
    }

    /// Moves every answer that is wholly shown by now into the lease.
    mutating func advance(visible: HeldSet, bugs: SeededBugs, into freshness: inout Freshness) {
        for at in voters.indices {
            while !voters[at].waiting.isEmpty {
                let rest = voters[at].waiting[0].missing.subtracting(visible)
                voters[at].waiting[0].missing = rest
                guard rest.isEmpty || bugs.has(.leaseBeforeMarks) else { break }
                let shown = voters[at].waiting.removeFirst()
                freshness.confirmed(
                    by: voters[at].origin,
                    generation: shown.generation,
                    sentNanos: shown.sentNanos
                )
            }
        }
    }
}

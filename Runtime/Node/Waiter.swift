// Two small words of the node loop: who waits for an answer of the gate, and why the loop ends.

import Cluster
import Servers

/// Who waits for a ticket.
enum Waiter {
    /// A request on a serving loop.
    case serving(loop: Int, Caller)
    /// A request on the admin listener, with the answer it gets on success.
    case admin(Exchange, AdminAnswer)
    /// The node itself, at bootstrap.
    case bootstrap
}

/// Why a node ends.
enum Ending: Equatable {
    /// SIGTERM or SIGINT: exit 0.
    case signal
    /// Something broke: exit 70.
    case failed(String)
}

extension NodeLoop {
    /// Mints the cluster's secret, its admin and voters generation 1, in one log transaction.
    func bootstrap() {
        let drafts = firstRegisters.map { Draft.register($0) }
        request(drafts, policy: .strict, waiter: .bootstrap)
        flushBatch()
    }
}

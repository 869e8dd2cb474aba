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
    /// Nobody: what was written shows itself, and is written again if it does not.
    case nobody
}

/// Why a node ends.
enum Ending: Equatable {
    /// SIGTERM or SIGINT: exit 0.
    case signal
    /// Something broke: exit 70.
    case failed(String)
}

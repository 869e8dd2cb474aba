// The node loop towards callers: what is shed, what is handed to the Core, how a refusal gets back.

import Cluster
import EventLoop
import Servers
import Storage
import Suppression

extension NodeLoop {
    func requested(_ write: WriteMessage) {
        let waiter = Waiter.serving(loop: write.loop, write.caller)
        // Imports and the API stop at half of the overlay, public opt-outs only when it is full.
        let isShed =
            write.isOptOut ? view.isFull : view.isHalfFull || write.isImport && isFullOfImports
        // Two nodes under one id mint the same dots for different writes: both must stop.
        guard !isShed, !peers.isCloned else { return answer(waiter, .busy) }
        var remembered: Cluster.RememberedRequest?
        var covered = false
        if let stamp = write.stamp {
            do {
                remembered = try core.request(stamp.id) ?? view.request(stamp.id, now: now())
                if let remembered { covered = try isCovered(write.drafts, remembered.dots) }
            } catch {
                log.error("the state cannot be read", error)
                return answer(waiter, .failed)
            }
        }
        request(
            write.drafts,
            policy: write.policy,
            waiter: waiter,
            stamp: write.stamp,
            remembered: remembered,
            covered: covered
        )
    }

    /// Whether lists must wait for the checkpointer, or for a larger filter.
    private var isFullOfImports: Bool { backlog.isFull || keeper.isNearlyFull }

    /// Whether a consent has covered what this request wrote the first time.
    private func isCovered(_ drafts: [Draft], _ dots: DotRange) throws(StorageError) -> Bool {
        for (n, draft) in drafts.enumerated() {
            guard case .suppress(let key, _, _) = draft else { continue }
            if try view.mark(key)?.covers(dots.dot(n)) == true { return true }
        }
        return false
    }

    /// Hands drafts to the Core under a fresh ticket.
    func request(
        _ drafts: [Draft],
        policy: Policy,
        waiter: Waiter,
        stamp: RequestStamp? = nil,
        remembered: Cluster.RememberedRequest? = nil,
        covered: Bool = false
    ) {
        let ticket = Ticket(raw: nextTicket)
        nextTicket += 1
        waiters[ticket] = waiter
        step(
            .requested(
                WriteRequest(
                    ticket: ticket,
                    drafts: drafts,
                    policy: policy,
                    stamp: stamp,
                    remembered: remembered,
                    covered: covered
                )
            )
        )
    }

    func answer(_ waiter: Waiter, _ refusal: Refusal) {
        switch waiter {
        case .serving(let loop, let caller):
            tell(loop, .refused(caller, refusal))
        case .admin(let exchange, _):
            _ = admin?.complete(exchange) { refusal.write(into: &$0) }
        case .bootstrap:
            // Founded with others, it may take longer than a caller waits; it keeps spreading.
            if core.votersInForce.generation > 0 { return }
            end(.failed("the first registers could not be written"))
        case .nobody: log.warning("a register waits for a majority", ["cause": "\(refusal)"])
        }
    }
}

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
        var isUndone = false
        if let stamp = write.stamp {
            do {
                let fresh = core.request(stamp.id)
                remembered = try fresh ?? view.request(stamp.id, now: now())
                if let dots = remembered?.dots {
                    isUndone = try isGone(write.drafts, dots, isCommitted: fresh == nil)
                }
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
            isUndone: isUndone
        )
    }

    /// Whether lists must wait for the checkpointer, or for a larger filter.
    private var isFullOfImports: Bool { backlog.isFull || keeper.isNearlyFull }

    /// Whether what this request wrote the first time stands no more: a consent has covered it, or
    /// the disk has lost its mark. A caller who says it again must not hear yes for what is gone.
    ///
    /// - Parameter isCommitted: no longer on its way to the log.
    private func isGone(
        _ drafts: [Draft],
        _ dots: DotRange,
        isCommitted: Bool
    ) throws(StorageError) -> Bool {
        for (n, draft) in drafts.enumerated() {
            guard case .suppress(let key, _, _) = draft else { continue }
            let mark = try view.mark(key) ?? Mark()
            if mark.isUndone(dots.dot(n), isCommitted: isCommitted) { return true }
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
        isUndone: Bool = false
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
                    isUndone: isUndone
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

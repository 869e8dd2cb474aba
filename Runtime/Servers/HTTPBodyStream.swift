// A request's body in pieces: from the socket through the framing to the service, at its pace.
//
//     begin --.later--> coming --receive: all--> coming ... bodyEnded --> the answer
//                          ^ |
//                   resume | | receive: fewer
//                          | v
//                          held: nothing is offered; once `pipelineBytes` wait, nothing is read
//
// Bytes are parsed as they come and offered in the turn, one piece a turn, so a body without end
// costs another connection no more than that piece. Whatever ends the request without an answer,
// the service hears `abandoned`, once: whoever keeps half an import must be able to let it go.

internal import EventLoop
internal import Wire

/// Where a streamed body stands.
enum BodyStream {
    /// There is none, or all of it was offered and the service knows.
    case none
    /// Pieces are offered as they come.
    case coming
    /// The service took less than it was offered, and has not called `resume` since.
    case held
}

extension HTTPConnection {
    /// Gives the service a head whose body is streamed.
    func beginBody() {
        // The only answer that can come now is a refusal, and the body behind it is not read.
        var answer = startAnswer(closes: true)
        // Moved out and back, as for `serve`.
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        let disposition = server.service.begin(
            head: framing.head,
            bytes: bytes.span,
            exchange: exchange,
            into: &answer
        )
        swap(&bytes, &input)
        keep(answer, disposition)
        if disposition == .answered { return endExchange(isLast: true) }
        isOwed = true
        body = .coming
        clock = BodyClock(now: server.now)
        inviteBody()
        framing.stream(&input)
        parseBody()
        if hasPeerFinished, isBodyMissing { leaveUnread() }
    }

    /// True while bytes of a streamed body have yet to come from the peer.
    var isBodyMissing: Bool { body != .none && !framing.isWhole }

    /// Reads on in the body, and has it offered.
    func parseBody() {
        if !framing.isWhole {
            clock.came(now: server.now)
            if case .refused(let refusal) = framing.advance(&input) { return refuse(refusal) }
        }
        if body == .coming, framing.isWhole || !framing.pending.isEmpty { list() }
    }

    /// Offers a piece of the body, or its end.
    func offerBody() {
        guard body == .coming, phase == .waiting, !stream.isClosing else { return }
        let pending = framing.pending.prefix(Limits.streamBytesPerTurn)
        if !pending.isEmpty {
            body = .held  // so that a `resume` in between is not lost
            var bytes: [UInt8] = []
            swap(&bytes, &input)
            let taken = server.service.receive(exchange, bytes.span.extracting(pending))
            swap(&bytes, &input)
            precondition(taken >= 0, "a service takes no less than nothing")
            precondition(taken <= pending.count, "a service takes no more than it was offered")
            framing.take(taken, of: &input)
            if body == .held, taken == pending.count { body = .coming }
            guard body == .coming else { return }  // held, or answered early
        }
        if !framing.pending.isEmpty { return list() }
        guard framing.isWhole else { return }
        body = .none
        server.service.bodyEnded(exchange)
    }

    /// Offers pieces again.
    func resumeBody() {
        guard body == .held else { return }
        body = .coming
        list()
    }

    /// Tells the service that its answer is not wanted any more, if it was told to give one.
    func abandon() {
        body = .none
        sending = .none
        guard isOwed else { return }
        isOwed = false
        server.service.abandoned(exchange)
    }

    /// What was to come will not come any more; earlier answers still leave.
    func leaveUnread() {
        if stream.queuedBytes == 0 { stream.close() } else { leave() }
    }
}

// One HTTP connection: one request at a time, in order, however many have come.
//
//              bytes                 turn                  answer
//     reading -------> ready (listed) ----> [service] --+--> reading (next request, or idle)
//        |                                              +--> waiting -- complete --> reading
//        | refused, or an answer that closes                 (HTTPBodyStream: its body comes;
//        v                                                    HTTPAnswerStream: its answer goes)
//     leaving: the answer leaves, our half closes, what still comes is dropped; then the end
//
// A read only parses. Serving happens in the turn, so that a thousand connections are answered
// against one state and one `now`; bytes behind the request being served wait in the input, and
// when they are too many, with the kernel. Answers of one turn leave in one write. Buffers belong
// to the server and are borrowed while there is something in them, so an idle connection costs
// little.

internal import EventLoop
internal import Wire

/// A connection of an `HTTPServer`.
final class HTTPConnection {
    enum Phase { case reading, ready, serving, waiting, leaving }

    let stream: Stream
    let server: HTTPServer
    let place: Place

    var framing = HTTPFraming()
    var input: [UInt8] = []
    var output: [UInt8] = []
    var phase = Phase.reading
    /// The body that the service takes piece by piece.
    var body = BodyStream.none
    /// The answer that the service sends piece by piece.
    var sending = AnswerStream.none
    /// The service is to hear of it if the request that waits is never answered.
    var isOwed = false
    var clock = BodyClock(now: 0)
    var hasPeerFinished = false
    private var request: UInt64 = 0
    private var isListed = false
    private var isDirty = false
    private var hasShutDown = false
    private var dropped = 0
    /// When the current phase is over, in the server's milliseconds.
    private var deadline: UInt64
    private var watch = StallWatch()

    init(_ server: HTTPServer, _ place: Place, _ stream: Stream) {
        self.server = server
        self.place = place
        self.stream = stream
        deadline = server.after(server.options.idleMilliseconds)
        stream.writeCap = Limits.writeQueueBytes + Limits.answerBytes
    }

    /// The name of the current request.
    var exchange: Exchange {
        Exchange(slot: place.slot, generation: place.generation, request: request)
    }

    /// True if this request is the one that waits for its answer.
    func awaits(_ exchange: Exchange) -> Bool {
        phase == .waiting && request == exchange.request
    }

    /// Serves what is ready, up to the bound of a turn; then there is at most one list entry again.
    func serveReady() {
        isListed = false
        if body != .none { offerBody() }
        if sending != .none { tellDrained() }
        var budget = Limits.requestsPerTurn
        while phase == .ready, !stream.isClosing {
            // A reader that does not read is served no further; `streamDrained` lists it again.
            if stream.queuedBytes > Limits.writeQueueBytes { return }
            if budget == 0 || output.count > Limits.writeQueueBytes { return list() }
            budget -= 1
            phase = .serving
            request += 1
            server.counters.requests += 1
            if framing.isAtBody { beginBody() } else { serveOne() }
        }
        settle()
    }

    /// Answers the request that waits.
    func complete(_ write: (inout HTTPAnswer) -> Void) {
        precondition(sending == .none, "a streamed answer ends with finish()")
        let isLast = closesAfterAnswer
        var answer = startAnswer(closes: isLast)
        write(&answer)
        precondition(answer.isComplete, "complete() must complete the answer")
        output = answer.finish()
        endExchange(isLast: isLast)
        if phase == .ready { list() }
        settle()
    }

    /// True if no request may follow the current one.
    var closesAfterAnswer: Bool {
        !framing.head.keepAlive || server.isDraining || body != .none
            || request >= server.options.requestsPerConnection
            || hasPeerFinished && framing.cursor == input.count
    }

    /// Begins an answer behind those that have not left yet.
    func startAnswer(closes: Bool) -> HTTPAnswer {
        let head = framing.head
        return HTTPAnswer(
            after: takeOutput(),
            isHead: head.method == .head,
            closes: closes,
            keepsOldAlive: head.minorVersion == 0 && head.keepAlive,
            takesChunks: head.minorVersion > 0
        )
    }

    /// The answer is whole: the next request, or the end.
    func endExchange(isLast: Bool) {
        isOwed = false
        body = .none
        sending = .none
        markDirty()
        if isLast { return leave() }
        framing.begin()
        phase = .reading
        let isIdle = framing.isIdle(input.span)
        deadline = server.after(
            isIdle ? server.options.idleMilliseconds : server.options.headMilliseconds
        )
        parse()
    }

    /// Keeps what the service made of a request; the answer may be nothing yet.
    func keep(_ answer: consuming HTTPAnswer, _ disposition: Disposition) {
        switch disposition {
        case .answered:
            precondition(answer.isComplete, "a service that answered has a complete answer")
        case .later:
            precondition(answer.isEmpty, "a service that answers later writes nothing yet")
            phase = .waiting
        }
        output = answer.finish()
    }

    /// Answers that the framing is broken, and ends; without an answer who does so all the time.
    func refuse(_ refusal: HTTPRefusal) {
        server.counters.refuse(refusal)
        if refusal.isMalformed, !server.spend(place.peer) {
            server.counters.overBudget += 1
            phase = .leaving
            abandon()
            return stream.close()
        }
        var answer = HTTPAnswer(
            after: takeOutput(),
            isHead: false,
            closes: true,
            keepsOldAlive: false
        )
        answer.problem(refusal.status, detail: refusal.detail)
        output = answer.finish()
        leave()
    }

    /// What is said leaves, then the end.
    func leave() {
        phase = .leaving
        deadline = server.after(Limits.lingerMilliseconds)
        markDirty()
        if !hasPeerFinished { stream.startReading() }
        abandon()
    }

    /// Makes room in the input, and reads or not.
    func settle() {
        framing.compact(&input)
        let waiting = framing.waiting(input.span)
        let isFull =
            switch phase {
            case .waiting where body != .none: waiting >= Limits.pipelineBytes
            case .ready, .waiting: waiting > Limits.pipelineBytes
            case .reading, .serving, .leaving: false
            }
        if isFull {
            stream.stopReading()
            clock.stop(now: server.now)
        } else if !hasPeerFinished {
            stream.startReading()
            clock.goOn(now: server.now)
        }
        giveBack()
    }

    /// Asks for a place in the next turn.
    func list() {
        guard !isListed else { return }
        isListed = true
        server.list(self)
    }

    /// Asks to be flushed at the end of this turn.
    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        server.roster.dirty(self)
    }

    /// The answers that have not left yet, or an empty buffer.
    func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken.capacity > 0 ? taken : server.roster.takeBuffer()
    }

    /// Tells the peer that its body may come, if it waits to hear so.
    func inviteBody() {
        guard framing.head.expectsContinue, framing.cursor == input.count else { return }
        var interim = takeOutput()
        interim.append(contentsOf: "HTTP/1.1 100 Continue\r\n\r\n".utf8)
        output = interim
        markDirty()
    }

    private func serveOne() {
        let isLast = closesAfterAnswer
        var answer = startAnswer(closes: isLast)
        // Moved out and back, not copied: the service's span must not depend on this object.
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        let disposition = server.service.serve(
            head: framing.head,
            bytes: bytes.span,
            exchange: exchange,
            into: &answer
        )
        swap(&bytes, &input)
        keep(answer, disposition)
        if disposition == .answered { endExchange(isLast: isLast) }
    }

    /// Reads on until a request is whole or the input ends.
    private func parse() {
        while phase == .reading {
            switch framing.advance(&input) {
            case .more: return
            case .head: admitBody()
            case .ready: phase = .ready
            case .refused(let refusal): refuse(refusal)
            }
        }
    }

    private func admitBody() {
        clock = BodyClock(now: server.now)
        switch server.service.plan(head: framing.head, bytes: input.span) {
        case .streamed: phase = .ready
        case .whole(let limit):
            if case .refused(let refusal) = framing.allow(bodyBytes: limit) {
                return refuse(refusal)
            }
            inviteBody()
        }
    }

    private func leaveIfDone() {
        if hasPeerFinished, stream.queuedBytes == 0 { stream.close() }
    }

    /// Returns buffers that are empty.
    private func giveBack() {
        server.roster.giveBack(&output)
        server.roster.giveBack(&input)
    }
}

/// What the roster asks.
extension HTTPConnection: RosterMember {
    /// Sends all answers since the last flush in one write.
    func flush() {
        isDirty = false
        guard !stream.isClosing else { return giveBack() }
        server.counters.sentBytes += output.count
        stream.write(output.span)
        output.removeAll(keepingCapacity: true)
        watch.wrote(queued: stream.queuedBytes, limit: server.after(Limits.stallMilliseconds))
        if sending.waits, stream.queuedBytes < Limits.writeQueueBytes { list() }
        if phase == .leaving, !hasShutDown {
            hasShutDown = true
            stream.shutdown()
            leaveIfDone()
        }
        giveBack()
    }

    /// Ends what is over time.
    func sweep() {
        let queued = stream.queuedBytes
        let limit = server.after(Limits.stallMilliseconds)
        if watch.hasStalled(queued: queued, now: server.now, limit: limit) {
            server.counters.stalled += 1
            return stream.close()
        }
        switch phase {
        case .reading: sweepReading()
        case .waiting: if isBodyMissing { sweepBody() }
        case .leaving:
            // The time to linger begins when the peer has all; until then it may stall.
            if queued > 0 { deadline = server.after(Limits.lingerMilliseconds) }
            if server.now > deadline { stream.close() }
        case .ready, .serving: break  // the service has deadlines of its own
        }
    }

    /// Ends at the next chance: now if nothing is in flight, else with the next answer.
    func drain() {
        if phase == .reading, framing.isIdle(input.span), stream.queuedBytes == 0 { stream.close() }
    }

    private func sweepReading() {
        if framing.isInBody {
            sweepBody()
        } else if server.now > deadline {
            if framing.isIdle(input.span) { stream.close() } else { refuse(.headTime) }
        }
    }

    private func sweepBody() {
        let isOver = clock.isOver(
            now: server.now,
            bytes: framing.bodyBytes,
            slack: server.options.bodyMilliseconds + server.options.sweepMilliseconds,
            silence: body == .none ? .max : server.options.idleMilliseconds
        )
        if isOver { refuse(.bodyTime) }
    }
}

extension HTTPConnection: StreamOwner {
    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        server.counters.receivedBytes += bytes.count
        if phase == .leaving {
            dropped += bytes.count
            if dropped > Limits.lingerBytes { stream.close() }
            return
        }
        if input.capacity == 0 { input = server.roster.takeBuffer() }
        if phase == .reading, framing.isIdle(input.span) {
            deadline = server.after(server.options.headMilliseconds)
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
        parse()
        if body != .none { parseBody() }
        if phase == .ready { list() }
        settle()
    }

    func streamFinished(_ stream: Stream) {
        hasPeerFinished = true
        switch phase {
        case .reading: leaveUnread()
        case .waiting where isBodyMissing: leaveUnread()
        case .leaving:
            if hasShutDown { leaveIfDone() }
        case .ready, .serving, .waiting: break  // a peer that only waits for its answer
        }
    }

    func streamDrained(_ stream: Stream) {
        watch.drained()
        if phase == .ready || sending.waits { list() }
        if phase == .leaving, hasShutDown { leaveIfDone() }
    }

    func streamEnded(_ stream: Stream, reason: EndReason) {
        if reason == .overflow { server.counters.stalled += 1 }
        output.removeAll(keepingCapacity: true)
        input.removeAll(keepingCapacity: true)
        giveBack()
        phase = .leaving
        server.forget(self)
        abandon()
    }

}

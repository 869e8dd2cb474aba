// One HTTP connection: one request at a time, in order, however many have come.
//
//              bytes                 turn                  answer
//     reading -------> ready (listed) ----> [service] --+--> reading (next request, or idle)
//        |                                              +--> waiting -- complete --> reading
//        | refused, or an answer that closes
//        v
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
    private enum Phase { case reading, ready, serving, waiting, leaving }

    let stream: Stream
    private let server: HTTPServer
    private let slot: UInt32
    private let generation: UInt32

    private var framing = HTTPFraming()
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var phase = Phase.reading
    private var request: UInt64 = 0
    private var isListed = false
    private var isDirty = false
    private var hasPeerFinished = false
    private var hasShutDown = false
    private var dropped = 0
    /// When the current phase is over, in the server's milliseconds.
    private var deadline: UInt64
    private var bodySince: UInt64 = 0
    private var stallDeadline = UInt64.max
    private var queuedBefore = 0

    init(_ server: HTTPServer, slot: UInt32, generation: UInt32, _ stream: Stream) {
        self.server = server
        self.slot = slot
        self.generation = generation
        self.stream = stream
        deadline = server.after(server.options.idleMilliseconds)
        stream.writeCap = Limits.writeQueueBytes + Limits.answerBytes
    }

    /// True if this request is the one that waits for its answer.
    func awaits(_ exchange: Exchange) -> Bool {
        phase == .waiting && generation == exchange.generation && request == exchange.request
    }

    /// True if the connection has this name.
    func isNamed(by exchange: Exchange) -> Bool { generation == exchange.generation }

    /// Serves what is ready, up to the bound of a turn; then there is at most one list entry again.
    func serveReady() {
        isListed = false
        var budget = Limits.requestsPerTurn
        while phase == .ready, !stream.isClosing {
            // A reader that does not read is served no further; `streamDrained` lists it again.
            if stream.queuedBytes > Limits.writeQueueBytes { return }
            if budget == 0 || output.count > Limits.writeQueueBytes { return list() }
            budget -= 1
            serveOne()
        }
        settle()
    }

    /// Answers the request that waits.
    func complete(_ body: (inout HTTPAnswer) -> Void) {
        var answer = beginAnswer()
        body(&answer)
        precondition(answer.isComplete, "complete() must complete the answer")
        endAnswer(answer)
        if phase == .ready { list() }
        settle()
    }

    /// Sends all answers since the last flush in one write.
    func flush() {
        isDirty = false
        guard !stream.isClosing else { return giveBack() }
        server.counters.sentBytes += output.count
        stream.write(output.span)
        output.removeAll(keepingCapacity: true)
        if stream.queuedBytes > 0, stallDeadline == .max {
            queuedBefore = stream.queuedBytes
            stallDeadline = server.after(Limits.stallMilliseconds)
        }
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
        if queued == 0 {
            stallDeadline = .max
        } else if queued < queuedBefore {
            stallDeadline = server.after(Limits.stallMilliseconds)
        }
        queuedBefore = queued
        if server.now > stallDeadline {
            server.counters.stalled += 1
            return stream.close()
        }
        switch phase {
        case .reading: sweepReading()
        case .leaving: if server.now > deadline { stream.close() }
        case .ready, .serving, .waiting: break  // the service has deadlines of its own
        }
    }

    /// Ends at the next chance: now if nothing is in flight, else with the next answer.
    func drain() {
        if phase == .reading, framing.isIdle(input.span), stream.queuedBytes == 0 { stream.close() }
    }

    private func sweepReading() {
        if framing.isInBody {
            let allowed =
                server.options.bodyMilliseconds
                + UInt64(framing.bodyBytes) / Limits.bodyBytesPerMillisecond
            if server.now > bodySince + allowed { refuse(.bodyTime) }
        } else if server.now > deadline {
            if framing.isIdle(input.span) { stream.close() } else { refuse(.headTime) }
        }
    }

    private func serveOne() {
        phase = .serving
        request += 1
        server.counters.requests += 1
        var answer = beginAnswer()
        let exchange = Exchange(slot: slot, generation: generation, request: request)
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
        switch disposition {
        case .answered:
            precondition(answer.isComplete, "a service that answered has a complete answer")
            endAnswer(answer)
        case .later:
            precondition(answer.isEmpty, "a service that answers later writes nothing yet")
            output = answer.finish()
            phase = .waiting
        }
    }

    private var closesAfterAnswer: Bool {
        !framing.head.keepAlive || server.isDraining
            || hasPeerFinished && framing.cursor == input.count
    }

    private func beginAnswer() -> HTTPAnswer {
        let head = framing.head
        return HTTPAnswer(
            after: takeOutput(),
            isHead: head.method == .head,
            closes: closesAfterAnswer,
            keepsOldAlive: head.minorVersion == 0 && head.keepAlive
        )
    }

    private func endAnswer(_ answer: consuming HTTPAnswer) {
        let isLast = closesAfterAnswer
        output = answer.finish()
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
        bodySince = server.now
        let limit = server.service.bodyLimit(head: framing.head, bytes: input.span)
        if case .refused(let refusal) = framing.allow(bodyBytes: limit) { return refuse(refusal) }
        guard framing.head.expectsContinue, framing.cursor == input.count else { return }
        var interim = takeOutput()
        interim.append(contentsOf: "HTTP/1.1 100 Continue\r\n\r\n".utf8)
        output = interim
        markDirty()
    }

    private func refuse(_ refusal: HTTPRefusal) {
        server.counters.refuse(refusal)
        var answer = HTTPAnswer(
            after: takeOutput(),
            isHead: false,
            closes: true,
            keepsOldAlive: false
        )
        answer.problem(refusal.status, detail: refusal.detail)
        output = answer.finish()
        markDirty()
        leave()
    }

    private func leave() {
        phase = .leaving
        deadline = server.after(Limits.lingerMilliseconds)
        markDirty()
        if !hasPeerFinished { stream.startReading() }
    }

    private func leaveIfDone() {
        if hasPeerFinished, stream.queuedBytes == 0 { stream.close() }
    }

    /// Makes room in the input, and reads or not.
    private func settle() {
        framing.compact(&input)
        let waiting = input.count - framing.cursor
        let isBusy = phase == .ready || phase == .waiting
        if isBusy, waiting > Limits.pipelineBytes {
            stream.stopReading()
        } else if !hasPeerFinished {
            stream.startReading()
        }
        giveBack()
    }

    private func list() {
        guard !isListed else { return }
        isListed = true
        server.list(self)
    }

    private func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        server.dirty(self)
    }

    private func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken.capacity > 0 ? taken : server.takeBuffer()
    }

    /// Returns buffers that are empty.
    private func giveBack() {
        if output.isEmpty, output.capacity > 0 {
            server.giveBuffer(output)
            output = []
        }
        if input.isEmpty, input.capacity > 0 {
            server.giveBuffer(input)
            input = []
        }
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
        if input.capacity == 0 { input = server.takeBuffer() }
        if phase == .reading, framing.isIdle(input.span) {
            deadline = server.after(server.options.headMilliseconds)
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
        parse()
        if phase == .ready { list() }
        settle()
    }

    func streamFinished(_ stream: Stream) {
        hasPeerFinished = true
        switch phase {
        case .reading:
            if stream.queuedBytes == 0 { stream.close() } else { leave() }
        case .leaving:
            if hasShutDown { leaveIfDone() }
        case .ready, .serving, .waiting: break  // a peer that only waits for its answer
        }
    }

    func streamDrained(_ stream: Stream) {
        stallDeadline = .max
        if phase == .ready { list() }
        if phase == .leaving, hasShutDown { leaveIfDone() }
    }

    func streamEnded(_ stream: Stream, reason: EndReason) {
        if reason == .overflow { server.counters.stalled += 1 }
        output.removeAll(keepingCapacity: true)
        input.removeAll(keepingCapacity: true)
        giveBack()
        phase = .leaving
        server.forget(slot)
    }
}

// One RESP connection: commands in order, in runs, and replies in the same order.
//
//              bytes                 turn                    run
//     reading -------> ready (listed) ----> parse, [service] --+--> ready again, if cut or
//        ^                                     |               |    more may be whole
//        |      nothing whole is left          |               +--> waiting -- complete --> ready
//        +-------------------------------------+
//     leaving: what is owed leaves, our half closes, what still comes is dropped; then the end
//
// A read only appends. The turn parses into the server's one batch, up to a bound, and what is
// behind it waits; when too much waits, with the kernel. Bytes are never parsed further than they
// are served, because AUTH changes which bounds hold for what follows it.

internal import EventLoop
internal import Wire

/// A connection of a `RESPServer`.
final class RESPConnection {
    private enum Phase { case reading, ready, waiting, leaving }

    let stream: Stream
    let server: RESPServer
    var session: RESPSession
    let place: Place

    private var parser = RESPParser()
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var phase = Phase.reading
    private var request: UInt64 = 0
    /// Bytes of an unfinished command that the server has counted.
    private var kept = 0
    /// Replies that a `.later` promised.
    private var promised = 0
    private var isListed = false
    private var isDirty = false
    private var hasPeerFinished = false
    private var hasShutDown = false
    private var dropped = 0
    /// The end of idling, or of leaving, in the server's milliseconds.
    private var deadline: UInt64
    /// The end of being a stranger.
    private var authDeadline: UInt64
    /// When the first byte of an unfinished command came; nil if there is none.
    private var partialSince: UInt64?
    private var watch = StallWatch()

    init(_ server: RESPServer, _ place: Place, session: RESPSession, _ stream: Stream) {
        self.server = server
        self.place = place
        self.session = session
        self.stream = stream
        deadline = server.after(server.options.idleMilliseconds)
        authDeadline = server.after(server.options.authMilliseconds)
        stream.writeCap = Limits.writeQueueBytes + Limits.repliesBytes
    }

    /// True if this run is the one that waits for its replies.
    func awaits(_ exchange: Exchange) -> Bool {
        phase == .waiting && request == exchange.request
    }

    /// Parses and serves, up to the bound of a turn.
    ///
    /// - Parameter batch: scratch; its words afterwards are the turn's cost.
    func serveReady(_ batch: inout RESPBatch) {
        isListed = false
        batch.words.removeAll(keepingCapacity: true)
        batch.commands.removeAll(keepingCapacity: true)
        // A reader that does not read is served no further; `streamDrained` lists it again.
        guard phase == .ready, !stream.isClosing, stream.queuedBytes <= Limits.writeQueueBytes
        else { return }
        // Moved out and back, not copied: the service's span must not depend on this object.
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        var replies = RESPReplies(after: takeOutput(), version: session.version)
        serve(&batch, bytes.span, &replies)
        swap(&bytes, &input)
        output = replies.finish()
        if !output.isEmpty { markDirty() }
        settle()
    }

    /// Answers the run that waits.
    func complete(_ body: (inout RESPReplies) -> Void) {
        var replies = RESPReplies(after: takeOutput(), version: session.version)
        replies.expect(promised)
        body(&replies)
        precondition(replies.owed == 0, "complete() must give every reply of the run")
        output = replies.finish()
        phase = .ready
        markDirty()
        settle()
    }

    /// Sends all replies since the last flush in one write.
    func flush() {
        isDirty = false
        guard !stream.isClosing else { return giveBack() }
        server.counters.sentBytes += output.count
        stream.write(output.span)
        output.removeAll(keepingCapacity: true)
        watch.wrote(queued: stream.queuedBytes, limit: server.after(Limits.stallMilliseconds))
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
        case .reading, .ready: sweepReading()
        case .leaving:
            // The time to linger begins when the peer has all; until then it may stall.
            if queued > 0 { deadline = server.after(Limits.lingerMilliseconds) }
            if server.now > deadline { stream.close() }
        case .waiting: break  // the service has deadlines of its own
        }
    }

    /// Ends at the next chance: now if nothing is in flight, else with the next replies.
    func drain() {
        if phase == .reading, partialSince == nil, stream.queuedBytes == 0 { stream.close() }
    }

    /// The last reply is written; then the end.
    func leave() {
        phase = .leaving
        deadline = server.after(Limits.lingerMilliseconds)
        markDirty()
        if !hasPeerFinished { stream.startReading() }
    }

    /// Ends for a cause, with its error if it has one.
    func refuse(_ refusal: RESPRefusal, _ replies: inout RESPReplies) {
        server.counters.refuse(refusal)
        guard let reply = refusal.reply else {
            phase = .leaving
            return stream.close()
        }
        replies.expect(1)
        replies.error(reply)
        leave()
    }

    /// Whoever is a stranger again has to say who it is, in time.
    func beginAuth() {
        session.principal = nil
        authDeadline = server.after(server.options.authMilliseconds)
    }

    private func sweepReading() {
        let now = server.now
        if session.principal == nil, now > authDeadline { return refuseNow(.authTime) }
        if let since = partialSince {
            let came = UInt64(input.count - parser.cursor)
            let allowed =
                server.options.commandMilliseconds
                + server.options.sweepMilliseconds + came / Limits.bodyBytesPerMillisecond
            if now > since + allowed { refuseNow(.commandTime) }
        } else if phase == .reading, now > deadline {
            stream.close()
        }
    }

    private func refuseNow(_ refusal: RESPRefusal) {
        var replies = RESPReplies(after: takeOutput(), version: session.version)
        refuse(refusal, &replies)
        output = replies.finish()
    }

    private func serve(
        _ batch: inout RESPBatch,
        _ bytes: Span<UInt8>,
        _ replies: inout RESPReplies
    ) {
        // Locals, as each look at a stored property of a class costs as much as parsing a word.
        var parser = self.parser
        var isMember = session.principal != nil
        var left = Limits.commandsPerTurn
        parsing: while left > 0, batch.words.count < Limits.wordsPerTurn,
            replies.byteCount <= Limits.writeQueueBytes
        {
            let start = parser.cursor
            let first = batch.words.count
            let found = parser.next(
                bytes,
                within: isMember ? .member : .stranger,
                into: &batch.words
            )
            guard found == .command else {
                serveRun(&batch, bytes, &replies)
                if phase == .ready { stop(found, isEnd: parser.cursor == bytes.count, &replies) }
                break parsing
            }
            let name = RESPName(batch.words[first], in: bytes)
            let count = batch.words.count - first
            let isSound = name.isServed && name.takes(words: count)
            if !batch.commands.isEmpty, !isSound || batch.isWrite != name.isWrite {
                serveRun(&batch, bytes, &replies)
                if phase != .ready {
                    parser.rewind(to: start)
                    break parsing
                }
                isMember = session.principal != nil
            }
            if left == Limits.commandsPerTurn { partialSince = nil }
            left -= 1
            if isSound, isMember {
                let words = first + 1..<batch.words.count
                batch.commands.append(RESPCommand(name: name, words: words))
            } else {
                answer(name, batch.words.span.extracting(first...), bytes, &replies)
                isMember = session.principal != nil
                if phase != .ready { break parsing }
            }
        }
        server.counters.commands += Limits.commandsPerTurn - left
        self.parser = parser
        serveRun(&batch, bytes, &replies)
    }

    /// Nothing more to serve: for now, or for good.
    private func stop(
        _ found: RESPParser.Found,
        isEnd: Bool,
        _ replies: inout RESPReplies
    ) {
        if case .refused(let refusal) = found { return refuse(refusal, &replies) }
        phase = .reading
        if isEnd {
            partialSince = nil
            deadline = server.after(server.options.idleMilliseconds)
        } else if partialSince == nil {
            partialSince = server.now
        }
    }

    private func serveRun(
        _ batch: inout RESPBatch,
        _ bytes: Span<UInt8>,
        _ replies: inout RESPReplies
    ) {
        let count = batch.commands.count
        guard count > 0, phase == .ready else { return }
        request += 1
        server.counters.batches += 1
        replies.expect(count)
        let before = replies.byteCount
        let disposition = server.service.serve(
            batch: batch,
            bytes: bytes,
            exchange: Exchange(slot: place.slot, generation: place.generation, request: request),
            session: &session,
            into: &replies
        )
        switch disposition {
        case .answered:
            precondition(replies.owed == 0, "a service that answered gave every reply")
            if session.principal == nil { beginAuth() }
        case .later:
            precondition(replies.byteCount == before, "a service that answers later writes nothing")
            replies.postpone()
            promised = count
            phase = .waiting
        }
        batch.commands.removeAll(keepingCapacity: true)
    }

    /// Makes room in the input, lists itself if there may be more to serve, and reads or not.
    private func settle() {
        compact()
        if phase == .ready, input.isEmpty {
            phase = .reading
            deadline = server.after(server.options.idleMilliseconds)
        }
        if phase == .ready || phase == .reading, server.isDraining { leave() }
        if phase == .reading, hasPeerFinished { leave() }
        countUnfinished()
        if phase == .ready { list() }
        let isBusy = phase == .ready || phase == .waiting
        if isBusy, input.count - parser.cursor > Limits.pipelineBytes {
            stream.stopReading()
        } else if !hasPeerFinished {
            stream.startReading()
        }
        giveBack()
    }

    /// Notes what an unfinished command keeps, or ends if that is too much.
    private func countUnfinished() {
        let waiting = phase == .reading ? input.count - parser.cursor : 0
        let bytes = max(0, waiting - Limits.unfinishedFreeBytes)
        guard !server.keeps(bytes, insteadOf: &kept) else { return }
        refuseNow(.unfinished)
        input = []
        parser = RESPParser()
        _ = server.keeps(0, insteadOf: &kept)  // less is always possible
    }

    /// Drops what is served; moves the rest once it is the smaller part, so each byte moves once.
    private func compact() {
        let done = parser.cursor
        if done == input.count {
            input.removeAll(keepingCapacity: true)
        } else if done >= input.count - done {
            input.removeFirst(done)
        } else {
            return
        }
        parser.shift(by: done)
    }

    private func leaveIfDone() {
        if hasPeerFinished, stream.queuedBytes == 0 { stream.close() }
    }

    private func list() {
        guard !isListed else { return }
        isListed = true
        server.list(self)
    }

    private func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        server.roster.dirty(self)
    }

    private func takeOutput() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &output)
        return taken.capacity > 0 ? taken : server.roster.takeBuffer()
    }

    /// Returns buffers that are empty.
    private func giveBack() {
        server.roster.giveBack(&output)
        server.roster.giveBack(&input)
    }
}

extension RESPConnection: RosterMember {}

extension RESPConnection: StreamOwner {
    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        server.counters.receivedBytes += bytes.count
        if phase == .leaving {
            dropped += bytes.count
            if dropped > Limits.lingerBytes { stream.close() }
            return
        }
        if input.capacity == 0 { input = server.roster.takeBuffer() }
        unsafe bytes.withUnsafeBufferPointer { unsafe input.append(contentsOf: $0) }
        if phase == .reading { phase = .ready }
        if phase == .ready { list() }
        // libuv reads on and on in one call; parsing is for the turn, so the bound is kept here.
        if input.count - parser.cursor > Limits.pipelineBytes { stream.stopReading() }
    }

    func streamFinished(_ stream: Stream) {
        hasPeerFinished = true
        switch phase {
        case .reading:
            if stream.queuedBytes == 0 { stream.close() } else { leave() }
        case .leaving:
            if hasShutDown { leaveIfDone() }
        case .ready, .waiting: break  // a peer that only waits for its replies
        }
    }

    func streamDrained(_ stream: Stream) {
        watch.drained()
        if phase == .ready { list() }
        if phase == .leaving, hasShutDown { leaveIfDone() }
        if server.isDraining { drain() }
    }

    func streamEnded(_ stream: Stream, reason: EndReason) {
        if reason == .overflow { server.counters.stalled += 1 }
        output.removeAll(keepingCapacity: true)
        input.removeAll(keepingCapacity: true)
        giveBack()
        phase = .leaving
        _ = server.keeps(0, insteadOf: &kept)  // less is always possible
        server.forget(self)
    }
}

// An answer in pieces: as much as its reader takes, and a little more.
//
//     begin --> send, send ... send: false --> (the queue falls) --> drained --> send ... finish
//
// The service may send in any part of a turn; all of a turn leaves in one write. Only a service
// that goes on after `false` makes the queue grow, and past `answerBytes` that ends the connection,
// as a reader does who takes nothing for `stallMilliseconds`.

internal import EventLoop
internal import Wire

/// Where a streamed answer stands.
struct AnswerStream: Equatable {
    enum Form {
        /// No answer is being streamed.
        case none
        /// To HEAD: what is sent is dropped.
        case headOnly
        /// HTTP/1.1.
        case chunks
        /// HTTP/1.0: the connection's end is the answer's.
        case plain
    }

    var form = Form.none
    /// The head has announced that the connection closes.
    var isLast = false
    /// The service waits for `drained`.
    var waits = false

    /// No answer is being streamed.
    static let none = AnswerStream()
}

extension HTTPConnection {
    /// Sends the head of a streamed answer.
    func begin(_ write: (inout HTTPAnswer) -> Void) {
        precondition(body == .none, "a streamed answer begins when the body has ended")
        precondition(sending == .none, "an answer begins once")
        let head = framing.head
        let isLast = closesAfterAnswer || head.minorVersion == 0
        var answer = startAnswer(closes: isLast)
        write(&answer)
        precondition(answer.isStreaming, "begin() must open a stream")
        output = answer.finish()
        let form: AnswerStream.Form = head.minorVersion == 0 ? .plain : .chunks
        sending = AnswerStream(form: head.method == .head ? .headOnly : form, isLast: isLast)
        isOwed = true
        markDirty()
    }

    /// Sends a piece of it.
    ///
    /// - Returns: false if the service should wait for `drained`.
    func send(_ bytes: Span<UInt8>) -> Bool {
        if output.capacity == 0 { output = server.roster.takeBuffer() }
        switch sending.form {
        case .none: preconditionFailure("send() needs begin()")
        case .headOnly: return true
        case .chunks: output.appendChunk(bytes)
        case .plain: unsafe bytes.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        }
        markDirty()
        sending.waits = isQueueFull
        return !sending.waits
    }

    /// Sends its end.
    func finish() {
        precondition(sending != .none, "finish() needs begin()")
        if sending.form == .chunks { output.appendLastChunk() }
        endExchange(isLast: sending.isLast || closesAfterAnswer)
        if phase == .ready { list() }
        settle()
    }

    /// Ends the connection instead.
    func abort() { stream.close() }

    /// Tells a service that waits to send on.
    func tellDrained() {
        guard sending.waits, phase == .waiting, !stream.isClosing, !isQueueFull else { return }
        sending.waits = false
        server.service.drained(exchange)
    }

    private var isQueueFull: Bool {
        stream.queuedBytes + output.count >= Limits.writeQueueBytes
    }
}

// Bytes to requests: one connection's HTTP/1.1 framing, with no socket, clock or policy in it.
//
//     head  --scanner finds the end--> llhttp reads it whole --> judge --+--> ready (no body)
//                                                                        +--> .head: allow, stream
//     body  --counted, or chunk scanner--> llhttp --de-chunked in place--> ready --> begin()
//
// Two readers look at every byte: ours, which knows what must never pass, and llhttp, which knows
// the grammar. A request counts only when both end it on the same byte; otherwise it is refused, so
// a bug in one alone smuggles nothing. llhttp's callbacks capture nothing and write through one
// pointer to `ParserCell`; a field is sorted by its length and its bytes, without a string.
//
// Chunks are moved together inside the input buffer while llhttp walks over it: the write position
// is never ahead of what it has read. So a service sees one contiguous body, however it came. A
// body that is streamed goes the same way, but what was taken of it leaves the input, and the head
// before it as well: then the body is without bound and the input is not.

internal import CLLHTTP
internal import Wire

/// The framing of one connection. Offsets are into the input that its caller owns.
@safe
struct HTTPFraming: ~Copyable {
    /// What `advance` came to.
    enum Step: Equatable {
        /// Nothing whole yet.
        case more
        /// The head of a request with a body is whole: `allow` its size or `stream` it, then
        /// advance again.
        case head
        /// The request is whole: serve it, then `begin`.
        case ready
        /// The connection must end.
        case refused(HTTPRefusal)
    }

    private enum Phase { case head, limit, counted, chunked, ready }

    private let cell: UnsafeMutablePointer<ParserCell>
    private var scanner = HeadScanner(at: 0)
    private var chunks = ChunkScanner()
    private var phase = Phase.head
    private var left = 0
    private var limit = 0
    private var isStreamed = false
    private var taken = 0
    /// Offset of the first byte that belongs to no request yet, or to one that is not whole.
    private(set) var cursor = 0

    init() {
        unsafe cell = ParserCell.allocate()
    }

    deinit { unsafe ParserCell.free(cell) }

    /// The current request; whole after `.ready`, all but the body after `.head`.
    var head: RequestHead { unsafe cell.pointee.fields.head }

    /// True when no byte of a next request has come.
    func isIdle(_ input: Span<UInt8>) -> Bool { phase == .head && scanner.isEmpty(input) }

    /// True between the end of a head and the end of its body.
    var isInBody: Bool { phase == .counted || phase == .chunked }

    /// True between the end of a head and the word on its body.
    var isAtBody: Bool { phase == .limit }

    /// True once the current request has come to its end.
    var isWhole: Bool { phase == .ready }

    /// Body bytes that have come, for the slowest rate.
    var bodyBytes: Int { taken + (unsafe cell.pointee.fields.head.body.count) }

    /// Where the bytes of a streamed body lie that wait to be taken.
    var pending: Range<Int> { isStreamed ? unsafe cell.pointee.fields.head.body.range : 0..<0 }

    /// Bytes of the input that are not served yet: of a streamed body, and behind the request.
    func waiting(_ input: Span<UInt8>) -> Int {
        input.count - (pending.isEmpty ? cursor : pending.lowerBound)
    }

    /// Goes on with the next request behind the one that was served.
    mutating func begin() {
        precondition(phase == .ready, "a request is served before the next one begins")
        phase = .head
        isStreamed = false
        taken = 0
        scanner = HeadScanner(at: cursor)
    }

    /// The input's first `cursor` bytes may go, if the current request needs none of them.
    mutating func compact(_ input: inout [UInt8]) {
        guard phase == .head, cursor > 0 else { return }
        scanner.shift(by: cursor)
        if cursor == input.count {
            input.removeAll(keepingCapacity: true)
        } else {
            input.removeSubrange(0..<cursor)
        }
        cursor = 0
    }

    /// Sets the bound of the body that `.head` announced.
    mutating func allow(bodyBytes: Int) -> Step {
        beginBody(min(bodyBytes, Limits.wholeBodyBytes))
        return phase == .counted && left > limit ? .refused(.body) : .more
    }

    /// Lets the body that `.head` announced come without bound; the head's bytes go.
    mutating func stream(_ input: inout [UInt8]) {
        beginBody(.max)
        isStreamed = true
        input.removeSubrange(0..<cursor)
        cursor = 0
        unsafe cell.pointee.fields.head.body = HTTPRange(0, 0)
    }

    /// Lets the first bytes of `pending` go.
    mutating func take(_ count: Int, of input: inout [UInt8]) {
        precondition(isStreamed && count <= pending.count, "what is taken has come")
        var gone = pending.lowerBound + count
        // Behind the last byte lies framing alone, up to the cursor.
        if gone == pending.upperBound { gone = cursor }
        let rest = HTTPRange(0, max(0, pending.upperBound - gone))
        input.removeSubrange(0..<gone)
        cursor -= gone
        taken += count
        unsafe cell.pointee.fields.head.body = rest
    }

    /// Reads on as far as the input goes.
    mutating func advance(_ input: inout [UInt8]) -> Step {
        switch phase {
        case .head: advanceHead(&input)
        case .counted: advanceCounted(&input)
        case .chunked: advanceChunked(&input)
        case .limit, .ready: preconditionFailure("advance waits for allow or begin")
        }
    }

    private mutating func beginBody(_ limit: Int) {
        precondition(phase == .limit, "a bound is set between head and body")
        self.limit = limit
        phase = unsafe cell.pointee.fields.isChunked ? .chunked : .counted
        chunks = ChunkScanner()
        left = unsafe cell.pointee.fields.contentLength
    }

    private mutating func advanceHead(_ input: inout [UInt8]) -> Step {
        switch scanner.scan(input.span) {
        case .more: return .more
        case .refused(let refusal): return .refused(refusal)
        case .end: break
        }
        unsafe cell.pointee.begin()
        let start = scanner.start
        cursor = scanner.position
        if let refusal = feed(&input, start..<cursor) { return .refused(refusal) }
        if let refusal = unsafe cell.pointee.fields.judge(input.span) { return .refused(refusal) }
        let body = HTTPRange(cursor, cursor)
        unsafe cell.pointee.fields.head.body = body
        guard unsafe cell.pointee.fields.head.hasBody else { return finish() }
        guard unsafe !cell.pointee.isWhole else { return .refused(.malformed) }
        phase = .limit
        return .head
    }

    private mutating func advanceCounted(_ input: inout [UInt8]) -> Step {
        let step = min(left, input.count - cursor)
        guard step > 0 else { return .more }
        if let refusal = feed(&input, cursor..<cursor + step) { return .refused(refusal) }
        cursor += step
        left -= step
        return left == 0 ? finish() : .more
    }

    private mutating func advanceChunked(_ input: inout [UInt8]) -> Step {
        let from = cursor
        let found = chunks.scan(input.span, from: &cursor, limit: limit)
        if case .refused(let refusal) = found { return .refused(refusal) }
        if let refusal = feed(&input, from..<cursor) { return .refused(refusal) }
        if found == .end { return finish() }
        guard unsafe !cell.pointee.isWhole else { return .refused(.chunkInvalid) }
        // What lies between the body so far and the cursor was framing: give its room back.
        let end = Int(unsafe cell.pointee.fields.head.body.end)
        input.removeSubrange(end..<cursor)
        cursor = end
        return .more
    }

    private mutating func finish() -> Step {
        guard unsafe cell.pointee.isWhole else { return .refused(.malformed) }
        phase = .ready
        return .ready
    }

    /// Gives a stretch to llhttp.
    private func feed(_ input: inout [UInt8], _ stretch: Range<Int>) -> HTTPRefusal? {
        unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe ParserCell.feed(cell, input, stretch)
        }
    }
}

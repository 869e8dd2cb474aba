// llhttp and what its callbacks write into, in one heap cell: all that is unsafe about parsing
// answers.
//
// The shape is that of Servers' ParserCell: callbacks are C functions that capture nothing, and
// `parser.data` points at the cell. The parser pauses after the message, so that bytes behind it
// are noticed: an answer that nobody asked for ends the connection instead of answering the next
// call.

import CLLHTTP

/// One answer, read.
struct Answer: Equatable {
    var status = 0
    var body: [UInt8] = []
    /// The connection may carry another request.
    var keepsAlive = false
}

/// The parser and the answer that it reads.
@safe
private struct AnswerCell {
    var parser = unsafe llhttp_t()
    var settings = llhttp_settings_t()
    var answer = Answer()
    var bodyLimit = 0
    var isHeadWhole = false
    var isWhole = false
}

/// Reads answers from bytes, one after the other.
@safe
final class AnswerParser {
    private let cell: UnsafeMutablePointer<AnswerCell>
    private let limits: ClientLimits
    private var receivedCount = 0
    private var streams = false

    /// What the bytes so far amount to.
    enum Progress: Equatable {
        case more
        case whole(Answer)
        case broken(String)
    }

    init(limits: ClientLimits) {
        self.limits = limits
        unsafe cell = UnsafeMutablePointer<AnswerCell>.allocate(capacity: 1)
        unsafe cell.initialize(to: AnswerCell())
        unsafe cell.pointee.bodyLimit = limits.answerBytes
        unsafe llhttp_settings_init(&cell.pointee.settings)
        unsafe AnswerParser.install(&cell.pointee.settings)
        guard let parser = unsafe cell.pointer(to: \.parser),
            let settings = unsafe cell.pointer(to: \.settings)
        else { preconditionFailure("stored fields have addresses") }
        unsafe llhttp_init(parser, HTTP_RESPONSE, settings)
        unsafe parser.pointee.data = UnsafeMutableRawPointer(cell)
    }

    deinit {
        unsafe cell.deinitialize(count: 1)
        unsafe cell.deallocate()
    }

    /// Forgets the answer before.
    ///
    /// - Parameter streams: the body of a 200 is fetched by `takeBody` as it comes.
    func begin(streams: Bool = false) {
        self.streams = streams
        unsafe cell.pointee.bodyLimit = limits.answerBytes
        unsafe llhttp_reset(&cell.pointee.parser)
        unsafe cell.pointee.answer = Answer()
        unsafe cell.pointee.isHeadWhole = false
        unsafe cell.pointee.isWhole = false
        receivedCount = 0
    }

    /// Takes the first `count` bytes of the buffer.
    func feed(_ buffer: [UInt8], count: Int) -> Progress {
        receivedCount += count
        // A chunk may carry one byte of body in six; beyond that somebody plays with us.
        guard streams || receivedCount <= limits.headBytes + 6 * limits.answerBytes else {
            return .broken("the answer is longer than \(limits.answerBytes) bytes")
        }
        let (code, used) = unsafe buffer.withUnsafeBytes { bytes -> (llhttp_errno_t, Int) in
            guard let parser = unsafe cell.pointer(to: \.parser), let base = bytes.baseAddress
            else { return (HPE_INTERNAL, 0) }
            let start = unsafe base.assumingMemoryBound(to: CChar.self)
            let code = unsafe llhttp_execute(parser, start, count)
            guard code == HPE_PAUSED, let end = unsafe llhttp_get_error_pos(parser) else {
                return (code, count)
            }
            return unsafe (code, end - start)
        }
        if unsafe cell.pointee.isWhole, code == HPE_PAUSED {
            return whole(trailing: count - used)
        }
        guard code == HPE_OK else { return .broken(words(code)) }
        guard unsafe cell.pointee.isHeadWhole || receivedCount <= limits.headBytes else {
            return .broken("the head of the answer is longer than \(limits.headBytes) bytes")
        }
        return .more
    }

    /// Hands over what has come of the body of a 200.
    func takeBody(_ take: ([UInt8]) -> Void) {
        guard unsafe cell.pointee.answer.status == 200 else { return }
        let body = unsafe cell.pointee.answer.body
        guard !body.isEmpty else { return }
        unsafe cell.pointee.answer.body.removeAll(keepingCapacity: true)
        take(body)
    }

    /// The node closed its side: an answer without a length ends here, any other is cut.
    func finish() -> Progress {
        let code = unsafe llhttp_finish(&cell.pointee.parser)
        guard code == HPE_OK || code == HPE_PAUSED, unsafe cell.pointee.isWhole else {
            return .broken("the answer was cut")
        }
        unsafe cell.pointee.answer.keepsAlive = false
        return whole(trailing: 0)
    }

    private func whole(trailing: Int) -> Progress {
        var answer = unsafe cell.pointee.answer
        if trailing > 0 { answer.keepsAlive = false }
        return .whole(answer)
    }

    private func words(_ code: llhttp_errno_t) -> String {
        if code == HPE_USER {
            return "the answer is longer than \(limits.answerBytes) bytes"
        }
        guard let name = unsafe llhttp_errno_name(code) else { return "what came is not HTTP" }
        return unsafe "what came is not HTTP (\(String(cString: name)))"
    }

    private static func install(_ settings: inout llhttp_settings_t) {
        unsafe settings.on_headers_complete = { parser in
            guard let parser = unsafe parser, let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.isHeadWhole = true
            let status = Int(unsafe llhttp_get_status_code(parser))
            unsafe cell.pointee.answer.status = status
            // llhttp takes `20` for a status; three digits it is (RFC 9110, 15).
            return (100...999).contains(status) ? 0 : -1
        }
        unsafe settings.on_body = { parser, at, count in
            guard let parser = unsafe parser, let cell = unsafe cellOf(parser),
                unsafe cell.pointee.answer.body.count + count <= cell.pointee.bodyLimit
            else { return Int32(HPE_USER.rawValue) }
            let bytes = unsafe UnsafeRawBufferPointer(start: at, count: count)
            unsafe cell.pointee.answer.body.append(contentsOf: bytes)
            return 0
        }
        unsafe settings.on_message_complete = { parser in
            guard let parser = unsafe parser, let cell = unsafe cellOf(parser) else { return -1 }
            // 1xx announces the answer, it is none (RFC 9110, 15.2).
            if unsafe cell.pointee.answer.status / 100 == 1 {
                unsafe cell.pointee.isHeadWhole = false
                return 0
            }
            unsafe cell.pointee.answer.keepsAlive = llhttp_should_keep_alive(parser) != 0
            unsafe cell.pointee.isWhole = true
            return Int32(HPE_PAUSED.rawValue)
        }
    }
}

private func cellOf(
    _ parser: UnsafeMutablePointer<llhttp_t>
) -> UnsafeMutablePointer<AnswerCell>? {
    unsafe parser.pointee.data?.assumingMemoryBound(to: AnswerCell.self)
}

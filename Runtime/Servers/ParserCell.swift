// llhttp and what its callbacks write into, in one heap cell: all that is unsafe about parsing.
//
// The callbacks are C functions that capture nothing; `parser.data` points at the cell, so no
// reference is counted per request. While llhttp runs nobody holds `cell.pointee`: every access
// goes through the pointer, field by field, so Swift's exclusivity and C's aliasing agree.

internal import CLLHTTP
internal import Wire

/// The parser, and the request that it reads.
@safe
struct ParserCell {
    private var parser = unsafe llhttp_t()
    private var settings = llhttp_settings_t()
    private var base: UnsafeMutablePointer<UInt8>?
    private var inputCount = 0
    private var name = HTTPRange.absent
    private var value = HTTPRange.absent

    /// The request so far.
    var fields = HTTPFields()
    /// llhttp has seen the end of the head; fields after it are trailers.
    private(set) var isHeadWhole = false
    /// llhttp has seen the end of the request.
    private(set) var isWhole = false

    private init() {}

    /// A cell with its parser and callbacks set up.
    static func allocate() -> UnsafeMutablePointer<ParserCell> {
        let cell = UnsafeMutablePointer<ParserCell>.allocate(capacity: 1)
        unsafe cell.initialize(to: ParserCell())
        unsafe llhttp_settings_init(&cell.pointee.settings)
        unsafe install(&cell.pointee.settings)
        guard let parser = unsafe cell.pointer(to: \.parser),
            let settings = unsafe cell.pointer(to: \.settings)
        else { preconditionFailure("stored fields have addresses") }
        unsafe llhttp_init(parser, HTTP_REQUEST, settings)
        unsafe parser.pointee.data = UnsafeMutableRawPointer(cell)
        return unsafe cell
    }

    /// Ends the cell.
    static func free(_ cell: UnsafeMutablePointer<ParserCell>) {
        unsafe cell.deinitialize(count: 1)
        unsafe cell.deallocate()
    }

    /// Forgets the request before.
    mutating func begin() {
        unsafe llhttp_reset(&parser)
        name = .absent
        value = .absent
        fields = HTTPFields()
        isHeadWhole = false
        isWhole = false
    }

    /// Gives a stretch of the input to llhttp; its callbacks fill the cell.
    ///
    /// - Returns: what is wrong, nil if llhttp took every byte.
    static func feed(
        _ cell: UnsafeMutablePointer<ParserCell>,
        _ input: UnsafeMutableBufferPointer<UInt8>,
        _ stretch: Range<Int>
    ) -> HTTPRefusal? {
        guard let parser = unsafe cell.pointer(to: \.parser), let base = input.baseAddress else {
            return .malformed
        }
        unsafe cell.pointee.base = base
        unsafe cell.pointee.inputCount = input.count
        let from = unsafe UnsafeRawPointer(base + stretch.lowerBound)
        let code = unsafe llhttp_execute(
            parser,
            from.assumingMemoryBound(to: CChar.self),
            stretch.count
        )
        unsafe cell.pointee.base = nil
        switch code {
        case HPE_OK: return nil
        // "Upgrade" is an offer that we decline by answering as usual (RFC 9110, 7.8).
        case HPE_PAUSED_UPGRADE: return unsafe cell.pointee.isWhole ? nil : .malformed
        case HPE_INVALID_VERSION: return .version
        case HPE_INVALID_METHOD: return .method
        case HPE_INVALID_CONTENT_LENGTH: return .lengthInvalid
        case HPE_UNEXPECTED_CONTENT_LENGTH:
            return unsafe cell.pointee.fields.hasCoding ? .lengthAndCoding : .lengthRepeated
        case HPE_INVALID_TRANSFER_ENCODING:
            return unsafe cell.pointee.fields.hasLength ? .lengthAndCoding : .codingUnknown
        default: return .malformed
        }
    }

    private static func install(_ settings: inout llhttp_settings_t) {
        unsafe settings.on_url = { parser, at, count in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.fields.head.target.extend(by: cell.pointee.place(at, count))
            return 0
        }
        unsafe settings.on_header_field = { parser, at, count in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.name.extend(by: cell.pointee.place(at, count))
            return 0
        }
        unsafe settings.on_header_value = { parser, at, count in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.value.extend(by: cell.pointee.place(at, count))
            return 0
        }
        unsafe settings.on_header_value_complete = { parser in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.takeField()
            return 0
        }
        unsafe settings.on_headers_complete = { parser in
            guard let parser = unsafe parser, let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.fields.head.keepAlive = llhttp_should_keep_alive(parser) != 0
            unsafe cell.pointee.takeHead()
            return 0
        }
        unsafe settings.on_body = { parser, at, count in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.takeBody(at, count)
            return 0
        }
        unsafe settings.on_message_complete = { parser in
            guard let cell = unsafe cellOf(parser) else { return -1 }
            unsafe cell.pointee.isWhole = true
            return 0
        }
    }

    private func place(_ at: UnsafePointer<CChar>?, _ count: Int) -> HTTPRange {
        guard let at = unsafe at, let base = unsafe base else {
            preconditionFailure("a callback outside of feed")
        }
        let start = unsafe UnsafeRawPointer(at) - UnsafeRawPointer(base)
        return HTTPRange(start, start + count)
    }

    private mutating func takeField() {
        defer {
            name = .absent
            value = .absent
        }
        guard !isHeadWhole, let base = unsafe base else { return }
        let input = unsafe Span(_unsafeStart: base, count: inputCount)
        fields.take(name: name, value: value, input)
    }

    private mutating func takeHead() {
        isHeadWhole = true
        fields.head.minorVersion = unsafe parser.http_minor
        fields.isVersionKnown = unsafe parser.http_major == 1 && parser.http_minor <= 1
        let method = unsafe llhttp_method_t(rawValue: UInt32(parser.method))
        fields.isTunnel = method == HTTP_CONNECT
        fields.head.method =
            switch method {
            case HTTP_GET: .get
            case HTTP_HEAD: .head
            case HTTP_POST: .post
            case HTTP_PUT: .put
            case HTTP_DELETE: .delete
            case HTTP_OPTIONS: .options
            case HTTP_PATCH: .patch
            default: .other
            }
    }

    /// Moves a piece of the body to the end of the pieces before it.
    private mutating func takeBody(_ at: UnsafePointer<CChar>?, _ count: Int) {
        guard let at = unsafe at, let base = unsafe base else { return }
        let end = Int(fields.head.body.end)
        let target = unsafe UnsafeMutableRawPointer(base + end)
        let source = unsafe UnsafeRawPointer(at)
        if unsafe UnsafeRawPointer(target) != source {
            unsafe target.copyMemory(from: source, byteCount: count)  // memmove: may overlap
        }
        fields.head.body.end = Int32(end + count)
    }
}

/// The cell that `allocate` put behind a parser.
private func cellOf(
    _ parser: UnsafeMutablePointer<llhttp_t>?
) -> UnsafeMutablePointer<ParserCell>? {
    unsafe parser?.pointee.data?.assumingMemoryBound(to: ParserCell.self)
}

extension HTTPRange {
    /// Grows by a piece that llhttp reports directly behind the one before.
    fileprivate mutating func extend(by piece: HTTPRange) {
        if !isPresent { start = piece.start }
        end = piece.end
    }
}

// A request as offsets: the fields that Quell reads, and no others.
//
// The set is fixed because it is the whole set: what no part of Quell reads is checked for framing
// and then forgotten. Read one with `bytes.extracting(head.path.range)`.

/// One request, as places in the bytes of its connection; 96 bytes, no reference.
public struct RequestHead: Sendable {
    /// What is to be done.
    public var method = HTTPMethod.other
    /// 0 or 1, of HTTP/1.x.
    public var minorVersion: UInt8 = 1
    /// The connection may carry another request after this one.
    public var keepAlive = true
    /// A Content-Length above 0, or chunks.
    public var hasBody = false
    /// The client waits for `100 Continue` before it sends the body.
    public var expectsContinue = false
    /// The target as it came, in origin or absolute form.
    public var target = HTTPRange.absent
    /// From the first `/` to before `?`; `*` for OPTIONS of the whole server.
    public var path = HTTPRange.absent
    /// After `?`; absent without one.
    public var query = HTTPRange.absent
    /// The one Host field.
    public var host = HTTPRange.absent
    /// Authorization.
    public var authorization = HTTPRange.absent
    /// Content-Type.
    public var contentType = HTTPRange.absent
    /// Accept; the first one, if it came in several fields.
    public var accept = HTTPRange.absent
    /// Accept-Language; the first one, if it came in several fields.
    public var acceptLanguage = HTTPRange.absent
    /// Idempotency-Key.
    public var idempotencyKey = HTTPRange.absent
    /// User-Agent.
    public var userAgent = HTTPRange.absent
    /// The body, without chunk framing; absent or empty without one.
    public var body = HTTPRange.absent

    /// A head with nothing in it yet.
    public init() {}
}

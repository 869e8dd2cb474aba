// A batch of checks, through a guest: 32 bytes an item in, a byte an item out.
//
// The buffers are kept from call to call, since a RESP run asks up to 512 questions at a time and
// nothing on that path allocates.

public import FunctionKit

/// Questions for one call, and their answers.
public struct CheckCall: Sendable {
    private var request = Abi.emptyCheckHeader
    private var response: [UInt8] = []
    /// Items so far.
    public private(set) var count = 0

    /// No questions yet.
    public init() {}

    /// Whether no further item fits.
    public var isFull: Bool { count == FunctionKit.Limits.checkBatchCount }

    /// Starts anew.
    public mutating func begin() {
        count = 0
        request.removeLast(request.count - Abi.requestHeaderBytes)
    }

    /// Adds one item; the caller asks `isFull` first.
    public mutating func append(_ item: CheckItem) {
        append(UInt64(item.scope.stream.raw) | UInt64(item.scope.topic.raw) << 32)
        append(item.recipient.high)
        append(item.recipient.low)
        append(UInt64(item.streamClass.rawValue))
        count += 1
    }

    private mutating func append(_ word: UInt64) {
        unsafe withUnsafeBytes(of: word.littleEndian) { unsafe request.append(contentsOf: $0) }
    }

    /// Asks about all items.
    ///
    /// - Parameters:
    ///   - isBatch: several of one tenant at once share an instance, `warm`.
    ///   - nowMillis: wall clock, milliseconds since 1970.
    /// - Throws: whatever went wrong; none of the answers counts then.
    public mutating func ask(
        _ guest: Guest,
        tenant: TenantID,
        isBatch: Bool,
        nowMillis: UInt64
    ) throws(CallFailure) {
        Abi.writeCheckHeader(count: count, nowMillis: nowMillis, into: &request)
        let isolation = guest.version.spec.isolation
        try guest.call(
            request,
            isBatch && isolation == .reset ? .warm : isolation,
            tenant: tenant.raw,
            into: &response
        )
        guard response.count == count else { throw .badResponse }
    }

    /// The function's word about an item, once `ask` has returned.
    public func decision(_ index: Int) -> Decision { Abi.decision(of: response[index]) }

    /// The whole request, for tests.
    var encoded: [UInt8] { request }
}

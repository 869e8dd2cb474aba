// One request as the handlers of this module read it.
//
// The server lends the connection's bytes for the length of one call; what a handler needs is
// copied out here once. An absent part is an empty array, which costs no allocation.

import FunctionKit
import Wire

struct Call {
    let method: HTTPMethod
    let path: [UInt8]
    /// The query string's fields; nil when there is none or it is malformed.
    private let form: Form?
    /// What follows the `?`, as it came.
    let query: [UInt8]
    let authorization: [UInt8]
    let contentType: [UInt8]
    let acceptLanguage: [UInt8]
    let idempotencyKey: [UInt8]
    let body: [UInt8]

    init(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        method = head.method
        path = copy(head.path, bytes)
        query = copy(head.query, bytes)
        form = parsed(query)
        authorization = copy(head.authorization, bytes)
        contentType = copy(head.contentType, bytes)
        acceptLanguage = copy(head.acceptLanguage, bytes)
        idempotencyKey = copy(head.idempotencyKey, bytes)
        body = copy(head.body, bytes)
    }

    /// The text after `Bearer `, scheme in any case; nil when the header is missing or another
    /// scheme.
    func bearer() -> [UInt8]? {
        let scheme: StaticString = "bearer "
        let length = scheme.utf8CodeUnitCount
        guard authorization.count > length, authorization.holds(ignoringCase: scheme, at: 0) else {
            return nil
        }
        return Array(authorization[length...].drop { $0 == 0x20 })
    }

    /// The decoded value of a query parameter.
    func parameter(_ name: StaticString) -> [UInt8]? { form?.value(of: name) }

    /// The media type without parameters, lower case.
    var mediaType: [UInt8] {
        contentType.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }
            .map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
    }

    /// The body as JSON; refuses another media type with 415 and anything malformed with 400.
    func json() throws -> JSONValue {
        guard mediaType == Array("application/json".utf8) else {
            throw Refused(.unsupportedMediaType, "Send `Content-Type: application/json`.")
        }
        var limits = JSONLimits()
        limits.bytes = Limits.batchBodyBytes
        limits.depth = Limits.jsonDepth
        do {
            return try JSONValue(parsing: body, limits: limits)
        } catch {
            throw Refused(.badRequest, "The body is not JSON: \(error).")
        }
    }
}

extension JSONValue {
    /// A member that must be a string.
    func required(_ name: String) throws -> String {
        guard let text = self[name]?.string else {
            throw Refused(.badRequest, "`\(name)` is missing or is no string.")
        }
        return text
    }

    /// A member that may be missing, but must be a string if it is there.
    func optional(_ name: String) throws -> String? {
        guard let member = self[name], !member.isNull else { return nil }
        guard let text = member.string else {
            throw Refused(.badRequest, "`\(name)` is no string.")
        }
        return text
    }

    /// A member that must be a list of 1 to `Limits.batchAddressesCount` strings.
    func addresses() throws -> [String] {
        guard let items = self["addresses"]?.array else {
            throw Refused(.badRequest, "`addresses` is missing or is no list.")
        }
        guard (1...Limits.batchAddressesCount).contains(items.count) else {
            throw Refused(
                .badRequest,
                "`addresses` takes 1 to \(Limits.batchAddressesCount) entries, not \(items.count)."
            )
        }
        return try items.map { item in
            guard let text = item.string else {
                throw Refused(.badRequest, "`addresses` holds something that is no string.")
            }
            return text
        }
    }
}

private func parsed(_ query: [UInt8]) -> Form? {
    guard !query.isEmpty else { return nil }
    do { return try Form(urlencoded: query) } catch { return nil }
}

private func copy(_ range: HTTPRange, _ bytes: Span<UInt8>) -> [UInt8] {
    guard range.isPresent, range.count > 0 else { return [] }
    return unsafe bytes.extracting(range.range).withUnsafeBufferPointer { unsafe Array($0) }
}

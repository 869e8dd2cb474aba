// A request to /f/NAME/, through a guest: bytes in, bytes out, and nothing of it believed.
//
// There is no link and so nobody whom it could be about: such a function stages nothing, and an
// answer that does is a bad one.

public import FunctionKit

extension Guest {
    /// Asks for the answer to a request with the outcome `.direct`.
    ///
    /// - Parameter buffer: the caller's, reused from call to call.
    /// - Throws: whatever went wrong; nothing of the call counts then.
    public func direct(
        _ request: Request,
        _ buffer: inout [UInt8]
    ) throws(CallFailure) -> Response {
        let encoded: [UInt8]
        do throws(AbiError) { encoded = try Abi.encode(request) } catch { throw .unavailable }
        try call(encoded, version.spec.isolation, tenant: 0, into: &buffer)
        return try Response.judged(buffer)
    }
}

extension Response {
    /// Reads an answer and holds it against what a function at /f/NAME/ may say.
    static func judged(_ bytes: [UInt8]) throws(CallFailure) -> Response {
        let decoded: (response: Response, effects: [Effect])
        do throws(AbiError) {
            decoded = try Abi.decodeResponse(bytes.span)
        } catch { throw .badResponse }
        let status = decoded.response.status
        // No 3xx: where it would lead to is a header, and headers are the host's.
        guard decoded.effects.isEmpty, !decoded.response.contentType.isEmpty,
            (200..<300).contains(status) || (400..<600).contains(status)
        else { throw .badResponse }
        return decoded.response
    }
}

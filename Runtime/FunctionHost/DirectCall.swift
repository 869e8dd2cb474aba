// A request to /f/NAME/, through a guest: bytes in, bytes out, and nothing of it believed.
//
// There is no link and so nobody whom it could be about. A function that may stage names people by
// address, and only where the host has seen an API key that may suppress them: without one, with
// any method but POST, or beyond its manifest, an answer that stages is a bad one.

public import FunctionKit

/// What a function made of a request to /f/NAME/.
public struct DirectReply: Equatable, Sendable {
    /// The answer.
    public let response: Response
    /// What it stages, by address.
    public let effects: [AddressEffect]
}

extension Guest {
    /// Asks for the answer to a request with the outcome `.direct`.
    ///
    /// - Parameters:
    ///   - mayStage: the request brought a key that may suppress.
    ///   - buffer: the caller's, reused from call to call.
    /// - Throws: whatever went wrong; nothing of the call counts then.
    public func direct(
        _ request: Request,
        mayStage: Bool,
        _ buffer: inout [UInt8]
    ) throws(CallFailure) -> DirectReply {
        let encoded: [UInt8]
        do throws(AbiError) { encoded = try Abi.encode(request) } catch { throw .unavailable }
        try call(encoded, version.spec.isolation, tenant: 0, into: &buffer)
        let most = mayStage && request.method == .post ? version.spec.stagedEffects : 0
        return try DirectReply.judged(buffer, effectsMost: most)
    }
}

extension DirectReply {
    /// Reads an answer and holds it against what a function at /f/NAME/ may say.
    static func judged(
        _ bytes: [UInt8],
        effectsMost: Int
    ) throws(CallFailure) -> DirectReply {
        let decoded: Abi.Answer
        do throws(AbiError) {
            decoded = try Abi.decodeResponse(bytes.span)
        } catch { throw .badResponse }
        let status = decoded.response.status
        // No 3xx: where it would lead to is a header, and headers are the host's.
        guard decoded.effects.isEmpty, decoded.addressed.count <= effectsMost,
            !decoded.response.contentType.isEmpty,
            (200..<300).contains(status) || (400..<600).contains(status)
        else { throw .badResponse }
        // A reason that this version does not know could not be shown to anybody.
        for effect in decoded.addressed where effect.reason.name == nil { throw .badResponse }
        // Half of a batch is not staged because the function itself was not content.
        let isContent = (200..<300).contains(status)
        return DirectReply(
            response: decoded.response,
            effects: isContent ? decoded.addressed : []
        )
    }
}

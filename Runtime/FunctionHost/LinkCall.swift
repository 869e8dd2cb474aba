// A request to a link, through a guest: bytes in, bytes out, and nothing of it believed.
//
// What a deployed function may answer is narrower than what it can write (DESIGN 9): effects only
// where the host itself has just staged the link's own opt-out, a status that a link may have, and
// text. Everything else is a bad response, and the caller falls back in the same request.

public import FunctionKit

/// What a function made of a request to a link.
public struct LinkAnswer: Sendable {
    /// The page.
    public let response: Response
    /// What it adds to the host's own suppression.
    public let context: Context
}

extension Guest {
    /// Asks for the page of a link.
    ///
    /// - Parameter buffer: the caller's, reused from call to call.
    /// - Throws: whatever went wrong; nothing of the call counts then.
    public func answer(
        _ request: Request,
        _ buffer: inout [UInt8]
    ) throws(CallFailure) -> LinkAnswer {
        let encoded: [UInt8]
        do throws(AbiError) { encoded = try Abi.encode(request) } catch { throw .unavailable }
        try call(
            encoded,
            version.spec.isolation,
            tenant: request.claims?.person.tenant.raw ?? 0,
            into: &buffer
        )
        return try LinkAnswer.judged(buffer, request, version.spec)
    }
}

extension LinkAnswer {
    /// Reads an answer and holds it against what was asked.
    static func judged(
        _ bytes: [UInt8],
        _ request: Request,
        _ spec: FunctionSpec
    ) throws(CallFailure) -> LinkAnswer {
        let decoded: Abi.Answer
        do throws(AbiError) {
            decoded = try Abi.decodeResponse(bytes.span)
        } catch { throw .badResponse }
        // Never 3xx, nor 4xx for a valid token (DESIGN 10.2).
        let status: UInt16 = request.claims == nil ? 404 : 200
        guard decoded.response.status == status,
            Array("text/".utf8) == Array(decoded.response.contentType.prefix(5)),
            // Nobody but the link's own person.
            decoded.addressed.isEmpty, decoded.effects.count <= spec.stagedEffects,
            decoded.effects.isEmpty || request.outcome.hasStaged
        else { throw .badResponse }
        var context = Context()
        for case .suppress(let scope, let reason) in decoded.effects {
            // A reason that this version does not know could not be shown to anybody.
            guard reason.name != nil else { throw .badResponse }
            context.suppress(scope, reason)
        }
        return LinkAnswer(response: decoded.response, context: context)
    }
}

extension Outcome {
    /// Whether the host staged the link's own suppression, so that a function may add to it.
    fileprivate var hasStaged: Bool {
        switch self {
        case .oneClick, .confirmed, .confirmedAll, .chosen: true
        case .page, .undone, .undoRefused, .badToken, .direct: false
        }
    }
}

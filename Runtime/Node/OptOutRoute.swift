// /u/{token}: the one request that must never be lost.
//
// The token is opened before anything else; only then does the body matter. For a valid token with
// the one-click pair or `confirm=1` the host stages the suppression itself, whatever the function
// thinks (DESIGN 9); the function shapes the page and may add effects for the same person. GET,
// HEAD and OPTIONS stage nothing. The answer to a change leaves after the gate, never before.

import Cluster
import FunctionKit
import Servers
import Suppression
import Token
import Wire

extension ServingLoop {
    func optOut(
        _ call: Call,
        token: [UInt8],
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        guard let tenant = LinkToken.tenant(of: token.span).flatMap(catalog.tenant),
            let claims = open(token, tenant)
        else {
            door.metrics.badTokens.add()
            // Only what does not open is counted against its sender, never a valid token.
            guard withinBudget(exchange) else {
                answer.problem(
                    .tooManyRequests,
                    detail: "Too many invalid links from this address. Wait a minute."
                )
                return .answered
            }
            page(call, nil, .badToken, into: &answer)
            return .answered
        }
        switch call.method {
        case .options:
            answer.start(.noContent)
            answer.field("Allow", "GET, HEAD, OPTIONS, POST")
            answer.sendEmpty()
            return .answered
        case .post: return post(call, claims, tenant, exchange, into: &answer)
        case .get, .head:
            page(call, described(claims, tenant), .page, into: &answer)
            return .answered
        default:
            answer.methodNotAllowed("GET, HEAD, OPTIONS, POST")
            return .answered
        }
    }

    private func open(_ token: [UInt8], _ tenant: KnownTenant) -> LinkClaims? {
        do { return try tenant.ring.open(token.span) } catch { return nil }
    }

    private func post(
        _ call: Call,
        _ claims: LinkClaims,
        _ tenant: KnownTenant,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        let described = described(claims, tenant)
        let intent = Intent.of(method: .post, contentType: call.contentType, body: call.body)
        let outcome: Outcome
        let source: Source
        switch intent {
        case .page:
            page(call, described, .page, into: &answer)
            return .answered
        case .oneClick: (outcome, source) = (.oneClick, .oneClick)
        case .confirm(let all): (outcome, source) = (all ? .confirmedAll : .confirmed, .page)
        case .undo(let token):
            return undo(call, token, claims, tenant, exchange, into: &answer)
        }
        let (response, context) = functions.shaped(request(call, described, outcome))
        let keys = staged(claims, context)
        let drafts = keys.map { Draft.suppress($0, source: source, expiresSeconds: 0) }
        send(
            drafts,
            policy: config.policy,
            isOptOut: true,
            caller: Caller(door: .http, exchange: exchange),
            pending: .optOut(response, tenant: tenant.id, keys: keys)
        )
        return .later
    }

    /// The host's own suppression first, then what the function added, each key once.
    private func staged(_ claims: LinkClaims, _ context: Context) -> [MarkKey] {
        var keys = [MarkKey(person: claims.person, scope: claims.scope, reason: .unsubscribe)]
        guard !context.overflowed else { return keys }
        for case .suppress(let scope, let reason) in context.effects {
            let key = MarkKey(person: claims.person, scope: scope, reason: reason)
            if !keys.contains(key), keys.count < Cluster.Limits.changesPerWriteCount {
                keys.append(key)
            }
        }
        return keys
    }

    /// Takes back exactly the dots of one earlier response, within its 15 minutes.
    private func undo(
        _ call: Call,
        _ token: [UInt8],
        _ claims: LinkClaims,
        _ tenant: KnownTenant,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        let described = described(claims, tenant)
        let items: [UndoItem]
        do {
            items = try tenant.ring.openUndo(
                token.span,
                of: claims.person,
                nowMillis: now().wallMillis
            )
        } catch {
            page(call, described, .undoRefused, into: &answer)
            return .answered
        }
        let evidence = Array("{\"method\":\"undo\"}".utf8)
        let drafts = items.map { Draft.consent($0.key, covers: [$0.dot], evidence: evidence) }
        let (response, _) = functions.shaped(request(call, described, .undone))
        send(
            drafts,
            policy: .strict,
            caller: Caller(door: .http, exchange: exchange),
            pending: .optOut(response, tenant: tenant.id, keys: items.map(\.key))
        )
        return .later
    }

    /// A page that changes nothing.
    private func page(
        _ call: Call,
        _ claims: TokenClaims?,
        _ outcome: Outcome,
        into answer: inout HTTPAnswer
    ) {
        let (response, _) = functions.shaped(request(call, claims, outcome))
        response.write(body: response.body, durability: nil, into: &answer)
    }

    private func request(
        _ call: Call,
        _ claims: TokenClaims?,
        _ outcome: Outcome
    ) -> Request {
        let method: Method =
            switch call.method {
            case .get: .get
            case .head: .head
            case .post: .post
            case .options: .options
            default: .other
            }
        return Request(
            method: method,
            path: call.path,
            body: call.body.count <= FunctionKit.Limits.formBytes ? call.body : [],
            contentType: call.contentType,
            acceptLanguage: call.acceptLanguage,
            nowMillis: now().wallMillis,
            requestHigh: 0,
            requestLow: 0,
            seed: 0,
            claims: claims,
            outcome: outcome
        )
    }

    /// The token's content with the words that a page shows.
    private func described(_ claims: LinkClaims, _ tenant: KnownTenant) -> TokenClaims {
        let words = tenant.words(of: claims.scope)
        let isWide = claims.scope.topic == .any
        return TokenClaims(
            scope: claims.scope,
            person: claims.person,
            tenantName: tenant.name,
            streamName: words?.stream ?? [],
            topicName: isWide ? [] : words?.topic ?? []
        )
    }
}

// /u/{token}: the one request that must never be lost; with ?preferences what else its link offers.
//
// The token is opened before anything else; only then does the body matter. For a valid token with
// the one-click pair or `confirm=1` the host stages the suppression itself, whatever the function
// thinks (DESIGN 9); the function shapes the page and may add effects for the same person. GET,
// HEAD and OPTIONS stage nothing. The answer to a change leaves after the gate, never before.
//
//     ?preferences changes one thing: a form may also choose (FunctionKit's Choice), and the pages
//     of a choice and of its undo are the function `preferences`'. One-click and `confirm=1` mean
//     the same with it as without.

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
            page(call, Described(claims, tenant, call), .page, into: &answer)
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
        let described = Described(claims, tenant, call)
        let intent = Intent.of(
            method: .post,
            contentType: call.contentType,
            body: call.body,
            hasChoices: call.asksForPreferences
        )
        let outcome: Outcome
        var source = Source.page
        var own = [FunctionKit.Effect.suppress(claims.scope, .unsubscribe)]
        var isPreferences = false
        switch intent {
        case .page:
            page(call, described, .page, into: &answer)
            return .answered
        case .oneClick: (outcome, source) = (.oneClick, .oneClick)
        case .confirm(let all): outcome = all ? .confirmedAll : .confirmed
        case .undo(let token):
            return undo(call, token, described, tenant, exchange, into: &answer)
        case .choose(let choice):
            own = choice.effects(described.claims, offered: described.topics)
            guard !own.isEmpty else {
                page(call, described, .page, into: &answer)
                return .answered
            }
            (outcome, isPreferences) = (.chosen, true)
        }
        let (response, context) = functions.shaped(
            request(call, described, outcome),
            isPreferences: isPreferences
        )
        let keys = staged(own, context, claims.person)
        send(
            keys.map { draft($0, source) },
            policy: config.policy,
            isOptOut: true,
            caller: Caller(door: .http, exchange: exchange),
            pending: .optOut(response, tenant: tenant.id, keys: keys)
        )
        return .later
    }

    /// The write of a page or a function: a pause ends by itself, nothing else does.
    func draft(_ key: MarkKey, _ source: Source) -> Draft {
        let pauseEnd = now().wallMillis / 1_000 + Choice.pauseSeconds
        return .suppress(key, source: source, expiresSeconds: key.reason == .pause ? pauseEnd : 0)
    }

    /// The host's own suppressions first, then what the function added, each key once.
    private func staged(
        _ own: [FunctionKit.Effect],
        _ context: Context,
        _ person: Person
    ) -> [MarkKey] {
        var keys: [MarkKey] = []
        let added = context.overflowed ? [] : context.effects
        for case .suppress(let scope, let reason) in own + added {
            let key = MarkKey(person: person, scope: scope, reason: reason)
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
        _ described: Described,
        _ tenant: KnownTenant,
        _ exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        let items: [UndoItem]
        do {
            items = try tenant.ring.openUndo(
                token.span,
                of: described.claims.person,
                nowMillis: now().wallMillis
            )
        } catch {
            page(call, described, .undoRefused, into: &answer)
            return .answered
        }
        let evidence = Array("{\"method\":\"undo\"}".utf8)
        let drafts = items.map { Draft.consent($0.key, covers: [$0.dot], evidence: evidence) }
        let (response, _) = functions.shaped(
            request(call, described, .undone),
            isPreferences: call.asksForPreferences
        )
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
        _ described: Described?,
        _ outcome: Outcome,
        into answer: inout HTTPAnswer
    ) {
        let (response, _) = functions.shaped(
            request(call, described, outcome),
            isPreferences: described != nil && call.asksForPreferences
        )
        response.write(body: response.body, durability: nil, into: &answer)
    }

    private func request(
        _ call: Call,
        _ described: Described?,
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
            // Never the token: what a function says may be stored where a link must not be.
            path: Array("/u/".utf8),
            body: call.body.count <= FunctionKit.Limits.formBytes ? call.body : [],
            contentType: call.contentType,
            acceptLanguage: Array(
                call.acceptLanguage.prefix(FunctionKit.Limits.acceptLanguageBytes)
            ),
            nowMillis: now().wallMillis,
            requestHigh: 0,
            requestLow: 0,
            seed: 0,
            claims: described?.claims,
            outcome: outcome,
            topics: described?.topics ?? []
        )
    }
}

/// A token's content with the words that a page shows.
private struct Described {
    let claims: TokenClaims
    /// What the preferences page offers; empty for every other page.
    let topics: [TopicChoice]

    init(_ claims: LinkClaims, _ tenant: KnownTenant, _ call: Call) {
        let words = tenant.words(of: claims.scope)
        let isWide = claims.scope.topic == .any
        let isWhole = claims.scope.stream == .any
        self.claims = TokenClaims(
            scope: claims.scope,
            person: claims.person,
            tenantName: tenant.name,
            streamName: isWhole ? [] : words?.stream ?? [],
            topicName: isWide ? [] : words?.topic ?? []
        )
        topics = call.asksForPreferences ? Described.topics(claims.scope, tenant) : []
    }

    /// The stream's topics by name, the link's own first, as many as a page shows.
    private static func topics(_ scope: Scope, _ tenant: KnownTenant) -> [TopicChoice] {
        guard let stream = tenant.streams.first(where: { $0.id == scope.stream }) else { return [] }
        let own = stream.topics.all.filter { $0.id == scope.topic }
        let others = stream.topics.all.filter { !$0.isDeleted && $0.id != scope.topic }.sorted {
            $0.name.lexicographicallyPrecedes($1.name)
        }
        return (own + others).prefix(FunctionKit.Limits.topicsCount).map {
            TopicChoice(id: $0.id, name: $0.name)
        }
    }
}

extension Call {
    /// Whether the page is that of what a link offers beyond its one click.
    fileprivate var asksForPreferences: Bool { query == Array("preferences".utf8) }
}

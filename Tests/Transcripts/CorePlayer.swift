// A Core on the stage: callers, the own log, links, and what linked nodes say.

import Suppression

@testable import Cluster

/// Plays a Core.
struct CorePlayer: Player {
    private let own: Origin
    private var core: Core
    private var nextTicket: UInt64 = 1
    private var joining: Joining
    /// Every other node that was linked, and whether it still is.
    private var others: [NodeID: Bool] = [:]
    /// Pages that the shell is still reading, in the order in which they were asked for.
    private var reading: [PageRequest] = []

    /// `n1 [learner] [damaged] [joining] [page N] [pace BYTES] [holding WRITES] [generation N]
    /// voters n1 n2 n3`.
    init(_ words: inout Words) throws(StoryError) {
        own = try words.origin()
        let isRestored = words.takes("learner")
        let isDamaged = words.takes("damaged")
        let isJoining = words.takes("joining")
        let page = try words.number(after: "page")
        let pace = try words.number(after: "pace")
        let held = words.takes("holding") ? try words.set() : HeldSet()
        let generation = try words.number(after: "generation") ?? 1
        guard words.takes("voters") else { throw StoryError(why: "say `voters` and who they are") }
        var boot = Boot(
            own: own,
            voters: try words.voters(generation: generation),
            held: held,
            nextLocalSequence: 1,
            isRestored: isRestored,
            isDamaged: isDamaged
        )
        if let page { boot.bounds.pageDotsCount = Int(page) }
        if let pace { boot.bounds.pullBytesPerSecond = pace }
        boot.isJoining = isJoining
        core = Core(boot)
        joining = Joining(isJoining: isJoining)
    }

    mutating func play(_ word: String, _ words: inout Words, now: Instant, _ cast: inout Cast)
        throws(StoryError) -> [String]
    {
        if word == "check" {
            let bound = try words.number(after: "S") ?? 1_000
            return [Telling.check(core.freshness.lease, now: now, boundMillis: bound)]
        }
        if word == "compared" {
            let node = try words.origin().node
            let isWhole = words.takes("whole")
            guard isWhole || words.takes("failed") else {
                throw StoryError(why: "say `whole` or `failed`")
            }
            let outcome: Joining.Outcome = isWhole ? .whole : .failed
            joining.compared(node, outcome, now: now.bootNanos)
            return [progress]
        }
        let event: Event
        switch word {
        case "opt-out", "consent", "set": event = try request(word, &words, &cast)
        case "committed": event = .committed(through: try words.number())
        case "refused":
            let number = try words.number()
            event = .refused(first: number, last: number)
        case "checkpointed": event = .checkpointed(through: try words.number())
        case "disk-fails": event = .failed
        case "tick": event = .ticked
        case "link":
            let peer = try words.origin()
            let zone = "z\(peer.node.raw)"
            event = .linked(Peer(origin: peer, name: peer.word, zone: zone, holds: .all))
        case "unlink": event = .unlinked(try words.origin().node)
        case "voters":
            let generation = try words.number()
            event = .voters(try words.voters(generation: generation))
        case "read": event = .page(try read(&words, &cast))
        case "hear":
            let node = try words.origin().node
            event = .received(from: node, try message(&words, &cast))
        default: throw StoryError(why: "a node does not understand `\(word)`")
        }
        var effects: [Effect] = []
        core.step(event, now: now, into: &effects)
        for case .readPage(let request) in effects { reading.append(request) }
        var lines = effects.map { Telling.line($0, &cast) }
        lines += join(event, now: now, &cast)
        return lines.isEmpty ? ["nothing"] : lines
    }

    private var progress: String {
        joining.progress.map { progress in
            "joining: \(progress.percent) %, \(progress.held) of \(progress.of), "
                + "compared with \(progress.compared)"
        } ?? "joined"
    }

    /// What a node that joins makes of the same event, and of every tick.
    private mutating func join(_ event: Event, now: Instant, _ cast: inout Cast) -> [String] {
        guard !joining.isOver else { return [] }
        switch event {
        case .linked(let peer): others[peer.origin.node] = true
        case .unlinked(let node): others[node] = false
        case .received(let node, let message):
            joining.heard(message, from: node, held: core.held)
        case .ticked:
            let all = others.sorted { $0.key < $1.key }.map { (node: $0.key, isLinked: $0.value) }
            switch joining.ticked(held: core.held, others: all, now: now.bootNanos) {
            case .rest: return [progress]
            case .compare(let node): return [progress, "compare the marks with n\(node.raw)"]
            case .joined:
                var effects: [Effect] = []
                core.step(.joined, now: now, into: &effects)
                return ["joined"] + effects.map { Telling.line($0, &cast) }
            }
        default: break
        }
        return []
    }

    /// `PERSON`, `PERSON covers WRITES`, or `NAME VALUE generation N`; then `strict`, and `key K
    /// body B [known WRITES]`.
    private mutating func request(
        _ word: String,
        _ words: inout Words,
        _ cast: inout Cast
    ) throws(StoryError) -> Event {
        let name = try words.next()
        let draft: Draft
        switch word {
        case "opt-out": draft = .suppress(cast.key(name), source: .oneClick, expiresSeconds: 0)
        case "consent":
            guard words.takes("covers") else { throw StoryError(why: "say what it covers") }
            let covers = try words.ranges().flatMap { range in
                (0..<range.count).map { range.dot($0) }
            }
            draft = .consent(cast.key(name), covers: covers, evidence: [1])
        default: draft = .register(try Register(name, &words))
        }
        let policy: Policy = words.takes("strict") ? .strict : .available
        var stamp: RequestStamp?
        var known: RememberedRequest?
        if let id = try words.number(after: "key") {
            let body = try words.number(after: "body") ?? 0
            let recipient = Recipient(high: 9, low: id)
            stamp = RequestStamp(id: recipient, body: body)
            known = core.request(recipient)
        }
        let ticket = Ticket(raw: nextTicket)
        nextTicket += 1
        return .requested(
            WriteRequest(
                ticket: ticket,
                drafts: [draft],
                policy: policy,
                stamp: stamp,
                remembered: known
            )
        )
    }

    private func message(_ words: inout Words, _ cast: inout Cast) throws(StoryError) -> Message {
        let kind = try words.next()
        switch kind {
        case "opt-out":
            let dot = try words.dot()
            let key = cast.key(try words.next())
            let suppression = SuppressingDot(dot: dot, time: time, source: .oneClick)
            return .changes([Change(dot: dot, time: time, body: .suppress(key, suppression))])
        case "consent":
            let dot = try words.dot()
            let key = cast.key(try words.next())
            let covers = try words.dot()
            let body = Change.Body.consent(key, covers: [covers], evidence: [1])
            return .changes([Change(dot: dot, time: time, body: body)])
        case "set":
            let dot = try words.dot()
            let name = try words.next()
            let register = try Register(name, &words)
            return .changes([Change(dot: dot, time: time, body: .register(register))])
        case "receipt":
            let ranges = try words.ranges()
            return .receipts(generation: try words.number(after: "generation") ?? 1, ranges)
        case "held":
            let set = try words.set()
            return .held(generation: try words.number(after: "generation") ?? 1, set)
        case "hash": return .heldHash(words.takes("same") ? core.held.fingerprint() : 1)
        case "ask":
            let nonce = Nonce(high: 5, low: try words.number())
            return .ask(nonce, known: try words.number(after: "known") ?? 0)
        case "confirm":
            let nonce = cast.nonce(try words.next())
            let delta = try words.set()
            let since = try words.number(after: "since") ?? 0
            return .confirm(
                Confirmation(
                    nonce: nonce,
                    generation: try words.number(after: "generation") ?? 1,
                    since: since,
                    counter: try words.number(after: "step") ?? since + 1,
                    delta: delta
                )
            )
        case "pull":
            let number = try words.number()
            let wanted = try words.set()
            return .pull(number: number, wanted: wanted, after: nil)
        case "page": return .page(try page(&words, &cast))
        default: throw StoryError(why: "nobody says `\(kind)`")
        }
    }

    private var time: HybridTime { HybridTime(raw: 1_700_000_000_000 << 16) }

    /// `NUMBER PERSON by WRITES [lifted WRITES] ... complete WRITES [reached WRITE] [last]`.
    private func page(_ words: inout Words, _ cast: inout Cast) throws(StoryError) -> Page {
        let number = try words.number()
        var entries: [PageEntry] = []
        while let name = words.rest.first, name != "complete" {
            let key = cast.key(try words.next())
            guard words.takes("by") else { throw StoryError(why: "say by which writes") }
            let dots = try words.ranges().flatMap { range in
                (0..<range.count).map { range.dot($0) }
            }
            var mark = Mark()
            for dot in dots {
                mark.merge(Mark(SuppressingDot(dot: dot, time: time, source: .oneClick)))
            }
            if words.takes("lifted") { mark.merge(Mark(covering: [try words.dot()])) }
            entries.append(.merged(Merged(.mark(key, mark), dots: dots)))
        }
        guard words.takes("complete") else { throw StoryError(why: "say what it is complete for") }
        let held = try words.set()
        let reached = words.takes("reached") ? try words.dot() : nil
        return Page(
            number: number,
            entries: entries,
            held: held,
            reached: reached,
            isLast: words.takes("last")
        )
    }

    /// `for n2 NUMBER PAGE`: what this node's shell read for a peer that had asked, first of all.
    private mutating func read(
        _ words: inout Words,
        _ cast: inout Cast
    ) throws(StoryError) -> PageRead {
        guard words.takes("for") else { throw StoryError(why: "say for whom") }
        let peer = try words.origin().node
        guard let at = reading.firstIndex(where: { $0.peer == peer }) else {
            throw StoryError(why: "nothing is being read for it")
        }
        return PageRead(reading.remove(at: at), try page(&words, &cast))
    }
}

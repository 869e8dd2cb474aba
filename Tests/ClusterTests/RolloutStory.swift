// A few nodes that deploy to each other: links, disks that keep and prepare at once, and one
// register that everybody sees. Time is a number; nothing here waits.

import Suppression

@testable import Cluster

/// Nodes 1 to n, the first few of them voters.
struct RolloutStory {
    struct Site {
        var machine: Rollout
        var files: [ArtifactDigest: [UInt8]] = [:]
        var activated: [String] = []
        var lacks: [String] = []
        var refusals: [RolloutRefusal] = []
        var prepares = 0
        var reverts = 0
        var events: [RolloutEvent] = []
    }

    var sites: [Site] = []
    var links: Set<[Int]> = []
    var now: UInt64 = 1_000_000_000
    /// Registers, as the majority's log has them.
    var registers: [String: (activation: Activation, generation: UInt64)] = [:]
    /// Digests that no node can prepare.
    var broken: [ArtifactDigest: String] = [:]
    /// Nodes that send garbage for every artifact.
    var liars: Set<Int> = []
    /// Whether registers are seen by everybody as soon as they are written.
    var showsAtOnce = true
    /// Registers that were written, those that came too late as well.
    var recordsCount = 0
    /// Whether what is ordered to be prepared is answered by itself.
    var preparesAtOnce = true
    /// Messages under way: from, to, what.
    var mail: [(from: Int, to: Int, message: RolloutMessage)] = []
    var messagesCount = 0

    init(_ count: Int, voters: Int = 3) {
        let slots = (1...voters).map {
            VoterSlot(
                name: "n\($0)",
                node: NodeID(raw: UInt64($0)),
                lowestEpoch: Epoch(raw: 0),
                zone: "z\($0)"
            )
        }
        let set = VoterSet(generation: 1, slots: slots)
        sites = (1...count).map {
            Site(machine: Rollout(own: NodeID(raw: UInt64($0)), voters: set))
        }
    }

    /// All nodes are linked.
    static func linked(_ count: Int, voters: Int = 3) -> RolloutStory {
        var story = RolloutStory(count, voters: voters)
        for a in 1...count { for b in 1...count where a < b { story.link(a, b) } }
        return story
    }

    static func digest(_ n: UInt8) -> ArtifactDigest {
        ArtifactDigest([UInt8](repeating: n, count: 32)) ?? digest(0)
    }

    static func notice(_ n: UInt8, _ name: String = "greet", bytes: UInt32 = 1_000)
        -> ArtifactNotice
    {
        ArtifactNotice(
            digest: digest(n),
            name: name,
            bytes: bytes,
            publishedMillis: UInt64(n),
            state: .preparing
        )
    }

    mutating func link(_ a: Int, _ b: Int) {
        links.insert([min(a, b), max(a, b)])
        step(a, .linked(NodeID(raw: UInt64(b))))
        step(b, .linked(NodeID(raw: UInt64(a))))
        deliver()
    }

    mutating func cut(_ a: Int, _ b: Int) {
        guard links.remove([min(a, b), max(a, b)]) != nil else { return }
        step(a, .unlinked(NodeID(raw: UInt64(b))))
        step(b, .unlinked(NodeID(raw: UInt64(a))))
    }

    /// Cuts a node from all others.
    mutating func isolate(_ n: Int) { for other in 1...sites.count { cut(n, other) } }

    mutating func publish(_ n: UInt8, _ name: String = "greet", at site: Int, bytes: UInt32 = 1_000)
    {
        let notice = RolloutStory.notice(n, name, bytes: bytes)
        sites[site - 1].files[notice.digest] = [UInt8](repeating: n, count: Int(bytes))
        step(site, .kept(notice))
        deliver()
    }

    mutating func ask(_ n: UInt8?, _ name: String = "greet", at site: Int) {
        request(.serve(n.map(RolloutStory.digest)), name, at: site)
    }

    mutating func request(_ request: RolloutRequest, _ name: String = "greet", at site: Int) {
        step(site, .asked(ticket: 1, name: name, request))
        deliver()
    }

    /// A trial of a version.
    static func trial(_ kind: Trial.Kind, _ n: UInt8, percent: Int = 10) -> RolloutRequest {
        Trial(kind, percent: percent, digest(n)).map { .test($0) } ?? .endTrial
    }

    /// Nodes see their own breakers of a version open, one after the other.
    mutating func breaks(_ n: UInt8, at sites: Int..., generation: UInt64) {
        for site in sites { sees(n, at: site, broken: true, generation: generation) }
    }

    /// A node sees its own breaker open, or a shadow differ.
    mutating func sees(
        _ n: UInt8,
        at site: Int,
        broken: Bool = false,
        loosened: UInt64 = 0,
        generation: UInt64
    ) {
        var report = TrialReport(
            name: "greet",
            generation: generation,
            digest: RolloutStory.digest(n)
        )
        report.isBroken = broken
        report.cause = broken ? 0 : 255
        report.calls = 10
        report.failed = broken ? 3 : 0
        report.compared = loosened
        report.loosened = loosened
        step(site, .observed([report]))
        deliver()
    }

    /// Every node that has a majority of three gets a fresh lease.
    mutating func lease() {
        now += 250_000_000
        for n in 1...sites.count where links.count(where: { $0.contains(n) }) > 0 {
            step(n, .vouched(asOfNanos: now))
        }
        deliver()
    }

    /// Time passes, a tick each 100 ms.
    mutating func pass(_ millis: UInt64) {
        for _ in 0..<(millis / 100) {
            now += 100_000_000
            for n in 1...sites.count { step(n, .ticked) }
            deliver()
        }
    }

    /// As on a node: what comes of an effect is an event after it.
    mutating func step(_ n: Int, _ event: RolloutEvent) {
        sites[n - 1].events.append(event)
        guard sites[n - 1].events.count == 1 else { return }
        while let next = sites[n - 1].events.first {
            var effects: [RolloutEffect] = []
            sites[n - 1].machine.step(next, now: now, into: &effects)
            for effect in effects { carryOut(effect, n) }
            sites[n - 1].events.removeFirst()
        }
    }

    private mutating func carryOut(_ effect: RolloutEffect, _ n: Int) {
        switch effect {
        case .send(let to, let message): mail.append((n, Int(to.raw), message))
        case .sendPiece(let to, let digest, let offset):
            guard let file = sites[n - 1].files[digest] else { return }
            let end = min(Int(offset) + Int(Limits.pieceBytes), file.count)
            var bytes = Array(file[Int(offset)..<end])
            if liars.contains(n) { bytes = bytes.map { $0 ^ 1 } }
            mail.append(
                (
                    n, Int(to.raw),
                    .piece(digest, offset: offset, total: UInt32(file.count), bytes)
                )
            )
        case .keep(let digest, let millis, let bytes, let from):
            // Each byte of an artifact of a story is the number of its digest.
            guard bytes.allSatisfy({ $0 == digest.bytes[0] }) else {
                return step(n, .spoiled(digest, from: from))
            }
            sites[n - 1].files[digest] = bytes
            let name =
                sites[Int(from.raw) - 1].machine.notices.first { $0.digest == digest }?.name
            step(
                n,
                .kept(
                    ArtifactNotice(
                        digest: digest,
                        name: name ?? "greet",
                        bytes: UInt32(bytes.count),
                        publishedMillis: millis,
                        state: .preparing
                    )
                )
            )
        case .prepare(let digest):
            sites[n - 1].prepares += 1
            if preparesAtOnce { step(n, .prepared(digest, failure: broken[digest])) }
        case .drop(let digest): sites[n - 1].files[digest] = nil
        case .activate(let activation, let running):
            let name = activation.name
            let trial = running.trial.map { " +\($0.bytes[0])" } ?? ""
            let digest = running.digest.map { "\($0.bytes[0])" } ?? "built-in"
            sites[n - 1].activated.append("\(name) \(digest)\(trial) g\(running.generation)")
        case .lack(let name, _): sites[n - 1].lacks.append(name)
        case .record(_, let activation, let generation): record(activation, generation)
        case .revert(let activation, let generation):
            sites[n - 1].reverts += 1
            record(activation, generation)
        case .refuse(_, let why): sites[n - 1].refusals.append(why)
        }
    }

    /// The register is written, and shown where a link leads to; late where the story says so.
    private mutating func record(_ activation: Activation, _ generation: UInt64) {
        recordsCount += 1
        let known = registers[activation.name]?.generation ?? 0
        guard generation > known else { return }
        registers[activation.name] = (activation, generation)
        guard showsAtOnce else { return }
        for n in 1...sites.count where links.contains(where: { $0.contains(n) }) { show(n) }
    }

    /// A node sees all registers.
    mutating func show(_ n: Int) {
        for (activation, generation) in registers.values {
            step(n, .registered(activation, generation: generation))
        }
    }

    mutating func deliver() {
        // Bounded: a story in which nodes talk for ever is a failed one.
        while !mail.isEmpty, messagesCount < 20_000 {
            let (from, to, message) = mail.removeFirst()
            messagesCount += 1
            guard links.contains([min(from, to), max(from, to)]) else { continue }
            step(to, .received(NodeID(raw: UInt64(from)), message))
        }
    }

    func state(_ n: UInt8, at site: Int) -> ArtifactState? {
        sites[site - 1].machine.notices.first { $0.digest == RolloutStory.digest(n) }?.state
    }
}

// Which artifacts a node keeps, and how it comes by those that it lacks.
//
// Kept are the newest few of each function and what its register names. So every node keeps the
// same ones without asking anybody, and an old version that one node has forgotten is not fetched
// again from the next.

import Suppression

extension Rollout {
    mutating func keep(_ notice: ArtifactNotice, into effects: inout [RolloutEffect]) {
        spoilers[notice.digest] = nil
        landing.remove(notice.digest)
        guard artifacts[notice.digest] == nil else { return }
        var notice = notice
        notice.state = .preparing
        notice.generation = 0
        artifacts[notice.digest] = notice
        effects.append(.prepare(notice.digest))
    }

    /// What failed is tried again: the reason may have been that nobody was trusted yet.
    mutating func retry(into effects: inout [RolloutEffect]) {
        for notice in notices {
            guard case .failed = notice.state else { continue }
            artifacts[notice.digest]?.state = .preparing
            effects.append(.prepare(notice.digest))
        }
    }

    /// What registers name, and what serves.
    private var named: Set<ArtifactDigest> {
        var named: Set<ArtifactDigest> = []
        for wish in wanted.values {
            if let digest = wish.activation.digest { named.insert(digest) }
            if let digest = wish.activation.previous { named.insert(digest) }
            if let trial = wish.activation.trial { named.insert(trial.digest) }
        }
        for version in running.values {
            for case let digest? in [version.digest, version.trial] { named.insert(digest) }
        }
        return named
    }

    /// The artifacts that are worth their room, of those that this node has and those that it
    /// hears of.
    private func worthy(_ known: [ArtifactNotice]) -> Set<ArtifactDigest> {
        var worthy = named
        var counts: [String: Int] = [:]
        let newestFirst = known.sorted {
            ($0.publishedMillis, $0.digest) > ($1.publishedMillis, $1.digest)
        }
        for notice in newestFirst {
            let count = counts[notice.name, default: 0]
            // The oldest functions stay when there are too many.
            guard count > 0 || counts.count < Limits.deployedFunctionsCount + 2 else { continue }
            counts[notice.name] = count + 1
            if count < Limits.versionsCount { worthy.insert(notice.digest) }
        }
        return worthy
    }

    /// Whether there is room for a function of this name.
    public func hasRoom(for name: String) -> Bool {
        let names = Set(artifacts.values.map(\.name)).union(wanted.keys)
        return names.contains(name) || names.count < Limits.deployedFunctionsCount + 2
    }

    mutating func forget(into effects: inout [RolloutEffect]) {
        guard !artifacts.isEmpty else { return }
        let worthy = worthy(Array(artifacts.values))
        for notice in notices where !worthy.contains(notice.digest) {
            artifacts[notice.digest] = nil
            effects.append(.drop(notice.digest))
        }
    }

    /// Asks for the first artifact that is lacking and that some peer has.
    mutating func fetchNext(now: UInt64, into effects: inout [RolloutEffect]) {
        guard fetch == nil else { return }
        var known = Array(artifacts.values)
        var holders: [ArtifactDigest: [NodeID]] = [:]
        for (node, notices) in peers.sorted(by: { $0.key.raw < $1.key.raw }) {
            for notice in notices.values {
                if artifacts[notice.digest] == nil, holders[notice.digest] == nil {
                    known.append(notice)
                }
                holders[notice.digest, default: []].append(node)
            }
        }
        let worthy = worthy(known)
        let urgent = named
        let lacking = known.filter {
            artifacts[$0.digest] == nil && worthy.contains($0.digest)
                && !landing.contains($0.digest)
        }.sorted {
            let (first, second) = (urgent.contains($0.digest), urgent.contains($1.digest))
            return first != second ? first : $0.digest < $1.digest
        }
        for notice in lacking {
            let bad = spoilers[notice.digest] ?? []
            guard let from = holders[notice.digest]?.first(where: { !bad.contains($0) })
            else { continue }
            fetch = Fetch(notice: notice, from: from, askedNanos: now)
            return effects.append(.send(from, .want(notice.digest, offset: 0)))
        }
    }

    mutating func took(
        _ digest: ArtifactDigest,
        _ offset: UInt32,
        _ total: UInt32,
        _ bytes: [UInt8],
        from node: NodeID,
        now: UInt64,
        into effects: inout [RolloutEffect]
    ) {
        // Late, twice or from somebody else: the answer to no question of ours.
        guard var current = fetch, current.notice.digest == digest, current.from == node,
            total == current.notice.bytes, Int(offset) == current.bytes.count
        else { return }
        current.bytes += bytes
        current.askedNanos = now
        guard current.bytes.count == Int(total) else {
            fetch = current
            let next = UInt32(current.bytes.count)
            return effects.append(.send(node, .want(digest, offset: next)))
        }
        fetch = nil
        landing.insert(digest)
        effects.append(
            .keep(
                digest,
                publishedMillis: current.notice.publishedMillis,
                current.bytes,
                from: node
            )
        )
    }
}

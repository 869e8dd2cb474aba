// A run of checks, sorted by who is asked: what serves, and what is on trial.
//
//     no trial    main: all
//     canary      main: the others              side: its share; where it fails, what serves
//     shadow      main: all                     side: its share once more, compared
//
// Each lane is a batch of at most 512 items and one call. A check can only tighten (DESIGN 9): the
// words of a guest about what the host denies are counted and ignored, and what serves and fails
// has said deny to everything.

import CheckFunction
import Cluster
import FunctionHost
import FunctionKit
import Suppression

/// Items for one call, and where their answers go.
private struct CheckLane {
    var call = CheckCall()
    var items: [CheckItem] = []
    /// Places of the decisions.
    var indices: [Int] = []

    mutating func begin() {
        call.begin()
        items.removeAll(keepingCapacity: true)
        indices.removeAll(keepingCapacity: true)
    }

    mutating func append(_ item: CheckItem, _ index: Int) {
        call.append(item)
        items.append(item)
        indices.append(index)
    }
}

/// The lanes of one loop, kept from run to run for their room.
struct CheckLanes {
    private var main = CheckLane()
    private var side = CheckLane()
    /// What serves has said of each item of the shadow's share; nil where it had no answer.
    private var words: [Decision?] = []
    /// For each item of the shadow's share, its place in the main lane.
    private var places: [Int] = []

    /// Asks about a run.
    ///
    /// - Parameters:
    ///   - allowsOnly: pass over what is not allowed anyway; else a guest that would allow it is
    ///     counted.
    ///   - decisions: tightened.
    mutating func run(
        _ checking: ServedFunction,
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        allowsOnly: Bool,
        _ decisions: inout [Decision]
    ) {
        let isBatch = allowsOnly || queries.count > 1
        begin()
        for index in queries.indices {
            guard let query = queries[index], !allowsOnly || decisions[index] == .allow
            else { continue }
            let item = CheckItem(query)
            let isTried = checking.trial?.share.contains(item.recipient.low) ?? false
            if isTried {
                side.append(item, index)
                places.append(main.indices.count)
            }
            if !isTried || checking.trial?.isCanary == false { main.append(item, index) }
            guard main.call.isFull || side.call.isFull else { continue }
            settle(checking, tenant, now: now, isBatch: isBatch, &decisions)
        }
        settle(checking, tenant, now: now, isBatch: isBatch, &decisions)
    }

    private mutating func begin() {
        main.begin()
        side.begin()
        words.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    private mutating func settle(
        _ checking: ServedFunction,
        _ tenant: TenantID,
        now: Instant,
        isBatch: Bool,
        _ decisions: inout [Decision]
    ) {
        let millis = now.wallMillis
        let keepsWords = checking.trial?.isCanary == false
        let isMainAnswered = serve(&main, checking.serving, tenant, millis, isBatch, &decisions)
        if keepsWords, !side.indices.isEmpty {
            for place in places {
                words.append(
                    checking.serving == nil
                        ? Check.decide(main.items[place], nowMillis: millis)
                        : isMainAnswered ? main.call.decision(place) : nil
                )
            }
        }
        if let trial = checking.trial, !side.indices.isEmpty {
            if trial.isCanary {
                // Where the canary has no answer, what serves has.
                if !isAnswered(&side, trial.version, tenant, millis, isBatch) {
                    _ = serve(&side, checking.serving, tenant, millis, isBatch, &decisions)
                } else {
                    follow(side, trial.version, &decisions)
                }
            } else if isAnswered(&side, trial.version, tenant, millis, isBatch) {
                compare(trial.version)
            }
        }
        begin()
    }

    /// Lets what serves decide; false where it has no answer, and nobody may be written to then.
    private func serve(
        _ lane: inout CheckLane,
        _ serving: ServedVersion?,
        _ tenant: TenantID,
        _ millis: UInt64,
        _ isBatch: Bool,
        _ decisions: inout [Decision]
    ) -> Bool {
        guard !lane.indices.isEmpty else { return true }
        guard let serving else {
            for (item, index) in zip(lane.items, lane.indices) {
                let word = Check.decide(item, nowMillis: millis)
                decisions[index] = tightened(decisions[index], by: word)
            }
            return true
        }
        guard isAnswered(&lane, serving, tenant, millis, isBatch) else {
            for index in lane.indices { decisions[index] = tightened(decisions[index], by: .deny) }
            return false
        }
        follow(lane, serving, &decisions)
        return true
    }

    private func isAnswered(
        _ lane: inout CheckLane,
        _ version: ServedVersion,
        _ tenant: TenantID,
        _ millis: UInt64,
        _ isBatch: Bool
    ) -> Bool {
        version.answer { guest throws(CallFailure) in
            try lane.call.ask(guest, tenant: tenant, isBatch: isBatch, nowMillis: millis)
        } != nil
    }

    /// Takes over a version's words, and counts those that the host does not follow.
    private func follow(
        _ lane: borrowing CheckLane,
        _ version: ServedVersion,
        _ decisions: inout [Decision]
    ) {
        var overruled = 0
        for place in lane.indices.indices {
            let index = lane.indices[place]
            let said = lane.call.decision(place)
            if said == .allow, decisions[index] != .allow { overruled += 1 }
            decisions[index] = tightened(decisions[index], by: said)
        }
        version.guest.version.tally.overruled(overruled)
    }

    /// Counts where the shadow says something else; its words end here.
    private func compare(_ shadow: ServedVersion) {
        var (compared, differing, loosened) = (0, 0, 0)
        for (place, word) in words.enumerated() {
            guard let word else { continue }
            compared += 1
            let isAllowed = side.call.decision(place) == .allow
            if isAllowed != (word == .allow) { differing += 1 }
            if isAllowed, word != .allow { loosened += 1 }
        }
        shadow.guest.version.tally.compared(compared, differing: differing, loosened: loosened)
    }
}

extension CheckItem {
    /// What a query asks.
    init(_ query: Query) {
        self.init(
            scope: Scope(stream: query.stream, topic: query.topic),
            recipient: query.person.recipient,
            streamClass: query.streamClass
        )
    }
}

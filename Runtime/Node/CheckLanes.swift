// A run of checks, sorted by who is asked: what serves, and what is on trial.
//
//     no trial    main: all
//     canary      main: the others              side: its share; where it fails, what serves
//     shadow      main: all                     side: its share once more, asked later
//
// Each lane is a batch of at most 512 items and one call. Where no version serves, the built-in
// decides item by item, and no main lane is filled. A check can only tighten (DESIGN 9): the words
// of a guest about what the host denies are counted and ignored, and what serves and fails has said
// deny to everything.

import CheckFunction
import Cluster
import FunctionHost
import FunctionKit
import Suppression

/// Items for one call, and where their answers go.
private struct CheckLane {
    var call = CheckCall()
    /// Places of the decisions.
    var indices: [Int] = []

    mutating func begin() {
        call.begin()
        indices.removeAll(keepingCapacity: true)
    }

    mutating func append(_ item: CheckItem, _ index: Int) {
        call.append(item)
        indices.append(index)
    }
}

/// Whose run it is, and when.
private struct CheckRun {
    let tenant: TenantID
    let nowMillis: UInt64
    let isBatch: Bool
}

/// The lanes of one loop, kept from run to run for their room.
struct CheckLanes {
    private var main = CheckLane()
    private var side = CheckLane()
    /// What serves has said of each item of the shadow's share.
    private var words: [Decision] = []
    /// For each item of the shadow's share, its place in the main lane.
    private var places: [Int] = []

    /// Asks about a run.
    ///
    /// - Parameters:
    ///   - allowsOnly: pass over what is not allowed anyway; else a guest that would allow it is
    ///     counted.
    ///   - decisions: tightened.
    ///   - comparisons: receive what a shadow is to be asked.
    mutating func run(
        _ checking: ServedFunction,
        _ queries: [Query?],
        _ tenant: TenantID,
        now: Instant,
        allowsOnly: Bool,
        _ decisions: inout [Decision],
        _ comparisons: inout Comparisons
    ) {
        let run = CheckRun(
            tenant: tenant,
            nowMillis: now.wallMillis,
            isBatch: allowsOnly || queries.count > 1
        )
        begin()
        for index in queries.indices {
            guard let query = queries[index], !allowsOnly || decisions[index] == .allow
            else { continue }
            let item = CheckItem(query)
            let isTried = checking.trial?.share.contains(item.recipient.low) ?? false
            if isTried { side.append(item, index) }
            if !isTried || checking.trial?.isCanary == false {
                if checking.serving == nil {
                    let word = Check.decide(item, nowMillis: run.nowMillis)
                    decisions[index] = tightened(decisions[index], by: word)
                    if isTried { words.append(word) }
                } else {
                    if isTried { places.append(main.indices.count) }
                    main.append(item, index)
                }
            }
            guard main.call.isFull || side.call.isFull else { continue }
            settle(checking, run, queries, &decisions, &comparisons)
        }
        settle(checking, run, queries, &decisions, &comparisons)
    }

    private mutating func begin() {
        main.begin()
        side.begin()
        words.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    private mutating func settle(
        _ checking: ServedFunction,
        _ run: CheckRun,
        _ queries: [Query?],
        _ decisions: inout [Decision],
        _ comparisons: inout Comparisons
    ) {
        if let serving = checking.serving, !main.indices.isEmpty,
            serve(&main, serving, run, &decisions)
        {
            for place in places { words.append(main.call.decision(place)) }
        }
        if let trial = checking.trial, !side.indices.isEmpty {
            if !trial.isCanary {
                compare(trial.version, run, &comparisons)
            } else if isAnswered(&side, trial.version, run) {
                follow(side, trial.version, &decisions)
            } else if let serving = checking.serving {
                _ = serve(&side, serving, run, &decisions)
            } else {
                for index in side.indices {
                    guard let query = queries[index] else { continue }
                    let word = Check.decide(CheckItem(query), nowMillis: run.nowMillis)
                    decisions[index] = tightened(decisions[index], by: word)
                }
            }
        }
        begin()
    }

    /// Lets what serves decide; false where it has no answer, and nobody may be written to then.
    private func serve(
        _ lane: inout CheckLane,
        _ serving: ServedVersion,
        _ run: CheckRun,
        _ decisions: inout [Decision]
    ) -> Bool {
        guard isAnswered(&lane, serving, run) else {
            for index in lane.indices { decisions[index] = tightened(decisions[index], by: .deny) }
            return false
        }
        follow(lane, serving, &decisions)
        return true
    }

    private func isAnswered(
        _ lane: inout CheckLane,
        _ version: ServedVersion,
        _ run: CheckRun
    ) -> Bool {
        version.answer { guest throws(CallFailure) in
            try lane.call.ask(
                guest,
                tenant: run.tenant,
                isBatch: run.isBatch,
                nowMillis: run.nowMillis
            )
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

    /// Leaves the shadow's share for later; without an answer there is nothing to compare it with.
    private mutating func compare(
        _ shadow: ServedVersion,
        _ run: CheckRun,
        _ comparisons: inout Comparisons
    ) {
        guard words.count == side.indices.count else { return }
        let question = Comparison.checks(
            side.call,
            words,
            tenant: run.tenant,
            nowMillis: run.nowMillis,
            isBatch: run.isBatch
        )
        // Its room has gone with it.
        if comparisons.append(shadow, question) { side.call = CheckCall() }
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

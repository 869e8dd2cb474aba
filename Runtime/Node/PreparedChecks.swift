// A run of checks between its two passes: digested, prefetched, not yet probed.
//
// One a loop, its arrays reused, so that a run of 64 commands allocates nothing.

import Suppression
import Wire

/// One command of a run.
struct PreparedCommand {
    let name: RESPName
    /// Places in `PreparedChecks.checks`.
    let checks: Range<Int>
    /// What is answered instead; nil when all is well.
    let refusal: String?
}

/// The run of one connection.
struct PreparedChecks {
    typealias Place = (scope: Scope, streamClass: StreamClass)

    /// One an address; nil for a malformed one, which is denied.
    var checks: [Query?] = []
    var commands: [PreparedCommand] = []
    var decisions: [Decision] = []
    private var placeName: [UInt8] = []
    private var lastPlace: Place?

    /// Forgets the last run, and its set: the catalog may have changed.
    mutating func begin() {
        checks.removeAll(keepingCapacity: true)
        commands.removeAll(keepingCapacity: true)
        lastPlace = nil
    }

    /// The place of the set `stream:topic`, if it was the last one asked for.
    func place(_ name: Span<UInt8>) -> Place? {
        guard let lastPlace, placeName.count == name.count else { return nil }
        for i in name.indices where placeName[i] != name[i] { return nil }
        return lastPlace
    }

    mutating func remember(_ place: Place, as name: Span<UInt8>) {
        placeName.removeAll(keepingCapacity: true)
        for i in name.indices { placeName.append(name[i]) }
        lastPlace = place
    }
}

/// Decisions of a run, counted once instead of one by one.
struct DecisionCounts {
    private(set) var allowed: UInt64 = 0
    private(set) var denied: UInt64 = 0
    private(set) var unknown: UInt64 = 0

    mutating func add(_ decision: Decision) {
        switch decision {
        case .allow: allowed += 1
        case .deny: denied += 1
        case .unknown: unknown += 1
        }
    }
}

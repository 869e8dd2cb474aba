// What is left out of a seed's world, so that a failure becomes small enough to read.
//
//     QUELL_SEED=17 QUELL_WITHOUT=pause,restore QUELL_UNTIL_MS=900 QUELL_SET=edges=0,loss=0
//     QUELL_FAULTS=3,9 QUELL_WRITES=4,5 QUELL_CHECKS=8 QUELL_BUG=asOfNewest
//
// Faults, writes and checks are numbered in the order in which the seed deals them; one that is
// left out keeps its number, and every other one keeps its own chance.

import Cluster

/// An option of a swarm that can be set to a simpler value.
enum Option: String, CaseIterable {
    case voters, edges, keys, loss, repeats, reorders, delay, commit, checkpoint, bounds, repair
}

/// What is left out, and what is set.
struct Trim: Equatable {
    /// Classes of faults that do not happen.
    var without: [Fault] = []
    /// The only faults that happen, by number; nil for all.
    var faults: [Int]?
    /// The only writes that happen, by number; nil for all.
    var writes: [Int]?
    /// The only checks that are asked, by number; nil for all.
    var checks: [Int]?
    /// The only commands of the operator, by number; nil for all.
    var commands: [Int]?
    /// When everything is mended; nil: as the seed says.
    var untilMillis: UInt64?
    /// Options that differ from the seed's.
    var set: [Option: Int] = [:]

    /// Leaves nothing out.
    init() {}

    /// Reads the variables of one rerun; a word that is unknown is an error of the caller.
    init(environment: [String: String]) throws(TrimError) {
        without = try Self.words(environment["QUELL_WITHOUT"]).map { word throws(TrimError) in
            guard let fault = Fault(rawValue: word) else { throw TrimError(word: word) }
            return fault
        }
        faults = try environment["QUELL_FAULTS"].map(Self.numbers)
        writes = try environment["QUELL_WRITES"].map(Self.numbers)
        checks = try environment["QUELL_CHECKS"].map(Self.numbers)
        commands = try environment["QUELL_COMMANDS"].map(Self.numbers)
        untilMillis = try environment["QUELL_UNTIL_MS"].map { word throws(TrimError) in
            guard let number = UInt64(word) else { throw TrimError(word: word) }
            return number
        }
        for word in Self.words(environment["QUELL_SET"]) {
            let sides = word.split(separator: "=").map(String.init)
            guard sides.count == 2, let option = Option(rawValue: sides[0]),
                let value = Int(sides[1])
            else { throw TrimError(word: word) }
            set[option] = value
        }
    }

    private static func words(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map(String.init)
    }

    private static func numbers(_ text: String) throws(TrimError) -> [Int] {
        try words(text).map { word throws(TrimError) in
            guard let number = Int(word) else { throw TrimError(word: word) }
            return number
        }
    }

    /// The variables, as they are read back.
    var environment: [(name: String, value: String)] {
        var variables: [(String, String)] = []
        func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ",") }
        if !without.isEmpty {
            variables.append(("QUELL_WITHOUT", without.map(\.rawValue).joined(separator: ",")))
        }
        if let faults { variables.append(("QUELL_FAULTS", list(faults))) }
        if let writes { variables.append(("QUELL_WRITES", list(writes))) }
        if let checks { variables.append(("QUELL_CHECKS", list(checks))) }
        if let commands { variables.append(("QUELL_COMMANDS", list(commands))) }
        if let untilMillis { variables.append(("QUELL_UNTIL_MS", "\(untilMillis)")) }
        let settings = Option.allCases.compactMap { option in
            set[option].map { "\(option.rawValue)=\($0)" }
        }
        if !settings.isEmpty { variables.append(("QUELL_SET", settings.joined(separator: ","))) }
        return variables
    }

    /// Whether this fault happens.
    func hasFault(_ number: Int, _ fault: Fault) -> Bool {
        !without.contains(fault) && faults?.contains(number) ?? true
    }

    /// Whether this write happens.
    func hasWrite(_ number: Int) -> Bool { writes?.contains(number) ?? true }

    /// Whether the operator gives this command.
    func hasCommand(_ number: Int) -> Bool { commands?.contains(number) ?? true }

    /// Whether this check is asked.
    func hasCheck(_ number: Int) -> Bool { checks?.contains(number) ?? true }
}

/// A variable says what nobody understands.
struct TrimError: Error {
    let word: String
}

extension Swarm {
    /// The options of a seed, some of them replaced.
    init(seed: UInt64, _ trim: Trim, bug: SeededBugs.Bug?) {
        self.init(seed: seed)
        if let bug { bugs = [bug] }
        if let untilMillis = trim.untilMillis { runMillis = untilMillis }
        for (option, value) in trim.set { self[option] = value }
    }

    /// An option as a number. `bounds` is 0 for those of production, and cannot be set otherwise.
    subscript(option: Option) -> Int {
        get {
            switch option {
            case .voters: votersCount
            case .edges: edgesCount
            case .keys: keysCount
            case .loss: lossThousandths
            case .repeats: repeatThousandths
            case .reorders: reorders ? 1 : 0
            case .delay: Int(delayMicros)
            case .commit: Int(commitMicros)
            case .checkpoint: Int(checkpointMillis)
            case .bounds: bounds == Bounds() ? 0 : 1
            case .repair: Int(repairMillis)
            }
        }
        set {
            switch option {
            case .voters: votersCount = newValue
            case .edges: edgesCount = newValue
            case .keys: keysCount = newValue
            case .loss: lossThousandths = newValue
            case .repeats: repeatThousandths = newValue
            case .reorders: reorders = newValue != 0
            case .delay: delayMicros = UInt64(newValue)
            case .commit: commitMicros = UInt64(newValue)
            case .checkpoint: checkpointMillis = UInt64(newValue)
            case .bounds: if newValue == 0 { bounds = Bounds() }
            case .repair:
                repairMillis = UInt64(newValue)
                if newValue == 0 { damageMillis = 0 }
            }
        }
    }
}

// What a start, or a checkpoint, found broken, told apart by who can mend it.
//
//     marks, isUnequal     other nodes, by `quell repair`: the state lacks what the held set names
//     registers            the next write of their name
//     heldOrigins, log     nobody needs to: what is not held is pulled again

/// Values whose checksum was wrong on the paths read so far.
public struct Damage: Equatable, Sendable {
    /// Marks met while merging; they read as suppressed.
    public internal(set) var marks = 0
    /// Registers, unreadable until written again.
    public internal(set) var registers = 0
    /// Origins whose held set is unreadable.
    public internal(set) var heldOrigins = 0
    /// Records of the log that are lost.
    public internal(set) var logRecords = 0
    /// The marks are not those that were written: their digest differs, or a key is none of ours.
    public internal(set) var isUnequal = false

    /// No damage.
    public init() {}

    /// Whether marks or registers are missing that the held set names. What the log lost, and held
    /// sets that cannot be read, are not named by it: they are pulled again.
    public var isOfState: Bool { marks > 0 || registers > 0 || isUnequal }

    /// Whether nothing was found.
    public var isEmpty: Bool { self == Damage() }

    /// Whether repair with other nodes can mend what is missing: it compares marks alone.
    public var isOfMarks: Bool { isOfState && registers == 0 }
}

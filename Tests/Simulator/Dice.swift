// The one source of chance of a simulation. Everything that differs between two runs of one seed
// would be a bug of the simulator, so nothing else may be random: no clock, no order of a hash
// table.

import Suppression

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Dice {
    private var state: UInt64

    /// Begins with a seed.
    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    /// What a seed holds ready for one write, one fault or one node. Each has its own, so that
    /// leaving one out changes nothing about the others: that is what makes failures small.
    init(seed: UInt64, _ use: Use, _ number: Int) {
        var parent = Dice(seed: seed ^ use.rawValue << 56)
        self.init(seed: parent.bits() &+ UInt64(number) &* 0xd6e8_feb8_6659_fd93)
    }

    /// What chance decides.
    enum Use: UInt64 { case write = 1, check, fault, node, wire, command, damage, repair }

    /// The next 64 bits.
    mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// One of 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { Int(bits() % UInt64(bound)) }

    /// One of a closed range.
    mutating func within(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + bits() % (range.upperBound - range.lowerBound + 1)
    }

    /// True in so many of a thousand throws.
    mutating func thousandths(_ odds: Int) -> Bool { below(1_000) < odds }

    /// One of a list.
    mutating func one<T>(of list: [T]) -> T { list[below(list.count)] }
}

/// What happened, folded into one number: two runs of a seed must agree on it.
struct Trace {
    private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    /// Adds one number.
    mutating func add(_ number: UInt64) {
        hash = (hash ^ number) &* 0x0000_0100_0000_01b3
        hash ^= hash >> 29
    }
}

/// Nanoseconds in a millisecond.
let millisecond: UInt64 = 1_000_000

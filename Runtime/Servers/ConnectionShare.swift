// How the process's descriptors are shared out: evenly, once, at the start.
//
// A count shared by all loops would let a flood on one door take the seats of the others; with a
// fixed share each, checks go on while the public door is full. SO_REUSEPORT spreads connections
// over loops evenly enough for that to waste little.

/// The connections that one server of several may have.
public enum ConnectionShare {
    /// 90 % of the descriptors, divided; at least 1, at most the module's own bound.
    ///
    /// - Parameters:
    ///   - descriptors: RLIMIT_NOFILE of the process.
    ///   - servers: on all loops together, from 1 up.
    public static func each(descriptors: Int, servers: Int) -> Int {
        let all = descriptors / 100 * Limits.connectionPercent
        return min(max(1, all / servers), Limits.connections)
    }
}

// The numbers of membership, as Metrics.swift declares their names.

/// What the member door counts; written by the node loop, read anywhere.
final class MemberMetrics: Sendable {
    let probes = Gauge()
    let failedProbes = Gauge()
    let suspicions = Gauge()
    let refutations = Gauge()
    let deaths = Gauge()
    let refused = Gauge()
    let suspects = Gauge()
    let unreachable = Gauge()
    let unstable = Gauge()
    let doubt = Gauge()
}

extension MetricsPage {
    /// Writes them all.
    mutating func members(_ members: MemberMetrics) {
        sum(.memberProbes, "counter", [UInt64(members.probes.now)])
        sum(.memberProbesFailed, "counter", [UInt64(members.failedProbes.now)])
        sum(.memberSuspicions, "counter", [UInt64(members.suspicions.now)])
        sum(.memberRefutations, "counter", [UInt64(members.refutations.now)])
        sum(.memberDeaths, "counter", [UInt64(members.deaths.now)])
        sum(.memberRefused, "counter", [UInt64(members.refused.now)])
        gauge(.memberSuspects, members.suspects)
        gauge(.memberUnreachable, members.unreachable)
        gauge(.memberUnstable, members.unstable)
        gauge(.memberDoubt, members.doubt)
    }
}

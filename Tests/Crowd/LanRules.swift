// The rules of memberlist with its LAN defaults, as figures: what Quell is measured beside.
//
// Source: hashicorp/memberlist at 1b4c746, config.go (DefaultLANConfig), state.go, suspicion.go,
// awareness.go, queue.go, util.go. The bytes are those of its MessagePack frames with names and
// addresses of the crowd; both sides are counted before sealing.

/// Figures of memberlist's LAN configuration.
enum LanRules {
    static let probeNanos = second
    static let timeoutNanos = 500 * millisecond
    static let indirectChecks = 3
    static let suspicionMult = 4
    static let suspicionMaxMult = 6.0
    static let gossipNanos = 200 * millisecond
    static let gossipNodes = 3
    static let gossipToTheDeadNanos = 30 * second
    static let retransmitMult = 4
    static let awarenessMax = 8
    static let pushPullNanos = 30 * second
    /// Bytes of a packet (UDPBufferSize).
    static let packetBytes = 1_400

    /// suspicionTimeout of util.go, in nanoseconds.
    static func suspicionNanos(members: Int) -> UInt64 {
        let scale = max(1.0, logarithm10(Double(max(members, 1))))
        return UInt64(Double(suspicionMult) * (scale * 1_000 + 1e-6).rounded(.down)) * millisecond
    }

    /// retransmitLimit of util.go.
    static func retransmits(members: Int) -> Int {
        retransmitMult * Int((logarithm10(Double(members + 1)) - 1e-9).rounded(.up))
    }

    /// pushPullScale of util.go: longer above 32 members.
    static func pushPullNanos(members: Int) -> UInt64 {
        guard members > 32 else { return pushPullNanos }
        return pushPullNanos
            * UInt64((logarithm10(Double(members) / 32) / 0.30103).rounded(.up) + 1)
    }

    /// remainingSuspicionTime of suspicion.go, from the begin of the suspicion.
    static func timeoutNanos(confirmations: Int, wanted: Int, members: Int) -> UInt64 {
        let least = Double(suspicionNanos(members: members))
        guard wanted > 0 else { return UInt64(least) }
        let most = suspicionMaxMult * least
        let share = logarithm10(Double(confirmations + 1)) / logarithm10(Double(wanted + 1))
        return UInt64(max(least, most - share * (most - least)))
    }

    // Bytes: MessagePack maps with the field names of state.go's messages.
    static let pingBytes = 88
    static let requestBytes = 118
    static let ackBytes = 26
    static let nackBytes = 16
    static let aliveBytes = 82
    static let accusationBytes = 46
    static let stateBytes = 100
    /// Header of a compound message, and two bytes of length for each part.
    static let compoundBytes = 2
}

/// log10 by its series: a crowd replays on every machine.
func logarithm10(_ value: Double) -> Double {
    precondition(value >= 1, "ratios here are at least one")
    var (mantissa, powers) = (value, 0.0)
    while mantissa > 1.5 {
        mantissa /= 2
        powers += 1
    }
    let ratio = (mantissa - 1) / (mantissa + 1)
    var (term, sum) = (ratio, 0.0)
    for odd in stride(from: 1.0, through: 31.0, by: 2.0) {
        sum += term / odd
        term *= ratio * ratio
    }
    return (2 * sum + powers * 0.693_147_180_559_945) / 2.302_585_092_994_046
}

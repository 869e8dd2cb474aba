// Whom to dial, and when again: each failure doubles the wait, and chance spreads it.
//
//     wait = least * 2^failures, at most most; of it between a half and all, by chance
//
// Half of the wait is never given to chance: a peer that refuses must not be dialed in a row. A
// link that lived for as long as the longest wait forgives the failures before it; one that fell at
// once does not, or two nodes that disagree would dial each other without pause.

internal import EventLoop
internal import Suppression

/// An address that is to be linked.
struct PeerTarget {
    let host: String
    let port: Int
    /// Dials since the last link that lasted.
    var failures = 0
    /// Milliseconds on the server's clock.
    var due: UInt64 = 0
    /// A dial that is under way.
    var dial: PeerDial?
    /// The connection that it became.
    var link: PeerLinkID?
    /// Who answered last.
    var peer: Origin?
    /// It is our own address: never dialed again.
    var isOurs = false

    /// `127.0.0.1:80` or `[::1]:80`.
    var address: [UInt8] { PeerTarget.address(host, port) }

    static func address(_ host: String, _ port: Int) -> [UInt8] {
        Array((host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)").utf8)
    }

    /// Notes an attempt or a link that ended.
    ///
    /// - Parameters:
    ///   - lived: milliseconds as a link; 0 if it never was one.
    ///   - random: any 64 bits.
    mutating func ended(now: UInt64, lived: UInt64, random: UInt64) {
        dial = nil
        link = nil
        if lived >= Limits.peerRedialMostMilliseconds { failures = 0 }
        due = now + PeerTarget.wait(failures: failures, random: random)
        failures += 1
    }

    /// Milliseconds before the next dial.
    static func wait(failures: Int, random: UInt64) -> UInt64 {
        let doublings = UInt64(min(failures, 10))
        let whole = min(
            Limits.peerRedialLeastMilliseconds << doublings,
            Limits.peerRedialMostMilliseconds
        )
        return whole / 2 + random % (whole / 2 + 1)
    }
}

/// A dial that is under way: a stream before it is a link.
final class PeerDial: StreamOwner {
    let address: [UInt8]
    let deadline: UInt64
    private let server: PeerServer
    var stream: Stream?

    init(_ server: PeerServer, _ address: [UInt8], deadline: UInt64) {
        self.server = server
        self.address = address
        self.deadline = deadline
    }

    func streamConnected(_ stream: Stream) { server.connected(self, stream) }

    func stream(_ stream: Stream, received bytes: Span<UInt8>) {}

    func streamEnded(_ stream: Stream, reason: EndReason) {
        self.stream = nil
        server.failed(self, PeerEnd(reason))
    }
}

extension PeerEnd {
    /// What a stream's end means for a link.
    init(_ reason: EndReason) {
        switch reason {
        case .closedHere: self = .closedHere
        case .peerClosed: self = .peerClosed
        case .overflow: self = .overflow
        case .failed(let code): self = .failed(code: code)
        }
    }
}

/// Chance from a seed (SplitMix64, Steele et al. 2014): enough to spread dials, no more.
struct Jitter {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

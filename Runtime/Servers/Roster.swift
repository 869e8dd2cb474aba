// Who is connected to a server, and what all servers do with connections whatever they speak.
//
//     accepted --admit--> place (slot, generation, peer) --seat--> member ... forget --> slot free
//                 |
//                 +--> turned away: the server is full, or this peer has its share
//
// A slot is reused, its generation never within 2^32 tenants, so a number from an earlier tenant
// names nobody. Those who have something to send are flushed once a turn; deadlines are compared by
// one sweep twice a second; empty buffers are lent from one stock.

internal import EventLoop

/// A connection as the roster of its server sees it.
protocol RosterMember: StreamOwner {
    /// Its socket.
    var stream: Stream { get }
    /// Its seat.
    var place: Place { get }
    /// Writes what was said in this turn.
    func flush()
    /// Ends what is over time.
    func sweep()
    /// Ends at the next chance.
    func drain()
}

/// A seat in a roster; a plain value.
struct Place {
    let slot: UInt32
    let generation: UInt32
    /// Nil if the peer was gone before it could be asked.
    let peer: PeerKey?
}

/// How many may be connected.
struct RosterBounds {
    let connections: Int
    let perPeer: Int
    let fromLoopback: Int
}

/// The connections of one server on one loop.
final class Roster<Member: RosterMember> {
    /// What became of a connection.
    enum Admission {
        case seated(Place)
        /// All seats are taken, or the server is about to end.
        case full
        /// Its peer has all that one may have.
        case peerFull
    }

    let loop: Loop
    /// Milliseconds of the last sweep.
    private(set) var now = Clock.bootNanoseconds() / 1_000_000
    private(set) var isDraining = false
    private(set) var open = 0

    private let bounds: RosterBounds
    private var timer: Timer?
    private var listeners: [Listener] = []
    private var slots: [Member?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [UInt32] = []
    private var peers: [PeerKey: Int] = [:]
    private var dirtied: [Member] = []
    private var spare: [[UInt8]] = []

    init(_ loop: Loop, _ bounds: RosterBounds) {
        self.loop = loop
        self.bounds = bounds
    }

    /// Calls back every so many milliseconds; with 0 never.
    func startTimer(every period: UInt64, _ body: @escaping () -> Void) throws(LoopError) {
        guard period > 0 else { return }
        timer = try Timer(on: loop, after: period, every: period, body)
    }

    /// Opens a door.
    func listen(
        host: String,
        port: Int,
        sharePort: Bool,
        owner: any ListenerOwner
    ) throws(LoopError) {
        listeners.append(
            try Listener(on: loop, host: host, port: port, sharePort: sharePort, owner: owner)
        )
    }

    /// The bound ports, in the order of `listen`.
    var ports: [Int] { listeners.map(\.port) }

    /// Gives an accepted stream a seat, to be taken with `seat`; or none, and closes it.
    func admit(_ stream: Stream) -> Admission {
        guard open < bounds.connections, !isDraining else {
            stream.close()
            return .full
        }
        let peer = PeerKey(stream.peer.span)
        if let peer {
            let count = peers[peer, default: 0]
            guard count < (peer.isLoopback ? bounds.fromLoopback : bounds.perPeer) else {
                stream.close()
                return .peerFull
            }
            peers[peer] = count + 1
        }
        open += 1
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if slot == slots.count {
            slots.append(nil)
            generations.append(0)
        }
        generations[Int(slot)] &+= 1
        return .seated(Place(slot: slot, generation: generations[Int(slot)], peer: peer))
    }

    /// Takes the seat, and begins to read.
    func seat(_ member: Member) {
        slots[Int(member.place.slot)] = member
        member.stream.owner = member
        member.stream.startReading()
    }

    /// Frees the seat of a connection that has ended.
    func forget(_ place: Place) {
        open -= 1
        slots[Int(place.slot)] = nil
        freeSlots.append(place.slot)
        guard let peer = place.peer, let count = peers[peer] else { return }
        peers[peer] = count > 1 ? count - 1 : nil
    }

    /// Whose request this is; nil if that connection is gone.
    func member(of exchange: Exchange) -> Member? {
        guard exchange.slot < slots.count, let member = slots[Int(exchange.slot)],
            member.place.generation == exchange.generation
        else { return nil }
        return member
    }

    /// Notes that a connection has something to send; once until the next `flush`.
    func dirty(_ member: Member) { dirtied.append(member) }

    /// Lets every connection send what it has.
    func flush() {
        guard !dirtied.isEmpty else { return }
        var batch: [Member] = []
        swap(&dirtied, &batch)
        for member in batch { member.flush() }
        batch.removeAll(keepingCapacity: true)
        if dirtied.isEmpty { swap(&dirtied, &batch) }
    }

    /// Ends connections that are over time.
    func sweep(now milliseconds: UInt64) {
        now = milliseconds
        for member in slots { member?.sweep() }
    }

    /// Stops accepting, and lets connections end at their next chance.
    func drain() {
        isDraining = true
        closeListeners()
        for member in slots { member?.drain() }
    }

    /// Ends everything now.
    func close() {
        isDraining = true
        closeListeners()
        timer?.close()
        timer = nil
        for member in slots { member?.stream.close() }
        dirtied.removeAll()
        spare.removeAll()
    }

    /// An empty buffer.
    func takeBuffer() -> [UInt8] { spare.popLast() ?? [] }

    /// Takes a buffer back once it is empty, and keeps it if it is worth keeping.
    func giveBack(_ buffer: inout [UInt8]) {
        guard buffer.isEmpty, buffer.capacity > 0 else { return }
        let isWorthIt = buffer.capacity <= Limits.spareBufferBytes
        if isWorthIt, spare.count < Limits.spareBuffers, !isDraining { spare.append(buffer) }
        buffer = []
    }

    private func closeListeners() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
    }
}

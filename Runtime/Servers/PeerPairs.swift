// One link a pair, although both sides dial: the node with the lower id decides, and says so.
//
// Two rules of thumb fail. "The first link wins" flaps, as each side may see another one first.
// "The link that the lower one dialed wins" replaces a good link each time the lower one dials a
// second address of its peer. So only one side chooses, and the other one follows:
//
//     the lower node   takes a connection if the pair has no link, numbers it, and says the number
//                      in its `ready`; any other connection is a duplicate;
//     the higher node  is linked when it hears that `ready`, whatever it had before; in its own
//                      `ready` it says the last number that it has heard.
//
// The numbers tell two cases apart that look the same to the lower node, "my link stands, and the
// peer asks for another": if the peer has heard the link's number and yet asks, the link is dead at
// its end and is replaced at once; if it has not, the choice is still on its way, and stands.
//
// Another life or another address of the same node is never a duplicate: it waits until the one
// that is linked has proved to be dead, by not answering a ping (PeerLink).

internal import Suppression

/// Which connection is the link with each peer; a plain value.
struct PeerPairs {
    /// What to do with a connection whose peer is known.
    enum Verdict: Equatable {
        /// The pair has no link.
        case free
        /// It takes the place of this one.
        case replace(PeerLinkID)
        /// The pair's link stands.
        case duplicate
        /// This link is of another life or another address of the node.
        case otherLife(PeerLinkID)
    }

    private struct Pair {
        var epoch: Epoch
        var address: [UInt8]
        /// Of the last link, within the lives of both.
        var number: UInt32
        var link: PeerLinkID?
    }

    private let own: NodeID
    private var pairs: [NodeID: Pair] = [:]

    init(own: NodeID) { self.own = own }

    /// True if the choice is ours.
    func decides(over peer: NodeID) -> Bool { own < peer }

    /// The link with a node.
    func link(with node: NodeID) -> PeerLinkID? { pairs[node]?.link }

    /// True if this life of a node is linked.
    func isLinked(_ origin: Origin) -> Bool {
        guard let pair = pairs[origin.node] else { return false }
        return pair.epoch == origin.epoch && pair.link != nil
    }

    /// The number of the last link with this life; 0 before the first.
    func number(with origin: Origin) -> UInt32 {
        guard let pair = pairs[origin.node], pair.epoch == origin.epoch else { return 0 }
        return pair.number
    }

    /// Judges a connection.
    ///
    /// - Parameter number: what the peer's `ready` says; nil before it.
    func verdict(on peer: PeerIdentity, number: UInt32?) -> Verdict {
        guard let pair = pairs[peer.node], let link = pair.link else { return .free }
        guard pair.epoch == peer.epoch, pair.address == peer.address else {
            return .otherLife(link)
        }
        guard let number else { return .duplicate }
        let isNext = decides(over: peer.node) ? number == pair.number : number > pair.number
        return isNext ? .replace(link) : .duplicate
    }

    /// Makes a connection the link of its pair; for the side that decides.
    ///
    /// - Returns: its number, to be said.
    mutating func choose(_ peer: PeerIdentity, _ link: PeerLinkID) -> UInt32 {
        let number = number(with: peer.origin) + 1
        follow(peer, link, number: number)
        return number
    }

    /// Makes a connection the link of its pair; for the side that was told its number.
    mutating func follow(_ peer: PeerIdentity, _ link: PeerLinkID, number: UInt32) {
        if pairs[peer.node] == nil, pairs.count >= Limits.peerRecords {
            pairs = pairs.filter { $0.value.link != nil }
        }
        pairs[peer.node] = Pair(
            epoch: peer.epoch,
            address: peer.address,
            number: number,
            link: link
        )
    }

    /// The link is gone; another one may already stand in its place.
    mutating func ended(_ node: NodeID, _ link: PeerLinkID) {
        if pairs[node]?.link == link { pairs[node]?.link = nil }
    }
}

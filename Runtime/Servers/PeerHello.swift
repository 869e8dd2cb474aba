// The first bytes of either side of a link: a random, and an identity sealed under the cluster's
// key.
//
//     "QLK1" | key id u32 | random 16 | length u16 | sealed identity (length bytes with the tag)
//     `------------ 26 bytes, authenticated -----'
//
//     dialer                                     acceptor
//       | -- hello (random d) ---------------------> |  a wrong magic, key or seal: closed, silent
//       | <--------- hello (random a, sealed with d) |  fresh: no recorded hello opens
//       | -- ready, the first frame ---------------> |  fresh: no recorded dialer sends it
//       | <---------------- ready (or farewell) ---- |  linked
//
// The acceptor says nothing until the dialer has shown the key, so a scan of ports learns nothing.

internal import Suppression

/// A hello that was opened: whose it is, and what the keys of the connection depend on.
struct PeerHello {
    /// "QLK" and the version of this handshake.
    static let magic: [UInt8] = [0x51, 0x4C, 0x4B, 0x31]
    static let headBytes = 26

    let identity: PeerIdentity
    let secret: PeerSecret
    let random: HandshakeRandom
    /// Bytes that it took.
    let count: Int

    /// Our hello.
    ///
    /// - Parameter answering: the dialer's random if we accepted; nil if we dialed.
    static func sealed(
        _ identity: PeerIdentity,
        under secret: PeerSecret,
        random: HandshakeRandom,
        answering: HandshakeRandom? = nil
    ) -> [UInt8] {
        let plain = identity.encoded()
        var bytes = magic
        bytes.append(bigEndian: secret.id)
        bytes.append(bigEndian: random.high)
        bytes.append(bigEndian: random.low)
        bytes.append(bigEndian: UInt16(plain.count + PeerCipher.tagBytes))
        let cipher = cipher(secret, random, answering)
        let head = bytes
        cipher.seal(plain.span, header: head, counter: 0, onto: &bytes)
        return bytes
    }

    /// Opens the other side's.
    ///
    /// - Parameters:
    ///   - bytes: all that has come.
    ///   - keys: what is accepted; for the acceptor's hello only the key that we dialed with.
    ///   - answering: our random if we dialed; nil if we accepted.
    /// - Returns: nil if more has to come.
    static func read(
        _ bytes: Span<UInt8>,
        keys: PeerKeys,
        answering: HandshakeRandom? = nil
    ) throws(PeerEnd) -> PeerHello? {
        for at in 0..<min(bytes.count, magic.count) where bytes[at] != magic[at] {
            throw .garbage
        }
        guard bytes.count >= headBytes else { return nil }
        do {
            var cursor = ByteCursor(at: magic.count)
            let id = try cursor.u32(bytes)
            let random = HandshakeRandom(
                high: try cursor.u64(bytes),
                low: try cursor.u64(bytes)
            )
            let length = Int(try cursor.u16(bytes))
            guard length <= Limits.peerHelloBytes else { throw PeerEnd.garbage }
            guard let secret = keys.accepted(id) else { throw PeerEnd.wrongKey }
            let end = headBytes + length
            guard bytes.count >= end else { return nil }
            var start = ByteCursor()
            let head = try start.take(headBytes, of: bytes)
            let plain = cipher(secret, random, answering).open(
                bytes.extracting(headBytes..<end),
                header: head,
                counter: 0
            )
            guard let plain else { throw PeerEnd.forged }
            let identity = try PeerIdentity.decode(plain.span)
            return PeerHello(identity: identity, secret: secret, random: random, count: end)
        } catch let end as PeerEnd {
            throw end
        } catch {
            throw .malformed
        }
    }

    /// The dialer's random comes first in the salt, whoever speaks.
    private static func cipher(
        _ secret: PeerSecret,
        _ own: HandshakeRandom,
        _ answered: HandshakeRandom?
    ) -> PeerCipher {
        guard let answered else {
            return PeerSchedule(secret: secret, dialer: own, acceptor: .missing)
                .cipher(.hello, .fromDialer, sender: nil)
        }
        return PeerSchedule(secret: secret, dialer: answered, acceptor: own)
            .cipher(.hello, .fromAcceptor, sender: nil)
    }
}

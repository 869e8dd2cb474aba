// What a function wants done. It stages, the host acts: dots are minted once, after the run whose
// answer counts, and the answer leaves when all of it is acknowledged. A function names a scope and
// a reason, never a person: the person is the link's own, so there is no way to ask for somebody
// else's. A function at /f/NAME/ has no link; it names people by address, and is asked only with an
// API key that may suppress them, at that key's tenant.

public import Suppression

/// One staged wish.
public enum Effect: Equatable, Sendable {
    /// Suppress the link's person.
    case suppress(Scope, Reason)
}

/// One staged wish about somebody whom an address names.
public struct AddressEffect: Equatable, Sendable {
    /// As the request had it.
    public let address: [UInt8]
    /// Name of the stream; empty for all mail of the tenant.
    public let stream: [UInt8]
    /// Name of the topic; empty for all of the stream.
    public let topic: [UInt8]
    /// Why.
    public let reason: Reason

    /// Puts one together.
    public init(address: [UInt8], stream: [UInt8], topic: [UInt8], reason: Reason) {
        self.address = address
        self.stream = stream
        self.topic = topic
        self.reason = reason
    }
}

/// Collects effects.
public struct Context: Sendable {
    /// In the order in which they were staged.
    public private(set) var effects: [Effect] = []
    /// Effects on addresses as they travel (Abi.swift, field 4): a handler that stages none then
    /// carries no code for them.
    private(set) var addressed: [UInt8] = []
    private var addressedCount = 0
    /// Whether more was staged than is allowed: the whole answer is then a bad response.
    public private(set) var overflowed = false

    /// Nothing is staged.
    public init() {}

    /// Stages a suppression of the link's person at its tenant.
    public mutating func suppress(_ scope: Scope, _ reason: Reason) {
        guard effects.count < Limits.stagedEffectsCount else {
            overflowed = true
            return
        }
        effects.append(.suppress(scope, reason))
    }

    /// Stages a suppression of whom an address names, at the tenant of the request's API key.
    ///
    /// - Parameters:
    ///   - address: as the request had it; what is no address is left out by the host.
    ///   - stream: the stream's name; empty for all mail of the tenant.
    ///   - topic: the topic's name; empty for all of the stream.
    ///   - reason: why.
    public mutating func suppress(
        address: [UInt8],
        stream: [UInt8] = [],
        topic: [UInt8] = [],
        _ reason: Reason
    ) {
        guard addressedCount < Limits.addressEffectsCount,
            address.count <= Limits.effectAddressBytes, stream.count <= Limits.effectNameBytes,
            topic.count <= Limits.effectNameBytes
        else {
            overflowed = true
            return
        }
        addressedCount += 1
        addressed.append(reason.raw)
        addressed.append(UInt8(truncatingIfNeeded: stream.count))
        addressed.append(UInt8(truncatingIfNeeded: topic.count))
        addressed.append(0)
        addressed.append(UInt8(truncatingIfNeeded: address.count))
        addressed.append(UInt8(truncatingIfNeeded: address.count >> 8))
        addressed.append(contentsOf: stream)
        addressed.append(contentsOf: topic)
        addressed.append(contentsOf: address)
    }
}

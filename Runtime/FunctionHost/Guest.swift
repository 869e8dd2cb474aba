// A version on one loop: keeps what calls share, and keeps them apart.
//
//     strict   a store, an instance and their end for each call
//     reset    one instance; before each call its memory is put back to what it was when it was
//              made
//     warm     the same instance, put back only when the call before was another tenant's
//
// After any failure the instance is thrown away: a trap leaves half of a call behind.

import CWasmtime
import FunctionKit

/// One version, ready to be called from one thread.
@safe public final class Guest {
    /// Which one.
    public let version: FunctionVersion
    private let linkage: Linkage
    private let kind: Int32
    private let limits: CallLimits
    private let window: Window
    private let mayShare: Bool
    private let calls: CallCount
    private let values: UnsafeMutablePointer<wasmtime_val_raw_t>
    private var resident: Instance?
    private var image: [UInt8] = []
    private var residentCalls = 0
    private var lastTenant: UInt64 = 0

    /// Links the version for this thread, and makes the instance that calls share.
    init(_ version: FunctionVersion) throws(LoadError) {
        self.version = version
        kind = Int32(version.spec.kind.rawValue)
        limits = CallLimits(version.spec)
        window = version.window
        // The scan has looked for what outlives a call only where calls were to share.
        mayShare = version.spec.isolation != .strict
        calls = version.module.engine.ticker.watch()
        linkage = try Linkage(version.module, version.spec, version.log)
        unsafe values = .allocate(capacity: 2)
        unsafe values.initialize(repeating: wasmtime_val_raw_t(), count: 2)
    }

    deinit {
        version.module.engine.ticker.forget(calls)
        unsafe values.deallocate()
    }

    /// One call.
    ///
    /// - Parameters:
    ///   - request: of the version's kind, encoded.
    ///   - isolation: the version's own, or `warm` for a batch of checks; a version made for
    ///     `strict` is called so whatever stands here.
    ///   - tenant: whose request it is; `warm` shares nothing between two.
    ///   - response: replaced by the answer; undefined after a failure.
    public func call(
        _ request: [UInt8],
        _ isolation: Isolation,
        tenant: UInt64,
        into response: inout [UInt8]
    ) throws(CallFailure) {
        guard request.count <= min(limits.requestBytes, window.requestBytes) else {
            throw .unavailable
        }
        calls.bump()
        if isolation == .strict || !mayShare {
            let instance = try Instance(linkage, limits)
            try run(instance, request, into: &response)
            return
        }
        let instance = try taken()
        let isShared = isolation == .warm && tenant == lastTenant
        if residentCalls > 0, !isShared { instance.restore(image) }
        lastTenant = tenant
        residentCalls += 1
        try run(instance, request, into: &response)
        if residentCalls < Limits.residentCallsCount { resident = consume instance }
    }

    /// How far into its memory a call of its own instance reaches; nil where the guest does not
    /// tell, or the call fails.
    func peak(of request: [UInt8]) -> Int? {
        var response: [UInt8] = []
        do throws(CallFailure) {
            let instance = try Instance(linkage, limits)
            try run(instance, request, into: &response)
            let place = Int(try instance.number("quell_io", limits))
            let image = instance.image()
            guard place >= 0, place <= image.count - 32 else { return nil }
            let used = (0..<4).reduce(0) { $0 | Int(image[place + 24 + $1]) << (8 * $1) }
            return used > 0 && used <= image.count ? used : nil
        } catch { return nil }
    }

    private func run(
        _ instance: borrowing Instance,
        _ request: [UInt8],
        into response: inout [UInt8]
    ) throws(CallFailure) {
        unsafe try instance.call(kind, request, window, limits, values, into: &response)
    }

    /// The shared instance, out of its place, so that a failure cannot put it back.
    private func taken() throws(CallFailure) -> Instance {
        if let instance = resident.take() { return instance }
        let instance = try Instance(linkage, limits)
        if image.isEmpty { image = instance.image() }
        residentCalls = 0
        return instance
    }
}
